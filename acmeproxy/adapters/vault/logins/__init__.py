"""The ways to log in to Vault, one module each: a value of the configuration becomes a lease."""
