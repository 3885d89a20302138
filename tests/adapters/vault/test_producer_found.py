"""What is there already where something is wanted: somebody else's, or a signing CA near its end."""

import uuid
from pathlib import Path

import pytest

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.producer.namespace import ProducerError
from tests.support.policies import Caller, ruler
from tests.support.producing import (
    ONE,
    Organisation,
    applied,
    pem,
    planned,
    request_of,
    settings_file,
)


@pytest.fixture
def admin(openbao: OpenBao) -> Caller:
    """Return who rules a namespace that no other test has."""
    name = f"n{uuid.uuid4().hex}"
    ruler(openbao).does("POST", f"sys/namespaces/{name}", {})
    return ruler(openbao, name)


def settled(directory: Path, admin: Caller) -> Path:
    return settings_file(directory, admin.address, ONE, f'namespace = "{admin.namespace}"')


@pytest.mark.parametrize(
    ("path", "kinds"), [("sys/mounts/pki", ("kv", "pki")), ("sys/auth/approle", ("userpass", "approle"))]
)
def test_a_mount_of_another_kind_is_left_and_told(
    path: str, kinds: tuple[str, str], openbao: OpenBao, admin: Caller, tmp_path: Path
) -> None:
    kind, wanted = kinds
    admin.does("POST", "sys/namespaces/shop", {})
    at = ruler(openbao, f"{admin.namespace}/shop")
    at.does("POST", path, {"type": kind})
    file = settled(tmp_path, admin)
    [step] = [
        step
        for step in planned(file, openbao.root_token)
        if "type" in {one.field for one in step.fields} and step.change == "change"
    ]
    assert [(one.was, one.becomes) for one in step.fields] == [(kind, wanted)]
    with pytest.raises(
        ProducerError, match=f"is of type {kind}, and {wanted} is wanted there: name another mount"
    ):
        applied(file, openbao.root_token)


def test_a_plan_says_that_an_issuing_ca_is_cut_short(openbao: OpenBao, admin: Caller, tmp_path: Path) -> None:
    """It ends a day before the signing CA, whatever the settings say."""
    file = settled(tmp_path, admin)
    applied(file, openbao.root_token, local_root=False)

    def lifetime() -> str:
        [step] = [
            one for one in planned(file, openbao.root_token, local_root=False) if one.what == "issuing CA"
        ]
        return next(one.becomes for one in step.fields if one.field == "lifetime")

    assert lifetime() == "1095 days"
    root = Organisation()
    # It began two days ago.
    answer = pem(root.sign(*request_of(tmp_path), days=402), root.certificate)
    (tmp_path / "pki" / "signing.pem").write_bytes(answer)
    applied(file, openbao.root_token, local_root=False)
    other = settings_file(
        tmp_path,
        admin.address,
        ONE.replace('"shop.example", ', '"b.example", '),
        f'namespace = "{admin.namespace}"',
    )
    assert other == file
    assert lifetime() == "398 days, since the signing CA ends then"
