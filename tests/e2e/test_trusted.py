"""Over TLS, as by default: clients trust the root, and nothing else is needed."""

import re
import ssl
import subprocess
from pathlib import Path

from aiohttp import ClientSession, TCPConnector

from acmeproxy.adapters.embedded.processes import free_port
from tests.support.http01_responder import Http01Responder
from tests.support.installation import ACMEPROXY, certbot, development, openssl_verifies
from tests.support.registered import registered


async def test_clients_that_trust_the_root_are_served(tmp_path: Path) -> None:
    port = free_port()
    with development(tmp_path, port) as found:
        assert found.directory().startswith("https://127.0.0.1:")
        stranger = certbot(tmp_path / "a", found, "x.team-a.test", "--server", found.directory())
        assert stranger.startswith("1 "), stranger
        assert "CERTIFICATE_VERIFY_FAILED" in stranger
        said = certbot(
            *(tmp_path / "b", found, "x.team-a.test", "--server", found.directory()),
            REQUESTS_CA_BUNDLE=str(found.root),
        )
        assert said.startswith("0 "), said
        chain = (tmp_path / "b" / "live" / "x.team-a.test" / "fullchain.pem").read_bytes()
        assert openssl_verifies(found.root, chain).endswith("OK")

        trust = TCPConnector(ssl=ssl.create_default_context(cafile=str(found.root)))
        async with ClientSession(connector=trust) as http, Http01Responder(port) as responder:
            client = await registered(http, found.directory())
            issued = await client.obtain(["y.team-a.test"], responder)
        assert openssl_verifies(found.root, issued.chain).endswith("OK")


def test_the_demo_shows_a_chain_that_verifies_against_the_root_that_it_shows(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        (ACMEPROXY, "demo"),
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "names      www.team-a.test\n" in done.stdout
    shown, _, anchor = done.stdout.partition("# root")
    pem = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.DOTALL)
    chain, [root] = pem.findall(shown), pem.findall(anchor)
    assert len(chain) >= 2
    (tmp_path / "root.pem").write_text(root)
    assert openssl_verifies(tmp_path / "root.pem", "".join(chain).encode()).endswith("OK")
    (tmp_path / "root.pem").unlink()
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith("acmeproxy")]
    assert left == []
