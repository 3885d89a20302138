"""A stock Caddy that gets and renews its certificates by itself."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support import programs
from tests.support.stage import Stage

#: How often it looks whether something is to be renewed.
RENEW_INTERVAL: Final = 2


@dataclass(frozen=True)
class Site:
    """A name that Caddy serves: from which server it has its certificate, and how it proves the name.

    `disabled` is the challenge that it must not use; `more` are further lines for its ACME issuer.
    """

    name: str
    directory: str
    disabled: str
    more: Sequence[str] = ()

    def block(self, root: Path) -> str:
        """Return the lines of the Caddyfile."""
        issuer = [
            *(f"dir {self.directory}", f"trusted_roots {root}"),
            *(f"disable_{self.disabled}_challenge", *self.more),
        ]
        lines = "\n".join(f"            {line}" for line in issuer)
        return f"""{self.name} {{
    tls {{
        issuer acme {{
{lines}
        }}
    }}
    respond "this is {self.name}"
}}
"""


@contextmanager
def caddy(stage: Stage, directory: Path, sites: Sequence[Site]) -> Iterator[Path]:
    """Run Caddy with automatic HTTPS at the ports where the stage looks; gives its log."""
    settings, log = directory / "Caddyfile", directory / "caddy.log"
    options = f"""{{
    admin off
    skip_install_trust
    default_bind 127.0.0.1
    http_port {stage.http01_port}
    https_port {stage.tls_alpn01_port}
    storage file_system {directory / "storage"}
    renew_interval {RENEW_INTERVAL}s
    email ops@team-a.test
}}
"""
    settings.write_text(options + "".join(site.block(stage.root) for site in sites))
    command = [programs.installed("caddy"), "run", "--config", str(settings), "--adapter", "caddyfile"]
    home = {"HOME": str(directory), "XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    with programs.running(command, log, env=home):
        yield log
