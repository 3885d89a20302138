"""`acmeproxy doctor`, as an operator calls it, against a real Valkey and a real OpenBao."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import pytest_asyncio

from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.adapters.embedded.valkey import Valkey
from acmeproxy.adapters.embedded.valkey import valkey as running_valkey
from acmeproxy.adapters.vault.connection import AppRoleLogin
from tests.adapters.vault.canned_vault import canned_vault
from tests.support.cutting_proxy import cutting_proxy
from tests.support.installation import ACMEPROXY
from tests.support.server_tls import server_tls
from tests.support.settings_file import secret_file, write
from tests.support.valkey import ask
from tests.support.ward import Ward, sound_ward

_WITHIN: Final = 120


class Clinic(msgspec.Struct, frozen=True):
    """A sound installation of two tenants, and the settings that describe it."""

    valkey: Valkey
    wards: tuple[Ward, ...]
    settings: Path

    @property
    def alpha(self) -> Ward:
        """The first tenant."""
        return self.wards[0]

    async def doctor(
        self, *arguments: str, token: str | None = None, **environment: str
    ) -> tuple[int, str, str]:
        """Call the command; `token` is whose the reader is, by default the operator's."""
        done = await asyncio.to_thread(
            subprocess.run,
            (ACMEPROXY, "doctor", "--config", str(self.settings), *arguments),
            env=self._environment(token, environment),
            capture_output=True,
            text=True,
            timeout=_WITHIN,
            check=False,
        )
        secrets = (self.alpha.server.root_token, *(login(ward).secret_id() for ward in self.wards))
        assert not any(secret in done.stdout + done.stderr for secret in secrets)
        return done.returncode, done.stdout, done.stderr

    def _environment(self, token: str | None, more: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        reader = self.alpha.server.root_token if token is None else token
        return {**kept, **({"BAO_TOKEN": reader} if reader else {}), **more}


_FOREIGN: Final = ("ACMEPROXY_", "BAO_", "VAULT_", "REDIS_", "VALKEY_", "HTTP", "http", "ALL_PROXY", "all_")


def login(ward: Ward) -> AppRoleLogin:
    return ward.hierarchy.tenants[ward.name].login


@pytest_asyncio.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    for part in ("valkey", "openbao", "pki"):
        (tmp_path / part).mkdir()
    async with (
        running_valkey(tmp_path / "valkey", persistent=True) as valkey,
        running_openbao(tmp_path / "openbao") as server,
        canned_vault(tls=server_tls("localhost")) as pki,
    ):
        narrow = "acmeproxy on >redis-secret ~* &* +@all -@admin -@dangerous +info"
        assert await ask(valkey, "ACL", "SETUSER", *narrow.split()) == b"+OK"
        front = f"https://127.0.0.1:{pki.port}"
        wards = tuple([await sound_ward(server, tmp_path / "pki", n, front) for n in ("alpha", "beta")])
        yield Clinic(valkey, wards, settings(tmp_path, valkey, wards))


def settings(directory: Path, valkey: Valkey, wards: tuple[Ward, ...]) -> Path:
    ward = wards[0]
    lines = [
        f'[server]\npublic_url = "{ward.front}"',
        f'[redis]\nurl = "redis://acmeproxy:redis-secret@127.0.0.1:{valkey.port}/0"',
        f'[vault]\naddress = "{ward.server.address}"\nnamespace = "admin"\nroots = "{ward.hierarchy.root}"',
        '[validation]\nresolver = "127.0.0.1:53"',
    ]
    for ward in wards:
        secret = secret_file(directory, f"{ward.name}.secret-id", login(ward).secret_id())
        name = ward.name
        lines += [
            f'[tenants.{name}]\nwildcards = true\nnames.allow = ["{name}.example", "*.{name}.example"]',
            f'[tenants.{name}.vault]\nnamespace = "{name}"\nrole = "acme"',
            f'[tenants.{name}.vault.login]\nrole_id = "{login(ward).role_id}"\nsecret_id_file = "{secret}"',
        ]
    return write(directory, "\n".join(lines) + "\n")


def counted(text: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(text)
    return members


async def test_a_sound_installation_ends_0_and_a_broken_one_1_with_the_mend(clinic: Clinic) -> None:
    code, out, _ = await clinic.doctor()
    assert (code, out.splitlines()[-1]) == (0, "0 failures, 0 warnings"), out
    assert f"PASS  {'tenant alpha: canary pki/sign/acme':34}  acmeproxy-doctor.alpha.example was" in out
    await clinic.alpha.change_role({"no_store": True})
    code, out, _ = await clinic.doctor()
    assert (code, out.splitlines()[-1]) == (1, "1 failure, 0 warnings"), out
    [fail] = [line for line in out.splitlines() if line.startswith("FAIL")]
    assert fail == (
        f"FAIL  {'tenant alpha: role pki/acme':34}  "
        "no_store=true: a certificate whose answer was lost can never be found again"
    )
    mend = "bao patch -namespace=admin/alpha pki/roles/acme no_store=false"
    assert f"      mend: {mend}\n" in out
    await clinic.alpha.mend(mend)
    assert (await clinic.doctor())[0] == 0


async def test_json_has_every_finding_and_the_sums(clinic: Clinic) -> None:
    await ask(clinic.valkey, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    code, out, err = await clinic.doctor("--json", "--tenant", "beta", token="")
    shown = counted(out)
    assert (code, shown["failures"], shown["warnings"]) == (1, 1, 2)
    assert {
        "level": "FAIL",
        "subject": "redis memory",
        "text": "maxmemory-policy allkeys-lru: when memory is short, it forgets accounts and orders",
        "mend": f"valkey-cli -h 127.0.0.1 -p {clinic.valkey.port} CONFIG SET maxmemory-policy noeviction",
    } in shown["findings"]
    subjects = {finding["subject"] for finding in shown["findings"]}
    assert "tenant beta: canary pki/sign/acme" in subjects
    assert not any(subject.startswith("tenant alpha") for subject in subjects)
    unseen = [one["subject"] for one in shown["findings"] if "cannot be seen" in one["text"]]
    assert unseen == ["tenant beta: mount pki", "tenant beta: revocation pki"]
    assert "Traceback" not in err


async def test_a_server_that_cannot_be_asked_ends_5_and_the_others_are_looked_at(clinic: Clinic) -> None:
    code, out, _ = await clinic.doctor("--json", REDIS_URL="redis://127.0.0.1:9/0")
    levels = {finding["subject"]: finding["level"] for finding in counted(out)["findings"]}
    assert (code, levels["redis"], levels["tenant beta: login"]) == (5, "FAIL", "PASS")
    code, out, _ = await clinic.doctor("--json", BAO_ADDR="http://127.0.0.1:9")
    levels = {finding["subject"]: finding["level"] for finding in counted(out)["findings"]}
    assert (code, levels["redis"], levels["vault http://127.0.0.1:9"]) == (5, "PASS", "FAIL")


async def test_what_cannot_be_used_ends_6_and_whom_nobody_knows_3(clinic: Clinic) -> None:
    code, _, err = await clinic.doctor("--tenant", "gamma")
    assert (code, err) == (3, "There is no tenant gamma: the settings have alpha, beta.\n")
    clinic.settings.write_text(clinic.settings.read_text().replace("role_id", "rolle_id"))
    code, _, err = await clinic.doctor()
    assert code == 6
    assert "rolle_id" in err


async def test_a_login_that_all_share_and_that_may_do_everything_fails_for_each(clinic: Clinic) -> None:
    text = clinic.settings.read_text()
    for ward in clinic.wards:
        head, _, tail = text.partition(f"[tenants.{ward.name}.vault.login]\n")
        text = head + tail.partition("\n")[2].partition("\n")[2]
    clinic.settings.write_text(text)
    code, out, _ = await clinic.doctor("--json", "--tenant", "alpha")
    found = [(one["level"], one["text"]) for one in counted(out)["findings"] if one["level"] != "PASS"]
    assert code == 1
    assert found == [
        ("WARN", "beta log in with the same: who steals one token signs for all of them"),
        ("FAIL", "it is a root token, which may do everything (INV-14)"),
    ]


async def test_a_sealed_vault_ends_1_with_the_command_that_opens_it(clinic: Clinic) -> None:
    await clinic.alpha.root("PUT", "sys/seal", namespace="")
    code, out, _ = await clinic.doctor("--json")
    [sealed] = [one for one in counted(out)["findings"] if one["text"] == "OpenBao 2.7.2 is sealed"]
    assert (code, sealed["level"], sealed["mend"]) == (1, "FAIL", "bao operator unseal")


async def test_what_takes_long_is_told_meanwhile(clinic: Clinic) -> None:
    async with cutting_proxy(clinic.alpha.server.port) as proxy:
        proxy.delay(b"GET /v1/sys/health", 3)
        code, out, err = await clinic.doctor(BAO_ADDR=f"http://127.0.0.1:{proxy.port}")
    assert "looking at vault ...\n" in err
    assert "looking at" not in out
    assert code == 0


@pytest.mark.parametrize("word", ["--json", "--tenant", "acmeproxy-reader", "docs/doctor.md"])
async def test_the_help_tells_what_is_needed(word: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run, (ACMEPROXY, "doctor", "--help"), capture_output=True, text=True, check=True
    )
    assert word in done.stdout
