"""`acmeproxy serve`: the server, from the first socket to the last drained job."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from acmeproxy.cli.exits import CONFIG, FAILED, UNAVAILABLE, leave


def serve(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The settings file.", metavar="FILE")
    ] = None,
    role: Annotated[str, typer.Option(help="all, web (no Vault login) or worker (no listener).")] = "all",
) -> None:
    """Serve ACME clients, and validate and have signed what they ask for.

    SIGTERM drains: no new connection, no new job, what was begun is finished. A second one ends at once.

    For example:

      acmeproxy serve --config /etc/acmeproxy/acmeproxy.toml

      acmeproxy serve --role web
    """
    import asyncio  # noqa: PLC0415 - help needs none of it

    import uvloop  # noqa: PLC0415

    from acmeproxy import telemetry  # noqa: PLC0415
    from acmeproxy.cli.process import Server  # noqa: PLC0415
    from acmeproxy.services.proving import UnprovenError  # noqa: PLC0415
    from acmeproxy.settings import SettingsError, load  # noqa: PLC0415
    from acmeproxy.wiring.serving import Role  # noqa: PLC0415

    if role not in set(Role):
        raise typer.BadParameter(f"{role} is none of {', '.join(Role)}", param_hint="--role")
    try:
        given = load(config, os.environ)
        if role != Role.WEB:
            given.require_credentials()
    except SettingsError as error:
        leave(CONFIG, "\n".join(str(mistake) for mistake in error.mistakes))
    telemetry.configure(
        stream=sys.stdout, level=given.log.level, form=given.log.format, colour=sys.stdout.isatty()
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(Server(given, Role(role)).run())
    except UnprovenError as error:
        leave(UNAVAILABLE if error.away else FAILED, str(error))
    except OSError as error:
        what = f"read {error.filename}" if error.filename else f"listen on {given.server.listen}"
        leave(1, f"Cannot {what}: {error.strerror or error}")
