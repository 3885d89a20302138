"""`acmeproxy eab`: keys for external account binding (RFC 8555 §7.3.4)."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acmeproxy.cli.exits import LEGEND, NOT_FOUND, leave
from acmeproxy.cli.operating import ConfigOption, JsonOption, TenantArgument, operate, settings_of

if TYPE_CHECKING:
    from acmeproxy.core.eab import EabKey

app = typer.Typer(name="eab", help="Give out keys for external account binding.", no_args_is_help=True)

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@app.command(epilog=LEGEND)
def create(  # noqa: PLR0913, PLR0917 - the options of the command
    tenant: TenantArgument,
    label: Annotated[str, typer.Option(help="For whom it is.")] = "",
    names: Annotated[
        list[str] | None,
        typer.Option(
            help="Names that its accounts may have, within the tenant's; repeatable.", metavar="PATTERN"
        ),
    ] = None,
    profiles: Annotated[
        list[str] | None, typer.Option(help="Profiles that they may have; repeatable.", metavar="PROFILE")
    ] = None,
    uses: Annotated[int | None, typer.Option(help="How many accounts it may bind.", min=1)] = None,
    expires: Annotated[
        str | None, typer.Option(help="For how long it may bind accounts: 12h, 7d, 4w.", metavar="TIME")
    ] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", help="Kept with every certificate; repeatable.", metavar="KEY=VALUE"),
    ] = None,
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make an EAB key; its hmac key is shown once and never again.

    For example:

      acmeproxy eab create payments --label 'checkout, production'

      acmeproxy eab create payments --names '*.checkout.corp.example' --uses 1 --expires 7d --json

      acmeproxy eab create payments --tag team=checkout --tag cost-centre=4711
    """
    from acmeproxy.core.encoding import b64url_encode  # noqa: PLC0415 - help needs none of it
    from acmeproxy.core.ids import TenantName  # noqa: PLC0415
    from acmeproxy.services.administration import Grant  # noqa: PLC0415

    given = settings_of(config, tenant)
    chosen = _listed(profiles)
    unknown = set(chosen) - set(given.tenants[tenant].profiles)
    if unknown:
        raise typer.BadParameter(f"tenant {tenant} has no profile {', '.join(sorted(unknown))}")
    grant = Grant(label, _patterns(_listed(names)), chosen, uses, _end(expires), _tags(tags))
    key = operate(given, lambda administrator: administrator.create_eab_key(TenantName(tenant), grant))
    hmac_key = b64url_encode(key.secret)
    if as_json:
        typer.echo(json.dumps({"kid": key.kid, "hmac_key": hmac_key}))
    else:
        typer.echo(f"kid       {key.kid}\nhmac key  {hmac_key}  (shown once)")


@app.command("list", epilog=LEGEND)
def list_(tenant: TenantArgument, config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """List a tenant's EAB keys and how often they were used; never their secrets.

    For example:

      acmeproxy eab list payments
    """
    from acmeproxy.core.ids import TenantName  # noqa: PLC0415 - help needs none of it

    given = settings_of(config, tenant)
    keys = operate(given, lambda administrator: administrator.eab_keys(TenantName(tenant)))
    rows = [_row(key) for key in keys]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        used = f"{row['used']}/{row['uses'] or 'any'}"
        typer.echo(f"{row['kid']}  {row['state']:<8} used {used:<8} {row['label']}")
    typer.echo(f"{len(rows)} keys", err=True)


@app.command(epilog=LEGEND)
def revoke(
    tenant: TenantArgument,
    kid: Annotated[str, typer.Argument(help="The key's kid.")],
    config: ConfigOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """End an EAB key, and close the accounts that it bound.

    For example:

      acmeproxy eab revoke payments eab_4f0c
    """
    from acmeproxy.core.ids import TenantName  # noqa: PLC0415 - help needs none of it

    given = settings_of(config, tenant)
    if not yes:
        typer.confirm(f"End {kid} and close every account that it bound?", abort=True)
    closed = operate(given, lambda administrator: administrator.revoke_eab_key(TenantName(tenant), kid))
    if closed is None:
        leave(NOT_FOUND, f"Tenant {tenant} has no EAB key {kid}.")
    typer.echo(f"{kid} is revoked, {len(closed)} accounts are closed.")


def _listed(given: list[str] | None) -> tuple[str, ...]:
    """Take an option that is repeated, or whose values stand in a list with commas."""
    return tuple(part.strip() for text in given or () for part in text.split(",") if part.strip())


def _patterns(given: tuple[str, ...]) -> tuple[str, ...]:
    from acmeproxy.core.identifier import dns_name  # noqa: PLC0415 - help needs none of it

    try:
        return tuple(dns_name(pattern) for pattern in given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--names") from None


def _tags(given: list[str] | None) -> dict[str, str]:
    from acmeproxy.core.provenance import check_tags  # noqa: PLC0415 - help needs none of it

    tags = dict(text.partition("=")[::2] for text in given or ())
    try:
        return check_tags(tags)
    except ValueError as error:
        raise typer.BadParameter(f"write KEY=VALUE: {error}", param_hint="--tag") from None


def _end(text: str | None) -> datetime | None:
    if text is None:
        return None
    if not text[:-1].isdecimal() or text[-1] not in _UNITS:
        raise typer.BadParameter("write 12h, 7d or 4w", param_hint="--expires")
    return datetime.now(UTC) + timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def _row(key: "EabKey") -> dict[str, Any]:
    ended = key.expires_at is not None and key.expires_at <= datetime.now(UTC)
    return {
        "kid": key.kid,
        "label": key.label,
        "state": "revoked" if key.revoked_at else "expired" if ended else "open",
        "used": len(key.accounts),
        "uses": key.uses,
        "names": list(key.names),
        "profiles": list(key.profiles),
        "tags": key.tags,
        "expires": key.expires_at.isoformat() if key.expires_at else None,
        "accounts": sorted(key.accounts.values()),
    }
