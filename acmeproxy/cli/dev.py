"""`acmeproxy dev`: everything on one machine, for development and tests."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acmeproxy.cli.exits import FAILED, LEGEND, leave

if TYPE_CHECKING:
    from acmeproxy.wiring.development import Installation, Options

_LAST_PORT = 65535
EPILOG = f"{LEGEND} Nothing of it is for production."


def dev(  # noqa: PLR0913, PLR0917 - the options of the command
    listen: Annotated[
        str, typer.Option(help="Where the server listens: loopback only.", metavar="HOST:PORT")
    ] = "127.0.0.1:8555",
    http01_port: Annotated[
        int, typer.Option(help="The port at which http-01 looks, instead of 80.", metavar="N")
    ] = 5002,
    tls_alpn01_port: Annotated[
        int, typer.Option(help="The port at which tls-alpn-01 looks, instead of 443.", metavar="N")
    ] = 5003,
    resolver: Annotated[
        str | None,
        typer.Option(help="The DNS to ask; without it all names are 127.0.0.1.", metavar="HOST:PORT"),
    ] = None,
    allow_name: Annotated[
        list[str] | None, typer.Option(help="More names for team-a; repeatable.", metavar="SUFFIX")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Keep all state here and start again on it.", metavar="DIR")
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="OpenBao's storage: inmem or raft.", metavar="inmem|raft")
    ] = None,
    *,
    tls: Annotated[bool, typer.Option(help="Serve HTTPS, with a certificate of the same root.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line when ready.")] = False,
) -> None:
    """Run a whole installation: Valkey, OpenBao, a PKI, two tenants, and the server.

    No root, no network, no configuration. Ctrl-C or SIGTERM stops and removes all of it.

    For example:

      acmeproxy dev

      acmeproxy dev --no-tls --json --http01-port 5080

      acmeproxy dev --data ~/acme-dev --allow-name corp.example
    """
    from acmeproxy.wiring.development import Options  # noqa: PLC0415 - help needs none of it

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _LAST_PORT or storage not in {None, "inmem", "raft"}:
        raise typer.BadParameter("write --listen HOST:PORT and --storage inmem or raft")
    if data and storage == "inmem":
        raise typer.BadParameter("--data keeps OpenBao on raft: leave --storage away")
    options = Options(
        host=host.strip("[]"),
        port=int(port),
        tls=tls,
        http01_port=http01_port,
        tls_alpn01_port=tls_alpn01_port,
        resolver=resolver,
        allow_names=tuple(name.lower().removeprefix("*.") for name in allow_name or ()),
        data=data,
        raft=storage == "raft",
    )
    run_until_signal(_dev(options, as_json=as_json))


def run_until_signal(main: Coroutine[Any, Any, int]) -> None:
    """Run a coroutine until it ends or SIGTERM or SIGINT cancels it, and leave with its exit code.

    Raises:
        typer.Exit: With the code, when it is not 0.
    """
    from acmeproxy.wiring.development import EmbeddedServerError  # noqa: PLC0415 - help needs none of it

    try:
        code = asyncio.run(_cancellable(main))
    except EmbeddedServerError as error:
        leave(FAILED, str(error))
    if code:
        raise typer.Exit(code)


async def _cancellable(main: Coroutine[Any, Any, int]) -> int:
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        return await task
    return 0


async def _dev(options: "Options", *, as_json: bool) -> int:
    from acmeproxy.wiring.development import installation  # noqa: PLC0415 - help needs none of it

    async with installation(options, _silent if as_json else progress) as running:
        if as_json:
            print(json.dumps(_line(running)), flush=True)  # noqa: T201 - the data of this command
        else:
            typer.echo(_welcome(running, options))
        typer.echo(await running.ended(), err=True)
        return FAILED


def progress(seconds: float, what: str, where: str) -> None:
    """Show a step on stderr, with the seconds since the start."""
    typer.echo(f"{seconds:5.1f}s  {what:<12}{where}", err=True)


_silent: Callable[[float, str, str], None] = lambda *_: None  # noqa: E731 - nothing to say


def directory_of(running: "Installation", tenant: str) -> str:
    """Return the directory URL of a tenant."""
    return f"{running.url}/acme/{tenant}/directory"


def _line(running: "Installation") -> dict[str, Any]:
    from acmeproxy.wiring.development import TENANTS, WITH_EAB  # noqa: PLC0415 - help needs none of it

    eab = {"kid": running.eab.kid, "hmac_key": running.eab.hmac_key}
    pki = running.hierarchy.tenants
    return {
        "ready": True,
        "tenants": {
            name: {"directory": directory_of(running, name), "eab": eab if name == WITH_EAB else None}
            for name in TENANTS
        },
        "root_ca": str(running.root),
        "redis_url": running.valkey.url,
        "vault": {
            "addr": running.openbao.address,
            "token": running.openbao.root_token,
            "namespaces": {name: pki[name].place.namespace for name in TENANTS},
            "mount": pki["team-a"].place.mount,
        },
        "pids": {
            "acmeproxy": [running.server.pid],
            "valkey": [running.valkey.process.pid],
            "openbao": [running.openbao.process.pid],
        },
    }


def _welcome(running: "Installation", options: "Options") -> str:
    directory = directory_of(running, "team-a")
    trust = f"REQUESTS_CA_BUNDLE={running.root} " if options.tls else ""
    return f"""
team-a     {directory}
           no EAB; wildcards; names under {", ".join(("team-a.test", *options.allow_names))}
team-b     {directory_of(running, "team-b")}
           EAB kid {running.eab.kid}
           hmac key {running.eab.hmac_key}
root       {running.root}
settings   {running.directory / "acmeproxy.toml"}
logs       {running.directory}/*.log

A first certificate:
  {trust}{Path(sys.executable).parent / "certbot"} certonly --standalone \\
    --http-01-port {options.http01_port} --server {directory} -d www.team-a.test \\
    --agree-tos --register-unsafely-without-email -n \\
    --config-dir c --work-dir c --logs-dir c

Ctrl-C stops it{"" if options.data else " and removes everything"}.
"""
