"""`acmeproxy certificates`, as an operator calls it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner, Result

from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.redis.connection import Durability, connect
from acmeproxy.adapters.redis.ledger import RedisCampaigns, RedisLedger
from acmeproxy.adapters.redis.orders import RedisOrders
from acmeproxy.cli.main import app
from acmeproxy.core.certificate import Certificate
from acmeproxy.core.challenge import ChallengeStatus, ChallengeType
from acmeproxy.core.ids import AccountId, CertificateId, OrderId, random_id
from acmeproxy.core.provenance import Provenance
from acmeproxy.core.renewal import Campaign, CertId, name_of
from tests.support.acme_csr import certificate_key, certificate_request
from tests.support.certificate_authority import CertificateAuthority, Wish
from tests.support.settings_file import write
from tests.support.stored import TENANT, SetClock, intent_for, load, new_order, stored_account

PROVENANCE = Provenance(
    TENANT, AccountId("0a"), OrderId("0b"), "eab_1", (ChallengeType.DNS01,), {"team": "checkout"}
)
NOW = datetime.now(UTC).replace(microsecond=0)
CA = CertificateAuthority(lambda: NOW)
CA_KEY = x509.SubjectKeyIdentifier.from_public_key(CA.certificate.public_key()).digest.hex()


@pytest.fixture
def settings(tmp_path: Path, valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ACMEPROXY_CONFIG", "BAO_TOKEN", "BAO_ADDR", "VAULT_ADDR", "REDIS_URL", "VALKEY_URL"):
        monkeypatch.delenv(name, raising=False)
    return write(
        tmp_path,
        f'[server]\npublic_url = "https://acme.example"\n[redis]\nurl = "{valkey.url}"\n'
        '[vault]\naddress = "https://127.0.0.1:8200"\n'
        '[tenants.alpha]\nnames.allow = ["*.alpha.example"]\nvault.role = "web"\n',
    )


@pytest.fixture
def issued(valkey: Valkey) -> list[Certificate]:
    """Store three certificates: of one, two and three days; the second is revoked."""
    return asyncio.run(_stored(valkey))


async def _stored(valkey: Valkey) -> list[Certificate]:
    async with connect(valkey.url, None, timedelta(seconds=2), Durability.AUTO) as state:
        orders, ledger = RedisOrders(state, SetClock(NOW)), RedisLedger(state, SetClock(NOW))
        found = []
        for days in (1, 2, 3):
            owner, _ = await stored_account(state)
            order, authorizations = new_order(owner, status=ChallengeStatus.VALID, now=NOW)
            await orders.create(owner, order, authorizations)
            key = certificate_key()
            intent = intent_for(order, certificate_request(["www.alpha.example"], key), "key", NOW)
            processing = order.finalize(intent)
            await orders.finalize(owner, await load(state, owner, order.id), processing)
            leaf = CA.issue(intent, Wish(lasts=timedelta(days=days)))
            certificate = Certificate(
                id=CertificateId(random_id()),
                account_id=owner.account,
                order_id=order.id,
                names=order.identifiers,
                serial=leaf.serial_number.to_bytes((leaf.serial_number.bit_length() + 7) // 8).hex(":"),
                chain=(leaf.public_bytes(Encoding.DER),),
                not_before=leaf.not_valid_before_utc,
                not_after=leaf.not_valid_after_utc,
                issued_at=NOW - timedelta(minutes=1),
                vault_request_id=f"request-{days}",
                mount="pki",
                provenance=PROVENANCE if days == 3 else None,
            )
            if days == 2:
                certificate = certificate.revoke(4, NOW).confirm_revoked(NOW)
            seen = (await load(state, owner, order.id)).order
            await ledger.record(TENANT, _name(leaf), owner, order.id)
            await orders.conclude(owner, seen, seen.value.issue(certificate.id, NOW), certificate)
            found.append(certificate)
        return found


def _name(leaf: x509.Certificate) -> CertId:
    name = name_of(leaf)
    assert name is not None
    return name


def campaigns(valkey: Valkey) -> list[Campaign]:
    async def read() -> list[Campaign]:
        async with connect(valkey.url, None, timedelta(seconds=2), Durability.AUTO) as state:
            return list(await RedisCampaigns(state).list(TENANT))

    return asyncio.run(read())


def run(settings: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["certificates", *words, "--config", str(settings)])


def test_certificates_are_listed_by_their_end(settings: Path, issued: list[Certificate]) -> None:
    result = run(settings, "list", "--tenant", "alpha", "--json")
    assert result.exit_code == 0, result.output
    listed = json.loads(result.stdout)
    assert [one["serial"] for one in listed] == [one.serial for one in issued]
    assert [one["state"] for one in listed] == ["valid", "revoked", "valid"]
    assert listed[1]["reason"] == 4
    assert {one["issuer"] for one in listed} == {CA_KEY}
    assert listed[0]["names"] == ["www.alpha.example"]
    lines = run(settings, "list", "--tenant", "alpha").stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == [one.serial for one in issued]


def test_programs_see_how_each_came_about(settings: Path, issued: list[Certificate]) -> None:
    """Beside what Vault's audit log knows; those of older versions have no provenance."""
    listed = json.loads(run(settings, "list", "--tenant", "alpha", "--json").stdout)
    keys = ("order", "mount", "vault_request_id", "eab_kid", "methods", "tags")
    assert [[one[key] for key in keys] for one in listed] == [
        [issued[0].order_id, "pki", "request-1", None, [], {}],
        [issued[1].order_id, "pki", "request-2", None, [], {}],
        [issued[2].order_id, "pki", "request-3", "eab_1", ["dns-01"], {"team": "checkout"}],
    ]


