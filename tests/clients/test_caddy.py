"""Caddy, which gets and renews its certificates by itself (conformance D2)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.support import programs
from tests.support.caddy import Site, caddy
from tests.support.certbot import serial
from tests.support.stage import Stage

HTTP = "http.caddy.team-a.test"
ALPN = "alpn.caddy.team-a.test"
BOUND = "caddy.team-b.test"
BRIEF = "brief.caddy.team-a.test"


@pytest.fixture(scope="module")
def log(dev: Stage, profiled: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run a Caddy with a site of each kind."""
    sites = [
        Site(HTTP, dev.directory("team-a"), "tlsalpn"),
        Site(ALPN, dev.directory("team-a"), "http"),
        Site(BOUND, dev.directory("team-b"), "http", [f"eab {dev.eab['kid']} {dev.eab['hmac_key']}"]),
        Site(BRIEF, profiled.directory("team-p"), "http", ["profile brief"]),
    ]
    with caddy(dev, tmp_path_factory.mktemp("caddy"), sites) as running:
        yield running


@pytest.mark.parametrize("name", [HTTP, ALPN, BOUND])
def test_it_serves_a_site_with_a_certificate_of_its_own(dev: Stage, log: Path, name: str) -> None:
    """CLI-13, CLI-20, CLI-27, CLI-28: by http-01, by tls-alpn-01, and with an external account (CLI-31)."""
    bodies = []

    def serves() -> bool:
        bodies.append(programs.fetched(dev.tls_alpn01_port, name, dev.root)[1])
        return True

    programs.until(serves, f"https://{name}", log)
    assert bodies == [f"this is {name}".encode()]


def test_it_renews_when_the_proxy_suggests_it(dev: Stage, profiled: Stage, log: Path) -> None:
    """RFC 9773 §4.2: the profile's certificates are to be renewed after a quarter of a minute (CLI-33).

    Caddy does not tell what it replaces.
    """
    seen: list[x509.Certificate] = []

    def renewed() -> bool:
        der = programs.fetched(dev.tls_alpn01_port, BRIEF, dev.root)[0]
        certificate = x509.load_der_x509_certificate(der)
        if not seen or serial(seen[-1]) != serial(certificate):
            seen.append(certificate)
        return len(seen) > 1

    programs.until(renewed, "a second certificate", log, within=60)

    assert [one["profile"] for one in profiled.orders(BRIEF)[:2]] == ["brief", "brief"]
    assert "certificate needs renewal based on ARI window" in log.read_text()
