"""What operators' commands share: settings, a tenant that exists, a store that answers, a sentence if not."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from acmeproxy.cli.exits import CONFIG, NOT_FOUND, UNAVAILABLE, leave

if TYPE_CHECKING:
    from acmeproxy.services.administration import Administration
    from acmeproxy.services.certificates import Certificates
    from acmeproxy.settings import Settings

S = TypeVar("S")
T = TypeVar("T")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="The settings file.", metavar="FILE")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
TenantOption = Annotated[str, typer.Option("--tenant", "-t", help="The tenant.", metavar="TENANT")]
TenantArgument = Annotated[str, typer.Argument(help="The tenant.")]


def settings_of(config: Path | None, tenant: str) -> "Settings":
    """Load the settings, which must have the tenant.

    Raises:
        typer.Exit: With the mistakes, or the tenants that there are, told.
    """
    given = any_settings(config)
    if tenant not in given.tenants:
        leave(NOT_FOUND, f"There is no tenant {tenant}: the settings have {', '.join(given.tenants)}.")
    return given


def any_settings(config: Path | None) -> "Settings":
    """Load the settings.

    Raises:
        typer.Exit: With the mistakes told.
    """
    from acmeproxy.settings import SettingsError, load  # noqa: PLC0415 - help needs none of it

    try:
        return load(config, os.environ)
    except SettingsError as error:
        leave(CONFIG, "\n".join(str(mistake) for mistake in error.mistakes))


def operate(given: "Settings", act: Callable[["Administration"], Awaitable[T]]) -> T:
    """Act on the state.

    Raises:
        typer.Exit: The store does not answer, which is told.
    """
    from acmeproxy.wiring.serving import administration  # noqa: PLC0415 - help needs none of it

    return _operate(administration(given), act)


def operate_certificates(given: "Settings", act: Callable[["Certificates"], Awaitable[T]]) -> T:
    """Act on issued certificates.

    Raises:
        typer.Exit: The store does not answer, which is told.
    """
    from acmeproxy.wiring.serving import certificates  # noqa: PLC0415 - help needs none of it

    return _operate(certificates(given), act)


def _operate(opened: AbstractAsyncContextManager[S], act: Callable[[S], Awaitable[T]]) -> T:
    from acmeproxy.services.stores import StateAwayError  # noqa: PLC0415 - help needs none of it

    async def acted() -> T:
        async with opened as administrator:
            return await act(administrator)

    try:
        return asyncio.run(acted())
    except StateAwayError as error:
        leave(UNAVAILABLE, f"Nothing was done: {error}. Is redis.url right and the server up?")
