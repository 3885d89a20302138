"""RFC 8555 as values and functions: no I/O, no clock, no framework."""
