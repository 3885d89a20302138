"""Authorizations and their challenges (RFC 8555 §7.5)."""

from aiohttp import web

from acmeproxy.core.authorization import Authorization
from acmeproxy.core.challenge import Challenge, ChallengeStatus
from acmeproxy.core.ids import AuthorizationId
from acmeproxy.services.stores import Wanted
from acmeproxy.web.acme import resources
from acmeproxy.web.acme.answers import answer
from acmeproxy.web.acme.missing import present
from acmeproxy.web.acme.signed import principal
from acmeproxy.web.acme.tenancy import links_of, tenant_of
from acmeproxy.web.keys import SERVICES


async def new_authorization(request: web.Request) -> web.Response:
    """Make an authorization before any order, where a tenant lets later orders use it."""
    tenant = tenant_of(request)
    present(tenant.authorization_reuse)
    who = await principal(request)
    entity = await request.app[SERVICES].ordering.preauthorize(tenant, who)
    links, now = links_of(request), request.app[SERVICES].clock()
    shown = resources.authorization(entity, now, links)
    return answer(shown, status=201, location=links.authorization(entity.id))


async def authorization(request: web.Request) -> web.Response:
    """Read an authorization, or give it up."""
    who = await principal(request, _wanted(request))
    stored = present(who.admitted.authorization)
    entity = await request.app[SERVICES].ordering.update_authorization(who, stored)
    links, now = links_of(request), request.app[SERVICES].clock()
    return answer(
        resources.authorization(entity, now, links),
        location=links.authorization(entity.id),
        retry_after=_retry_after(entity.challenges),
    )


async def challenge(request: web.Request) -> web.Response:
    """Read a challenge, or say that its proof is in place."""
    who = await principal(request, _wanted(request))
    stored = present(who.admitted.authorization)
    asked = present(_named(request, stored.value))
    entity = await request.app[SERVICES].responding.respond(who, stored, asked)
    links, shown = links_of(request), present(_named(request, entity))
    return answer(
        resources.challenge(entity, shown, links),
        location=links.challenge(entity, shown),
        retry_after=_retry_after((shown,)),
        # certbot and lego find the authorization by this link (CHL-06).
        links=((links.authorization(entity.id), "up"),),
    )


def _wanted(request: web.Request) -> Wanted:
    return Wanted(authorization=AuthorizationId(request.match_info["authorization"]))


def _named(request: web.Request, entity: Authorization) -> Challenge | None:
    kinds = {challenge.type.value: challenge for challenge in entity.challenges}
    return kinds.get(request.match_info["type"])


def _retry_after(challenges: tuple[Challenge, ...]) -> int | None:
    """A second, while a worker is looking (RFC 8555 §8.2)."""
    looking = any(challenge.status is ChallengeStatus.PROCESSING for challenge in challenges)
    return 1 if looking else None
