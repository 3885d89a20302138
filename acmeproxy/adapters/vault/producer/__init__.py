"""The producer side: building, from the settings, the PKI in Vault or OpenBao that certificates come from."""