def test_all_are_renewed_within_an_hour(settings: Path, valkey: Valkey, issued: list[Certificate]) -> None:
    """ARI-06 (abuse), ARI-13: those that are revoked are being renewed anyway."""
    assert len(issued) == 3
    result = run(settings, "renew", "--tenant", "alpha", "--explanation", "https://ca.example/incident")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("2 to be renewed within 1h")
    (campaign,) = campaigns(valkey)
    assert campaign.spread == timedelta(hours=1)
    assert campaign.explanation == "https://ca.example/incident"
    assert (campaign.issuer, campaign.serial, campaign.account) == ("", "", None)


@pytest.mark.parametrize("selector", ["serial", "issuer", "account"])
def test_some_are_renewed(settings: Path, valkey: Valkey, issued: list[Certificate], selector: str) -> None:
    chosen = issued[2]
    value, count = {
        "serial": (chosen.serial.upper().replace(":", "-"), 1),
        "issuer": (CA_KEY.upper(), 2),
        "account": (f"https://acme.example/acme/alpha/account/{chosen.account_id}", 1),
    }[selector]
    result = run(settings, "renew", "--tenant", "alpha", f"--{selector}", value, "--spread", "2d")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{count} to be renewed within 2d")
    (campaign,) = campaigns(valkey)
    assert campaign.spread == timedelta(days=2)
    assert [campaign.covers(_name(x509.load_der_x509_certificate(one.chain[0])), one) for one in issued] == [
        selector == "issuer",
        selector == "issuer",
        True,
    ]


@pytest.mark.usefixtures("issued")
@pytest.mark.parametrize(
    ("words", "code_and_text"),
    [
        (("renew", "--tenant", "alpha", "--serial", "12:34"), (3, "has no such certificate that is valid")),
        (("renew", "--tenant", "nobody"), (3, "There is no tenant nobody")),
        (("renew", "--tenant", "alpha", "--spread", "soon"), (2, "--spread")),
        (("renew", "--tenant", "alpha", "--spread", "0s"), (2, "--spread")),
        (("renew", "--tenant", "alpha", "--explanation", "http://ca.example/"), (2, "https://")),
        (("list", "--tenant", "nobody"), (3, "There is no tenant nobody")),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    settings: Path, valkey: Valkey, words: tuple[str, ...], code_and_text: tuple[int, str]
) -> None:
    code, text = code_and_text
    result = run(settings, *words)
    assert result.exit_code == code, result.output
    assert text in result.stderr
    assert campaigns(valkey) == []
