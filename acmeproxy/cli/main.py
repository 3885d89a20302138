"""The command line: `acmeproxy`."""

from typing import Annotated

import typer

from acmeproxy import __version__
from acmeproxy.cli import accounts, certificates, config, demo, dev, doctor, eab, explain, serve, vault
from acmeproxy.cli.exits import LEGEND
from acmeproxy.cli.undumpable import leave_no_core_dump

app = typer.Typer(
    name="acmeproxy",
    help="ACME (RFC 8555) in front of HashiCorp Vault and OpenBao PKI.",
    epilog=f"{LEGEND} Start with: acmeproxy demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help costs a tenth of a second less than a drawn one, every time somebody asks.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=dev.EPILOG)(demo.demo)
app.command(epilog=dev.EPILOG)(dev.dev)
app.command(epilog=LEGEND)(serve.serve)
app.command(epilog=doctor.EPILOG)(doctor.doctor)
app.command(epilog=LEGEND)(explain.explain)
app.add_typer(config.app)
app.add_typer(eab.app)
app.add_typer(accounts.app)
app.add_typer(certificates.app)
app.add_typer(vault.app)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(f"acmeproxy {__version__}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """ACME (RFC 8555) in front of HashiCorp Vault and OpenBao PKI."""


def run() -> None:
    """Run the command line."""
    # Whatever the command: operators' ones have tokens too, which may do more than the server's.
    leave_no_core_dump()
    app()
