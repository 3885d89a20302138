"""Every setting in force, as text."""

from pathlib import Path

import pytest

from acmeproxy.settings import Row, load, rows
from tests.support.settings_file import SOUND, changed, write

URL = 'url = "redis://127.0.0.1:6379/0"'


def test_every_kind_of_value_has_its_text(tmp_path: Path) -> None:
    path = write(tmp_path, SOUND + 'lifetime = "36h"\nnames.ip_ranges = ["10.0.0.0/8", "fd00::/8"]\n')
    settings = load(path, {"ACMEPROXY_LISTEN": "[::1]:1", "VAULT_TOKEN": "CANARY"})
    listed = {row.key: row for row in rows(settings)}

    assert listed["server.listen"] == Row("server.listen", "[::1]:1", "ACMEPROXY_LISTEN")
    assert listed["server.tls.key"] == Row("server.tls.key", "", "default")
    assert listed["server.challenge_wait"].value == "1s"
    assert listed["vault.login.token"] == Row("vault.login.token", "********", "VAULT_TOKEN")
    assert listed["vault.login.secret_id"] == Row("vault.login.secret_id", "", "default")
    assert listed["tenants.payments.lifetime"] == Row("tenants.payments.lifetime", "36h", f"{path}:13")
    assert listed["tenants.payments.names.ip_ranges"].value == "10.0.0.0/8, fd00::/8"
    assert listed["tenants.payments.challenges"].value == "http-01, dns-01, tls-alpn-01"
    assert listed["tenants.payments.wildcards"].value == "false"
    assert "CANARY" not in str(listed)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("unix:///run/valkey.sock", "unix:///run/valkey.sock"),
        ("redis://:CANARY@127.0.0.1/0", "********"),
        ("redis://CANARY@127.0.0.1/0", "********"),
        ("redis://127.0.0.1/0?password=CANARY", "********"),
    ],
)
def test_a_redis_url_is_shown_if_it_is_an_address_only(url: str, shown: str, tmp_path: Path) -> None:
    settings = load(write(tmp_path, changed(URL, f'url = "{url}"')))
    assert [row.value for row in rows(settings) if row.key == "redis.url"] == [shown]
