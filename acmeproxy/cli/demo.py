"""`acmeproxy demo`: an installation and its first certificate, by a stock certbot."""

import asyncio
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acmeproxy.cli.dev import directory_of, progress, run_until_signal
from acmeproxy.cli.exits import FAILED

if TYPE_CHECKING:
    from acmeproxy.wiring.development import Installation

NAME = "www.team-a.test"


def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Stay up afterwards, until Ctrl-C.")] = False,
) -> None:
    """Show it: start everything, get a certificate with certbot, print it, and clean up.

    For example:

      acmeproxy demo

      acmeproxy demo --keep
    """
    run_until_signal(_demo(keep=keep))


async def _demo(*, keep: bool) -> int:
    from acmeproxy.wiring.development import Options, free_port, installation  # noqa: PLC0415

    options = Options(port=free_port(), http01_port=free_port(), tls_alpn01_port=free_port())
    begun = time.perf_counter()
    async with installation(options, progress) as running:
        code = await _first_certificate(running, options.http01_port, begun)
        if code == 0 and keep:
            typer.echo(
                f"\nStays up: {directory_of(running, 'team-a')}   root: {running.root}   Ctrl-C ends it."
            )
            typer.echo(await running.ended(), err=True)
            return FAILED
        return code


async def _first_certificate(running: "Installation", port: int, begun: float) -> int:
    home = running.directory / "certbot"
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *_certbot(),
        *("certonly", "--standalone", "--http-01-address", "127.0.0.1", "--http-01-port", str(port)),
        *("--server", directory_of(running, "team-a"), "-d", NAME, "--agree-tos", "-n"),
        "--register-unsafely-without-email",
        *("--config-dir", str(home), "--work-dir", str(home), "--logs-dir", str(home)),
        env={**os.environ, "REQUESTS_CA_BUNDLE": str(running.root)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        typer.echo(output.decode(errors="replace"), err=True)
        typer.echo(f"certbot ended with code {process.returncode}.", err=True)
        return FAILED
    took = time.perf_counter() - started
    progress(time.perf_counter() - begun, "certbot", f"{NAME} in {took:.1f} s")
    _show(home / "live" / NAME / "fullchain.pem", running.root)
    return 0


def _certbot() -> tuple[str, ...]:
    beside = Path(sys.executable).parent / "certbot"
    found = str(beside) if beside.exists() else shutil.which("certbot")
    if found is None:
        from acmeproxy.wiring.development import EmbeddedServerError  # noqa: PLC0415

        raise EmbeddedServerError("certbot is not installed here: pip install 'acmeproxy[dev]'")
    return (found,)


def _show(chain: Path, root: Path) -> None:
    from cryptography import x509  # noqa: PLC0415 - help needs none of it
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    certificates = x509.load_pem_x509_certificates(chain.read_bytes())
    anchor = x509.load_pem_x509_certificate(root.read_bytes())
    leaf = certificates[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    typer.echo(f"\nnames      {', '.join(names.get_values_for_type(x509.DNSName))}")
    typer.echo(f"serial     {leaf.serial_number.to_bytes(20).lstrip(bytes(1)).hex(':')}")
    first, last = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    typer.echo(f"valid      {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC")
    for depth, certificate in enumerate([*certificates, anchor]):
        label = (
            "root, in no chain: your clients must trust it" if certificate is anchor else f"chain, {depth}"
        )
        subject = (
            certificate.subject.rfc4514_string()
            or f"(the names above) by {certificate.issuer.rfc4514_string()}"
        )
        typer.echo(f"\n# {label}: {subject}")
        typer.echo(certificate.public_bytes(Encoding.PEM).decode().strip())
