"""Looks at strangers' hosts and DNS, and trusts neither (RFC 8555 §8, §10.4)."""
