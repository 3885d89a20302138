"""Which tenant a request is for: the one in its path, from a fixed table (INV-4)."""

from aiohttp import web

from acmeproxy.core.ids import TenantName
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import Tenant
from acmeproxy.web.acme.links import Links
from acmeproxy.web.keys import SERVICES


def tenant_of(request: web.Request) -> Tenant:
    """Return the tenant in the path.

    Raises:
        AcmeError: `malformed` with status 404, where no such tenant is configured.
    """
    tenant = request.app[SERVICES].tenants.get(TenantName(request.match_info["tenant"]))
    if tenant is None:
        raise refuse(Reference.NOT_FOUND, "there is no such directory")
    return tenant


def links_of(request: web.Request) -> Links:
    """Return the URLs of the tenant in the path."""
    return Links.of(request.app[SERVICES].public_url, tenant_of(request).name)
