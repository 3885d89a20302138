"""Debian's nginx with a certificate from Vault Agent, beside certbot: `make clients ARGS=vault_agent`."""

import shutil
from pathlib import Path

from cryptography import x509

from tests.support import programs
from tests.support.certbot import Certbot, dns_names
from tests.support.policies import Caller
from tests.support.stage import Stage
from tests.support.vault_agent import FILES, Host

_PORT = 443


def vault_agent(running: Stage, home: Path) -> list[str]:
    """Have an agent renew for nginx what it serves, as docs/vault-agent.md says; ten seconds for a month."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert nginx, "nginx is not installed: apt-get install nginx-light"
    name = "nginx.team-a.test"
    command = [nginx, "-c", str(home / "main.conf"), "-p", str(home)]
    host = Host(home, running.vault, name, "10s", (*command, "-s", "reload"))
    host.prepare(running.root)
    (home / "sites").mkdir()
    (home / "main.conf").write_text(
        f"user root; pid {home}/nginx.pid; error_log {home}/nginx.log notice; events {{ }}\n"
        f"http {{ access_log off; include {home}/sites/*.conf; }}\n"
    )
    log = home / "nginx.log"
    log.touch()
    try:
        with programs.running([*command, "-g", "daemon off;"], log), host.agent():
            first = host.until_it_has_a_certificate()
            site = host.placed((FILES / "nginx.conf").read_text()).replace("/var/www/html", str(home / "www"))
            (home / "www").mkdir()
            (home / "www" / "index.html").write_text("this is nginx")
            (home / "sites" / "site.conf").write_text(site)
            programs.run([*command, "-s", "reload"])
            certbot = Certbot(running, "team-a", home / "certbot")
            certbot.obtain(*certbot.standalone, "-d", "beside-nginx.team-a.test")
            programs.until(lambda: _served(name, running.root) not in {0, first}, "a renewed one", host.log)
            shown = programs.run(_s_client(name, running.root))
            now = host.serial
        assert "Verify return code: 0 (ok)" in shown
        assert f"{now:X}" in programs.run(["openssl", "x509", "-noout", "-serial"], stdin=shown)
        assert now != first
        assert dns_names(certbot.leaf("beside-nginx.team-a.test")) == ["beside-nginx.team-a.test"]
        by_agent = x509.load_pem_x509_certificates(host.chain.read_bytes())
        assert by_agent[1] == certbot.chain("beside-nginx.team-a.test")[1]
    finally:
        # For the clients after this one: the page makes the role one for elliptic curves.
        ruler = Caller(running.vault["addr"], running.vault["namespaces"]["team-a"], running.vault["token"])
        ruler.does("PATCH", "pki/roles/acme", {"key_type": "any", "key_bits": 0})
    return ["certificate by Vault Agent", "renewed and reloaded", "certbot on the same role"]


def _served(name: str, root: Path) -> int:
    certificate, body = programs.fetched(_PORT, name, root)
    assert body == b"this is nginx"
    return x509.load_der_x509_certificate(certificate).serial_number


def _s_client(name: str, root: Path) -> list[str]:
    return [
        *("openssl", "s_client", "-connect", f"127.0.0.1:{_PORT}", "-servername", name),
        *("-verify_hostname", name, "-verify_return_error", "-x509_strict", "-CAfile", str(root)),
    ]
