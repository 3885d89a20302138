"""What relying parties read: certificates of the CAs, their revocation lists and OCSP, over plain GET."""
