"""`[server]`: the public URL (CFG-02), what is open to whom (CFG-03), and development mode (HTT-19)."""

from pathlib import Path

import pytest

from acmeproxy.settings import Address, load
from tests.support.settings_file import SOUND, changed, secret_file, write
from tests.support.settings_refused import refused

URL = 'public_url = "https://acme.example"'


def test_without_a_public_url_nothing_starts(tmp_path: Path) -> None:
    """CFG-02: it is never built from a request instead."""
    assert refused(tmp_path, changed(URL, "")) == ["acmeproxy.toml:1: server.public_url: is required"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "acme.example",
        "//acme.example",
        "https://",
        "ftp://acme.example",
        "https://acme.example/acme",
        "https://user@acme.example",
        "https://acme.example?x=1",
        "https://acme.example#x",
        "https://acme.example:99999",
        "https://acme.example\\n",
        "https://ac me.example",
        "https://bücher.example",
    ],
)
def test_a_public_url_is_scheme_host_and_port(url: str, tmp_path: Path) -> None:
    """CFG-02."""
    (mistake,) = refused(tmp_path, changed(URL, f'public_url = "{url}"'))
    assert mistake.startswith("acmeproxy.toml:2: server.public_url: must ")


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://acme.example/", "https://acme.example"),
        ("https://ACME.example:14000", "https://acme.example:14000"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]"),
    ],
)
def test_a_public_url_has_one_form(url: str, kept: str, tmp_path: Path) -> None:
    assert load(write(tmp_path, changed(URL, f'public_url = "{url}"'))).server.public_url == kept


def test_http_is_for_development(tmp_path: Path) -> None:
    text = changed(URL, 'public_url = "http://localhost:8080"\nmode = "development"')
    assert load(write(tmp_path, text)).server.public_url == "http://localhost:8080"
    (mistake,) = refused(tmp_path, changed(URL, 'public_url = "http://localhost:8080"'))
    assert mistake.endswith("must begin with https:// unless server.mode is development")


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:80", "[::]:443", "10.0.0.1:80", "acme.example:80", "0:80", "127.1:80"]
)
def test_plain_http_beyond_loopback_must_be_wanted(listen: str, tmp_path: Path) -> None:
    """CFG-03."""
    text = changed(URL, f'{URL}\nlisten = "{listen}"')
    (mistake,) = refused(tmp_path, text)
    assert mistake.startswith("acmeproxy.toml:3: server.listen: plain HTTP beyond loopback")
    wanted = load(write(tmp_path, text), {"ACMEPROXY_SERVER__ALLOW_INSECURE_LISTEN": "true"})
    assert str(wanted.server.listen) == listen


def test_with_tls_it_may_listen_anywhere(tmp_path: Path) -> None:
    secret_file(tmp_path, "tls.pem", "certificate", 0o644)
    secret_file(tmp_path, "tls.key", "key")
    tls = 'tls = { certificate = "tls.pem", key = "tls.key" }'
    settings = load(write(tmp_path, changed(URL, f'{URL}\nlisten = "[::]:443"\n{tls}')))
    assert settings.server.listen == Address("::", 443)
    assert settings.server.tls is not None
    assert settings.server.tls.key == tmp_path / "tls.key"


def test_a_certificate_without_its_key_is_no_tls(tmp_path: Path) -> None:
    secret_file(tmp_path, "tls.pem", "certificate", 0o644)
    text = changed(URL, f'{URL}\nlisten = "0.0.0.0:443"\ntls.certificate = "tls.pem"')
    assert refused(tmp_path, text) == ["acmeproxy.toml:4: server.tls.key: is required"]


@pytest.mark.parametrize("listen", ["127.0.0.1:8443", "127.9.9.9:0", "[::1]:8443", "localhost:65535"])
def test_loopback_is_always_fine(listen: str, tmp_path: Path) -> None:
    assert str(load(write(tmp_path), {"ACMEPROXY_LISTEN": listen}).server.listen) == listen


@pytest.mark.parametrize(
    "listen", ["8443", ":8443", "::1:8443", "[::1]", "[nope]:1", "a:b", "127.0.0.1:65536"]
)
def test_an_address_is_host_and_port(listen: str, tmp_path: Path) -> None:
    (mistake,) = refused(tmp_path, SOUND, {"ACMEPROXY_LISTEN": listen})
    assert mistake.startswith("ACMEPROXY_LISTEN: server.listen: must ")


def test_other_validation_ports_need_development_mode_which_cannot_be_reached(tmp_path: Path) -> None:
    """HTT-19."""
    ports = "[validation]\nhttp_port = 5002\nhttps_port = 5001\ntls_alpn_port = 5003\n"
    reason = "may be another than RFC 8555's only with server.mode = development"
    assert refused(tmp_path, SOUND + ports) == [
        f"acmeproxy.toml:14: validation.http_port: {reason}",
        f"acmeproxy.toml:15: validation.https_port: {reason}",
        f"acmeproxy.toml:16: validation.tls_alpn_port: {reason}",
    ]
    development = changed(URL, f'{URL}\nmode = "development"') + ports
    assert load(write(tmp_path, development)).validation.http_port == 5002
    for listen in ("0.0.0.0:8443", "192.0.2.1:8443"):
        environ = {"ACMEPROXY_LISTEN": listen, "ACMEPROXY_SERVER__ALLOW_INSECURE_LISTEN": "true"}
        assert refused(tmp_path, development, environ) == [
            "ACMEPROXY_LISTEN: server.listen: development mode listens on loopback only"
        ]


def test_a_rule_over_two_tables_is_told_beside_another_mistake(tmp_path: Path) -> None:
    """CFG-04: all at once, also where the table that the rule depends on is wrong."""
    text = changed(URL, f"{URL}\nx = 1") + "[validation]\nhttp_port = 5002\n"
    assert [mistake.split(": ")[1] for mistake in refused(tmp_path, text)] == [
        "server.x",
        "validation.http_port",
    ]


@pytest.mark.parametrize("wait", ["-1", "61", "1e9", '"1"', '"1w"', "true", "nan", "inf"])
def test_a_wait_has_a_unit_and_an_end(wait: str, tmp_path: Path) -> None:
    (mistake,) = refused(tmp_path, changed(URL, f"{URL}\nfinalize_wait = {wait}"))
    assert mistake.startswith("acmeproxy.toml:3: server.finalize_wait: must be ")
