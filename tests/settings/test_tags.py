"""Tags and the store of a profile, as an operator writes them."""

from pathlib import Path

import pytest

from acmeproxy.core.ids import TenantName
from acmeproxy.settings import load
from tests.support.settings_file import write
from tests.support.settings_refused import refused

SOUND = """[server]
public_url = "https://acme.example"
[redis]
url = "redis://127.0.0.1:6379/0"
[vault]
address = "https://127.0.0.1:8200"
[tenants.payments]
vault.role = "web"
"""


def tags(*lines: str) -> str:
    return "\n".join([SOUND, "[tenants.payments.tags]", *lines, ""])


def test_tags_are_the_tenants(tmp_path: Path) -> None:
    given = load(write(tmp_path, tags('cost-centre = "4711"', '"example.org/team" = "a b = c"')))
    tenant = given.tenant_values()[TenantName("payments")]
    assert tenant.tags == {"cost-centre": "4711", "example.org/team": "a b = c"}


def test_a_tenant_needs_none(tmp_path: Path) -> None:
    assert load(write(tmp_path, SOUND)).tenant_values()[TenantName("payments")].tags == {}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([f't{n} = "x"' for n in range(17)], "at most 16 tags are taken"),
        (['"" = "x"'], "a tag's name is 1 to 63 letters"),
        ([f'{"n" * 64} = "x"'], "a tag's name is 1 to 63 letters"),
        (['"a b" = "x"'], "a tag's name is 1 to 63 letters"),
        (['t = ""'], "the value of a tag is 1 to 256 printable ASCII characters"),
        ([f't = "{"v" * 257}"'], "the value of a tag is 1 to 256 printable ASCII characters"),
        (['t = "Köln"'], "the value of a tag is 1 to 256 printable ASCII characters"),
        (['t = "a\\nb"'], "the value of a tag is 1 to 256 printable ASCII characters"),
    ],
)
def test_tags_that_could_not_be_kept_are_refused(lines: list[str], reason: str, tmp_path: Path) -> None:
    (mistake,) = refused(tmp_path, tags(*lines))
    assert "tenants.payments.tags: " in mistake
    assert reason in mistake
    assert "vvvv" not in mistake


def test_a_tag_is_text(tmp_path: Path) -> None:
    (mistake,) = refused(tmp_path, tags("t = 4711"))
    assert "tenants.payments.tags.t: " in mistake


@pytest.mark.parametrize(("line", "store"), [("", True), ("store = true", True), ("store = false", False)])
def test_a_profile_may_have_a_role_that_keeps_nothing(line: str, store: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    text = f'{SOUND}[tenants.payments.profiles.short]\ndescription = "short"\n{line}\n'
    [profile] = load(write(tmp_path, text)).tenant_values()[TenantName("payments")].profiles
    assert profile.store is store
