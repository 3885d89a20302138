"""Kubernetes: a real OpenBao that asks a TokenReview API of ours."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.processes import free_port
from acmeproxy.adapters.vault.connection import KubernetesLogin, SecretFile
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.services.ports import SigningDeferredError
from tests.adapters.vault.logging_in import (
    NAMESPACE,
    entrance,
    got,
    logging_in,
    mounted,
    put,
    revoke_tokens,
    write_role,
)
from tests.support.json_web_tokens import Issuer
from tests.support.openbao import as_root
from tests.support.token_review import TokenReviews, token_reviews

ISSUER = Issuer()
ROLE = {"bound_service_account_names": ["acmeproxy"], "bound_service_account_namespaces": ["acme"]}


def service_account(name: str, seconds: int = 600) -> str:
    """Return a token as the kubelet writes it."""
    about = {"namespace": "acme", "serviceaccount": {"name": name, "uid": "0d9d8a1c"}}
    subject = f"system:serviceaccount:acme:{name}"
    return ISSUER.jwt(subject, seconds=seconds, more={"kubernetes.io": about})


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """Return the file of the pod's token."""
    path = tmp_path / "token"
    put(path, service_account("acmeproxy"))
    return path


@pytest_asyncio.fixture
async def reviews(token: Path) -> AsyncIterator[TokenReviews]:
    """Run a Kubernetes API that knows the token."""
    async with token_reviews({got(token): "acme:acmeproxy"}) as reviews:
        yield reviews


@pytest_asyncio.fixture
async def login(
    openbao: OpenBao, hierarchy: Hierarchy, reviews: TokenReviews, token: Path
) -> KubernetesLogin:
    """Return a login with a role that is bound to the service account."""
    assert hierarchy.tenants
    mount = await mounted(openbao, "kubernetes", configuration(reviews.port, hierarchy))
    await write_role(openbao, mount, "acmeproxy", **ROLE)
    return KubernetesLogin("acmeproxy", SecretFile(token), mount)


def configuration(port: int, hierarchy: Hierarchy) -> dict[str, object]:
    """Say where the API is; the token of the one who asks there is none of a pod's."""
    return {
        "kubernetes_host": f"http://127.0.0.1:{port}",
        "token_reviewer_jwt": service_account("reviewer"),
        "disable_local_ca_jwt": True,
        # Wanted with the line above, and not used: the API is not asked over TLS.
        "kubernetes_ca_cert": got(hierarchy.root),
    }


async def test_a_service_account_logs_in_with_the_token_of_now(
    openbao: OpenBao, login: KubernetesLogin, token: Path, reviews: TokenReviews
) -> None:
    async with logging_in(openbao.address, login) as keeper:
        assert await entrance(keeper) == f"auth/{login.mount}/login"
        first, second = got(token), service_account("acmeproxy", 900)
        reviews.known[second] = "acme:acmeproxy"
        put(token, second)
        await revoke_tokens(openbao, login.mount)
        assert await entrance(keeper) == f"auth/{login.mount}/login"
    assert reviews.asked == [first, second]


async def refusal(openbao: OpenBao, login: KubernetesLogin) -> str:
    """Log in in vain, and return why."""
    async with logging_in(openbao.address, login) as keeper:
        with pytest.raises(SigningDeferredError) as caught:
            await entrance(keeper)
    return str(caught.value)


async def test_a_service_account_of_another_name(
    openbao: OpenBao, login: KubernetesLogin, token: Path, reviews: TokenReviews
) -> None:
    other = service_account("other")
    reviews.known[other] = "acme:other"
    put(token, other)
    said = await refusal(openbao, login)
    assert "Vault answered 403 'service account name not authorized'" in said
    assert "the service account or its namespace is not bound to the role" in said


async def test_a_token_that_kubernetes_does_not_know(
    openbao: OpenBao, login: KubernetesLogin, reviews: TokenReviews
) -> None:
    reviews.known.clear()
    said = await refusal(openbao, login)
    assert "Vault answered 403 'permission denied'" in said
    assert "Kubernetes does not know the token" in said


async def test_a_kubernetes_api_that_is_down_looks_the_same_and_is_named(
    openbao: OpenBao, hierarchy: Hierarchy, login: KubernetesLogin
) -> None:
    path = f"auth/{login.mount}/config"
    await as_root(openbao, "POST", path, NAMESPACE, configuration(free_port(), hierarchy))
    said = await refusal(openbao, login)
    assert "Vault answered 403 'permission denied'" in said
    assert "or the Kubernetes API did not answer Vault" in said
    assert "Vault's own log at level debug tells which" in said


async def test_an_unknown_role_and_a_method_without_a_configuration(
    openbao: OpenBao, login: KubernetesLogin
) -> None:
    said = await refusal(openbao, msgspec.structs.replace(login, role="zzz"))
    assert "Vault answered 400 'invalid role name \"zzz\"': the role does not exist" in said
    bare = await mounted(openbao, "kubernetes")
    await as_root(openbao, "POST", f"auth/{bare}/role/acmeproxy", NAMESPACE, ROLE)
    said = await refusal(openbao, msgspec.structs.replace(login, mount=bare))
    assert "Vault answered 500 'could not load backend configuration': the method is not configured (" in said
