"""Vault and OpenBao: logging in, signing, looking for what was signed, and setting up a development PKI."""
