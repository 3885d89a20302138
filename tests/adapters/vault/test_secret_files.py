"""Secrets that lie in files which somebody else replaces."""

import os
from pathlib import Path

import pytest

from acmeproxy.adapters.vault.connection import SecretFile, UnreadableSecretError


def test_a_file_is_read_whenever_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "token"
    reveal = SecretFile(path)
    path.write_text("s.first\n")
    assert reveal() == "s.first"
    path.write_text("  s.second\r\n")
    assert reveal() == "s.second"


def test_only_the_path_is_shown(tmp_path: Path) -> None:
    """INV-13."""
    path = tmp_path / "token"
    path.write_text("s.canary")
    reveal = SecretFile(path)
    assert reveal() == "s.canary"
    assert repr(reveal) == f"SecretFile('{path}')"


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "is not one line of text"),
        (b" \n", "is not one line of text"),
        (b"s.canary\ns.canary\n", "is not one line of text"),
        (b"s.canary\x00", "is not one line of text"),
        (b"s.canary\xff", "is not one line of text"),
        ("s.canary\u00e9".encode(), "is not one line of text"),
        (b"s.canary" * 10_000, "is too large for a secret"),
    ],
)
def test_what_is_no_secret_is_told_and_not_shown(octets: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(octets)
    with pytest.raises(UnreadableSecretError) as caught:
        SecretFile(path)()
    assert str(caught.value) == f"the file {path} {why}"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSecretError) as caught:
        SecretFile(tmp_path / "token")()
    assert str(caught.value) == f"the file {tmp_path}/token cannot be read: No such file or directory"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSecretError, match="cannot be read: Is a directory"):
        SecretFile(tmp_path)()


def test_a_pipe_that_nobody_writes_holds_no_thread(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(UnreadableSecretError, match="is not one line of text"):
        SecretFile(path)()
