"""`acmeproxy eab`: keys for external account binding (RFC 8555 §7.3.4)."""

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acmeproxy.cli.exits import CONFIG, LEGEND, NOT_FOUND, UNAVAILABLE, leave

if TYPE_CHECKING:
    from acmeproxy.core.eab import EabKey
    from acmeproxy.settings import Settings

app = typer.Typer(name="eab", help="Give out keys for external account binding.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Give out keys for external account binding."""


@app.command(epilog=LEGEND)
def create(
    tenant: Annotated[str, typer.Argument(help="The tenant whose accounts it may bind.")],
    label: Annotated[str, typer.Option("--label", help="For whom it is.")] = "",
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The settings file.", metavar="FILE")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Make an EAB key; its hmac key is shown once and never again.

    For example:

      acmeproxy eab create payments --label 'checkout, production'

      acmeproxy eab create payments --json | jq -r .hmac_key
    """
    from acmeproxy.core.encoding import b64url_encode  # noqa: PLC0415 - help needs none of it
    from acmeproxy.services.stores import StateAwayError  # noqa: PLC0415
    from acmeproxy.settings import SettingsError, load  # noqa: PLC0415

    try:
        given = load(config, os.environ)
    except SettingsError as error:
        leave(CONFIG, "\n".join(str(mistake) for mistake in error.mistakes))
    if tenant not in given.tenants:
        leave(NOT_FOUND, f"There is no tenant {tenant}: the settings have {', '.join(given.tenants)}.")
    try:
        key = asyncio.run(_created(given, tenant, label))
    except StateAwayError as error:
        leave(UNAVAILABLE, f"The key was not made: {error}. Is redis.url right and the server up?")
    hmac_key = b64url_encode(key.secret)
    if as_json:
        typer.echo(json.dumps({"kid": key.kid, "hmac_key": hmac_key}))
    else:
        typer.echo(f"kid       {key.kid}\nhmac key  {hmac_key}  (shown once)")


async def _created(given: "Settings", tenant: str, label: str) -> "EabKey":
    from acmeproxy.core.ids import TenantName  # noqa: PLC0415 - help needs none of it
    from acmeproxy.wiring.serving import administration  # noqa: PLC0415

    async with administration(given) as administrator:
        return await administrator.create_eab_key(TenantName(tenant), label)
