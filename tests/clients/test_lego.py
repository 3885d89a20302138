"""lego with http-01 and tls-alpn-01 (conformance D2).

The wheel has its library without its command: it registers, proves and fetches; renewing is doing so again
with the same account, and it neither revokes nor asks for renewal information.
"""

from typing import Literal

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.certbot import dns_names, serial
from tests.support.lego import Lego
from tests.support.stage import Stage


@pytest.fixture
def account_key() -> str:
    """Return a fresh key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@pytest.mark.parametrize("plugin", ["http", "tls"])
def test_it_proves_a_name(dev: Stage, account_key: str, plugin: Literal["http", "tls"]) -> None:
    """CLI-02, CLI-16, CLI-25, CLI-26, CLI-29, CLI-35."""
    name = f"{plugin}.lego.team-a.test"

    chain = Lego(dev, "team-a", account_key).obtain(name, f"www.{name}", plugin=plugin)

    assert dns_names(chain[0]) == [name, f"www.{name}"]
    assert len(chain) == 3
    chain[0].verify_directly_issued_by(chain[1])


def test_it_has_an_external_account(dev: Stage, account_key: str) -> None:
    """CLI-31."""
    chain = Lego(dev, "team-b", account_key).obtain("lego.team-b.test", plugin="http", eab=True)
    assert dns_names(chain[0]) == ["lego.team-b.test"]


def test_it_is_told_that_it_needs_an_external_account(dev: Stage, account_key: str) -> None:
    answer = Lego(dev, "team-b", account_key).ask("lego.team-b.test", plugin="http")
    assert answer["error"] == "urn:ietf:params:acme:error:externalAccountRequired"


def test_it_renews_with_the_account_that_it_has(dev: Stage, account_key: str) -> None:
    """It registers anew each time, and finds its account by its key."""
    lego, name = Lego(dev, "team-a", account_key), "renewed.lego.team-a.test"

    first, second = (lego.obtain(name, plugin="http")[0] for _ in range(2))

    assert serial(first) != serial(second)
    assert len({one["account"] for one in dev.certificates("team-a", name)}) == 1


def test_it_is_told_which_name_is_not_allowed(dev: Stage, account_key: str) -> None:
    answer = Lego(dev, "team-a", account_key).ask("www.team-b.test", plugin="http")
    assert (answer["error"], answer["status"]) == ("urn:ietf:params:acme:error:rejectedIdentifier", 400)
    assert answer["detail"].endswith("[ref NAME-NOT-ALLOWED]")
