"""The server: away, closed, of another product, with a known hole, or in another time (VLT-09)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.client import Gate
from acmeproxy.adapters.vault.connection import Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.doctor.bare import BareClient
from acmeproxy.adapters.vault.doctor.server import Product, examine
from acmeproxy.services.findings import Finding, Level
from acmeproxy.services.ports import Clock
from tests.adapters.vault.canned_vault import canned_vault, http_answer
from tests.support.server_tls import server_tls

BAO = {"commit_date": "2026-10-26T20:32:27Z", "version": "2.7.2"}
VAULT = {"build_date": "2026-05-01T12:00:00Z", "performance_standby": False}


NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


async def looked_at(
    port: int, *, scheme: str = "http", clock: Clock = utc_now, plain_http: bool = False
) -> tuple[Product | None, list[Finding]]:
    address = f"{scheme}://127.0.0.1:{port}"
    connection = VaultConnection(address, TokenLogin(Secret("")), "admin/alpha", plain_http=plain_http)
    gate = Gate(1)
    bare = BareClient(connection, gate, clock)
    try:
        product, found = await examine(connection, bare)
        return product, list(found)
    finally:
        bare.close()
        gate.close()


async def told(
    members: Mapping[str, object], status: int = 200, ahead: timedelta = timedelta()
) -> tuple[Product | None, list[Finding]]:
    date = format_datetime(NOW + ahead, usegmt=True)
    async with canned_vault(http_answer(status, members, f"Date: {date}")) as server:
        product, found = await looked_at(server.port, clock=lambda: NOW)
        # In a namespace, OpenBao answers 400 to both.
        assert not any(b"X-Vault-Namespace" in request for request in server.requests)
        return product, [one for one in found if one.level is not Level.PASS]


async def test_an_openbao_that_serves_passes(openbao: OpenBao) -> None:
    product, found = await looked_at(openbao.port)
    assert product == Product("bao", "2.7.2")
    assert [(one.level, one.subject) for one in found] == [
        (Level.PASS, f"vault {openbao.address}"),
        (Level.PASS, "clock vault"),
    ]
    assert found[0].text == "OpenBao 2.7.2, initialised and unsealed"


async def test_nobody_there_is_told_as_away() -> None:
    product, [found] = await looked_at(9)
    assert product is None
    assert found == Finding(
        Level.FAIL,
        "vault http://127.0.0.1:9",
        "it gives no answer: ConnectionError",
        "curl -sv http://127.0.0.1:9/v1/sys/health",
    )


@pytest.mark.parametrize(
    ("status", "text", "mend"),
    [
        (501, "OpenBao 2.7.2 is not initialised", "bao operator init"),
        (503, "OpenBao 2.7.2 is sealed", "bao operator unseal"),
        (
            472,
            "its health is answered with 472: it is no node that signs",
            "set vault.address to a node that answers 200: bao status",
        ),
    ],
)
async def test_a_server_that_does_not_serve_fails(status: int, text: str, mend: str) -> None:
    _, [found] = await told(BAO, status)
    assert (found.level, found.text, found.mend) == (Level.FAIL, text, mend)


@pytest.mark.parametrize("status", [200, 429, 473])
async def test_a_standby_serves_too(status: int) -> None:
    assert (await told(BAO, status))[1] == []


@pytest.mark.parametrize(
    ("members", "product"),
    [
        (BAO, Product("bao", "2.7.2")),
        ({**VAULT, "version": "1.21.8"}, Product("vault", "1.21.8")),
        ({**VAULT, "version": "1.21.8+ent"}, Product("vault", "1.21.8+ent")),
        ({**VAULT, "version": "2.0.3+ent.hsm"}, Product("vault", "2.0.3+ent.hsm")),
    ],
)
async def test_the_product_decides_which_command_mends(
    members: Mapping[str, object], product: Product
) -> None:
    assert await told(members) == (product, [])


def test_people_call_it_by_its_edition() -> None:
    assert [Product("bao", "2.7.2").name, Product("vault", "1.21.8").name] == [
        "OpenBao",
        "HashiCorp Vault Community",
    ]
    assert Product("vault", "1.21.8+ent").name == "HashiCorp Vault Enterprise"
    assert Product("vault", "1.16.4+prem").name == "HashiCorp Vault Enterprise"


@pytest.mark.parametrize("version", ["2.6.1", "2.5.0", "2.4.9"])
async def test_an_openbao_whose_address_ranges_can_be_bypassed_fails(version: str) -> None:
    _, [found] = await told({**BAO, "version": version})
    assert found.level is Level.FAIL
    assert found.text == (
        "allowed_ip_sans_cidr can be bypassed in OpenBao before 2.6.2 (GHSA-g892-p242-8g86)"
    )
    assert found.mend == "upgrade OpenBao to 2.6.2 or later"


@pytest.mark.parametrize(
    "version", ["1.14.0", "1.18.15", "1.19.18", "1.20.12+ent", "1.21.7", "2.0.2", "2.0.0+ent"]
)
async def test_a_vault_in_which_not_after_escapes_fails(version: str) -> None:
    """hashicorp/vault#29928."""
    _, [found] = await told({**VAULT, "version": version})
    assert found.level is Level.FAIL
    assert found.text == "not_after escapes max_ttl in this version (hashicorp/vault#29928)"
    assert found.mend == "upgrade Vault to 1.19.19, 1.20.13, 1.21.8, 2.0.3 or later"


@pytest.mark.parametrize("version", ["1.19.19", "1.20.13", "1.21.8+ent", "2.0.3", "2.1.0"])
async def test_a_vault_without_that_hole_passes(version: str) -> None:
    assert (await told({**VAULT, "version": version}))[1] == []


@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        (timedelta(minutes=10), "Vault's clock is 600 s ahead of ours: at most 5 s are tolerated"),
        (timedelta(minutes=-10), "Vault's clock is 600 s behind ours: at most 5 s are tolerated"),
    ],
)
async def test_another_time_fails(ahead: timedelta, text: str) -> None:
    _, [found] = await told(BAO, ahead=ahead)
    assert found == Finding(Level.FAIL, "clock vault", text, "timedatectl set-ntp true")


async def test_an_offset_of_five_seconds_is_tolerated() -> None:
    assert (await told(BAO, ahead=timedelta(seconds=5)))[1] == []
    assert (await told(BAO, ahead=timedelta(seconds=-5)))[1] == []


async def test_a_certificate_that_nobody_trusts_fails_with_the_setting_that_trusts_it() -> None:
    async with canned_vault(http_answer(200, BAO), tls=server_tls("localhost")) as server:
        product, [found] = await looked_at(server.port, scheme="https")
    assert product is None
    assert found.text == "its TLS certificate is not accepted (SSLError)"
    assert found.mend == "set vault.ca to the PEM bundle of the CA that issued Vault's certificate"


async def test_a_server_that_tells_no_time_and_no_version_is_warned_of() -> None:
    async with canned_vault(http_answer(200, {})) as server:
        _, found = await looked_at(server.port)
    assert [(one.level, one.text) for one in found if one.level is not Level.PASS] == [
        (Level.WARN, "Vault tells no time: its offset cannot be seen"),
        (Level.WARN, "it tells no version: known holes cannot be told"),
    ]


async def test_tokens_in_the_clear_are_warned_of(openbao: OpenBao) -> None:
    _, found = await looked_at(openbao.port, plain_http=True)
    [warning] = [one for one in found if one.level is Level.WARN]
    assert warning.text == "tokens may go over the network in the clear, for vault.allow_insecure is set"
