"""Builds every object once; the only importer of adapters."""
