"""`python -m acmeproxy`."""

from acmeproxy.cli.main import run

run()
