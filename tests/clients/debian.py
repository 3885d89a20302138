"""Clients that are no wheels, at the ports 80 and 443 of a network of their own: `make clients`.

Not a part of `make test`: needs root, and Debian's dehydrated, uacme, lego, apache2 (whose mod_md is the
client) and nginx-light. Some only: `.venv/bin/python -m tests.clients.debian uacme lego`.
"""

import functools
import http.server
import os
import shutil
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography import x509

from tests.clients.nginx import vault_agent
from tests.support import programs
from tests.support.certbot import dns_names, serial
from tests.support.stage import Stage, stage

HTTP: Final = 80
HTTPS: Final = 443
#: Said to ourselves: the network and the mounts are our own already.
_INSIDE: Final = "--inside"
_SYSTEM_ROOTS: Final = "/etc/ssl/certs/ca-certificates.crt"
_EMAIL: Final = "ops@team-a.test"


def main() -> int:
    """Run the clients that are named, or all; returns how many failed."""
    if sys.argv[1:2] != [_INSIDE]:
        inside = [sys.executable, "-m", "tests.clients.debian", _INSIDE, *sys.argv[1:]]
        os.execv(_there("unshare"), ["unshare", "--net", "--mount", *inside])  # noqa: S606 - no shell is the point
    programs.run(["ip", "link", "set", "lo", "up"])
    wanted = sys.argv[2:] or list(CLIENTS)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="acmeproxy-clients-") as home:
        os.chmod(home, 0o755)  # noqa: PTH101, S103 - Apache's workers are somebody else
        with stage(Path(home), HTTP, HTTPS) as running:
            for name in wanted:
                directory = Path(home) / name
                directory.mkdir()
                try:
                    steps = CLIENTS[name](running, directory)
                except AssertionError:
                    failed += 1
                    print(f"{name}: FAILED\n{traceback.format_exc()}", flush=True)  # noqa: T201 - a script's output
                else:
                    print(f"{name}: {', '.join(steps)}", flush=True)  # noqa: T201 - likewise
    print(f"{len(wanted) - failed} passed, {failed} failed")  # noqa: T201 - likewise
    return failed


def dehydrated(running: Stage, home: Path) -> list[str]:
    """CLI-03, CLI-24, CLI-25; D2: `POST {}` to the account, `Location` of the order, contact `[]`."""
    name = "dehydrated.team-a.test"
    webroot = home / "www"
    webroot.mkdir()
    (home / "config").write_text(
        f'CA="{running.directory("team-a")}"\nBASEDIR="{home}"\nWELLKNOWN="{webroot}"\n'
        f'CONTACT_EMAIL="{_EMAIL}"\nDOMAINS_TXT="{home}/domains.txt"\n'
        f'CURL_OPTS="--cacert {running.root}"\nKEY_ALGO=secp384r1\n'
    )
    (home / "domains.txt").write_text(f"{name} www.{name}\n")
    command = [_there("dehydrated"), "--config", str(home / "config")]
    with served(webroot, "/.well-known/acme-challenge/"):
        programs.run([*command, "--register", "--accept-terms"])
        programs.run([*command, "--cron"])
        first = _leaf(home / "certs" / name / "cert.pem")
        programs.run([*command, "--cron", "--force"])
    second = _leaf(home / "certs" / name / "cert.pem")
    assert dns_names(second) == [name, f"www.{name}"]
    assert serial(first) != serial(second)
    programs.run([*command, "--account"])
    programs.run([*command, "--revoke", str(home / "certs" / name / "cert.pem")])
    assert _states(running, name) == ["revoked", "valid"]
    return ["http-01", "P-384", "forced renewal", "account update", "revocation"]


def uacme(running: Stage, home: Path) -> list[str]:
    """CLI-01, CLI-15, CLI-23, CLI-25; D2: `onlyReturnExisting` first, 201 for orders; key rollover."""
    name = "uacme.team-a.test"
    webroot = home / "www"
    webroot.mkdir()
    hook = home / "hook"
    hook.write_text(
        "#!/bin/sh\n"
        f'case "$1 $2" in "begin http-01") printf %s "$5" > "{webroot}/$4" ;; "begin "*) exit 1 ;; esac\n'
    )
    hook.chmod(0o755)
    (home / "conf").mkdir()
    command = [
        *(_there("uacme"), "--verbose", "--confdir", str(home / "conf"), "--hook", str(hook)),
        *("--acme-url", running.directory("team-a"), "--yes"),
    ]
    with trusted(running.root), served(webroot, "/.well-known/acme-challenge/"):
        programs.run([*command, "new", _EMAIL])
        programs.run([*command, "issue", name])
        programs.run([*command, "newkey"])
        programs.run([*command, "--force", "issue", name])
        programs.run([*command, "revoke", str(home / "conf" / name / "cert.pem")])
        programs.run([*command, "update", "other@team-a.test"])
        programs.run([*command, "deactivate"])
    assert _states(running, name) == ["revoked", "valid"]
    return ["http-01", "key rollover", "forced renewal", "revocation", "account update", "deactivation"]


