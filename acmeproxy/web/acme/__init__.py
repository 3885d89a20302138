"""The resources of RFC 8555, one module each."""
