"""`acmeproxy accounts`: what operators note about accounts (RFC 8555 §7.3.3)."""

from typing import Annotated

import typer

from acmeproxy.cli.exits import FAILED, LEGEND, NOT_FOUND, leave
from acmeproxy.cli.operating import ConfigOption, TenantArgument, operate, settings_of

app = typer.Typer(name="accounts", help="Look after accounts.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look after accounts."""


@app.command(epilog=LEGEND)
def agree(
    tenant: TenantArgument,
    account: Annotated[str, typer.Argument(help="The account's URL or its last part.")],
    config: ConfigOption = None,
) -> None:
    """Note that an account's owner agreed to the tenant's present terms of service.

    For example:

      acmeproxy accounts agree payments https://acme.corp.example/acme/payments/account/0a1b
    """
    from acmeproxy.core.ids import AccountId, TenantName  # noqa: PLC0415 - help needs none of it
    from acmeproxy.services.stores import Owner  # noqa: PLC0415

    given = settings_of(config, tenant)
    terms = given.tenants[tenant].terms_of_service
    if terms is None:
        leave(FAILED, f"Tenant {tenant} has no terms of service: set tenants.{tenant}.terms_of_service.")
    owner = Owner(TenantName(tenant), AccountId(account.rpartition("/")[2]))
    if not operate(given, lambda administrator: administrator.record_agreement(owner, terms)):
        leave(NOT_FOUND, f"Tenant {tenant} has no account {account}.")
    typer.echo(f"{owner.account} agreed to {terms}.")
