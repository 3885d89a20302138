"""The tables `[tenants.NAME.limits]`: how much of what, and for whom another amount."""

import ipaddress
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Final

import msgspec
from pydantic import AfterValidator, Field, PlainValidator

from acmeproxy.core.identifier import dns_name
from acmeproxy.core.limit import DEFAULTS, Allowance, Limit, LimitName
from acmeproxy.settings.section import Section
from acmeproxy.settings.values import duration

_ACCOUNT: Final = re.compile(r"[0-9a-f]{33}")
_BURST: Final = re.compile(r"[1-9][0-9]{0,6}")


class Rate(msgspec.Struct, frozen=True):
    """A limit as an operator writes it: `300/3h`, or `off`."""

    limit: Limit | None

    def __str__(self) -> str:
        return str(self.limit) if self.limit else "off"


OFF: Final = Rate(None)


def _rate(value: object) -> Rate:
    if value == "off":
        return OFF
    burst, _, period = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not _BURST.fullmatch(burst) or not period[-1:].isalpha():
        raise ValueError('must be "off", or a number and a period such as "300/3h"')
    return Rate(Limit(int(burst), duration(period, timedelta(seconds=1), timedelta(days=366))))


def _account(value: str) -> str:
    if not _ACCOUNT.fullmatch(value):
        raise ValueError("an account's id is the 33 hex digits at the end of its URL")
    return value


def _kid(value: str) -> str:
    if not value:
        raise ValueError("the kid of an EAB key is not empty")
    return value


def _name(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return dns_name(value)


def _by(check: Callable[[str], str]) -> AfterValidator:
    return AfterValidator(check)


Limiter = Annotated[Rate, PlainValidator(_rate)]
ByAccount = dict[Annotated[str, _by(_account)], Limiter]
ByKid = dict[Annotated[str, _by(_kid)], Limiter]
ByName = dict[Annotated[str, _by(_name)], Limiter]


def _default(name: LimitName) -> Rate:
    return Rate(DEFAULTS.get(name))


class OverridesSettings(Section):
    """`[tenants.NAME.limits.overrides.LIMIT]`: by account id, kid or name, whichever the limit is for."""

    new_accounts_per_eab_key: ByKid = Field(default_factory=dict)
    new_orders_per_account: ByAccount = Field(default_factory=dict)
    new_orders_per_eab_key: ByKid = Field(default_factory=dict)
    new_orders_per_name: ByName = Field(default_factory=dict)
    challenge_answers_per_account: ByAccount = Field(default_factory=dict)
    failed_validations_per_name: ByName = Field(default_factory=dict)


class LimitsSettings(Section):
    """`[tenants.NAME.limits]`."""

    new_accounts_per_tenant: Limiter = _default(LimitName.NEW_ACCOUNTS_PER_TENANT)
    new_accounts_per_eab_key: Limiter = _default(LimitName.NEW_ACCOUNTS_PER_EAB_KEY)
    new_orders_per_account: Limiter = _default(LimitName.NEW_ORDERS_PER_ACCOUNT)
    new_orders_per_tenant: Limiter = _default(LimitName.NEW_ORDERS_PER_TENANT)
    new_orders_per_eab_key: Limiter = _default(LimitName.NEW_ORDERS_PER_EAB_KEY)
    new_orders_per_name: Limiter = _default(LimitName.NEW_ORDERS_PER_NAME)
    challenge_answers_per_account: Limiter = _default(LimitName.CHALLENGE_ANSWERS_PER_ACCOUNT)
    failed_validations_per_name: Limiter = _default(LimitName.FAILED_VALIDATIONS_PER_NAME)
    overrides: OverridesSettings = OverridesSettings()

    def allowance(self) -> Allowance:
        """Return the limits that the use cases know."""
        rates: dict[LimitName, Rate] = {name: getattr(self, name) for name in LimitName}
        others: dict[LimitName, dict[str, Rate]] = {
            name: getattr(self.overrides, name)
            for name in LimitName
            if name in OverridesSettings.model_fields
        }
        return Allowance(
            {name: rate.limit for name, rate in rates.items() if rate.limit},
            {
                name: {subject: rate.limit for subject, rate in by.items()}
                for name, by in others.items()
                if by
            },
        )
