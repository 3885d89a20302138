"""One look of a DNS method at name servers on loopback."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from acmeproxy.adapters.validation.dns01 import Dns01
from acmeproxy.adapters.validation.resolver import Resolver
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.problem import Problem
from acmeproxy.services.ports import Target
from tests.support.dns_server import DnsServer, Reply, Zone, dns_server
from tests.support.http01_look import AT_EASE, KEY_AUTHORIZATION, TOKEN

#: Of `KEY_AUTHORIZATION`: openssl dgst -sha256 -binary | basenc --base64url, without the padding.
VALUE: Final = "iyM82lxkJJr7M5dVWxiY2_LpLXyYzdP8ZQZ0ZDVF_cI"
OWNER: Final = "_acme-challenge.a.example"
ACCOUNT: Final = "https://acme.example/acme/web/account/Abc"


def target(name: str = "a.example", *, wildcard: bool = False, account: str = ACCOUNT) -> Target:
    """Make what a validator is given for a name without `*.`."""
    identifier = Identifier(IdentifierType.DNS, name)
    issuers = ("ca.example",)
    return Target(
        identifier, TOKEN, KEY_AUTHORIZATION, wildcard=wildcard, account_url=account, issuers=issuers
    )


def resolver(server: DnsServer, timeout: timedelta = AT_EASE) -> Resolver:
    """Make a resolver that asks this server."""
    return Resolver(("127.0.0.1", server.port), timeout)


async def look(
    reply: Reply | Zone,
    looked_at: Target | None = None,
    timeout: timedelta = AT_EASE,  # noqa: ASYNC109 - the resolver's own
) -> Problem | None:
    """Look once by dns-01."""
    async with dns_server(reply) as server:
        return await Dns01(resolver(server, timeout)).look(looked_at or target())


def answering(*rrsets: tuple[str, str, Sequence[str]]) -> Reply:
    """Answer every question with these sets of records: owner, type and values, whatever was asked."""

    def reply(query: dns.message.Message, _: bool) -> Sequence[bytes]:  # noqa: FBT001 - the shape of Reply
        response = dns.message.make_response(query, recursion_available=True)
        response.answer = [
            dns.rrset.from_text(f"{owner}.", 0, "IN", kind, *values) for owner, kind, values in rrsets
        ]
        return [response.to_wire(max_size=65535)]

    return reply
