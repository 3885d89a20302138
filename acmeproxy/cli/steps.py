"""Steps of the producer side as people and programs read them."""

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import typer

from acmeproxy.cli.exits import WAITING, leave

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from acmeproxy.wiring.producing import Blueprint, Inventory, Producer, ShownMount, Step

_INDENT: Final = " " * 6
_HANGING: Final = " " * 8
_SIGNS: Final = {"add": "+", "change": "~", "nothing": " "}


def needed(steps: "Iterable[Step]") -> "list[Step]":
    """Return those that do something."""
    return [step for step in steps if step.change != "nothing"]


def print_json(value: object) -> None:
    """Print one JSON document."""
    import msgspec  # noqa: PLC0415 - with its users

    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_steps(steps: "Sequence[Step]") -> None:
    """Print what and where, and below it each field: as it becomes, and as it was if that is something."""
    for step in needed(steps):
        typer.echo(f"{_SIGNS[step.change]} {step.what:<20} {step.where}")
        for text in _fields(step):
            typer.echo(textwrap.fill(text, _width(), initial_indent=_INDENT, subsequent_indent=_HANGING))


def _fields(step: "Step") -> "Iterator[str]":
    if step.change == "change":
        yield from (f"{one.field}: {one.was or '(none)'} -> {one.becomes}" for one in step.fields)
    elif step.fields:
        yield "; ".join(f"{field.field} {field.becomes}".strip() for field in step.fields)
    if step.waits:
        yield f"waits: {step.waits}"


def _width() -> int:
    """A terminal's width, within what can be read; where nobody watches, what a log takes."""
    return min(max(shutil.get_terminal_size((120, 0)).columns, 60), 120)


def line(step: "Step") -> str:
    """Write a step as one line."""
    fields = ", ".join(field.field for field in step.fields) if step.change == "change" else ""
    more = (f"({fields})" if fields else "", "waits" if step.waits else "")
    return "  ".join(filter(None, (f"{_SIGNS[step.change]} {step.what:<20} {step.where}", *more)))


def print_next(producer: "Producer", made: "Blueprint") -> None:
    """Say what the operator has to see to: lines for the settings, and logins that are made elsewhere."""
    from acmeproxy.wiring.producing import unnamed  # noqa: PLC0415 - help needs none of it

    tables = list(unnamed(made))
    if tables:
        typer.echo("\nAdd to the settings, so that the proxy logs in with what was made:\n")
    for table, lines in tables:
        typer.echo("\n".join((f"[{table}]", *lines, "")))
    if tables:
        typer.echo("Where the settings have vault = { ... } in one line, that is login = { ... } in it.\n")
    print_notes(producer)


def print_notes(producer: "Producer") -> None:
    """Say what the logins need that are made elsewhere."""
    for note in producer.notes():
        typer.echo(note)


def rotate_signing(producer: "Producer", *, ask: bool) -> None:
    """Show what a new signing CA is, ask, and have it made.

    Raises:
        typer.Exit: The root has to sign first.
    """
    from acmeproxy.wiring.producing import SigningRotation, WaitsError  # noqa: PLC0415 - help needs none of it

    rotation = SigningRotation(producer)
    print_steps([rotation.look()])
    if ask:
        typer.confirm("\nCarry it out?", abort=True)
    typer.echo()
    try:
        rotation.carry(typer.echo)
    except WaitsError as error:
        leave(WAITING, str(error))


def print_inventory(found: "Inventory") -> None:
    """Print the tree: root, signing CA, issuing CAs, roles."""
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.tree import Tree  # noqa: PLC0415 - likewise

    root = Tree(_plain(f"root {found.root or '(none)'}{_left(found.root_not_after)}"))
    signing = root.add(_plain(_place("signing CA", found.signing.namespace, found.signing.mount)))
    _issuers(signing, found.signing)
    for mount in found.tenants:
        names = ", ".join(mount.tenants)
        branch = signing.add(_plain(_place(f"tenant {names}", mount.namespace, mount.mount)))
        _issuers(branch, mount)
        for role in mount.roles:
            store = ", no_store" if role.no_store else ""
            days = f"{role.max_ttl / 86400:g}d"
            branch.add(_plain(f"role {role.name}: at most {days}, issuer {role.issuer}{store}"))
    Console().print(root)


def _issuers(branch: "Tree", mount: "ShownMount") -> None:
    for issuer in mount.issuers:
        default = ", default" if issuer.default else ""
        names = f", names {', '.join(issuer.permitted_dns_domains)}" if issuer.permitted_dns_domains else ""
        broken = "" if issuer.complete_chain else ", WITHOUT ITS PARENTS"
        text = (
            f"{issuer.name or issuer.id}{default}: {issuer.subject}{_left(issuer.not_after)}{names}{broken}"
        )
        branch.add(_plain(text))


def _plain(text: str) -> "Text":
    from rich.text import Text  # noqa: PLC0415 - slow to import

    return Text(text)


def _place(what: str, namespace: str, mount: str) -> str:
    return f"{what} at {mount}{f' in {namespace}' if namespace else ''}"


def _left(until: datetime | None) -> str:
    if until is None:
        return ""
    return f", until {until:%Y-%m-%d} ({(until - datetime.now(UTC)).days} days left)"
