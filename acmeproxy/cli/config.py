"""`acmeproxy config`: look at the settings before, or while, somebody depends on them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acmeproxy.cli.exits import CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from acmeproxy.settings import Mistake, Row, Settings


app = typer.Typer(
    name="config",
    help="Check the settings, and show which are in force and why.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


@app.command(
    epilog="Exit codes: 0 the settings can be used, 6 they cannot. The keys: docs/configuration.md",
)
def check(
    file: Annotated[
        Path | None,
        typer.Argument(help="The settings file; without it, the one that serve would read.", metavar="FILE"),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check a settings file, together with the environment, and list all its mistakes.

    For example:

      acmeproxy config check acmeproxy.toml

      acmeproxy config check --json acmeproxy.toml | jq '.mistakes[].text'
    """
    from acmeproxy.settings import SettingsError, find  # noqa: PLC0415 - pydantic takes its time

    place = find(file, os.environ)
    name = str(place) if place else "the environment"
    try:
        settings = _load(file)
    except SettingsError as error:
        _tell_mistakes(name, error.mistakes, as_json=as_json, err=False)
        raise typer.Exit(CONFIG) from None
    if as_json:
        _print_json({"file": name, "ok": True, "tenants": sorted(settings.tenants), "mistakes": []})
        return
    missing = ", ".join(mistake.key for mistake in settings.missing_credentials())
    tenants = f"{len(settings.tenants)} tenant{'s' if len(settings.tenants) > 1 else ''}"
    later = f"; to sign, a worker will also need {missing}" if missing else ""
    typer.echo(f"{name} can be used: {tenants}{later}.")


@app.command(
    epilog="Exit codes: 0 shown, 6 the settings cannot be used. Secrets are masked.",
)
def show(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The settings file.", metavar="FILE")
    ] = None,
    *,
    origin: Annotated[bool, typer.Option("--origin", help="Tell where each value is written.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show every setting in force: command line over environment over file over default.

    For example:

      acmeproxy config show --origin

      acmeproxy config show --json --config acmeproxy.toml
    """
    from acmeproxy.settings import SettingsError, rows  # noqa: PLC0415 - pydantic takes its time

    try:
        listed = list(rows(_load(config)))
    except SettingsError as error:
        _tell_mistakes(str(config or ""), error.mistakes, as_json=as_json, err=True)
        raise typer.Exit(CONFIG) from None
    if as_json:
        _print_json({row.key: _entry(row, origin=origin) for row in listed})
    else:
        _print_table(listed, origin=origin)


def _load(file: Path | None) -> "Settings":
    from acmeproxy.settings import load  # noqa: PLC0415 - pydantic takes its time

    return load(file, os.environ)


def _tell_mistakes(file: str, mistakes: "tuple[Mistake, ...]", *, as_json: bool, err: bool) -> None:
    """Print mistakes: they are the data of `check`, and a note where something else was asked for."""
    if as_json:
        listed = [{"where": m.where, "key": m.key, "text": m.text} for m in mistakes]
        _print_json({"file": file, "ok": False, "mistakes": listed})
        return
    for mistake in mistakes:
        typer.echo(str(mistake), err=err)


def _entry(row: "Row", *, origin: bool) -> object:
    return {"value": row.value, "origin": row.origin} if origin else row.value


def _print_json(value: object) -> None:
    import msgspec  # noqa: PLC0415 - with its users

    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _print_table(rows: "Iterable[Row]", *, origin: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415 - likewise
    from rich.text import Text  # noqa: PLC0415 - likewise

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("key", "value", *(("origin",) if origin else ())):
        table.add_column(heading, overflow="fold", no_wrap=False)
    for row in rows:
        # Text, not markup: a pattern in brackets is no style.
        table.add_row(*(Text(cell) for cell in (row.key, row.value, *((row.origin,) if origin else ()))))
    Console().print(table)
