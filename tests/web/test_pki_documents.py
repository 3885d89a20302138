"""What every CA publishes: its certificates and lists, for anybody and for those who keep them for others."""

from email.utils import parsedate_to_datetime

import pytest
from cryptography import x509

from acmeproxy import telemetry
from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.redis.ledger import RedisLedger
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.services.publishing import SIGNING
from acmeproxy.wiring.publications import publications
from acmeproxy.wiring.serving import state as wired_state
from tests.support.openbao import as_root
from tests.support.proxy import Proxy
from tests.support.raw_http import exchange, request
from tests.support.relying_party import RelyingParty


@pytest.fixture
def reader(issuing: Proxy) -> RelyingParty:
    return RelyingParty(issuing.http, issuing.origin)


async def issuer_ids(openbao: OpenBao) -> dict[str, str]:
    """Return the ids of the mount's issuers by their names, as Vault tells them."""
    keys = (await as_root(openbao, "LIST", "pki/issuers", "admin/alpha"))["data"]["keys"]
    found = {}
    for key in keys:
        pem = (await as_root(openbao, "GET", f"pki/issuer/{key}", "admin/alpha"))["data"]["certificate"]
        found[x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string()] = str(key)
    return found


async def test_the_certificate_of_the_ca_is_der_and_its_chain_pem(
    reader: RelyingParty, hierarchy: Hierarchy
) -> None:
    """RFC 5280 §4.2.2.1, RFC 8555 §9.1."""
    own, chain = await reader.get("ca"), await reader.get("chain")
    assert (own.status, own.headers["Content-Type"]) == (200, "application/pkix-cert")
    assert (chain.status, chain.headers["Content-Type"]) == (200, "application/pem-certificate-chain")
    certificate = x509.load_der_x509_certificate(own.body)
    assert certificate.subject.rfc4514_string() == "CN=acmeproxy development alpha CA"
    above = x509.load_pem_x509_certificates(chain.body)
    assert above[0] == certificate
    assert above[-1] == x509.load_pem_x509_certificate(hierarchy.root.read_bytes())
    certificate.verify_directly_issued_by(above[1])


@pytest.mark.parametrize(("path", "delta"), [("crl", False), ("crl/delta", True)])
async def test_a_list_is_the_cas_own_and_may_be_kept_for_a_while(
    path: str,
    delta: bool,  # noqa: FBT001 - a case
    reader: RelyingParty,
) -> None:
    """RFC 5280 §5, RFC 9111: for less than it is true, and not past its end."""
    answer = await reader.get(path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/pkix-crl")
    crl = x509.load_der_x509_crl(answer.body)
    issuer = x509.load_der_x509_certificate((await reader.get("ca")).body)
    assert crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type] # a CA's key signs
    assert [e.oid for e in crl.extensions].count(x509.DeltaCRLIndicator.oid) == int(delta)
    control = answer.headers["Cache-Control"].split(", ")
    assert (control[0], control[2:]) == ("public", ["must-revalidate", "no-transform"])
    assert 0 < int(control[1].removeprefix("max-age=")) <= 300
    assert crl.next_update_utc is not None
    assert parsedate_to_datetime(answer.headers["Expires"]) <= crl.next_update_utc
    assert parsedate_to_datetime(answer.headers["Last-Modified"]) == crl.last_update_utc


@pytest.mark.parametrize("path", ["ca", "chain", "crl", "crl/delta"])
async def test_who_has_it_already_is_told_so(path: str, reader: RelyingParty) -> None:
    """RFC 9110 §13.1."""
    answer = await reader.get(path)
    etag = answer.headers["ETag"]
    for tags in (etag, f'"another", W/{etag}', "*"):
        again = await reader.get(path, If_None_Match=tags)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == etag
        assert "max-age" in again.headers["Cache-Control"]
    for tags in ('"another"', etag[:-2] + '"', "", "junk"):
        assert (await reader.get(path, If_None_Match=tags)).status == 200
    if "Last-Modified" in answer.headers:
        made = answer.headers["Last-Modified"]
        assert (await reader.get(path, If_Modified_Since=made)).status == 304
        assert (await reader.get(path, If_Modified_Since="Thu, 01 Jan 2015 00:00:00 GMT")).status == 200
        assert (await reader.get(path, If_Modified_Since="yesterday")).status == 200
        # The stronger validator decides.
        both = await reader.get(path, If_None_Match='"another"', If_Modified_Since=made)
        assert both.status == 200


