"""An issuing CA that lost its parents gets them back, and is not replaced."""

from pathlib import Path

import pytest
from cryptography.x509 import verification

from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.vault.producer.step import Change
from tests.support.openbao import as_root
from tests.support.producing import applied, planned, root_of, settings_file, signed, verify

NAMESPACE = "admin/shop"


async def test_lost_parents_are_imported_again(tmp_path: Path) -> None:
    async with running_openbao(tmp_path) as server:
        file = settings_file(tmp_path, server.address)
        applied(file, server.root_token)
        before = (await as_root(server, "GET", "pki/issuer/default", NAMESPACE))["data"]
        for issuer in (await as_root(server, "LIST", "pki/issuers", NAMESPACE))["data"]["keys"]:
            if issuer != before["issuer_id"]:
                await as_root(server, "DELETE", f"pki/issuer/{issuer}", NAMESPACE)
        leaf, above = await signed(server, NAMESPACE, "pki/sign/web", "www.shop.example")
        assert len(above) == 1
        with pytest.raises(verification.VerificationError):
            verify(leaf, above, root_of(tmp_path), "www.shop.example")

        [step] = planned(file, server.root_token)
        assert (step.change, step.what, step.where) == (Change.ADD, "parents", f"{NAMESPACE}/pki/issuers")
        assert ("of", "issuing-1") in {(one.field, one.becomes) for one in step.fields}
        applied(file, server.root_token)
        assert planned(file, server.root_token) == []
        after = (await as_root(server, "GET", "pki/issuer/default", NAMESPACE))["data"]
        assert (after["issuer_id"], after["issuer_name"]) == (before["issuer_id"], "issuing-1")
        leaf, above = await signed(server, NAMESPACE, "pki/sign/web", "www.shop.example")
        assert verify(leaf, above, root_of(tmp_path), "www.shop.example") == 4


async def test_a_chain_that_was_cut_by_hand_is_made_whole(tmp_path: Path) -> None:
    """Importing does nothing about it: what is named in manual_chain is all that is handed out."""
    async with running_openbao(tmp_path) as server:
        file = settings_file(tmp_path, server.address)
        applied(file, server.root_token)
        cut = {"manual_chain": ["self"]}
        for namespace in ("admin", NAMESPACE):
            await as_root(server, "PATCH", "pki/issuer/default", namespace, cut)
        steps = planned(file, server.root_token)
        places = [f"{namespace}/pki/issuers" for namespace in ("admin", NAMESPACE)]
        assert [(step.what, step.where) for step in steps] == [("parents", place) for place in places]
        applied(file, server.root_token)
        assert planned(file, server.root_token) == []
        leaf, above = await signed(server, NAMESPACE, "pki/sign/web", "www.shop.example")
        assert verify(leaf, above, root_of(tmp_path), "www.shop.example") == 4


async def test_a_signing_ca_that_lost_its_root_is_given_it_and_is_not_replaced(tmp_path: Path) -> None:
    async with running_openbao(tmp_path) as server:
        file = settings_file(tmp_path, server.address)
        applied(file, server.root_token)
        before = (await as_root(server, "GET", "pki/issuer/default", "admin"))["data"]["issuer_id"]
        for issuer in (await as_root(server, "LIST", "pki/issuers", "admin"))["data"]["keys"]:
            if issuer != before:
                await as_root(server, "DELETE", f"pki/issuer/{issuer}", "admin")
        [step] = planned(file, server.root_token, local_root=False)
        assert (step.what, step.where) == ("parents", "admin/pki/issuers")
        applied(file, server.root_token, local_root=False)
        assert planned(file, server.root_token) == []
        after = (await as_root(server, "GET", "pki/issuer/default", "admin"))["data"]
        assert (after["issuer_id"], len(after["ca_chain"])) == (before, 2)


async def test_an_authority_of_somebody_else_is_not_given_parents(tmp_path: Path) -> None:
    async with running_openbao(tmp_path) as server:
        file = settings_file(tmp_path, server.address)
        applied(file, server.root_token)
        made = {"common_name": "another root", "key_type": "ec"}
        await as_root(server, "POST", "pki/root/generate/internal", NAMESPACE, made)
        assert planned(file, server.root_token) == []
