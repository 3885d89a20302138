"""What the answers mean that a healthy OpenBao does not give: a server that gives them stands in for it."""

import asyncio
import time
from datetime import timedelta

import msgspec
import pytest

from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.services.ports import (
    SigningDeferredError,
    SigningRefusedError,
    SigningUncertainError,
)
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.support.openbao import intent

CANNED = Tenant(TenantName("canned"), VaultPlace("pki", "acme"), Names())
TOKEN = "s.canary-token"


def to(port: int, **times: timedelta) -> dict[TenantName, VaultConnection]:
    connection = VaultConnection(f"http://127.0.0.1:{port}", TokenLogin(Secret(TOKEN)))
    return {CANNED.name: msgspec.structs.replace(connection, **times)}


def says(text: str) -> dict[str, list[str]]:
    return {"errors": [text]}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, says("unknown role: acme")),
        (400, says("not_after_bound is set to ttl-limited. Cannot satisfy request")),
        (400, says("cannot satisfy request, as TTL would result in notAfter of ...")),
        (400, says("the common_name field is required, or must be provided in a CSR")),
        (400, says('Field validation failed: error converting input for field "ttl"')),
        (400, says("failed to decode JSON input: invalid character")),
        (400, says("Either ttl or not_after should be provided.")),
        (400, says('parsing time "soon" as ...: cannot parse')),
        (400, says("missing client token")),
        (400, b"<html>a gateway's bad request</html>"),
        (403, says("1 error occurred:\n\t* permission denied\n\n")),
        (403, says("permission denied")),
        (404, says('no handler for route "pki/sign/acme". route entry not found.')),
        (404, says("namespace not found")),
        (405, says("unsupported operation")),
        (412, says('missing "X-Vault-Request" header')),
        (413, says("http: request body too large")),
        (429, {"errors": []}),
        (429, says('request path "pki/sign/acme": rate limit quota exceeded')),
        (500, says("local node not active but active cluster node not found")),
        (500, says("1 error occurred:\n\t* unable to find PKI issuer for reference: nope\n\n")),
        (500, says("1 error occurred:\n\t* could not fetch the CA certificate (was one set?)\n\n")),
        (500, says("1 error occurred:\n\t* unable to fetch corresponding key for issuer x\n\n")),
        (500, says("1 error occurred:\n\t* requested usage issuing-certificates for issuer x\n\n")),
        (500, says("1 error occurred:\n\t* unable to parse AIA URL information\n\n")),
        (501, says("Vault is not initialized")),
        (503, says("Vault is sealed")),
        (503, says("namespace is sealed")),
        (503, says("API access to this namespace has been locked by an administrator")),
    ],
)
async def test_what_comes_before_signing_is_deferred(status: int, body: object) -> None:
    """FIN-22, INV-12."""
    async with canned_vault(http_answer(status, body)) as vault, VaultSigner(to(vault.port)) as signer:
        with pytest.raises(SigningDeferredError, match=f"Vault answered {status}"):
            await signer.sign(CANNED, intent(["a.example.org"]))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, says("unable to store certificate locally")),
        (500, b"<html>"),
        (502, b"<html>bad gateway</html>"),
        (503, b"<html>no server is available</html>"),
        (504, b""),
        (200, b"not json"),
        (200, {"data": None}),
        (200, {"data": {"certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}}),
        (200, {"data": {"certificate": 7, "ca_chain": 7}}),
        (204, b""),
        (200, b"{" + b" " * (1 << 20)),
    ],
)
async def test_what_may_come_after_signing_is_uncertain(status: int, body: object) -> None:
    """VLT-02, VLT-05 (an answer above 1 MiB), K14."""
    async with canned_vault(http_answer(status, body)) as vault, VaultSigner(to(vault.port)) as signer:
        with pytest.raises(SigningUncertainError):
            await signer.sign(CANNED, intent(["a.example.org"]))
    assert len([request for request in vault.requests if b"sign/acme" in request]) == 1


async def test_a_refusal_is_for_good_and_its_text_is_one_line() -> None:
    text = 'role requires keys of type ec\n\x1b[31m"quoted" ü'
    async with canned_vault(http_answer(400, says(text))) as vault, VaultSigner(to(vault.port)) as signer:
        with pytest.raises(SigningRefusedError) as caught:
            await signer.sign(CANNED, intent(["a.example.org"]))
    assert (
        str(caught.value) == "Vault answered 400 'role requires keys of type ec\\n\\x1b[31m\"quoted\" \\xfc'"
    )


@pytest.mark.parametrize(
    ("field", "wish"),
    [
        ("Retry-After: 7", timedelta(seconds=7)),
        ("Retry-After: 999999", timedelta(hours=1)),
        ("Retry-After: Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("Retry-After: -1", None),
        ("X-Other: 1", None),
    ],
)
async def test_vaults_own_wish_is_passed_on(field: str, wish: timedelta | None) -> None:
    answer = http_answer(429, {"errors": []}, field)
    async with canned_vault(answer) as vault, VaultSigner(to(vault.port)) as signer:
        with pytest.raises(SigningDeferredError) as caught:
            await signer.sign(CANNED, intent(["a.example.org"]))
    assert caught.value.retry_after == wish


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_and_gets_no_token(status: int) -> None:
    """VLT-06, INV-13."""
    async with canned_vault() as canary:
        away = http_answer(status, b"", f"Location: http://127.0.0.1:{canary.port}/v1/pki/sign/acme")
        async with canned_vault(away) as vault, VaultSigner(to(vault.port)) as signer:
            with pytest.raises(SigningDeferredError, match=f"Vault answered {status}"):
                await signer.sign(CANNED, intent(["a.example.org"]))
            with pytest.raises(SigningDeferredError):
                await signer.find(CANNED, intent(["a.example.org"]))
        assert canary.requests == []
    assert TOKEN.encode() in b"".join(vault.requests)


async def test_a_silent_server_is_left_and_its_thread_is_free_again() -> None:
    """VLT-05, INV-9: one place, taken by a server that never answers, serves the next."""
    times = {"deadline": timedelta(seconds=1), "read_timeout": timedelta(seconds=60)}
    async with canned_vault() as vault, VaultSigner(to(vault.port, **times), max_in_flight=1) as signer:
        for _ in range(2):
            with pytest.raises(SigningUncertainError, match="no answer within the deadline"):
                await signer.sign(CANNED, intent(["a.example.org"]))
        async with asyncio.timeout(60):
            await vault.closed.wait()


async def test_a_server_that_trickles_is_left_at_the_deadline() -> None:
    """VLT-05: every octet comes within the read timeout."""
    times = {"deadline": timedelta(seconds=1), "read_timeout": timedelta(seconds=60)}
    trickle = http_answer(200, {"data": None})
    async with canned_vault(trickle, 0.05) as vault, VaultSigner(to(vault.port, **times)) as signer:
        with pytest.raises(SigningUncertainError, match="no answer within the deadline"):
            await signer.sign(CANNED, intent(["a.example.org"]))
        async with asyncio.timeout(60):
            await vault.closed.wait()


async def test_a_read_timeout_is_uncertain() -> None:
    """VLT-02."""
    times = {"read_timeout": timedelta(seconds=0.2)}
    async with canned_vault() as vault, VaultSigner(to(vault.port, **times)) as signer:
        with pytest.raises(SigningUncertainError, match="the answer was lost: ReadTimeout"):
            await signer.sign(CANNED, intent(["a.example.org"]))


async def test_who_waits_for_a_place_until_the_deadline_has_sent_nothing() -> None:
    """INV-9: the one place is taken; the second request is not sent."""
    times = {"deadline": timedelta(seconds=1), "read_timeout": timedelta(seconds=60)}
    async with canned_vault() as vault, VaultSigner(to(vault.port, **times), max_in_flight=1) as signer:
        await signer.health()
        first, second = await asyncio.gather(
            signer.sign(CANNED, intent(["a.example.org"])),
            signer.sign(CANNED, intent(["a.example.org"])),
            return_exceptions=True,
        )
    assert isinstance(first, SigningUncertainError)
    assert isinstance(second, SigningDeferredError)
    assert len([request for request in vault.requests if b"sign/acme" in request]) == 1


async def test_what_others_have_given_up_is_not_sent_any_more() -> None:
    """K12, K20: the login took longer than that, as it does where the process was stopped meanwhile."""
    leave_by = time.monotonic() + 0.1

    def late() -> str:
        while time.monotonic() < leave_by:
            time.sleep(0.01)  # in a thread of the gate
        return TOKEN

    async with canned_vault(http_answer(400, says("no"))) as vault:
        slow = VaultConnection(f"http://127.0.0.1:{vault.port}", TokenLogin(late))
        async with VaultSigner({CANNED.name: slow}) as signer:
            # It is nobody's fault but ours: no breaker opens, however often.
            for _ in range(4):
                with pytest.raises(SigningDeferredError, match="too late to be sent"):
                    await signer.sign(CANNED, intent(["a.example.org"]), leave_by=leave_by)
            assert not any(b"sign/acme" in request for request in vault.requests)
            with pytest.raises(SigningRefusedError):
                await signer.sign(CANNED, intent(["a.example.org"]), leave_by=time.monotonic() + 60)


async def test_the_request_says_what_was_ordered_and_nothing_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """INV-4, INV-13: no token, proxy or namespace of the environment is taken."""
    monkeypatch.setenv("VAULT_TOKEN", "s.of-somebody-else")
    monkeypatch.setenv("VAULT_NAMESPACE", "elsewhere")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    wanted = intent(["a.example.org", "*.b.example.org", "10.0.0.7"], lifetime=86400)
    async with canned_vault(http_answer(400, says("no"))) as vault, VaultSigner(to(vault.port)) as signer:
        with pytest.raises(SigningRefusedError):
            await signer.sign(CANNED, wanted)

    request = vault.requests[-1].decode()
    assert request.startswith("POST /v1/pki/sign/acme HTTP/1.1\r\n")
    assert f"X-Vault-Token: {TOKEN}\r\n" in request
    assert f"X-Acmeproxy-Intent: {wanted.id}\r\n" in request
    assert "elsewhere" not in request
    assert "somebody" not in request
    assert '"alt_names": "a.example.org,*.b.example.org", "ip_sans": "10.0.0.7"' in request
    assert '"ttl": 86400, "format": "pem", "remove_roots_from_chain": true' in request
    assert '"common_name"' not in request