async def test_every_issuer_has_urls_of_its_own(reader: RelyingParty, openbao: OpenBao) -> None:
    """They stand in certificates by the issuer's id, and stay when another becomes the default."""
    ids = await issuer_ids(openbao)
    own, above = ids["CN=acmeproxy development alpha CA"], ids["CN=acmeproxy development signing CA"]
    for path in ("ca", "chain", "crl", "crl/delta"):
        assert (await reader.get(f"issuer/{own}/{path}")).body == (await reader.get(path)).body
    shown = x509.load_der_x509_certificate((await reader.get(f"issuer/{above}/ca")).body)
    assert shown.subject.rfc4514_string() == "CN=acmeproxy development signing CA"
    assert len(x509.load_pem_x509_certificates((await reader.get(f"issuer/{above}/chain")).body)) == 2
    # The mount has its certificate and not its key, and so no list.
    answer = await reader.get(f"issuer/{above}/crl")
    assert (answer.status, answer.body) == (404, b"this issuer has no such list [ref NOT-FOUND]\n")


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("nobody", "crl", b"there is no CA of this name [ref NOT-FOUND]\n"),
        ("_other", "crl", b"there is no CA of this name [ref NOT-FOUND]\n"),
        ("alpha", "nothing", b"there is no such resource [ref NOT-FOUND]\n"),
        ("alpha", "", b"there is no such resource [ref NOT-FOUND]\n"),
        ("alpha", "issuer/default/crl", b"this CA has no such issuer [ref NOT-FOUND]\n"),
        ("alpha", "issuer/nobody/ca", b"this CA has no such issuer [ref NOT-FOUND]\n"),
        ("alpha", "issuer/%2e%2e/ca", b"there is no such resource [ref NOT-FOUND]\n"),
        ("alpha", "%63rl", b"there is no such resource [ref NOT-FOUND]\n"),
        ("%61lpha", "crl", b"there is no such resource [ref NOT-FOUND]\n"),
    ],
)
async def test_what_is_not_there_is_said_in_a_line(name: str, path: str, text: bytes, issuing: Proxy) -> None:
    """JWS-20, INV-4: and an escaped spelling is another URL, which is nobody's."""
    answer = await RelyingParty(issuing.http, issuing.origin, name).get(path)
    assert (answer.status, answer.body) == (404, text)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["ca", "crl", "nothing"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_nothing_of_acme_is_in_these_answers(path: str, method: str, reader: RelyingParty) -> None:
    """A nonce is for clients, and a directory too; browsers may read all of it."""
    answer = await reader.send(method, path)
    assert "Replay-Nonce" not in answer.headers
    assert "Link" not in answer.headers
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if method == "POST" and path != "nothing":
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_head_has_the_fields_and_no_body(issuing: Proxy) -> None:
    shown = await exchange(issuing.origin, request("GET", "/pki/alpha/crl"))
    answer = await exchange(issuing.origin, request("HEAD", "/pki/alpha/crl"))
    assert (answer.status, answer.body) == (200, b"")
    assert answer.all("Content-Length") == [str(len(shown.body))]
    assert answer.all("ETag") == shown.all("ETag")


async def test_a_browser_that_asks_first_may(reader: RelyingParty) -> None:
    headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    answer = await reader.send("OPTIONS", "ocsp", headers=headers)
    assert (answer.status, answer.headers["Access-Control-Allow-Methods"]) == (204, "GET, HEAD, POST")


async def test_answers_are_counted(issuing: Proxy, reader: RelyingParty) -> None:
    async def count() -> float:
        async with issuing.http.get(f"{issuing.origin}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        label = 'acmeproxy_http_requests_total{code="200",method="GET",route="crl",tenant="alpha"}'
        found = [line for line in lines if line.startswith(label)]
        return float(found[0].split()[-1]) if found else 0

    before = await count()
    for _ in range(3):
        await reader.get("crl")
    assert await count() == before + 3


async def test_the_signing_ca_has_a_name_that_no_tenant_can_have(issuing: Proxy) -> None:
    """And tenants of one mount share what is kept of it."""
    metrics, signing = telemetry.metrics("test"), {SIGNING: ("admin", "pki")}
    async with (
        wired_state(issuing.settings) as connection,
        publications(issuing.settings, metrics, RedisLedger(connection, utc_now), signing) as publishing,
    ):
        found = publishing.find("_signing")
        assert found is not None
        known = await found.publication.issuer()
        assert known is not None
        assert known.certificate.subject.rfc4514_string() == "CN=acmeproxy development signing CA"
        assert await found.publication.revocation_list(known, delta=False) is not None
        assert publishing.find("alpha") is publishing.find("talkative")
        assert publishing.find("alpha") is not publishing.find("beta")
    asked = [line for line in metrics.render().decode().splitlines() if "vault_requests_total{" in line]
    assert asked == [
        'acmeproxy_vault_requests_total{code="ok",op="issuers"} 1.0',
        'acmeproxy_vault_requests_total{code="ok",op="crl"} 1.0',
    ]


async def test_each_tenant_has_its_own_ca(issuing: Proxy, reader: RelyingParty) -> None:
    other = RelyingParty(issuing.http, issuing.origin, "beta")
    names = [
        x509.load_der_x509_certificate((await one.get("ca")).body).subject.rfc4514_string()
        for one in (reader, other)
    ]
    assert names == ["CN=acmeproxy development alpha CA", "CN=acmeproxy development beta CA"]
    assert (await other.get("ca")).body != (await reader.get("ca")).body
