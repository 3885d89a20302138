"""How the producer side asks: what is there, what a path takes, and changing some fields of an object."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.vault.connection import Secret
from acmeproxy.adapters.vault.producer.namespace import Namespace, ProducerError
from acmeproxy.adapters.vault.provisioning import Hierarchy
from acmeproxy.adapters.vault.transport import session
from tests.adapters.vault.canned_vault import canned_vault, http_answer

ROLE = "pki/roles/patched"


class Patchless(requests.Session):
    """Asks with a method that the server does not know, where another would send a PATCH."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own
        if request.method == "PATCH":
            request.method = "TRACE"
        return super().send(request, **options)


@pytest.fixture
def namespace(openbao: OpenBao, hierarchy: Hierarchy) -> Iterator[Namespace]:
    with session(verify=True, connections=1) as http:
        place = hierarchy.tenants["alpha"].place
        yield Namespace(openbao.address, Secret(openbao.root_token), place.namespace, http)


@pytest.mark.parametrize("patchless", [False, True])
def test_fields_change_and_others_stay(patchless: bool, openbao: OpenBao, namespace: Namespace) -> None:  # noqa: FBT001 - a parameter of the test
    """VLT-08: also where a server has no PATCH, and a POST would reset what it does not name."""
    namespace.write(ROLE, {"allowed_domains": ["a.example"], "require_cn": False, "max_ttl": "1h"})
    with Patchless() if patchless else session(verify=True, connections=1) as http:
        at = Namespace(openbao.address, Secret(openbao.root_token), namespace.path, http)
        at.patch(ROLE, {"max_ttl": "2h"})
    role = namespace.read(ROLE) or {}
    assert (role["max_ttl"], role["allowed_domains"], role["require_cn"]) == (7200, ["a.example"], False)


def test_what_a_path_takes_is_what_its_help_says(namespace: Namespace) -> None:
    """vault.md §4: the surest way to tell servers apart."""
    taken = namespace.accepts("pki/root/sign-intermediate")
    assert {"csr", "permitted_dns_domains", "max_path_length"} <= taken
    assert not {"excluded_dns_domains", "permitted_ip_ranges"} & taken
    assert "not_after_bound" in namespace.accepts("pki/roles/any")
    assert "cert_metadata" not in namespace.accepts("pki/sign/any")
    assert namespace.accepts("nothing-here/sign/any") == frozenset()


def test_a_warning_that_says_nothing_is_left_out(namespace: Namespace) -> None:
    assert namespace.write(ROLE, {"name": "patched", "max_ttl": "1h"}).warnings == ()
    [text] = namespace.write(ROLE, {"max_ttl": "1h", "no_such_field": 1}).warnings
    assert "no_such_field" in text


def test_what_is_not_there_is_nothing(openbao: OpenBao, namespace: Namespace) -> None:
    assert namespace.read("pki/roles/none") is None
    assert namespace.read("no-mount/roles/none") is None
    with session(verify=True, connections=1) as http:
        nowhere = Namespace(openbao.address, Secret(openbao.root_token), "no-namespace", http)
        assert nowhere.read("sys/mounts") is None
        assert nowhere.list("pki/issuers") == {}


async def test_no_redirect_is_followed() -> None:
    """VLT-06: the token goes to nobody else."""
    moved = http_answer(307, {}, "Location: http://127.0.0.1:1/v1/sys/mounts")
    async with canned_vault(moved) as vault:
        with session(verify=True, connections=1) as http:
            at = Namespace(f"http://127.0.0.1:{vault.port}", Secret("t"), "", http)
            with pytest.raises(ProducerError, match="it is a standby; give the address of the active node"):
                await asyncio.to_thread(at.read, "sys/mounts")
