"""What the tests in this room take: an installation of their module, and a client that talks to it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from aiohttp import ClientSession, DummyCookieJar

from acmeproxy.adapters.embedded.processes import free_port
from tests.support.http01_responder import Http01Responder
from tests.support.installation import Development, development


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Development]:
    """Run `acmeproxy dev` over plain HTTP; tenant team-a may have names under corp.example too."""
    directory = tmp_path_factory.mktemp("dev")
    with development(directory, free_port(), "--no-tls", "--allow-name", "corp.example") as running:
        yield running


@pytest_asyncio.fixture
async def http() -> AsyncIterator[ClientSession]:
    """Return a session without cookies."""
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:
        yield session


@pytest_asyncio.fixture
async def responder(installation: Development) -> AsyncIterator[Http01Responder]:
    """Run the web server of every name, where the installation looks."""
    async with Http01Responder(installation.http01_port) as running:
        yield running
