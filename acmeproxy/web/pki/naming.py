"""Which CA a request is about: the one in its path, from a fixed table (INV-4)."""

from aiohttp import web

from acmeproxy.core.problem import AcmeError, refuse
from acmeproxy.core.reference import Reference
from acmeproxy.services.publishing import Published
from acmeproxy.web.keys import SERVICES

_AGAIN = 5


def published_by(request: web.Request) -> Published:
    """Return the CA in the path.

    Raises:
        AcmeError: `malformed` with status 404, where no such CA is configured.
    """
    found = request.app[SERVICES].publishing.find(request.match_info["name"])
    if found is None:
        raise refuse(Reference.NOT_FOUND, "there is no CA of this name")
    return found


def away() -> AcmeError:
    """Return the refusal where Vault does not answer and nothing that is kept is still true."""
    text = "the CA cannot be asked now, and nothing that is still true is kept of it"
    return refuse(Reference.PUBLISHED_AWAY, text, retry_after=_AGAIN)
