"""The responder, as relying parties use it (RFC 6960 appendix A, RFC 5019)."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.x509 import ocsp

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.wiring.serving import Role
from tests.support.cutting_proxy import cutting_proxy
from tests.support.eventually import eventually
from tests.support.held import Held, hold
from tests.support.http01_responder import Http01Responder
from tests.support.openbao import as_root
from tests.support.proxies import Launch
from tests.support.proxy import Plan, Proxy, hosted, proxy
from tests.support.raw_http import exchange, request
from tests.support.relying_party import REQUEST, RelyingParty, asked, in_path, said

NEVER_ISSUED = 0x1393B2184DFB7C2881D8A572A8593AB63507C50D


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def other(launch: Launch, issuing_plan: Plan) -> AsyncIterator[Proxy]:
    """Run another web process on the same state: it has no credential for Vault."""
    async with launch(replace(issuing_plan, role=Role.WEB)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def held(issuing: Proxy) -> Held:
    return await hold(issuing, "www.alpha.example")


@pytest.fixture
def reader(issuing: Proxy) -> RelyingParty:
    return RelyingParty(issuing.http, issuing.origin)


@pytest.mark.parametrize(
    "how", ["escaped", "as it is", "unpadded", "lower-case escapes", "one slash more", "spaces"]
)
async def test_a_request_is_in_the_path_however_it_is_spelt(
    how: str, reader: RelyingParty, held: Held
) -> None:
    """RFC 6960 appendix A.1, RFC 5019 §5: base64 has slashes, pluses and equals signs."""
    # Has both wherever a group of six bits begins; the number's length decides on the padding.
    tail = int("FBEFBEFFFBEFBEFFFBEFBEFFFFFFFF", 16)
    found = [asked(held.chain, serial=1 << length | tail) for length in (122, 130, 138)]
    der = next(der for der in found if b"=" in base64.b64encode(der))
    plain = base64.b64encode(der).decode()
    assert "//" in plain
    assert "+" in plain
    escaped = in_path(der)
    spelt = {
        "escaped": escaped,
        "as it is": plain,
        "unpadded": plain.rstrip("="),
        "one slash more": f"/{escaped}",
        "spaces": escaped.replace("%2B", "%20"),
        "lower-case escapes": escaped.replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d"),
    }[how]
    answer = await reader.get(f"ocsp/{spelt}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/ocsp-response")
    assert said(answer.body, held.chain) == "GOOD"


async def test_get_and_post_say_the_same_and_only_one_may_be_kept(reader: RelyingParty, held: Held) -> None:
    """RFC 5019 §6: for a minute, since that is how long `good` is said without asking again."""
    der = asked(held.chain)
    by_post, by_get = await reader.post(der), await reader.get(f"ocsp/{in_path(der)}")
    assert by_post.body == by_get.body
    assert by_post.headers["Cache-Control"] == "no-store"
    control = by_get.headers["Cache-Control"].split(", ")
    assert (control[0], control[2:]) == ("public", ["must-revalidate", "no-transform"])
    assert 0 <= int(control[1].removeprefix("max-age=")) <= 60
    again = await reader.get(f"ocsp/{in_path(der)}", If_None_Match=by_get.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    for answer in (by_post, by_get):
        assert "Replay-Nonce" not in answer.headers
        assert "Link" not in answer.headers
    response = ocsp.load_der_ocsp_response(by_get.body)
    assert response.serial_number == x509.load_der_x509_certificate(held.leaf).serial_number


async def test_a_certificate_revoked_over_acme_is_revoked_at_once_in_every_process(
    issuing: Proxy, other: Proxy, held: Held, openbao: OpenBao
) -> None:
    """A6, REV-13, REV-20: before the client has its answer; and on the list once that is made anew."""
    here = RelyingParty(issuing.http, issuing.origin)
    there = RelyingParty(other.http, other.origin)
    number = x509.load_der_x509_certificate(held.leaf).serial_number
    for reader in (here, there):
        for post in (True, False):
            assert await reader.status(held.chain, post=post) == "GOOD"
        assert (await reader.crl()).get_revoked_certificate_by_serial_number(number) is None

    assert (await held.client.revoke(held.leaf)).status == 200

    for post in (True, False):
        assert await here.status(held.chain, post=post) == "REVOKED"

    async def heard() -> bool:
        return await there.status(held.chain) == "REVOKED"

    # It is told at the same time, and it is another connection.
    await eventually(heard)
    await as_root(openbao, "GET", "pki/crl/rotate", "admin/alpha")
    for reader in (here, there):

        async def listed(reader: RelyingParty = reader) -> bool:
            return (await reader.crl()).get_revoked_certificate_by_serial_number(number) is not None

        await eventually(listed)
    answer = await here.get(f"ocsp/{in_path(asked(held.chain))}")
    # Nothing will make it good again.
    assert int(answer.headers["Cache-Control"].split(", ")[1].removeprefix("max-age=")) > 3600
    # Who was told `good` a moment before may have the same date.
    made = answer.headers["Last-Modified"]
    again = await here.get(f"ocsp/{in_path(asked(held.chain))}", If_Modified_Since=made)
    assert (again.status, said(again.body, held.chain)) == (200, "REVOKED")


async def test_a_process_that_the_news_cannot_reach_does_not_go_on_saying_good(
    empty_valkey: Valkey, responder: Http01Responder, issuing_plan: Plan, held: Held, tmp_path: Path
) -> None:
    """A6: its connection to the store is dead and nothing says so, and then it asks Vault each time."""
    plan = replace(issuing_plan, role=Role.WEB, more={**issuing_plan.more, "redis": "timeout = 0.5\n"})
    async with cutting_proxy(empty_valkey.port) as network:
        store = Valkey(empty_valkey.process, network.port)
        async with hosted(proxy(tmp_path, store, responder, plan)) as cut_off:
            there = RelyingParty(cut_off.http, cut_off.origin)
            assert await there.status(held.chain) == "GOOD"
            network.swallow()
            assert (await held.client.revoke(held.leaf)).status == 200

            async def asked_vault() -> bool:
                return await there.status(held.chain) == "REVOKED"

            # Far less than the minute for which `good` is said again.
            await eventually(asked_vault, within=30)


async def test_a_number_that_was_never_issued_is_good(reader: RelyingParty, held: Held) -> None:
    """As Vault has it: it does not look whether it issued a number (docs/pki.md)."""
    answer = await reader.post(asked(held.chain, serial=NEVER_ISSUED))
    assert said(answer.body, held.chain) == "GOOD"


async def test_a_nonce_is_taken_and_not_repeated(reader: RelyingParty, held: Held) -> None:
    """RFC 9654 §2.1: Vault repeats none."""
    answer = await reader.post(asked(held.chain, nonce=b"n" * 32))
    assert said(answer.body, held.chain) == "GOOD"
    assert len(ocsp.load_der_ocsp_response(answer.body).extensions) == 0


async def test_another_tenants_certificates_are_not_this_cas(issuing: Proxy, held: Held) -> None:
    """VLT-16, INV-4."""
    beta = RelyingParty(issuing.http, issuing.origin, "beta")
    assert said((await beta.post(asked(held.chain))).body, held.chain) == "UNAUTHORIZED"


@pytest.mark.parametrize(
    "path", ["ocsp/%00", "ocsp/junk!", "ocsp/AAAA", "ocsp/%ZZ", "ocsp/MA==/x=y", "ocsp/a%2Fb"]
)
async def test_what_is_no_request_in_the_path_is_malformed(path: str, reader: RelyingParty) -> None:
    """RFC 6960 §2.3: to HTTP all is well."""
    answer = await reader.get(path)
    assert (answer.status, answer.body) == (200, bytes.fromhex("30030a0101"))
    assert answer.headers["Content-Type"] == "application/ocsp-response"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("body", [b"", b"junk", b"\x30\x00", b"x" * 10_240])
async def test_what_is_no_request_in_the_body_is_malformed(body: bytes, reader: RelyingParty) -> None:
    answer = await reader.post(body)
    assert (answer.status, answer.body) == (200, bytes.fromhex("30030a0101"))


async def test_a_body_of_more_than_10_kib_is_not_read(issuing: Proxy, reader: RelyingParty) -> None:
    """Abuse: also where it is not said beforehand how large it is."""
    answer = await reader.post(b"x" * 10_241)
    assert (answer.status, answer.body) == (413, b"the request is larger than 10 KiB [ref BODY-SIZE]\n")
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    fields = ("Content-Type: application/ocsp-request", "Transfer-Encoding: chunked")
    endless = request("POST", "/pki/alpha/ocsp", *fields, body=chunk * 3)
    assert (await exchange(issuing.origin, endless)).status == 413


async def test_a_body_of_another_type_is_refused(reader: RelyingParty, held: Held) -> None:
    answer = await reader.send("POST", "ocsp", asked(held.chain), {"Content-Type": "application/json"})
    assert (answer.status, answer.body) == (
        415,
        b"send Content-Type application/ocsp-request [ref MEDIA-TYPE]\n",
    )


async def test_a_responder_of_nobody_is_not_there(issuing: Proxy, held: Held) -> None:
    nobody = RelyingParty(issuing.http, issuing.origin, "nobody")
    for answer in (await nobody.post(asked(held.chain)), await nobody.get("ocsp/AAAA")):
        assert (answer.status, answer.body) == (404, b"there is no CA of this name [ref NOT-FOUND]\n")
    assert (await nobody.send("PUT", "ocsp", b"", REQUEST)).status == 405


async def test_escapes_are_for_the_request_only(issuing: Proxy) -> None:
    """JWS-20: a resource of ACME has one spelling still, and so has everything before the request."""
    for target in ("/pki/%61lpha/ocsp/AAAA", "/%70ki/alpha/ocsp/AAAA", "/acme/%61lpha/directory"):
        assert (await exchange(issuing.origin, request("GET", target))).status == 404, target