def lego(running: Stage, home: Path) -> list[str]:
    """CLI-16, CLI-21, CLI-25, CLI-29, CLI-31."""
    environment = {"LEGO_CA_CERTIFICATES": str(running.root)}
    steps = []
    for proof in ("http", "tls"):
        name = f"{proof}.lego.team-a.test"
        command = [
            *(_there("lego"), "--server", running.directory("team-a"), "--email", _EMAIL, "--accept-tos"),
            *("--path", str(home / proof), f"--{proof}", "--domains", name),
        ]
        programs.run([*command, "run"], env=environment)
        programs.run([*command, "renew", "--days", "90", "--no-random-sleep"], env=environment)
        programs.run([*command, "revoke"], env=environment)
        assert _states(running, name) == ["revoked", "valid"]
        steps.append(f"{proof}-01" if proof == "http" else "tls-alpn-01")
    bound = [
        *(_there("lego"), "--server", running.directory("team-b"), "--email", _EMAIL, "--accept-tos"),
        *("--path", str(home / "bound"), "--http", "--domains", "lego.team-b.test"),
        *("--eab", "--kid", running.eab["kid"], "--hmac", running.eab["hmac_key"]),
    ]
    programs.run([*bound, "run"], env=environment)
    return [*steps, "external account", "renewal", "revocation"]


def mod_md(running: Stage, home: Path) -> list[str]:
    """CLI-08, CLI-18, CLI-20; D2: reads its account before every renewal, JSON in a 200 to newAccount."""
    name = "apache.team-a.test"
    modules = ["mpm_event", "authz_core", "dir", "md", "ssl", "socache_shmcb"]
    loaded = "".join(
        f"LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n" for module in modules
    )
    (home / "www").mkdir()
    (home / "www" / "index.html").write_text("this is apache")
    # Read by www-data, who may not look into the directory of `acmeproxy dev`.
    shutil.copy(running.root, home / "root.pem")
    settings, log = home / "httpd.conf", home / "error.log"
    settings.write_text(f"""{loaded}
ServerRoot {home}
ServerName {name}
PidFile {home}/pid
ErrorLog {log}
LogLevel warn md:debug
User www-data
Group www-data
Listen 127.0.0.1:{HTTP}
Listen 127.0.0.1:{HTTPS}
DocumentRoot {home}/www
<Directory {home}/www>
    Require all granted
</Directory>
MDStoreDir {home}/md
MDCertificateAuthority {running.directory("team-a")}
MDCACertificateFile {home}/root.pem
MDCertificateAgreement accepted
MDContactEmail {_EMAIL}
MDCAChallenges http-01
MDomain {name}
<VirtualHost *:{HTTPS}>
    ServerName {name}
    SSLEngine on
</VirtualHost>
""")
    command = [_there("apache2"), "-f", str(settings), "-d", str(home)]
    log.touch()
    with programs.running([*command, "-DFOREGROUND"], home / "output.log"):
        programs.until((home / "md" / "staging" / name / "pubcert.pem").exists, "its order", log)
        programs.run([*command, "-k", "graceful"])
        programs.until(
            lambda: b"this is apache" in programs.fetched(HTTPS, name, running.root)[1], "HTTPS", log
        )
    assert _states(running, name) == ["valid"]
    return ["http-01", "activation", "HTTPS with the chain"]


CLIENTS: Final[dict[str, Callable[[Stage, Path], list[str]]]] = {
    "dehydrated": dehydrated,
    "uacme": uacme,
    "lego": lego,
    "mod_md": mod_md,
    "vault_agent": vault_agent,
}


@contextmanager
def served(webroot: Path, prefix: str) -> Iterator[None]:
    """Serve the files of a directory below a path at port 80."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            return super().translate_path(path.removeprefix(prefix.rstrip("/")))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    handler = functools.partial(Handler, directory=str(webroot))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", HTTP), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def trusted(root: Path) -> Iterator[None]:
    """Make it the system's only root, for programs that cannot be told of another; our mounts are our own."""
    programs.run(["mount", "--bind", str(root), _SYSTEM_ROOTS])
    try:
        yield
    finally:
        programs.run(["umount", _SYSTEM_ROOTS])


def _there(program: str) -> str:
    found = shutil.which(program)
    assert found, f"{program} is not installed: apt-get install dehydrated uacme lego apache2 nginx-light"
    return found


def _states(running: Stage, name: str) -> list[str]:
    return sorted(str(one["state"]) for one in running.certificates("team-a", name))


def _leaf(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
