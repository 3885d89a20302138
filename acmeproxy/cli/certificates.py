"""`acmeproxy certificates`: what was issued, and having it renewed (RFC 9773 §4.2)."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from acmeproxy.cli.exits import LEGEND, NOT_FOUND, leave
from acmeproxy.cli.operating import (
    ConfigOption,
    JsonOption,
    TenantOption,
    operate_certificates,
    settings_of,
)

if TYPE_CHECKING:
    from acmeproxy.services.certificates import Listed

app = typer.Typer(name="certificates", help="Look after issued certificates.", no_args_is_help=True)

_LONGEST_SPREAD = timedelta(days=30)


@app.command("list", epilog=LEGEND)
def list_(tenant: TenantOption, config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """List a tenant's certificates, those first that expire first.

    For example:

      acmeproxy certificates list --tenant payments

      acmeproxy certificates list --tenant payments --json | jq '.[] | select(.state == "revoked") | .serial'
    """
    import msgspec  # noqa: PLC0415 - help needs none of it

    from acmeproxy.core.ids import TenantName  # noqa: PLC0415

    given = settings_of(config, tenant)
    found = operate_certificates(given, lambda certificates: certificates.list(TenantName(tenant)))
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    for one in found:
        typer.echo(_line(one))


@app.command(epilog=LEGEND)
def renew(  # noqa: PLR0913, PLR0917 - the options of the command
    tenant: TenantOption,
    issuer: Annotated[
        str,
        typer.Option(help="Only those of this issuer: its key identifier, as in the list.", metavar="HEX"),
    ] = "",
    serial: Annotated[str, typer.Option(help="Only the one with this serial.", metavar="HEX")] = "",
    account: Annotated[
        str, typer.Option(help="Only those of this account: its URL or its last part.", metavar="ACCOUNT")
    ] = "",
    explanation: Annotated[
        str, typer.Option(help="A page that says why, for whoever wonders.", metavar="URL")
    ] = "",
    spread: Annotated[
        str, typer.Option(help="Within what time; each certificate gets its own.", metavar="TIME")
    ] = "1h",
    config: ConfigOption = None,
) -> None:
    """Have certificates renewed now, as clients see when they next ask for renewal information (ARI).

    Certificates that are issued from now on are not meant.

    For example:

      acmeproxy certificates renew --tenant payments --spread 6h --explanation https://ca.corp.example/incident-7

      acmeproxy certificates renew --tenant payments --serial 4a:3b:09:7f
    """
    from acmeproxy.core.ids import AccountId, TenantName  # noqa: PLC0415 - help needs none of it
    from acmeproxy.services.certificates import Renewals  # noqa: PLC0415

    wanted = Renewals(
        spread=spread_of(spread),
        explanation=page(explanation),
        issuer=issuer.replace(":", "").lower(),
        serial=serial.replace("-", ":").lower(),
        account=AccountId(account.rpartition("/")[2]) if account else None,
    )
    given = settings_of(config, tenant)
    count = operate_certificates(given, lambda certificates: certificates.renew(TenantName(tenant), wanted))
    if not count:
        leave(NOT_FOUND, f"Tenant {tenant} has no such certificate that is valid: nothing was changed.")
    typer.echo(f"{count} to be renewed within {spread}; clients that ask every six hours see it then.")


def spread_of(text: str) -> timedelta:
    """Read `--spread`."""
    from acmeproxy.settings.values import duration  # noqa: PLC0415 - help needs none of it

    try:
        return duration(text, timedelta(seconds=1), _LONGEST_SPREAD)
    except ValueError as error:
        raise typer.BadParameter(f"--spread {error}") from None


def page(url: str) -> str:
    """Read `--explanation`."""
    if url and not (url.startswith("https://") and url.isascii() and url.isprintable() and " " not in url):
        raise typer.BadParameter("--explanation must be an https:// URL")
    return url


def _line(one: "Listed") -> str:
    until = one.not_after.strftime("%Y-%m-%d %H:%M")
    return f"{one.serial}  {until}  {one.state:<8}  {one.account}  {','.join(one.names)}"
