"""`acmeproxy serve` with tenants that each log in to Vault in another way."""

from pathlib import Path

from aiohttp import ClientSession

from acmeproxy.adapters.embedded.openbao import OpenBao
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.vault.connection import AppRoleLogin
from acmeproxy.adapters.vault.provisioning import Hierarchy
from tests.adapters.vault.logging_in import NAMESPACE, got, mounted, put, wrapped, write_role
from tests.support.bao_agent import bao_agent, bao_proxy
from tests.support.json_web_tokens import Issuer
from tests.support.openbao import ALPHA
from tests.support.programs import steady_port
from tests.support.serving import Place, serving
from tests.support.settings_file import secret_file

ROLE = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"]}


def settings(place: Place, valkey: Valkey, openbao: OpenBao, logins: dict[str, str]) -> Path:
    """Write a settings file with a tenant for each login."""
    tenants = [
        f"""
[tenants.{name}]
names.allow = ["*.alpha.example"]
[tenants.{name}.vault]
namespace = "{NAMESPACE}"
role = "acme"
[tenants.{name}.vault.login]
{login}"""
        for name, login in logins.items()
    ]
    path = place.directory / "acmeproxy.toml"
    put(
        path,
        f"""
[server]
mode = "development"
listen = "127.0.0.1:{place.listen}"
public_url = "{place.origin}"
[log]
level = "debug"
[redis]
url = "redis://127.0.0.1:{valkey.port}/0"
[vault]
address = "{openbao.address}"
{"".join(tenants)}
""",
    )
    return path


async def test_five_tenants_log_in_in_five_ways(
    openbao: OpenBao, hierarchy: Hierarchy, valkey: Valkey, http: ClientSession, tmp_path: Path
) -> None:
    """And no secret is in the log, nor would be in a core dump (INV-13)."""
    place = Place(tmp_path, steady_port(), valkey.port, openbao.port, 0)
    approle = hierarchy.tenants[ALPHA].login
    issuer = Issuer()
    mount = await mounted(openbao, "jwt", {"jwt_validation_pubkeys": [issuer.public_key]})
    await write_role(openbao, mount, "acmeproxy", **ROLE)
    jwt = secret_file(tmp_path, "jwt", issuer.jwt("acmeproxy"), 0o644)
    secret_id = secret_file(tmp_path, "an-secret-id", approle.secret_id())
    token = await wrapped(openbao, f"auth/{approle.mount}/role/acmeproxy/secret-id")
    wrapping = secret_file(tmp_path, "wrapping-token", token)
    async with (
        bao_agent(openbao, approle, NAMESPACE, tmp_path) as sink,
        bao_proxy(openbao, approle, NAMESPACE, tmp_path) as listener,
    ):
        logins = {
            "by-secret-id": f'{_role(approle)}secret_id_file = "{secret_id}"',
            "by-wrapping": f'{_role(approle)}secret_id_file = "{wrapping}"\nwrapped = true',
            "by-jwt": f'method = "jwt"\nmount = "{mount}"\nrole = "acmeproxy"\njwt_file = "{jwt}"',
            "by-sink": f'token_file = "{sink}"',
            "by-listener": f'method = "agent"\naddress = "{listener}"',
        }
        with serving(settings(place, valkey, openbao, logins)) as server:
            await place.until(http, **{f"vault {name}": "ok" for name in logins})
            limits = got(Path(f"/proc/{server.program.process.pid}/limits"))
            log = server.log.read_text()
        secrets = [path.read_text().strip() for path in (jwt, secret_id, wrapping, sink)]
    assert "Max core file size        0                    0" in limits
    assert log
    assert [secret for secret in secrets if secret in log] == []


def _role(approle: AppRoleLogin) -> str:
    return f'mount = "{approle.mount}"\nrole_id = "{approle.role_id}"\n'
