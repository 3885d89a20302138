"""HTTP: the ACME resources, health and metrics."""
