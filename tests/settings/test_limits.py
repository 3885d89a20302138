"""`[tenants.NAME.limits]`: how a limit is written, and for whom there is another."""

from datetime import timedelta
from pathlib import Path

import pytest

from acmeproxy.core.ids import TenantName
from acmeproxy.core.limit import Allowance, Limit, LimitName
from acmeproxy.settings import load, rows
from tests.support.settings_file import SOUND, changed, write
from tests.support.settings_refused import refused

PAYMENTS = TenantName("payments")
HOUR = timedelta(hours=1)
ORDERS = LimitName.NEW_ORDERS_PER_ACCOUNT
ACCOUNT = "0" + "1f" * 16
TABLE = f"{SOUND}\n[tenants.payments.limits]\n"


def allowance(directory: Path, text: str, environ: dict[str, str] | None = None) -> Allowance:
    return load(write(directory, text), environ).tenant_values()[PAYMENTS].limits


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("300/3h", Limit(300, 3 * HOUR)),
        ("1/1s", Limit(1, timedelta(seconds=1))),
        ("9999999/366d", Limit(9_999_999, timedelta(days=366))),
        ("5/1.5h", Limit(5, timedelta(minutes=90))),
    ],
)
def test_a_limit_is_a_number_and_a_period(text: str, limit: Limit, tmp_path: Path) -> None:
    given = allowance(tmp_path, f'{TABLE}new_orders_per_account = "{text}"\n')
    assert given.limit(ORDERS, ACCOUNT) == limit


def test_off_is_no_limit(tmp_path: Path) -> None:
    given = allowance(tmp_path, f'{TABLE}new_orders_per_account = "off"\n')
    assert ORDERS not in given.limits


def test_what_is_not_given_is_as_it_is_without_a_table(tmp_path: Path) -> None:
    assert allowance(tmp_path, SOUND) == Allowance()


def test_the_environment_says_it_the_same_way(tmp_path: Path) -> None:
    environ = {"ACMEPROXY_TENANTS__payments__LIMITS__NEW_ORDERS_PER_ACCOUNT": "7/1m"}
    assert str(allowance(tmp_path, SOUND, environ).limit(ORDERS, ACCOUNT)) == "7/1m"


@pytest.mark.parametrize(
    "value",
    [
        '""',
        '"300"',
        '"300/"',
        '"300/3"',
        '"/3h"',
        '"0/3h"',
        '"-1/3h"',
        '"3.5/3h"',
        '"1/2/3h"',
        "300",
        "true",
        '"on"',
    ],
)
def test_anything_else_is_refused(value: str, tmp_path: Path) -> None:
    """CFG-04."""
    (mistake,) = refused(tmp_path, f"{TABLE}new_orders_per_account = {value}\n")
    assert mistake.startswith("acmeproxy.toml:15: tenants.payments.limits.new_orders_per_account: must be ")


@pytest.mark.parametrize("period", ["999ms", "367d"])
def test_periods_are_from_a_second_to_a_year(period: str, tmp_path: Path) -> None:
    (mistake,) = refused(tmp_path, f'{TABLE}new_orders_per_account = "1/{period}"\n')
    assert mistake.endswith(": must be from 1s to 366d")


def test_some_have_more_or_less(tmp_path: Path) -> None:
    overrides = f"""\
[tenants.payments.limits.overrides.new_orders_per_account]
{ACCOUNT} = "3000/3h"
[tenants.payments.limits.overrides.new_orders_per_name]
"A.payments.example" = "1/1d"
"10.0.0.1" = "off"
[tenants.payments.limits.overrides.new_accounts_per_eab_key]
eab_1 = "5/1h"
"""
    given = allowance(tmp_path, f"{TABLE}{overrides}")

    assert given.limit(ORDERS, ACCOUNT) == Limit(3000, 3 * HOUR)
    assert given.limit(ORDERS, "0" * 33) == Limit(1000, HOUR)
    assert given.limit(LimitName.NEW_ORDERS_PER_NAME, "a.payments.example") == Limit(1, 24 * HOUR)
    assert given.limit(LimitName.NEW_ORDERS_PER_NAME, "10.0.0.1") is None
    assert given.limit(LimitName.NEW_ACCOUNTS_PER_EAB_KEY, "eab_1") == Limit(5, HOUR)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('new_orders_per_account.me = "1/1h"', "an account's id is the 33 hex digits at the end of its URL"),
        ('new_orders_per_name."-" = "1/1h"', "limits.overrides.new_orders_per_name.-: "),
        ('new_orders_per_eab_key."" = "1/1h"', "the kid of an EAB key is not empty"),
        ('new_orders_per_tenant.payments = "1/1h"', "unknown key"),
        (
            'new_orders_per_name."a.example" = "many"',
            "must be 'off', or a number and a period such as '300/3h'",
        ),
    ],
)
def test_whom_an_override_is_for_must_be_possible(line: str, why: str, tmp_path: Path) -> None:
    """CFG-04: an override that can never hold is a mistake."""
    (mistake,) = refused(tmp_path, f"{SOUND}\n[tenants.payments.limits.overrides]\n{line}\n")
    assert mistake.startswith("acmeproxy.toml:15: tenants.payments.limits.overrides.")
    assert why in mistake


def test_limits_are_listed_as_they_are_written(tmp_path: Path) -> None:
    text = (
        f'{TABLE}new_orders_per_tenant = "5/1h"\noverrides.new_orders_per_name = {{ "a.example" = "off" }}\n'
    )
    listed = {row.key: row for row in rows(load(write(tmp_path, text)))}
    prefix = "tenants.payments.limits."
    assert (
        listed[prefix + "new_orders_per_tenant"].value,
        listed[prefix + "new_orders_per_tenant"].origin,
    ) == (
        "5/1h",
        f"{tmp_path / 'acmeproxy.toml'}:15",
    )
    assert listed[prefix + "new_orders_per_name"].value == "off"
    assert listed[prefix + "overrides.new_orders_per_name"].value == "a.example = off"
    assert listed[prefix + "overrides.new_orders_per_account"].value == ""


@pytest.mark.parametrize("count", ["0", "100001", "1.5", '"10"'])
def test_requests_at_once_are_a_number(count: str, tmp_path: Path) -> None:
    url = 'public_url = "https://acme.example"'
    (mistake,) = refused(tmp_path, changed(url, f"{url}\nmax_requests = {count}"))
    assert mistake.startswith("acmeproxy.toml:3: server.max_requests: must be ")
