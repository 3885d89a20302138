"""Certificates, end to end: real servers, real clients, real signatures."""

from pathlib import Path

from aiohttp import ClientSession
from cryptography import x509

from tests.support.acme_client import AcmeClient
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.acme_jws import ExternalAccount
from tests.support.eventually import eventually
from tests.support.http01_responder import Http01Responder
from tests.support.installation import Development, certbot, openssl_verifies
from tests.support.registered import registered


def serial_of(chain: bytes) -> str:
    serial = x509.load_pem_x509_certificates(chain)[0].serial_number
    return serial.to_bytes((serial.bit_length() + 7) // 8).hex(":")


async def test_a_client_gets_a_certificate_that_openssl_verifies_and_openbao_has(
    installation: Development, http: ClientSession, responder: Http01Responder
) -> None:
    client = await registered(http, installation.directory())
    issued = await client.obtain(["x.team-a.test", "team-a.test"], responder)

    assert openssl_verifies(installation.root, issued.chain).endswith("OK")
    leaf, *above = x509.load_pem_x509_certificates(issued.chain)
    assert leaf.public_key() == issued.key.public_key()
    assert len(above) >= 1
    stored = installation.certificate(serial_of(issued.chain))
    assert stored == leaf
    assert installation.certificates("x.team-a.test") == [leaf]
    # Every name was looked at where it points to, under its own name.
    hosts = {asked.partition("/")[0].partition(":")[0] for asked in responder.asked}
    assert hosts == {"x.team-a.test", "team-a.test"}


async def test_certbot_gets_a_certificate(installation: Development, tmp_path: Path) -> None:
    said = certbot(tmp_path, installation, "certbot.team-a.test", "--server", installation.directory())
    assert said.startswith("0 "), said
    chain = (tmp_path / "live" / "certbot.team-a.test" / "fullchain.pem").read_bytes()
    assert openssl_verifies(installation.root, chain).endswith("OK")
    leaf = x509.load_pem_x509_certificates(chain)[0]
    assert installation.certificates("certbot.team-a.test") == [leaf]


async def test_names_that_were_allowed_at_the_start_are_issued_too(
    installation: Development, http: ClientSession, responder: Http01Responder
) -> None:
    client = await registered(http, installation.directory())
    issued = await client.obtain(["host.corp.example"], responder)
    assert openssl_verifies(installation.root, issued.chain).endswith("OK")


async def test_another_tenants_names_are_refused(installation: Development, http: ClientSession) -> None:
    client = await registered(http, installation.directory())
    answer = await client.new_order(["x.team-a.test", "x.team-b.test"])
    assert (answer.status, answer.error) == (400, "rejectedIdentifier")
    [problem] = answer.json()["subproblems"]
    assert problem["identifier"] == {"type": "dns", "value": "x.team-b.test"}
    assert "[ref NAME-NOT-ALLOWED]" in answer.json()["detail"]


async def test_a_tenant_that_wants_a_binding_gets_one(
    installation: Development, http: ClientSession, responder: Http01Responder
) -> None:
    directory = installation.directory("team-b")
    stranger = AcmeClient(http, directory)
    answer = await stranger.new_account()
    assert (answer.status, answer.error) == (403, "externalAccountRequired")

    known = await registered(http, directory, ExternalAccount(*installation.eab()))
    issued = await known.obtain(["x.team-b.test"], responder)
    assert openssl_verifies(installation.root, issued.chain).endswith("OK")
    assert len(installation.certificates("x.team-b.test", "team-b")) == 1
    assert installation.certificates("x.team-b.test", "team-a") == []


async def test_certbot_binds_its_account(installation: Development, tmp_path: Path) -> None:
    kid, hmac_key = installation.eab()
    server = ("--server", installation.directory("team-b"))
    refused = certbot(tmp_path / "without", installation, "certbot.team-b.test", *server)
    assert refused.startswith("1 "), refused
    bound = certbot(
        *(tmp_path / "with", installation, "certbot.team-b.test", *server),
        *("--eab-kid", kid, "--eab-hmac-key", hmac_key),
    )
    assert bound.startswith("0 "), bound
    chain = (tmp_path / "with" / "live" / "certbot.team-b.test" / "fullchain.pem").read_bytes()
    assert openssl_verifies(installation.root, chain).endswith("OK")


async def test_a_csr_with_other_names_is_refused_and_a_better_one_taken(
    installation: Development, http: ClientSession, responder: Http01Responder
) -> None:
    """FIN-09, FIN-16."""
    client = await registered(http, installation.directory())
    order = await client.new_order(["csr.team-a.test"])
    [url] = order.json()["authorizations"]
    challenges = (await client.get(url)).json()["challenges"]
    [challenge] = [one for one in challenges if one["type"] == "http-01"]
    responder.tokens[challenge["token"]] = client.key.key_authorization(challenge["token"])
    await client.settled(challenge["url"], await client.answer(challenge["url"]))

    bad = certificate_request(["csr.team-a.test", "www.team-a.test"], certificate_key())
    answer = await client.finalize(order.json()["finalize"], bad)
    assert (answer.status, answer.error) == (400, "badCSR")
    assert (await client.get(order.location)).json()["status"] == "ready"
    good = certificate_request(["csr.team-a.test"], certificate_key())
    finalized = await client.finalize(order.json()["finalize"], good)
    done = await client.settled(order.location, finalized)
    assert done.json()["status"] == "valid"


async def test_it_says_that_it_is_ready_and_what_it_did(
    installation: Development, http: ClientSession, responder: Http01Responder
) -> None:
    client = await registered(http, installation.directory())
    await client.obtain(["metrics.team-a.test"], responder)
    origin = installation.directory().partition("/acme/")[0]
    parts = ("serving", "redis", "vault team-a", "vault team-b")

    async def ready() -> bool:
        async with http.get(f"{origin}/readyz") as answer:
            said = await answer.json()
            assert said.keys() == {"ready", *parts}
            return answer.status == 200 and said == {"ready": True, **dict.fromkeys(parts, "ok")}

    # A probe waits half a second for its answer.
    await eventually(ready)
    async with http.get(f"{origin}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    [issued] = [
        line for line in lines if line.startswith('acmeproxy_certificates_issued_total{tenant="team-a"}')
    ]
    assert float(issued.split()[-1]) >= 1
