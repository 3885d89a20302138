"""An acmeproxy with everything around it, for other people's clients: `acmeproxy dev` and its name server."""

import json
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import redis

from tests.support import programs
from tests.support.installation import development
from tests.support.other_chain import add_other_chain
from tests.support.update_dns import UpdateDns, update_dns

ZONES: Final = ("team-a.test", "team-b.test")
#: A tenant with profiles, which `dev` has none of. The second one's certificates last so short that a client
#: renews them while a test waits.
PROFILES: Final = """
[tenants.team-p]
wildcards = true
names.allow = ["*.team-a.test"]
authorization_reuse = "1h"
terms_of_service = "https://ca.test/terms"

[tenants.team-p.profiles.classic]
description = "Thirty days."

[tenants.team-p.profiles.brief]
description = "Ninety seconds, for elliptic curves only."
lifetime = "90s"
keys = ["P-256", "P-384"]
"""


@dataclass(frozen=True)
class Stage:
    """A running installation.

    Attributes:
        settings: The settings file of the server, for operators' commands.
        url: The server's public URL.
        root: The one root to trust, PEM.
        eab: The key of team-b: `kid` and `hmac_key`.
        http01_port: Where http-01 looks.
        tls_alpn01_port: Where tls-alpn-01 looks.
        dns: The name server of all names.
        redis_url: Where the state is.
        vault: Where Vault is, and who rules it.
    """

    settings: Path
    url: str
    root: Path
    eab: Mapping[str, str]
    http01_port: int
    tls_alpn01_port: int
    dns: UpdateDns
    redis_url: str
    vault: Mapping[str, Any]

    def directory(self, tenant: str) -> str:
        """Return the URL of a tenant's directory."""
        return f"{self.url}/acme/{tenant}/directory"

    def operate(self, *arguments: str) -> str:
        """Run an operator's command and return what it printed."""
        command = [sys.executable, "-m", "acmeproxy", *arguments, "--config", str(self.settings)]
        return programs.run(command)

    def certificates(self, tenant: str, name: str) -> list[dict[str, Any]]:
        """Return what `acmeproxy certificates list` tells of a name, what ends first first."""
        listed = json.loads(self.operate("certificates", "list", "--tenant", tenant, "--json"))
        return [one for one in listed if name in one["names"]]

    def orders(self, name: str) -> list[dict[str, Any]]:
        """Return the orders for a name as they are stored, the oldest first."""
        with redis.Redis.from_url(self.redis_url, protocol=2) as store:
            keys = list(store.scan_iter("*:order:*", count=1000, _type="STRING"))
            found = [json.loads(document) for document in store.mget(keys)] if keys else []
        mine = [one for one in found if name in [i["value"] for i in one["identifiers"]]]
        return sorted(mine, key=lambda one: str(one["created_at"]))


@contextmanager
def stage(
    directory: Path, http01_port: int | None = None, tls_alpn01_port: int | None = None
) -> Iterator[Stage]:
    """Run `acmeproxy dev`, on free ports where none are given, with a name server that takes updates.

    The authority of team-a has a second certificate, by the root itself: its leaves have an alternate chain.
    """
    http01_port = http01_port or programs.steady_port()
    tls_alpn01_port = tls_alpn01_port or programs.steady_port()
    with update_dns(*ZONES) as dns:
        options = ("--tls-alpn01-port", str(tls_alpn01_port), "--resolver", f"127.0.0.1:{dns.port}")
        with development(directory, http01_port, *options) as dev:
            add_other_chain(dev)
            kid, hmac_key = dev.eab()
            yield Stage(
                settings=dev.root.parent / "acmeproxy.toml",
                url=dev.directory().partition("/acme/")[0],
                root=dev.root,
                eab={"kid": kid, "hmac_key": hmac_key},
                http01_port=http01_port,
                tls_alpn01_port=tls_alpn01_port,
                dns=dns,
                redis_url=dev.ready["redis_url"],
                vault=dev.ready["vault"],
            )


@contextmanager
def with_profiles(dev: Stage, directory: Path) -> Iterator[Stage]:
    """Run a second server beside a `dev`, on the same store and the same Vault, for the tenant `team-p`.

    It gives a validation up after the second attempt.
    """
    port = programs.steady_port()
    settings, log = directory / "acmeproxy.toml", directory / "serve.log"
    settings.write_text(_with_profiles(dev.settings.read_text(), dev.url, f"https://127.0.0.1:{port}"))
    settings.chmod(0o600)
    with programs.running([sys.executable, "-m", "acmeproxy", "serve", "--config", str(settings)], log):
        programs.until(lambda: _accepts(port), "acmeproxy serve", log)
        yield replace(dev, settings=settings, url=f"https://127.0.0.1:{port}")


def _with_profiles(settings: str, url: str, other_url: str) -> str:
    """Return the settings with one tenant only, which signs where team-a does."""
    start, end = settings.index("[tenants.team-a.vault]"), settings.index("[tenants.team-b]")
    vault = settings[start:end].replace("[tenants.team-a.", "[tenants.team-p.")
    server = settings[: settings.index("[tenants.")]
    listen, other_listen = url.removeprefix("https://"), other_url.removeprefix("https://")
    hasty = server.replace("[validation]\n", "[validation]\nattempts = 2\nretry_delay = 0.1\n")
    return hasty.replace(listen, other_listen) + PROFILES + vault


def _accepts(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port), timeout=1).close()
    return True
