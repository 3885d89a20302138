"""No secret is in a text that could be logged (INV-13)."""

import logging

import msgspec
import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.client import Answer
from acmeproxy.adapters.vault.connection import AppRoleLogin, Secret, TokenLogin, VaultConnection
from acmeproxy.adapters.vault.external_root import external_root
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.adapters.vault.signer import VaultSigner
from acmeproxy.services.ports import SigningDeferredError, SigningUncertainError
from tests.support.cutting_proxy import Cut, cutting_proxy
from tests.support.openbao import ALPHA, connections, intent, tenant
from tests.support.tracebacks import everything

CANARY = "hvs.canary-of-a-secret"


@pytest.mark.parametrize(
    "value",
    [
        Secret(CANARY),
        TokenLogin(Secret(CANARY)),
        AppRoleLogin("role", Secret(CANARY)),
        VaultConnection("https://vault.example.org", AppRoleLogin("role", Secret(CANARY))),
        Answer(200, {"token": CANARY}, {"client_token": CANARY}, (CANARY,), (CANARY,)),
    ],
)
def test_a_value_that_holds_a_secret_does_not_show_it(value: object) -> None:
    assert CANARY not in f"{value!r} {value} {vars(type(value)).get('__doc__')}"


def test_the_secrets_of_the_embedded_parts_are_not_shown(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    shown = f"{openbao} {openbao!r} {hierarchy} {hierarchy!r} {external_root(hierarchy.root.parent)!r}"
    assert openbao.root_token not in shown
    assert openbao.unseal_key not in shown
    assert all(pki.login.secret_id() not in shown for pki in hierarchy.tenants.values())
    assert "PRIVATE KEY" not in shown


async def test_a_failed_login_tells_no_secret_in_its_traceback(
    openbao: OpenBao, hierarchy: Hierarchy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    login = msgspec.structs.replace(hierarchy.tenants[ALPHA].login, secret_id=Secret(CANARY))
    connection = VaultConnection(openbao.address, login, "admin/alpha")
    async with VaultSigner({ALPHA: connection}) as signer:
        with pytest.raises(SigningDeferredError) as caught:
            await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))
        assert CANARY not in str(await signer.health())
    assert "in sign" in everything(caught.value)
    assert CANARY not in everything(caught.value) + caplog.text


async def test_a_lost_answer_tells_no_token_in_its_traceback(
    openbao: OpenBao, hierarchy: Hierarchy, caplog: pytest.LogCaptureFixture
) -> None:
    """The exceptions of requests carry the request, and with it the token."""
    caplog.set_level(logging.DEBUG)
    async with cutting_proxy(openbao.port) as proxy:
        login = TokenLogin(Secret(openbao.root_token))
        connection = VaultConnection(f"http://127.0.0.1:{proxy.port}", login, "admin/alpha")
        async with VaultSigner({ALPHA: connection}) as signer:
            proxy.cut(b"/sign/", Cut.REPLY)
            with pytest.raises(SigningUncertainError) as caught:
                await signer.sign(tenant(hierarchy), intent(["www.alpha.example"]))
        assert openbao.root_token.encode() in b"".join(proxy.requests)
    assert "in sign" in everything(caught.value)
    assert openbao.root_token not in everything(caught.value) + caplog.text


async def test_a_secret_id_is_sent_to_the_login_only(openbao: OpenBao, hierarchy: Hierarchy) -> None:
    """INV-14: what signs is a token, and what asks openly has none."""
    secret_id = hierarchy.tenants[ALPHA].login.secret_id().encode()
    wanted = intent(["open.alpha.example"])
    async with (
        cutting_proxy(openbao.port) as proxy,
        VaultSigner(connections(hierarchy, proxy.port)) as signer,
    ):
        await signer.sign(tenant(hierarchy), wanted)
        await signer.find(tenant(hierarchy), wanted)
        assert proxy.count(secret_id) == 1
        open_reads = [request for request in proxy.requests if b"GET /v1/pki/cert/" in request]
        # Others of this session may have been signed at the same time, and are looked at too.
        assert open_reads
        assert not [request for request in open_reads if b"X-Vault-Token" in request]
