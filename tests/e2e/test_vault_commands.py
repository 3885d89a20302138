"""`acmeproxy vault`, as an operator calls it, beside a whole installation."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from acmeproxy.adapters.embedded.openbao import openbao
from acmeproxy.core.renewal import name_of
from tests.support.http01_responder import Http01Responder
from tests.support.installation import ACMEPROXY, Development, openssl_verifies
from tests.support.producing import Organisation, pem, settings_file
from tests.support.registered import registered


def run(directory: Path, token: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command beside its settings."""
    return subprocess.run(  # noqa: S603 - our own command
        (ACMEPROXY, "vault", *arguments),
        cwd=directory,
        env={**os.environ, "BAO_TOKEN": token, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def beside(installation: Development) -> tuple[Path, str]:
    return installation.root.parent, installation.ready["vault"]["token"]


def test_a_development_installation_is_what_its_settings_say(installation: Development) -> None:
    directory, token = beside(installation)
    done = run(directory, token, "plan", "--exit-code", "--json")
    assert (done.returncode, json.loads(done.stdout)["steps"]) == (0, []), done.stdout + done.stderr


async def test_after_a_rotation_certificates_of_the_old_ca_are_to_be_renewed_now(
    installation: Development, http: ClientSession, responder: Http01Responder
) -> None:
    """ARI-12: the window of what the old CA signed is in the past, and that of its successors is not."""
    directory, token = beside(installation)
    client = await registered(http, installation.directory())
    base = (await client.directory())["renewalInfo"]
    old = (await client.obtain(["x.team-a.test"], responder)).chain
    assert await begins(http, base, old) > datetime.now(UTC)

    done = run(directory, token, "rotate", "team-a", "--explanation", "https://ca.example/rotation")
    assert done.returncode == 0, done.stderr
    assert "renewal      1 certificates of team-a by issuing-1\n" in done.stdout
    assert "retired      issuing-1" in done.stdout

    new = (await client.obtain(["x.team-a.test"], responder)).chain
    assert await begins(http, base, old) < datetime.now(UTC)
    assert await begins(http, base, new) > datetime.now(UTC)
    for chain in (old, new):
        assert openssl_verifies(installation.root, chain).endswith("OK")
    assert key_of_issuer(old) != key_of_issuer(new)

    shown = json.loads(run(directory, token, "show", "--json").stdout)
    [mount] = [mount for mount in shown["tenants"] if mount["tenants"] == ["team-a"]]
    assert [(one["name"], one["default"]) for one in mount["issuers"]] == [
        ("issuing-2", True),
        ("issuing-1", False),
    ]
    assert run(directory, token, "plan", "--exit-code").returncode == 0


def test_a_tenant_that_is_not_there_is_told(installation: Development) -> None:
    directory, token = beside(installation)
    assert run(directory, token, "rotate", "nobody").returncode == 3
    assert run(directory, token, "rotate").returncode == 2


async def test_from_empty_to_built_with_the_organisations_root(tmp_path: Path) -> None:
    """What is missing is listed, a root's signature is waited for (code 7), and then all is there."""
    data = tmp_path / "data"
    data.mkdir()
    async with openbao(data, persistent=True) as server:
        settings_file(tmp_path, server.address)
        token = server.root_token
        assert run(tmp_path, token, "plan", "--exit-code").returncode == 1
        waiting = run(tmp_path, token, "apply")
        assert waiting.returncode == 7, waiting.stderr
        assert "Have your root sign acmeproxy-pki/signing.csr" in waiting.stderr
        assert token not in waiting.stdout + waiting.stderr
        csr = x509.load_pem_x509_csr((tmp_path / "acmeproxy-pki" / "signing.csr").read_bytes())
        root, key = Organisation(), csr.public_key()
        bundle = pem(root.sign(csr.subject, key), root.certificate)  # type: ignore[arg-type]
        (tmp_path / "acmeproxy-pki" / "signing.pem").write_bytes(bundle)
        assert run(tmp_path, token, "apply").returncode == 0
        again = run(tmp_path, token, "apply")
        assert (again.returncode, again.stdout.partition(":")[0]) == (0, "Nothing to do")
        assert run(tmp_path, token, "plan", "--exit-code").returncode == 0
        shown = run(tmp_path, token, "show").stdout
        assert "issuing-1, default: CN=acmeproxy shop issuing CA" in shown
        assert "role byoc: at most 30d, issuer default, no_store" in shown

        waiting = run(tmp_path, token, "rotate", "--signing")
        assert (waiting.returncode, "signing-2.csr" in waiting.stderr) == (7, True)
        assert "+ signing CA           admin/pki\n      name signing-2; beside signing-1;" in waiting.stdout
        csr = x509.load_pem_x509_csr((tmp_path / "acmeproxy-pki" / "signing-2.csr").read_bytes())
        bundle = pem(root.sign(csr.subject, csr.public_key()), root.certificate)  # type: ignore[arg-type]
        (tmp_path / "acmeproxy-pki" / "signing-2.pem").write_bytes(bundle)
        done = run(tmp_path, token, "rotate", "--signing")
        assert (done.returncode, "made         signing-2 beside signing-1" in done.stdout) == (0, True)


def test_without_a_token_or_a_server_it_says_what_to_do(tmp_path: Path) -> None:
    settings_file(tmp_path, "http://127.0.0.1:1")
    nobody = run(tmp_path, "", "plan")
    assert (nobody.returncode, "--token-file" in nobody.stderr) == (6, True)
    secret = tmp_path / "token"
    secret.write_text("s.canary")
    secret.chmod(0o644)
    exposed = run(tmp_path, "", "plan", "--token-file", "token")
    assert (exposed.returncode, exposed.stderr) == (6, "token can be read by others: chmod 600 it\n")
    secret.chmod(0o600)
    away = run(tmp_path, "", "plan", "--token-file", "token")
    assert away.returncode == 5
    assert "Is vault.address right and the server up?" in away.stderr
    assert "canary" not in away.stdout + away.stderr


async def begins(http: ClientSession, base: str, chain: bytes) -> datetime:
    """Return when the window of a certificate begins."""
    name = name_of(x509.load_pem_x509_certificates(chain)[0])
    assert name is not None
    async with http.get(f"{base}/{name.text}") as answer:
        shown: dict[str, Any] = await answer.json()
    return datetime.fromisoformat(shown["suggestedWindow"]["start"])


def key_of_issuer(chain: bytes) -> bytes | None:
    leaf = x509.load_pem_x509_certificates(chain)[0]
    identifier = leaf.extensions.get_extension_for_oid(ExtensionOID.AUTHORITY_KEY_IDENTIFIER).value
    assert isinstance(identifier, x509.AuthorityKeyIdentifier)
    return identifier.key_identifier


def test_a_file_that_holds_no_token_is_told(tmp_path: Path) -> None:
    settings_file(tmp_path, "http://127.0.0.1:1")
    secret = tmp_path / "token"
    secret.write_text("s.canary\ns.another\n")
    secret.chmod(0o600)
    done = run(tmp_path, "", "plan", "--token-file", "token")
    assert done.returncode == 6
    assert done.stderr == "token holds no token: write one to it, in one line and nothing else.\n"
