"""`acmeproxy doctor`: is everything that acmeproxy relies on as it must be, and what mends it if not."""

import sys
import threading
from typing import TYPE_CHECKING, Annotated, Final, Self

import typer

from acmeproxy.cli.exits import CONFIG, FAILED, NOT_FOUND, UNAVAILABLE, leave
from acmeproxy.cli.operating import ConfigOption, JsonOption, any_settings

if TYPE_CHECKING:
    from acmeproxy.services.findings import Diagnosis

EPILOG: Final = (
    "Exit codes: 0 no failure, 1 a failure, 3 no such tenant, 5 Redis or Vault cannot be asked at all, "
    "6 bad settings. All checks: docs/doctor.md"
)
_COLOURS: Final = {"PASS": "green", "WARN": "yellow", "FAIL": "red"}


def doctor(
    config: ConfigOption = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option("--tenant", "-t", help="Only this tenant; may be repeated.", metavar="TENANT"),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Check Redis, Vault and every tenant's PKI, and tell the command that mends what is wrong.

    It changes nothing. For every role it has a certificate signed for acmeproxy-doctor.DOMAIN, for five
    minutes, and revokes it.

    The mounts' configuration is read with vault.login: give BAO_TOKEN or VAULT_TOKEN a token that has the
    policy acmeproxy-reader.

    For example:

      acmeproxy doctor

      acmeproxy doctor --tenant payments --json | jq '.findings[] | select(.level == "FAIL")'
    """
    import asyncio  # noqa: PLC0415 - help needs none of it
    import os  # noqa: PLC0415

    from acmeproxy import telemetry  # noqa: PLC0415
    from acmeproxy.settings import SettingsError  # noqa: PLC0415
    from acmeproxy.wiring.doctor import diagnose  # noqa: PLC0415

    given = any_settings(config)
    try:
        given.require_credentials()
    except SettingsError as error:
        leave(CONFIG, "\n".join(str(mistake) for mistake in error.mistakes))
    for name in tenant or ():
        if name not in given.tenants:
            leave(NOT_FOUND, f"There is no tenant {name}: the settings have {', '.join(given.tenants)}.")
    # Adapters log what they meet, such as an address that gives no answer: stdout is for the findings.
    telemetry.configure(stream=sys.stderr, form="console")
    with _Progress() as progress:
        diagnosis = asyncio.run(diagnose(given, tenant or (), os.environ, progress.tell))
    if as_json:
        _print_json(diagnosis)
    else:
        _print_table(diagnosis)
    if diagnosis.away:
        raise typer.Exit(UNAVAILABLE)
    if diagnosis.failures:
        raise typer.Exit(FAILED)


class _Progress:
    """Says on stderr what is being looked at, once it has taken a second, and then whenever that changes."""

    _EVERY_SECONDS: Final = 1.0

    def __init__(self) -> None:
        self._now = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def tell(self, what: str) -> None:
        """Note what is looked at now."""
        self._now = what

    def _speak(self) -> None:
        said = ""
        while not self._done.wait(self._EVERY_SECONDS):
            if self._now != said:
                said = self._now
                typer.echo(f"looking at {said} ...", err=True)


def _print_json(diagnosis: "Diagnosis") -> None:
    import msgspec  # noqa: PLC0415 - with its users

    shown = {
        "failures": diagnosis.failures,
        "warnings": diagnosis.warnings,
        "findings": diagnosis.findings,
    }
    typer.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())


def _print_table(diagnosis: "Diagnosis") -> None:
    """Print a line a finding, and below it what mends it, unbroken, so that it can be copied."""
    findings = diagnosis.findings
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        level = typer.style(finding.level, fg=_COLOURS[finding.level]) if _is_terminal() else finding.level
        typer.echo(f"{level}  {finding.subject:{width}}  {finding.text}")
        if finding.mend:
            typer.echo(f"      mend: {finding.mend}")
    failures, warnings = diagnosis.failures, diagnosis.warnings
    typer.echo(f"\n{_counted(failures, 'failure')}, {_counted(warnings, 'warning')}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _is_terminal() -> bool:
    return sys.stdout.isatty()
