"""CFG-04: a key that nobody reads is a mistake, with the key that was meant."""

from pathlib import Path

import pytest

from tests.support.settings_file import SOUND
from tests.support.settings_refused import refused


@pytest.mark.parametrize(
    ("table", "line", "text"),
    [
        ("servr", "x = 1", "servr: unknown key: did you mean server?"),
        ("tenant", "x = 1", "tenant: unknown key: did you mean tenants?"),
        ("log", "levl = 'info'", "log.levl: unknown key: did you mean level?"),
        ("log", "fromat = 'json'", "log.fromat: unknown key: did you mean format?"),
        ("server.tsl", "key = 'x'", "server.tsl: unknown key: did you mean tls?"),
        ("validation", "attemps = 3", "validation.attemps: unknown key: did you mean attempts?"),
        ("validation", "time_out = 3", "validation.time_out: unknown key: did you mean timeout?"),
        ("validation", "resolvers = 3", "validation.resolvers: unknown key: did you mean resolver?"),
        ("validation", "useragent = 3", "validation.useragent: unknown key: did you mean user_agent?"),
        ("validation.egress", "alow = []", "validation.egress.alow: unknown key: did you mean allow?"),
        ("vault.login", "roleid = 3", "vault.login.roleid: unknown key: did you mean role_id?"),
        ("vault.login", "secretid = 3", "vault.login.secretid: unknown key: did you mean secret_id?"),
        ("vault.login", "tokenfile = 3", "vault.login.tokenfile: unknown key: did you mean token_file?"),
        ("vault.login", "mount_file = 3", "vault.login.mount_file: unknown key: did you mean mount?"),
        (
            "tenants.payments.names",
            "allowed = []",
            "tenants.payments.names.allowed: unknown key: did you mean allow?",
        ),
        (
            "tenants.payments.vault",
            "mont = 'pki'",
            "tenants.payments.vault.mont: unknown key: did you mean mount?",
        ),
        (
            "tenants.payments.vault.login",
            "tokn = 'x'",
            "tenants.payments.vault.login.tokn: unknown key: did you mean token?",
        ),
        ("log", "http_port = 81", "log.http_port: unknown key: did you mean validation.http_port?"),
        ("log", "x = 1", "log.x: unknown key: known here: format, level"),
        ("log", "LEVEL = 'info'", "log.LEVEL: unknown key: known here: format, level"),
    ],
)
def test_a_typo_is_told_with_what_was_meant(table: str, line: str, text: str, tmp_path: Path) -> None:
    """CFG-04."""
    (mistake,) = refused(tmp_path, document(table, line))
    assert mistake.partition(": ")[2] == text


def document(table: str, line: str) -> str:
    """Return the sound file with a further table, or the line in the table that is there."""
    inline = {
        "tenants.payments.names": ("names.allow", f"names.{line}\nnames.allow"),
        "tenants.payments.vault": ("vault.role", f"vault.{line}\nvault.role"),
    }
    if table in inline:
        return SOUND.replace(*inline[table])
    return f"{SOUND}[{table}]\n{line}\n"


def test_a_key_in_the_wrong_table_is_shown_the_right_one(tmp_path: Path) -> None:
    """CFG-04."""
    text = SOUND.replace("vault.role", 'role = "web"\nvault.role')
    assert refused(tmp_path, text) == [
        "acmeproxy.toml:12: tenants.payments.role: unknown key: did you mean tenants.payments.vault.role?"
    ]
