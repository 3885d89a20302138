import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.support.ward import Ward, sound_ward

_NUMBERS = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def doctors_openbao(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenBao]:
    """Run one for these tests alone: they break it, each its own tenant."""
    async with running_openbao(tmp_path_factory.mktemp("doctors-openbao")) as server:
        yield server


@pytest.fixture(scope="session")
def doctors_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where its root lies."""
    return tmp_path_factory.mktemp("doctors-pki")


@pytest_asyncio.fixture
async def front() -> AsyncIterator[str]:
    """Return the address of something that answers wherever a certificate points to."""
    async with canned_vault(http_answer(200, b"a document")) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest_asyncio.fixture
async def ward(doctors_openbao: OpenBao, doctors_directory: Path, front: str) -> Ward:
    """Return a fresh tenant without a fault."""
    return await sound_ward(doctors_openbao, doctors_directory, f"ward-{next(_NUMBERS)}", front)
