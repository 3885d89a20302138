"""What every method has in common: what an answer means, how often is asked, and what is logged."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from acmeproxy.adapters.vault.connection import AppRoleLogin, JwtLogin, Secret, SecretFile, TokenLogin
from acmeproxy.services.ports import SigningDeferredError
from tests.adapters.vault.canned_vault import http_answer
from tests.adapters.vault.logging_in import kept, logging_in, put, remove
from tests.adapters.vault.scripted_vault import scripted_vault
from tests.support.eventually import eventually
from tests.support.log_capture import captured

JWT = JwtLogin("acmeproxy", Secret("a.b.c"))
SECOND_FACTOR = {"auth": {"client_token": "", "mfa_requirement": {"mfa_request_id": "d0c9eec7"}}}
#: Of a server that nobody can count with: it must not end the process, and with it all other tenants.
ENDLESS = {"auth": {"client_token": "s.x", "lease_duration": 10**400, "renewable": True}}


@pytest.fixture(autouse=True)
def events() -> Iterator[structlog.testing.LogCapture]:
    """Keep what is logged."""
    with captured() as capture:
        yield capture


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http_answer(200, SECOND_FACTOR), "a login for machines must not ask for a second factor"),
        (http_answer(200, ENDLESS), "a login for machines must not ask for a second factor"),
        (http_answer(200, b"<html>"), "a login for machines must not ask for a second factor"),
        (
            http_answer(404, {"errors": ["namespace not found"]}),
            "the namespace does not exist, or the server",
        ),
        (http_answer(429, {"errors": []}), "a rate limit quota of the server"),
        (
            http_answer(503, {"errors": ["Vault is sealed"]}),
            "the server or the namespace is sealed or locked",
        ),
        (http_answer(418, {"errors": ["no"]}), "Vault answered 418 'no'"),
    ],
)
async def test_what_an_answer_means_whatever_the_method(answer: bytes, said: str) -> None:
    async with scripted_vault([], answer) as vault, logging_in(vault.address, JWT) as keeper:
        with pytest.raises(SigningDeferredError) as caught:
            await keeper.ask("get", "pki/roles/acme")
    assert said in str(caught.value)
    assert str(caught.value).startswith("the login did not work: Vault answered ")


@pytest.mark.parametrize("status", [400, 403, 200])
async def test_what_would_be_refused_again_is_not_asked_at_once(status: int) -> None:
    async with (
        scripted_vault([], http_answer(status, {"errors": ["no"]})) as vault,
        logging_in(vault.address, JWT) as keeper,
    ):
        with pytest.raises(SigningDeferredError) as first:
            await keeper.ask("get", "pki/roles/acme")
        with pytest.raises(SigningDeferredError, match="refused a moment ago"):
            await keeper.ask("get", "pki/roles/acme")
        assert len(vault.requests) == 1
    assert first.value.retry_after == timedelta(seconds=2)


async def test_a_server_that_is_away_for_a_moment_is_asked_again() -> None:
    async with (
        scripted_vault([], http_answer(503, {"errors": ["Vault is sealed"]})) as vault,
        logging_in(vault.address, JWT) as keeper,
    ):
        for _ in range(2):
            with pytest.raises(SigningDeferredError, match="Vault answered 503"):
                await keeper.ask("get", "pki/roles/acme")
        assert len(vault.requests) == 2


async def test_a_swapped_wrapping_token_is_no_reason_to_hammer(
    events: structlog.testing.LogCapture,
) -> None:
    login = AppRoleLogin("role", Secret("s.swapped"), wrapped=True)
    elsewhere = http_answer(200, {"data": {"creation_path": "sys/wrapping/wrap"}})
    async with scripted_vault([], elsewhere) as vault, logging_in(vault.address, login) as keeper:
        for _ in range(3):
            with pytest.raises(SigningDeferredError):
                await keeper.ask("get", "pki/roles/acme")
        assert len(vault.requests) == 1
    assert len(events.entries) == 1


async def test_a_login_that_fails_is_logged_once_with_its_place(
    events: structlog.testing.LogCapture,
) -> None:
    async with (
        scripted_vault([], http_answer(400, {"errors": ["no"]})) as vault,
        logging_in(vault.address, JWT) as keeper,
        kept(keeper),
    ):

        async def logged() -> bool:
            return bool(events.entries)

        await eventually(logged)
        (event,) = events.entries
    assert (event["event"], event["log_level"]) == ("login to vault fails", "warning")
    assert (event["address"], event["namespace"]) == (vault.address, "admin/alpha")
    assert event["why"].startswith("the login did not work: Vault answered 400 'no': the role does not exist")


async def test_a_sink_that_is_gone_is_told_and_the_token_goes_on(
    tmp_path: Path, events: structlog.testing.LogCapture
) -> None:
    sink = tmp_path / "sink"
    put(sink, "s.good")
    good = http_answer(200, {"data": {"ttl": 3600, "renewable": False}})
    login = TokenLogin(SecretFile(sink), timedelta(milliseconds=50))
    async with (
        scripted_vault([], good) as vault,
        logging_in(vault.address, login) as keeper,
        kept(keeper),
    ):
        await keeper.ask("get", "pki/roles/acme")
        remove(sink)

        async def logged() -> bool:
            return bool(events.entries)

        await eventually(logged)
        assert (await keeper.ask("get", "pki/roles/acme")).status == 200
    assert events.entries[0]["why"] == (
        f"no login without its secret: the file {sink} cannot be read: No such file or directory"
    )
