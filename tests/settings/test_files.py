"""CFG-08: who else can read a secret is told, and nothing starts."""

import os
from pathlib import Path

import pytest

from acmeproxy.settings import load
from tests.support.settings_file import SOUND, changed, secret_file, write
from tests.support.settings_refused import refused

LOGIN = '[vault.login]\ntoken_file = "token"\n'


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o444])
def test_a_secret_file_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    """CFG-08."""
    secret_file(tmp_path, "token", "t", mode)
    assert refused(tmp_path, SOUND + LOGIN) == [
        "acmeproxy.toml:14: vault.login.token_file: the file can be read by others: chmod 600 it"
    ]


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o622])
def test_a_secret_file_of_ones_own_is_taken(mode: int, tmp_path: Path) -> None:
    secret_file(tmp_path, "token", "t", mode)
    token = load(write(tmp_path, SOUND + LOGIN)).vault.login.token
    assert token is not None
    assert token.get_secret_value() == "t"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('[vault.login]\ntoken = "t"', "vault.login.token"),
        ('[vault.login]\nsecret_id = "t"', "vault.login.secret_id"),
        ('[tenants.payments.vault.login]\ntoken = "t"', "tenants.payments.vault.login.token"),
    ],
)
def test_a_settings_file_with_a_secret_is_a_secret_file(line: str, key: str, tmp_path: Path) -> None:
    """CFG-08."""
    with pytest.raises(
        Exception, match=f":14: {key}: is a secret in a file that others may read: chmod 600 it"
    ):
        load(write(tmp_path, f"{SOUND}{line}\n", 0o640))
    load(write(tmp_path, f"{SOUND}{line}\n", 0o600))


def test_a_redis_url_is_secret_if_it_has_a_password(tmp_path: Path) -> None:
    """CFG-08."""
    url = 'url = "redis://127.0.0.1:6379/0"'
    load(write(tmp_path, SOUND, 0o644))
    for secret in ("redis://:pw@127.0.0.1/0", "redis://127.0.0.1/0?password=pw"):
        with pytest.raises(Exception, match=r":5: redis\.url: is a secret in a file that others may read"):
            load(write(tmp_path, changed(url, f'url = "{secret}"'), 0o644))


def test_the_tls_key_is_a_secret_and_the_certificate_is_not(tmp_path: Path) -> None:
    """CFG-08."""
    secret_file(tmp_path, "tls.pem", "certificate", 0o644)
    secret_file(tmp_path, "tls.key", "key", 0o640)
    text = f'{SOUND}[server.tls]\ncertificate = "tls.pem"\nkey = "tls.key"\n'
    assert refused(tmp_path, text) == [
        "acmeproxy.toml:15: server.tls.key: the file can be read by others: chmod 600 it"
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"x" * (1 << 20) + b"x", "is larger than 1 MiB"),
    ],
)
def test_a_secret_file_holds_one_text(content: bytes, reason: str, tmp_path: Path) -> None:
    path = secret_file(tmp_path, "token", "")
    path.write_bytes(content)
    assert refused(tmp_path, SOUND + LOGIN) == [
        f"acmeproxy.toml:14: vault.login.token_file: the file {reason}"
    ]


def test_two_lines_are_no_token(tmp_path: Path) -> None:
    """A line's end in a token would be one in an HTTP header."""
    secret_file(tmp_path, "token", "a\nb")
    assert refused(tmp_path, SOUND + LOGIN) == [
        "acmeproxy.toml:14: vault.login.token: must not be empty or hold control characters"
    ]


def test_what_is_no_file_is_told_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token", 0o600)
    assert refused(tmp_path, SOUND + LOGIN) == [
        "acmeproxy.toml:14: vault.login.token_file: the file is not a regular file"
    ]
    (tmp_path / "token").unlink()
    (tmp_path / "token").mkdir(0o700)
    assert refused(tmp_path, SOUND + LOGIN) == [
        "acmeproxy.toml:14: vault.login.token_file: the file cannot be read: Is a directory"
    ]
    (tmp_path / "token").rmdir()
    assert refused(tmp_path, SOUND + LOGIN) == [
        "acmeproxy.toml:14: vault.login.token_file: the file cannot be read: No such file or directory"
    ]
