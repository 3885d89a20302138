"""Key changes in the middle of proofs, addresses beside names, and extensions that are not offered.

KCH-15, KCH-18, VAL-04, VAL-14, AS-2, IPI-04..06, IPI-08, STR-01, SUB-01, PRF-11, RPL-13, ACC-16, STA-14.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.acme_keys import generate
from tests.support.proxy import Proxy
from tests.support.state import last_part

SHOWN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


async def test_an_answered_challenge_keeps_the_key_of_its_answer(web: Proxy) -> None:
    """KCH-15, VAL-04: the key changes while nobody has looked yet."""
    client = await web.account()
    order = await web.order(client, "a.alpha.example")
    challenge = await web.challenge(client, order)
    old = client.key
    await client.answer(challenge["url"])
    assert (await client.change_key(generate())).status == 200
    kept = await web.state.document("authorization", last_part(order.json()["authorizations"][0]))
    assert kept["challenges"][0]["key_authorization"] == old.key_authorization(challenge["token"])


async def test_an_unanswered_challenge_takes_the_new_key(web: Proxy) -> None:
    """KCH-15."""
    client = await web.account()
    order = await web.order(client, "a.alpha.example")
    challenge = await web.challenge(client, order)
    new = generate()
    await client.change_key(new)
    await client.answer(challenge["url"])
    kept = await web.state.document("authorization", last_part(order.json()["authorizations"][0]))
    assert kept["challenges"][0]["key_authorization"] == new.key_authorization(challenge["token"])


async def test_the_account_url_outlives_its_keys(web: Proxy) -> None:
    """KCH-18: so do dns-account-01 labels and accounturi in CAA records, which hold it."""
    client = await web.account()
    before = client.kid
    await client.change_key(generate("EdDSA"))
    found = await web.client(key=client.key).new_account(onlyReturnExisting=True)
    assert found.location == before


async def test_when_it_was_proved_is_told(validating: Proxy) -> None:
    """VAL-14, CHL-01: whole seconds of UTC, and now."""
    client = await validating.account()
    order = await validating.ready(client, "a.alpha.example")
    authorization = await client.get(order.json()["authorizations"][0])
    [challenge] = authorization.json()["challenges"]
    assert SHOWN.fullmatch(challenge["validated"])
    told = datetime.strptime(challenge["validated"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=1)


@pytest.mark.parametrize("value", ["*.10.0.0.1", "[::1]", "10.0.0.1:80", "10.0.0.0/8", "10.0.0.1-10.0.0.9"])
async def test_an_address_is_one_address(web: Proxy, value: str) -> None:
    """IPI-04."""
    client = await web.account("net")
    wanted = [{"type": "ip", "value": value}]
    answer = await client.post((await client.directory())["newOrder"], {"identifiers": wanted})
    assert (answer.status, answer.error) == (400, "malformed")


async def test_a_tenant_without_ranges_has_no_such_type(web: Proxy) -> None:
    """IPI-05."""
    client = await web.account()
    wanted = [{"type": "ip", "value": "10.0.0.1"}]
    answer = await client.post((await client.directory())["newOrder"], {"identifiers": wanted})
    assert (answer.status, answer.error) == (400, "unsupportedIdentifier")


async def test_names_and_addresses_stand_in_one_order(web: Proxy) -> None:
    """IPI-06."""
    client = await web.account("net")
    order = await client.new_order(["a.example", "10.0.0.1", "2001:db8::1"])
    assert order.status == 201
    assert [one["type"] for one in order.json()["identifiers"]] == ["dns", "ip", "ip"]


async def test_habits_of_clients_do_not_reach_the_certificate(issuing: Proxy) -> None:
    """PRF-11, IPI-08, FIN-15: an organisation and a usage for clients are asked for and not given."""
    client = await issuing.account()
    order = await issuing.ready(client, "habit.alpha.example")
    wanted = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    key = certificate_key()
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "acme.sh")])
    builder = (
        x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(wanted, critical=False)
    )
    csr = certificate_request(
        ["habit.alpha.example"],
        key,
        alter=lambda _: builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName("habit.alpha.example")]), critical=False
        ),
    )
    done = await client.settled(order.location, await client.finalize(order.json()["finalize"], csr))
    leaf = x509.load_pem_x509_certificates((await client.get(done.json()["certificate"])).body)[0]
    assert list(leaf.subject) == []
    given = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(given) == [ExtendedKeyUsageOID.SERVER_AUTH]


async def test_automatic_renewal_is_refused_rather_than_forgotten(web: Proxy) -> None:
    """STR-01: nothing else is issued than was asked for (NOR-04)."""
    client = await web.account()
    assert "auto-renewal" not in (await client.directory())["meta"]
    asked: dict[str, Any] = {"auto-renewal": {"end-date": "2030-01-01T00:00:00Z", "lifetime": 86400}}
    answer = await client.new_order(["a.alpha.example"], **asked)
    assert (answer.status, answer.error) == (400, "malformed")


async def test_an_ancestor_proves_nothing(web: Proxy) -> None:
    """SUB-01: the extension is not offered, so its members are as any unknown one."""
    client = await web.account()
    assert "subdomainAuthAllowed" not in (await client.directory())["meta"]
    wanted = [{"type": "dns", "value": "a.b.alpha.example", "ancestorDomain": "alpha.example"}]
    order = await client.post((await client.directory())["newOrder"], {"identifiers": wanted})
    assert order.status == 201
    authorization = await client.get(order.json()["authorizations"][0])
    assert authorization.json()["identifier"] == {"type": "dns", "value": "a.b.alpha.example"}
    assert "subdomainAuthAllowed" not in authorization.json()


async def test_no_authorization_is_born_valid(web: Proxy) -> None:
    """AS-2, STA-14: nothing is proved out of band here, and pending ones show no outcome."""
    client = await web.account()
    order = await web.order(client, "a.alpha.example")
    authorization = (await client.get(order.json()["authorizations"][0])).json()
    assert authorization["status"] == "pending"
    assert {challenge["status"] for challenge in authorization["challenges"]} == {"pending"}
    assert all({"error", "validated"}.isdisjoint(one) for one in authorization["challenges"])
    assert {"error", "certificate"}.isdisjoint(order.json())
