"""The entity of a login grants nothing beside the policies of the login."""

from pathlib import Path

from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from tests.support.openbao import as_root
from tests.support.producing import applied, planned, settings_file


async def test_what_somebody_added_to_the_entity_of_a_login_goes(tmp_path: Path) -> None:
    """INV-14: each of its tokens would have it. What grants nothing is left, and so are other members."""
    async with running_openbao(tmp_path) as server:
        file = settings_file(tmp_path, server.address)
        applied(file, server.root_token)
        path = "identity/entity/name/acmeproxy"
        entity = (await as_root(server, "GET", path, "admin/shop"))["data"]["id"]
        other = (await as_root(server, "POST", "identity/entity", "admin/shop", {"name": "somebody"}))[
            "data"
        ]["id"]
        await as_root(server, "POST", path, "admin/shop", {"policies": ["more"]})
        for name, granted in (("admins", ["more"]), ("plain", [])):
            body = {"name": name, "policies": granted, "member_entity_ids": [entity, other]}
            await as_root(server, "POST", "identity/group", "admin/shop", body)
        [step] = planned(file, server.root_token)
        assert step.where == f"admin/shop/{path}"
        assert [(f.field, f.was, f.becomes) for f in step.fields] == [
            ("policies", "more", "none"),
            ("group", "admins", "none"),
        ]
        applied(file, server.root_token)
        assert planned(file, server.root_token) == []
        members = {
            name: (await as_root(server, "GET", f"identity/group/name/{name}", "admin/shop"))["data"]
            for name in ("admins", "plain")
        }
        assert {name: set(group["member_entity_ids"]) for name, group in members.items()} == {
            "admins": {other},
            "plain": {entity, other},
        }
        assert members["admins"]["policies"] == ["more"]
