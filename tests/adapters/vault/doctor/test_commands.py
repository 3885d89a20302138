"""Commands as operators type them."""

from datetime import timedelta

import pytest

from acmeproxy.adapters.vault.doctor.commands import Commands, hours


def test_roles_are_patched_and_the_namespace_is_said() -> None:
    line = Commands("bao", "admin/alpha").patch("pki/roles/acme", no_store=False, max_ttl=timedelta(days=30))
    assert line == "bao patch -namespace=admin/alpha pki/roles/acme no_store=false max_ttl=720h"


def test_a_server_without_namespaces_is_told_of_none() -> None:
    line = Commands("vault", "").write("admin/alpha/pki/config/crl", auto_rebuild=True)
    assert line == "vault write admin/alpha/pki/config/crl auto_rebuild=true"


def test_what_a_shell_would_read_is_quoted() -> None:
    line = Commands("bao", "admin").write("pki/config/urls", ocsp_servers="{{cluster_aia_path}}/a b;c")
    assert line == "bao write -namespace=admin pki/config/urls 'ocsp_servers={{cluster_aia_path}}/a b;c'"


def test_lists_are_joined_and_numbers_are_written() -> None:
    line = Commands("vault").patch("pki/roles/acme", allowed_domains=["a.example", "b.example"], key_bits=0)
    assert line == "vault patch pki/roles/acme allowed_domains=a.example,b.example key_bits=0"


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(days=30), "720h"),
        (timedelta(hours=26280), "26280h"),
        (timedelta(minutes=90), "5400s"),
        (timedelta(), "0h"),
    ],
)
def test_durations_are_written_in_hours_where_they_are_whole(duration: timedelta, text: str) -> None:
    assert hours(duration) == text
