"""A client with an account, for tests that are about what comes then."""

import asyncio

from aiohttp import ClientSession

from tests.support.acme_client import AcmeClient
from tests.support.acme_jws import ExternalAccount


async def registered(
    http: ClientSession, directory: str, external: ExternalAccount | None = None
) -> AcmeClient:
    """Register; a server that has just started may refuse its own nonces for a moment, as clients know."""
    client = AcmeClient(http, directory)
    async with asyncio.timeout(60):
        answer = await client.new_account(external)
        while answer.error == "badNonce":
            answer = await client.new_account(external)
    assert answer.status == 201, answer.body
    return client
