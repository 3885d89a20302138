"""`acmeproxy vault`: build the producer side in Vault or OpenBao, and look at it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acmeproxy.cli.exits import CONFIG, FAILED, LEGEND, UNAVAILABLE, WAITING, leave
from acmeproxy.cli.operating import (
    ConfigOption,
    JsonOption,
    operate,
    operate_certificates,
    settings_of,
)

if TYPE_CHECKING:
    from acmeproxy.core.ids import TenantName
    from acmeproxy.services.certificates import Renewals
    from acmeproxy.settings import Settings
    from acmeproxy.wiring.producing import Producer

app = typer.Typer(
    name="vault",
    help="Build the PKI in Vault or OpenBao from the settings: authorities, roles, policies, logins.",
    no_args_is_help=True,
)

TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="A file with the operator's token; without it vault.login.token (BAO_TOKEN, VAULT_TOKEN).",
        metavar="FILE",
    ),
]
DirectoryOption = Annotated[
    Path,
    typer.Option(
        "--directory",
        help="For requests to the root, and for credentials that the settings have no file for.",
        metavar="DIR",
    ),
]
LocalRootOption = Annotated[
    bool, typer.Option("--local-root", help="Make a root in the directory, for trials, and sign with it.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_DIRECTORY = Path("acmeproxy-pki")


@app.command(epilog=LEGEND)
def plan(  # noqa: PLR0913 - the options of the command
    config: ConfigOption = None,
    token_file: TokenFileOption = None,
    directory: DirectoryOption = _DIRECTORY,
    *,
    local_root: LocalRootOption = False,
    as_json: JsonOption = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 if anything is missing or different.")
    ] = False,
) -> None:
    """Show what is missing or different in Vault, and change nothing.

    For example:

      acmeproxy vault plan

      acmeproxy vault plan --json --exit-code | jq '.steps[].where'
    """
    from acmeproxy.cli import steps  # noqa: PLC0415 - help needs none of it

    with _producer(config, token_file, directory, local_root=local_root) as producer:
        with _busy("Reading"):
            found = producer.plan()
        wanted = steps.needed(found)
        if as_json:
            steps.print_json({"steps": wanted, "right": len(found) - len(wanted)})
        elif wanted:
            steps.print_steps(wanted)
            typer.echo(f"\n{_count(len(wanted))} to do; {len(found) - len(wanted)} right already.")
        else:
            typer.echo(f"Nothing to do: all {len(found)} parts are as the settings say.")
        if not as_json:
            steps.print_notes(producer)
    if wanted and exit_code:
        raise typer.Exit(FAILED)


@app.command(epilog=LEGEND)
def apply(
    config: ConfigOption = None,
    token_file: TokenFileOption = None,
    directory: DirectoryOption = _DIRECTORY,
    *,
    local_root: LocalRootOption = False,
    yes: YesOption = False,
) -> None:
    """Show the plan, ask, and carry it out. What was interrupted goes on when it is run again.

    The key of the root never gets into Vault: the request of the signing CA is written to the directory as
    signing.csr, and is waited for as signing.pem, the certificate with all above it.

    For example:

      acmeproxy vault apply --token-file ~/.vault-token

      acmeproxy vault apply --local-root --yes
    """
    from acmeproxy.cli import steps  # noqa: PLC0415 - help needs none of it

    with _producer(config, token_file, directory, local_root=local_root) as producer:
        with _busy("Reading"):
            found = producer.plan()
        wanted = steps.needed(found)
        if not wanted:
            typer.echo(f"Nothing to do: all {len(found)} parts are as the settings say.")
            steps.print_next(producer, producer.blueprint)
            return
        steps.print_steps(wanted)
        if not yes and sys.stdin.isatty():
            typer.confirm(f"\n{_count(len(wanted))}: carry them out?", abort=True)
        typer.echo()
        done = producer.apply(lambda step: typer.echo(steps.line(step)))
        typer.echo(f"\n{_count(len(done.steps))} done.")
        for warning in done.warnings:
            typer.echo(f"The server warned at {warning}", err=True)
        steps.print_next(producer, producer.blueprint)
        if done.waits:
            leave(WAITING, f"\n{done.waits[0]}")


@app.command(epilog=LEGEND)
def show(
    config: ConfigOption = None, token_file: TokenFileOption = None, *, as_json: JsonOption = False
) -> None:
    """Show what is there: root, signing CA, issuing CAs and roles, and how long each lasts.

    For example:

      acmeproxy vault show

      acmeproxy vault show --json | jq '.tenants[].issuers[] | select(.default) | .not_after'
    """
    from acmeproxy.cli import steps  # noqa: PLC0415 - help needs none of it
    from acmeproxy.wiring.producing import inventory  # noqa: PLC0415 - likewise

    with _producer(config, token_file, _DIRECTORY) as producer, _busy("Reading"):
        found = inventory(producer)
    if as_json:
        steps.print_json(found)
    else:
        steps.print_inventory(found)


@app.command(epilog=LEGEND)
def rotate(  # noqa: PLR0913 - the options of the command
    tenant: Annotated[str, typer.Argument(help="The tenant.", metavar="TENANT", show_default=False)] = "",
    *,
    spread: Annotated[
        str, typer.Option(help="Within what time certificates of the old CA are renewed.", metavar="TIME")
    ] = "1s",
    explanation: Annotated[
        str, typer.Option(help="A page that says why, for whoever wonders.", metavar="URL")
    ] = "",
    config: ConfigOption = None,
    token_file: TokenFileOption = None,
    directory: DirectoryOption = _DIRECTORY,
    signing: Annotated[bool, typer.Option("--signing", help="The signing CA instead of a tenant's.")] = False,
    local_root: LocalRootOption = False,
    yes: YesOption = False,
) -> None:
    """Give a tenant a new issuing CA beside the old, and have certificates of the old renewed now (ARI).

    The new CA is tried out before it is used. Old certificates stay valid, and the old CA goes on signing
    its CRL and OCSP answers. What was interrupted is finished by the same command.

    With --signing it is the CA that signs the tenants' CAs: its request is written to the directory as
    signing-2.csr, and is waited for as signing-2.pem. Each tenant moves below it with its own next rotation.

    For example:

      acmeproxy vault rotate payments

      acmeproxy vault rotate payments --spread 6h --explanation https://ca.corp.example/rotation

      acmeproxy vault rotate --signing
    """
    from acmeproxy.cli import steps  # noqa: PLC0415 - help needs none of it
    from acmeproxy.cli.certificates import page, spread_of  # noqa: PLC0415 - likewise
    from acmeproxy.core.ids import TenantName  # noqa: PLC0415 - likewise
    from acmeproxy.services.certificates import Renewals  # noqa: PLC0415 - likewise
    from acmeproxy.wiring.producing import Rotation  # noqa: PLC0415 - likewise

    if signing == bool(tenant):
        raise typer.BadParameter("name either a tenant or --signing", param_hint="TENANT")
    if signing:
        with _producer(config, token_file, directory, local_root=local_root) as producer:
            steps.rotate_signing(producer, ask=not yes and sys.stdin.isatty())
        return
    within, url = spread_of(spread), page(explanation)
    given = settings_of(config, tenant)
    # Whether the store answers is better known before anything is changed.
    operate(given, lambda administration: administration.eab_keys(TenantName(tenant)))
    with _producer(config, token_file, _DIRECTORY) as producer:
        rotation = Rotation(producer, tenant)
        former = rotation.switch(typer.echo)
        for issuer in former:
            for one in rotation.tenants:
                wanted = Renewals(spread=within, explanation=url, issuer=issuer.key_identifier)
                count = _renew(given, one.name, wanted)
                typer.echo(f"renewal      {count} certificates of {one.name} by {issuer.name or issuer.id}")
        rotation.retire(former, typer.echo)


def _renew(given: "Settings", tenant: "TenantName", wanted: "Renewals") -> int:
    try:
        return operate_certificates(given, lambda certificates: certificates.renew(tenant, wanted))
    except typer.Exit:
        typer.echo("The new CA is in use, and renewals are not: run the same command again.", err=True)
        raise


@contextmanager
def _producer(
    config: Path | None, token_file: Path | None, directory: Path, *, local_root: bool = False
) -> "Iterator[Producer]":
    """Load what is needed, and turn what goes wrong into sentences.

    Raises:
        typer.Exit: Bad settings, no token, a server that is away or refuses.
    """
    from acmeproxy.wiring.producing import AwayError, ProducerError, producer  # noqa: PLC0415

    given = _settings(config)
    token = _token(given, token_file)
    try:
        with producer(given, token, directory, local_root=local_root) as made:
            yield made
    except AwayError as error:
        leave(UNAVAILABLE, f"{error}. Is vault.address right and the server up?")
    except ProducerError as error:
        leave(FAILED, f"Stopped: {error}\nWhat was done stays done; run the command again to go on.")


def _settings(config: Path | None) -> "Settings":
    from acmeproxy.settings import SettingsError, load  # noqa: PLC0415 - help needs none of it

    try:
        return load(config, os.environ, awaiting=True)
    except SettingsError as error:
        leave(CONFIG, "\n".join(str(mistake) for mistake in error.mistakes))


def _token(given: "Settings", token_file: Path | None) -> str:
    """Return the operator's token."""
    from acmeproxy.settings.files import UnreadableError, read_secret  # noqa: PLC0415 - help needs none of it

    if token_file is not None:
        try:
            given_token = read_secret(token_file).strip()
        except UnreadableError as error:
            leave(CONFIG, f"{token_file} {error}")
        if not (given_token.isascii() and given_token.isprintable()):
            # Of no use in a header, and an error there would blame the server.
            leave(CONFIG, f"{token_file} holds no token: write one to it, in one line and nothing else.")
        return given_token
    token = given.vault.login.token
    if token is None:
        leave(
            CONFIG,
            "There is no operator's token: log in (bao login, vault login) and give it with"
            " --token-file ~/.vault-token, or in BAO_TOKEN or VAULT_TOKEN.",
        )
    return token.get_secret_value()


@contextmanager
def _busy(what: str) -> "Iterator[None]":
    """Show on a terminal that something is going on."""
    from rich.console import Console  # noqa: PLC0415 - slow to import

    with Console(stderr=True).status(f"{what} ..."):
        yield


def _count(number: int) -> str:
    return f"{number} step{'' if number == 1 else 's'}"
