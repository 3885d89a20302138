"""Real servers from their wheels, for `acmeproxy dev` and the tests."""
