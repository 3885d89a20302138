"""Whatever is cut off, the next run goes on where the last one stopped."""

import asyncio
from pathlib import Path

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.vault.producer.namespace import AwayError
from tests.support.cutting_proxy import Cut, CuttingProxy, cutting_proxy
from tests.support.openbao import as_root
from tests.support.producing import (
    Organisation,
    applied,
    pem,
    planned,
    request_of,
    root_of,
    settings_file,
    signed,
    verify,
)

_AUTHORITY = (
    "POST /v1/sys/mounts/pki",
    "POST /v1/pki/config/cluster",
    "POST /v1/pki/config/urls",
    "POST /v1/pki/intermediate/generate/",
    "POST /v1/pki/key/",
    "POST /v1/pki/intermediate/set-signed",
    "PATCH /v1/pki/issuer/",
    "POST /v1/pki/config/crl",
    "POST /v1/pki/config/auto-tidy",
)
#: Every write of a first run, in its order. The first issuer that a mount has is its default by itself.
WRITES = (
    "POST /v1/sys/namespaces/admin",
    "POST /v1/sys/namespaces/shop",
    *_AUTHORITY,
    *_AUTHORITY[:4],
    "POST /v1/pki/root/sign-intermediate",
    *_AUTHORITY[4:],
    "POST /v1/pki/roles/web",
    "POST /v1/pki/roles/byoc",
    "POST /v1/sys/policies/acl/acmeproxy",
    "POST /v1/sys/auth/approle",
    "POST /v1/auth/approle/role/acmeproxy",
    "POST /v1/auth/approle/role/acmeproxy/secret-id",
    "POST /v1/identity/entity/name/acmeproxy",
    "POST /v1/identity/entity-alias",
    "POST /v1/sys/policies/acl/acmeproxy-reader",
)


async def cut_run(  # noqa: PLR0913 - what is cut, and where
    proxy: CuttingProxy, file: Path, server: OpenBao, write: str, where: Cut, *, local_root: bool = True
) -> bool:
    """Cut a run at a write; say whether it came so far."""
    proxy.cut(f"{write}".encode(), where)
    try:
        await asyncio.to_thread(applied, file, server.root_token, local_root=local_root)
    except AwayError:
        return True
    return False


async def test_a_run_that_is_cut_at_any_write_goes_on(tmp_path: Path) -> None:
    """Before the write arrives, and after it was carried out but before that is known."""
    async with running_openbao(tmp_path) as server, cutting_proxy(server.port) as proxy:
        file = settings_file(tmp_path, f"http://127.0.0.1:{proxy.port}")
        for write in WRITES:
            for where in (Cut.REQUEST, Cut.REPLY):
                assert await cut_run(proxy, file, server, write, where), (write, where)
        await asyncio.to_thread(applied, file, server.root_token)
        assert await asyncio.to_thread(planned, file, server.root_token) == []
        # No other write is left that was not cut; to look a secret id up is to read.
        lines = {request.partition(b" HTTP/")[0].decode() for request in proxy.requests}
        writes = {line for line in lines if line.startswith(("P", "DELETE")) and "lookup" not in line}
        assert [line for line in writes if not line.startswith(WRITES)] == []
        for namespace in ("admin", "admin/shop"):
            keys = await as_root(server, "LIST", "pki/keys", namespace)
            assert len(keys["data"]["keys"]) == 1
        listed = await as_root(server, "LIST", "pki/issuers", "admin/shop")
        assert len(listed["data"]["keys"]) == 3
        leaf, above = await signed(server, "admin/shop", "pki/sign/web", "www.shop.example")
        assert verify(leaf, above, root_of(tmp_path), "www.shop.example") == 4


async def test_a_handover_to_the_root_that_is_cut_at_any_write_goes_on(tmp_path: Path) -> None:
    """The root signs once: whatever is cut off before and after, it is asked for one key."""
    async with running_openbao(tmp_path) as server, cutting_proxy(server.port) as proxy:
        file = settings_file(tmp_path, f"http://127.0.0.1:{proxy.port}")
        for where in (Cut.REQUEST, Cut.REPLY):
            generate = "POST /v1/pki/intermediate/generate/internal"
            assert await cut_run(proxy, file, server, generate, where, local_root=False)
        waiting = await asyncio.to_thread(applied, file, server.root_token, local_root=False)
        assert len(waiting.waits) == 2
        root = Organisation()
        (tmp_path / "pki" / "signing.pem").write_bytes(
            pem(root.sign(*request_of(tmp_path)), root.certificate)
        )
        for write in (
            "generate/existing",
            "key/signing-1",
            "intermediate/set-signed",
            "PATCH /v1/pki/issuer/",
        ):
            for where in (Cut.REQUEST, Cut.REPLY):
                assert await cut_run(proxy, file, server, write, where, local_root=False), (write, where)
        await asyncio.to_thread(applied, file, server.root_token, local_root=False)
        assert await asyncio.to_thread(planned, file, server.root_token, local_root=False) == []
        assert len((await as_root(server, "LIST", "pki/keys", "admin"))["data"]["keys"]) == 1
        leaf, above = await signed(server, "admin/shop", "pki/sign/web", "www.shop.example")
        assert verify(leaf, above, root.certificate, "www.shop.example") == 4
