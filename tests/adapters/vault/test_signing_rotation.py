"""A new signing CA beside the old one: the root outside certifies it, and tenants move below it later."""

import asyncio
import uuid
from pathlib import Path

import pytest
from cryptography import x509

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from acmeproxy.adapters.vault.producer.rotation import Rotation
from acmeproxy.adapters.vault.producer.signing_rotation import SigningRotation
from acmeproxy.adapters.vault.producer.step import Change, WaitsError
from tests.support.cut_runs import cut_at_each
from tests.support.cutting_proxy import cutting_proxy
from tests.support.openbao import as_root
from tests.support.producing import (
    ONE,
    Organisation,
    applied,
    pem,
    planned,
    producing,
    request_of,
    root_of,
    settings_file,
    signed,
    verify,
)


@pytest.fixture
def admin() -> str:
    """Return a namespace that no other test has."""
    return f"n{uuid.uuid4().hex}"


def settled(directory: Path, address: str, admin: str) -> Path:
    return settings_file(directory, address, ONE, f'namespace = "{admin}"')


def replaced(file: Path, token: str, *, local_root: bool = True) -> list[str]:
    """Rotate the signing CA, and return what was told."""
    told: list[str] = []
    with producing(file, token, local_root=local_root) as made:
        SigningRotation(made).carry(told.append)
    return told


def rotated(file: Path, token: str) -> None:
    with producing(file, token) as made:
        rotation = Rotation(made, "shop")
        rotation.retire(rotation.switch(lambda _: None), lambda _: None)


async def usages(server: OpenBao, admin: str) -> dict[str, tuple[str, bool]]:
    """Return what each signing CA may do, and whether it is the default."""
    listed = (await as_root(server, "LIST", "pki/issuers", admin))["data"]["key_info"]
    found = {}
    for reference, one in listed.items():
        if one["key_id"]:
            read = (await as_root(server, "GET", f"pki/issuer/{reference}", admin))["data"]
            found[one["issuer_name"]] = (read["usage"], one["is_default"])
    return found


WHOLE = "crl-signing,issuing-certificates,ocsp-signing,read-only"
RETIRED = "crl-signing,ocsp-signing,read-only"


async def test_tenants_stay_where_they_are_until_their_own_rotation(
    openbao: OpenBao, tmp_path: Path, admin: str
) -> None:
    file, token = settled(tmp_path, openbao.address, admin), openbao.root_token
    applied(file, token)
    before = await signed(openbao, f"{admin}/shop", "pki/sign/web", "www.shop.example")
    assert replaced(file, token) == [
        "made         signing-2 beside signing-1",
        "in use       signing-2 is the default of pki",
        "retired      signing-1: it signs CRLs and OCSP answers only",
        "to do        acmeproxy vault rotate shop: until then it stays below the old one",
    ]
    assert await usages(openbao, admin) == {"signing-1": (RETIRED, False), "signing-2": (WHOLE, True)}
    # Nothing is to be mended: what the old one certified stays as it is, and goes on issuing.
    assert planned(file, token) == []
    between = await signed(openbao, f"{admin}/shop", "pki/sign/web", "www.shop.example")
    assert between[1] == before[1]

    rotated(file, token)
    after = await signed(openbao, f"{admin}/shop", "pki/sign/web", "www.shop.example")
    assert after[1][1] != before[1][1]
    for leaf, above in (before, between, after):
        assert verify(leaf, above, root_of(tmp_path), "www.shop.example") == 4
    assert planned(file, token) == []
    # What certifies an issuing CA is the new one; the old one still says what of its own is revoked.
    await as_root(openbao, "GET", "pki/crl/rotate", admin)
    read = (await as_root(openbao, "GET", "pki/issuer/signing-1/crl", admin))["data"]["crl"]
    crl = x509.load_pem_x509_crl(read.encode())
    assert crl.is_signature_valid(before[1][1].public_key())  # type: ignore[arg-type]


async def test_the_root_is_waited_for_and_asked_for_one_key(
    openbao: OpenBao, tmp_path: Path, admin: str
) -> None:
    """The files have the number of the CA, so that an answer of long ago is not taken for the new one."""
    file, token = settled(tmp_path, openbao.address, admin), openbao.root_token
    root = Organisation()
    applied(file, token, local_root=False)
    (tmp_path / "pki" / "signing.pem").write_bytes(pem(root.sign(*request_of(tmp_path)), root.certificate))
    applied(file, token, local_root=False)
    with producing(file, token, local_root=False) as made:
        step = SigningRotation(made).look()
    assert (step.change, step.what, step.where) == (Change.ADD, "signing CA", f"{admin}/pki")
    assert {("name", "signing-2"), ("beside", "signing-1")} <= {(f.field, f.becomes) for f in step.fields}
    assert step.waits == f"the organisation's root has to sign {tmp_path / 'pki' / 'signing-2.csr'}"
    keys = []
    for _ in range(2):
        with pytest.raises(
            WaitsError, match=r"Have your root sign .*signing-2\.csr .* into .*signing-2\.pem"
        ):
            replaced(file, token, local_root=False)
        keys.append(request_of(tmp_path, "signing-2")[1])
    assert keys[0] == keys[1] != request_of(tmp_path)[1]
    # Meanwhile everything is as it was.
    assert planned(file, token, local_root=False) == []
    assert await usages(openbao, admin) == {"signing-1": (WHOLE, True)}
    (tmp_path / "pki" / "signing-2.pem").write_bytes(
        pem(root.certificate, root.sign(*request_of(tmp_path, "signing-2")))
    )
    told = replaced(file, token, local_root=False)
    assert told[0] == "made         signing-2 beside signing-1"
    assert planned(file, token, local_root=False) == []


async def test_one_that_is_cut_anywhere_is_finished_by_the_next(
    openbao: OpenBao, tmp_path: Path, admin: str
) -> None:
    token = openbao.root_token
    async with cutting_proxy(openbao.port) as proxy:
        file = settled(tmp_path, f"http://127.0.0.1:{proxy.port}", admin)
        await asyncio.to_thread(applied, file, token)
        writes = (
            "POST /v1/pki/intermediate/generate/internal",
            "POST /v1/pki/key/signing-2",
            "POST /v1/pki/intermediate/set-signed",
            "PATCH /v1/pki/issuer/",
            "POST /v1/pki/config/issuers",
        )
        await cut_at_each(proxy, writes, lambda: replaced(file, token))
        # The last one did arrive: what is left is the old one.
        with producing(file, token) as made:
            step = await asyncio.to_thread(SigningRotation(made).look)
        assert [one.field for one in step.fields] == ["signing-1"]
        await cut_at_each(proxy, ("PATCH /v1/pki/issuer/",), lambda: replaced(file, token))
    assert await usages(openbao, admin) == {"signing-1": (RETIRED, False), "signing-2": (WHOLE, True)}
    assert len((await as_root(openbao, "LIST", "pki/keys", admin))["data"]["keys"]) == 2


def test_before_there_is_one_it_says_what_comes_first(openbao: OpenBao, tmp_path: Path, admin: str) -> None:
    file = settled(tmp_path, openbao.address, admin)
    with pytest.raises(ProducerError, match="run acmeproxy vault apply first"):
        replaced(file, openbao.root_token)
