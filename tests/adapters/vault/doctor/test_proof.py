"""What `serve` looks at with its own logins (TEN-08, VLT-08, INV-14)."""

import json
from collections.abc import Sequence
from http import HTTPStatus

from acmeproxy.adapters.vault.doctor import proof
from acmeproxy.services.findings import Finding, Level
from tests.support.openbao import as_root
from tests.support.ward import Ward

SIGN = {"path": {"pki/sign/acme": {"capabilities": ["update"]}}}


async def proven(ward: Ward, token: str = "") -> Sequence[Finding]:
    async with ward.case(token=token, reading=None) as case:
        return await proof.examine(case, ())


async def faults(ward: Ward, token: str = "") -> list[tuple[str, str]]:
    found = await proven(ward, token)
    return [(one.subject, one.text) for one in found if one.level is Level.FAIL]


async def test_what_apply_builds_is_proven_and_nothing_is_signed_for_it(ward: Ward) -> None:
    assert {finding.level for finding in await proven(ward)} == {Level.PASS}
    async with ward.case() as case:
        assert (await case.ask("list", "pki/certs")).status == HTTPStatus.NOT_FOUND


async def test_a_role_that_signs_whatever_a_request_says_is_a_failure(ward: Ward) -> None:
    await ward.change_role({"use_csr_sans": True})
    text = "use_csr_sans=true: it takes the names from the request and not from the order"
    assert await faults(ward) == [(f"tenant {ward.name}: role pki/acme", text)]


async def test_a_token_that_may_write_roles_is_a_failure(ward: Ward) -> None:
    policy = (await ward.root("GET", "sys/policies/acl/acmeproxy"))["data"]["policy"]
    wide = f'{policy}\npath "pki/roles/*" {{ capabilities = ["create", "update"] }}'
    await ward.root("POST", "sys/policies/acl/acmeproxy", {"policy": wide})
    [(subject, text)] = await faults(ward)
    assert subject == f"tenant {ward.name}: policy"
    assert text.startswith("its token may do too much: write roles (pki/roles/acmeproxy-doctor: create, upd")


async def test_a_token_from_above_is_asked_about_where_it_lives(ward: Ward) -> None:
    """Asked below, a server tells of nothing but the policies that are below."""
    policy = (await ward.root("GET", "sys/policies/acl/acmeproxy"))["data"]["policy"]
    policy = policy.replace('path "pki/', f'path "{ward.namespace}/pki/')
    await as_root(ward.server, "POST", "sys/policies/acl/above", "", {"policy": policy})
    created = await as_root(
        ward.server, "POST", "auth/token/create-orphan", "", {"policies": ["above"], "period": "1h"}
    )
    await ward.change_role({"allow_any_name": True})
    text = "allow_any_name=true: it signs all names"
    assert await faults(ward, created["auth"]["client_token"]) == [
        (f"tenant {ward.name}: role pki/acme", text)
    ]


async def test_a_role_that_may_not_be_read_is_not_asked_for(ward: Ward) -> None:
    """The login would be made anew for its 403, which a secret id for one use does not survive."""
    await ward.root("POST", "sys/policies/acl/acmeproxy", {"policy": json.dumps(SIGN)})
    async with ward.case(reading=None) as case:
        before = await case.ask("get", "auth/token/lookup-self")
        found = await proof.examine(case, ())
        after = await case.ask("get", "auth/token/lookup-self")
    assert before.data is not None
    assert after.data is not None
    assert before.data["accessor"] == after.data["accessor"]
    [lacking] = [one for one in found if one.level is Level.FAIL]
    assert "read pki/roles/acme" in lacking.text
