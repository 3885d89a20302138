"""The world outside, one package a vendor; only `acmeproxy.wiring` imports them."""
