"""`acmeproxy serve` as operators run it: with a settings file, beside a Valkey and an OpenBao."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession

from acmeproxy.adapters.vault.provisioning import Hierarchy
from tests.support.eventually import eventually
from tests.support.installation import ACMEPROXY, Program
from tests.support.programs import steady_port

TENANT: Final = "team-a"
SUFFIXES: Final = {TENANT: ("team-a.test",)}


@dataclass(frozen=True)
class Place:
    """The ports of everything, chosen before anything runs."""

    directory: Path
    listen: int
    valkey: int
    openbao: int
    http01: int

    @classmethod
    def chosen(cls, directory: Path) -> "Place":
        """Choose ports that stay free while their servers are away."""
        return cls(directory, steady_port(), steady_port(), steady_port(), steady_port())

    @property
    def origin(self) -> str:
        """Where clients come."""
        return f"http://127.0.0.1:{self.listen}"

    @property
    def acme(self) -> str:
        """The URL of the tenant's directory."""
        return f"{self.origin}/acme/{TENANT}/directory"

    def settings(self, hierarchy: Hierarchy, dns: int) -> Path:
        """Write the settings file, with the tenant's AppRole."""
        pki = hierarchy.tenants[TENANT]
        path = self.directory / "acmeproxy.toml"
        path.touch(mode=0o600)
        path.write_text(f"""
[server]
mode = "development"
listen = "127.0.0.1:{self.listen}"
public_url = "{self.origin}"
[redis]
url = "redis://127.0.0.1:{self.valkey}/0"
[vault]
address = "http://127.0.0.1:{self.openbao}"
roots = "{hierarchy.root}"
max_request_duration = 10
[validation]
resolver = "127.0.0.1:{dns}"
http_port = {self.http01}
egress.allow = ["127.0.0.0/8"]
[tenants.{TENANT}]
names.allow = ["*.team-a.test"]
[tenants.{TENANT}.vault]
namespace = "{pki.place.namespace}"
mount = "{pki.place.mount}"
role = "{pki.place.role}"
[tenants.{TENANT}.vault.login]
method = "approle"
mount = "{pki.login.mount}"
role_id = "{pki.login.role_id}"
secret_id = "{pki.login.secret_id()}"
""")
        return path

    async def readiness(self, http: ClientSession) -> tuple[int, dict[str, Any]]:
        """Return what /readyz says; nothing while nobody listens."""
        try:
            async with http.get(f"{self.origin}/readyz") as answer:
                return answer.status, await answer.json()
        except OSError:
            return 0, {}

    async def until(self, http: ClientSession, **expected: object) -> dict[str, Any]:
        """Wait until /readyz says what is expected, and return all that it said."""
        said: dict[str, Any] = {}

        async def says() -> bool:
            said.clear()
            said.update((await self.readiness(http))[1])
            return bool(said) and all(said.get(name) == value for name, value in expected.items())

        try:
            await eventually(says, within=60)
        except TimeoutError:
            raise AssertionError(said) from None
        return said


@dataclass(frozen=True)
class Server:
    """A running `acmeproxy serve`."""

    program: Program
    log: Path

    @property
    def events(self) -> list[str]:
        """The names of what it logged up to now."""
        whole = self.log.read_text().rpartition("\n")[0]
        return [json.loads(line)["event"] for line in whole.splitlines()]

    async def until(self, event: str) -> None:
        """Wait until it has logged something."""

        async def logged() -> bool:
            return event in self.events

        await eventually(logged)


@contextmanager
def serving(settings: Path, role: str = "all") -> Iterator[Server]:
    """Run `acmeproxy serve` until the context ends; its log is kept beside its settings."""
    command = (ACMEPROXY, "serve", "--config", str(settings), "--role", role)
    errors, log = settings.with_name(f"{role}.errors"), settings.with_name(f"{role}.log")
    program = Program.start(command, errors, output=log)
    try:
        yield Server(program, log)
    finally:
        program.end()
