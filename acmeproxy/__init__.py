"""acmeproxy: an RFC 8555 ACME server in front of HashiCorp Vault and OpenBao PKI.

In Boulder's words the web role is WFE and RA, the worker is VA and the caller of the CA; Vault is the CA.
"""

__version__ = "0.1.0"
