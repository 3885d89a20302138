"""One look of the http-01 validator at servers on loopback, by names of a zone made for it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from acmeproxy.adapters.validation.egress import Egress
from acmeproxy.adapters.validation.http01 import Http01
from acmeproxy.adapters.validation.resolver import Resolver
from acmeproxy.core.identifier import Identifier, IdentifierType
from acmeproxy.core.problem import Problem
from acmeproxy.services.ports import Target
from tests.support.dns_server import Reply, Zone, dns_server
from tests.support.in_time import in_time

TOKEN: Final = "DGyRejmCefe7v4NfDGDKfA-7v4NfDGDKfA_DGDKfA-7"
THUMBPRINT: Final = "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"
KEY_AUTHORIZATION: Final = f"{TOKEN}.{THUMBPRINT}"
ANSWER: Final = KEY_AUTHORIZATION.encode()
PATH: Final = f"/.well-known/acme-challenge/{TOKEN}"

LOOPBACK: Final = Egress(allow=(IPv4Network("127.0.0.0/8"), IPv6Network("::1/128")))
ZONE: Final[Zone] = {"a.example": {"A": ["127.0.0.1"]}, "b.example": {"A": ["127.0.0.2"]}}
#: Long enough for a busy machine to resolve and dial.
SOON: Final = timedelta(seconds=1)
AT_EASE: Final = timedelta(seconds=10)


def dns_target(name: str = "a.example") -> Target:
    return Target(Identifier(IdentifierType.DNS, name), TOKEN, KEY_AUTHORIZATION)


def ip_target(text: str) -> Target:
    return Target(Identifier(IdentifierType.IP, text), TOKEN, KEY_AUTHORIZATION)


@asynccontextmanager
async def validator(
    http_port: int,
    zone: Reply | Zone = ZONE,
    *,
    https_port: int = 443,
    egress: Egress = LOOPBACK,
    timeout: timedelta = AT_EASE,  # noqa: ASYNC109 - the validator's own
) -> AsyncIterator[Http01]:
    """Build a validator that asks a name server with this zone, or this way to reply."""
    async with dns_server(zone) as server:
        yield Http01(
            resolver=Resolver(("127.0.0.1", server.port), timeout),
            egress=egress,
            http_port=http_port,
            https_port=https_port,
            timeout=timeout,
            user_agent="acmeproxy-test",
        )


async def look(  # noqa: PLR0913 - one for each part that a test replaces
    http_port: int,
    zone: Reply | Zone = ZONE,
    *,
    https_port: int = 443,
    egress: Egress = LOOPBACK,
    timeout: timedelta = AT_EASE,  # noqa: ASYNC109 - the validator's own
    target: Target | None = None,
) -> Problem | None:
    """Look once, and make sure that the look ends with its deadline."""
    async with (
        validator(http_port, zone, https_port=https_port, egress=egress, timeout=timeout) as http01,
        in_time(timeout.total_seconds() + 1),
    ):
        return await http01.look(target or dns_target())


def kind(problem: Problem | None) -> str | None:
    """Shorten a problem to what a test of its sort compares: the last part of its type, and its reference."""
    if problem is None:
        return None
    return f"{problem.type.rpartition(':')[2]} {problem.detail.rpartition('[ref ')[2].rstrip(']')}"


@contextmanager
def closed_port(host: str = "127.0.0.1") -> Iterator[int]:
    """Hold a port on which nobody listens: connections are refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as held:
        held.bind((host, 0))
        yield held.getsockname()[1]


@asynccontextmanager
async def black_hole(host: str, port: int) -> AsyncIterator[None]:
    """Hold a port where connections are neither made nor refused: the queue of a deaf server is full."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as sockets:
        deaf = sockets.enter_context(socket.socket(family))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deaf.bind((host, port))
        deaf.listen(0)
        for _ in range(8):
            caller = sockets.enter_context(socket.socket(family))
            caller.setblocking(False)  # noqa: FBT003 - the socket's own signature
            try:
                async with asyncio.timeout(0.1):
                    await loop.sock_connect(caller, (host, port))
            except TimeoutError:
                break
        else:
            raise AssertionError("the queue of a listening socket never fills on this system")
        yield
