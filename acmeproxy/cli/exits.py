"""Exit codes, the same for every command."""

from typing import Final, NoReturn

import typer

FAILED: Final = 1
NOT_FOUND: Final = 3
UNAVAILABLE: Final = 5
CONFIG: Final = 6
WAITING: Final = 7

LEGEND: Final = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 5 a server is away, 6 bad settings,"
    " 7 waits for somebody."
)


def leave(code: int, text: str) -> NoReturn:
    """End the command with a sentence for people on stderr.

    Raises:
        typer.Exit: Always.
    """
    typer.echo(text, err=True)
    raise typer.Exit(code)
