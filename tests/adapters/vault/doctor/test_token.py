"""The login: what does not last, may do everything, or does not work (INV-14)."""

from pathlib import Path
from typing import Any

from acmeproxy.services.findings import Finding, Level
from tests.support.ward import Ward


async def token(ward: Ward, namespace: str | None = None, **wishes: object) -> str:
    """Make a token with the tenant's policy, or another."""
    body: dict[str, Any] = {"policies": ["acmeproxy"], **wishes}
    made = await ward.root("POST", "auth/token/create-orphan", body, namespace)
    return str(made["auth"]["client_token"])


def recreated(ward: Ward) -> str:
    return f"bao token create -namespace=admin/{ward.name} -policy=acmeproxy -period=1h -orphan -field=token"


async def of_login(ward: Ward, used: str = "") -> list[Finding]:
    found = await ward.faults(token=used)
    return [one for one in found if one.subject == f"tenant {ward.name}: login"]


async def test_a_token_that_dies_of_use_fails(ward: Ward) -> None:
    path = "auth/approle/role/acmeproxy"
    await ward.root("POST", path, {"token_num_uses": 500})
    subject = f"tenant {ward.name}: login"
    mend = f"bao write -namespace=admin/{ward.name} {path} token_num_uses=0"
    [found] = await of_login(ward)
    assert found.text.startswith("its token dies after ")
    assert (found.level, found.subject, found.mend) == (Level.FAIL, subject, mend)
    await ward.mend(mend)
    assert await ward.faults() == []


async def test_a_root_token_fails(ward: Ward) -> None:
    text = "it is a root token, which may do everything (INV-14)"
    wanted = Finding(Level.FAIL, f"tenant {ward.name}: login", text, recreated(ward))
    assert await of_login(ward, ward.server.root_token) == [wanted]


async def test_what_mends_a_token_in_a_file_writes_the_file(ward: Ward, tmp_path: Path) -> None:
    file = tmp_path / "my token"
    mend = f"{recreated(ward)} > '{file}'"
    for bad in (ward.server.root_token, "s.nobody"):
        file.write_text(bad)
        [found] = [one for one in await ward.faults(token_file=file) if one.subject.endswith(": login")]
        assert (found.level, found.mend) == (Level.FAIL, mend)
        await ward.mend(mend)
        assert await ward.faults(token_file=file) == []


async def test_a_login_that_vault_refuses_is_made_anew(ward: Ward) -> None:
    """The secret id of `acmeproxy vault apply` is made known again, be it in the settings or in a file."""
    await ward.root("DELETE", "auth/approle/role/acmeproxy")
    [found] = await of_login(ward)
    assert found.text.startswith("the login did not work: Vault answered 400 ")
    assert (found.level, found.mend) == (Level.FAIL, "acmeproxy vault apply")


async def test_the_token_that_the_mend_makes_is_sound(ward: Ward) -> None:
    made = await token(ward, period="1h")
    assert await ward.faults(token=made) == []


async def test_a_token_that_ends_and_cannot_be_renewed_fails(ward: Ward) -> None:
    made = await token(ward, ttl="1h", renewable=False)
    [found] = await of_login(ward, made)
    assert found.text.endswith(" and cannot be renewed")
    assert (found.level, found.mend) == (Level.FAIL, recreated(ward))


async def test_a_token_that_lives_for_long_warns(ward: Ward) -> None:
    made = await token(ward, ttl="768h")
    [found] = await of_login(ward, made)
    assert found.text.endswith(": an hour and renewal would do")
    assert (found.level, found.mend) == (Level.WARN, recreated(ward))


async def test_a_login_that_does_not_work_fails_and_nothing_more_is_asked(ward: Ward) -> None:
    [found] = await ward.examined(token="no-token-at-all")
    assert found == Finding(
        Level.FAIL,
        f"tenant {ward.name}: login",
        "the login did not work: Vault answered 403 'permission denied': the token is expired, revoked, "
        "used up or bound to other addresses, or may not look at itself: write a new one, "
        "or see to the agent that does",
        recreated(ward),
    )


async def test_a_token_of_the_namespace_above_is_looked_at_where_it_lives(ward: Ward) -> None:
    """Its policy prefixes the paths, and its capabilities are told in its own namespace (vault.md §1)."""
    policy = (await ward.root("GET", "sys/policies/acl/acmeproxy"))["data"]["policy"]
    prefixed = policy.replace('"pki/', f'"{ward.name}/pki/')
    await ward.root("POST", f"sys/policies/acl/of-{ward.name}", {"policy": prefixed}, "admin")
    made = await token(ward, "admin", policies=[f"of-{ward.name}"], period="1h")
    assert await ward.faults(token=made) == []
