"""The checks of `acmeproxy doctor` that know Vault: each module has one idea, and none changes anything."""
