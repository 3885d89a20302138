"""`acmeproxy explain`: what a reference in an error means and what to do."""

import difflib
import json
from typing import Annotated

import typer

from acmeproxy.cli.exits import NOT_FOUND, leave


def explain(
    ref: Annotated[str, typer.Argument(help="The code in an error's [ref CODE].", metavar="CODE")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Explain an error reference: what it means and what to do.

    For example:

      acmeproxy explain NAME-NOT-ALLOWED

      acmeproxy explain --json EAB-REQUIRED
    """
    from acmeproxy.core.reference import CODES  # noqa: PLC0415 - help needs none of it

    code = ref.strip("[] ").removeprefix("ref ").upper()
    reference = CODES.get(code)
    if reference is None:
        near = difflib.get_close_matches(code, CODES, n=3)
        hint = f" Did you mean {', '.join(near)}?" if near else " All codes: docs/errors.md"
        leave(NOT_FOUND, f"There is no reference {ref}.{hint}")
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "code": reference.code,
                    "type": reference.type,
                    "status": reference.status,
                    "advice": reference.advice,
                }
            )
        )
        return
    typer.echo(f"{reference.code}  ({reference.type}, HTTP {reference.status})\n{reference.advice}")
