"""certbot with http-01: accounts, external accounts and kinds of keys (conformance D2)."""

from itertools import pairwise
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.certbot import EMAIL, Certbot, dns_names
from tests.support.stage import Stage


def test_it_proves_a_name_by_http01_with_an_external_account(dev: Stage, tmp_path: Path) -> None:
    """CLI-01, CLI-02, CLI-09, CLI-15, CLI-26, CLI-31, CLI-35."""
    certbot = Certbot(dev, "team-b", tmp_path)

    certbot.obtain(*certbot.standalone, "-d", "shop.team-b.test", "-d", "www.team-b.test")

    chain = certbot.chain("shop.team-b.test")
    assert dns_names(chain[0]) == ["shop.team-b.test", "www.team-b.test"]
    assert len(chain) == 3
    for below, above in pairwise(chain):
        below.verify_directly_issued_by(above)


def test_it_is_told_what_to_do_without_the_external_account(dev: Stage, tmp_path: Path) -> None:
    certbot = Certbot(dev, "team-b", tmp_path)
    output, code = certbot.attempt("register", *certbot.server, "--agree-tos", "--email", EMAIL)
    assert code == 1
    assert "Server requires external account binding" in output


def test_it_gets_rsa_and_elliptic_curve_certificates(certbot: Certbot) -> None:
    """CLI-34: its CSRs have an empty subject."""
    certbot.obtain(
        *certbot.standalone, "-d", "rsa.team-a.test", "--key-type", "rsa", "--rsa-key-size", "3072"
    )
    certbot.obtain(
        *(*certbot.standalone, "-d", "ec.team-a.test"),
        *("--key-type", "ecdsa", "--elliptic-curve", "secp384r1"),
    )

    rsa_key = certbot.leaf("rsa.team-a.test").public_key()
    ec_key = certbot.leaf("ec.team-a.test").public_key()
    assert isinstance(rsa_key, rsa.RSAPublicKey)
    assert rsa_key.key_size == 3072
    assert isinstance(ec_key, ec.EllipticCurvePublicKey)
    assert ec_key.curve.name == "secp384r1"


def test_it_looks_up_changes_and_closes_its_account(certbot: Certbot) -> None:
    """CLI-12: it asks with `onlyReturnExisting`, contact and terms all at once."""
    certbot.register()
    assert f"Email contact: {EMAIL}" in certbot.run("show_account", *certbot.server)

    certbot.run("update_account", *certbot.server, "--email", "new@team-a.test", "--no-eff-email")
    assert "Email contact: new@team-a.test" in certbot.run("show_account", *certbot.server)

    assert "Account deactivated." in certbot.run("unregister", *certbot.server)


def test_it_says_what_the_proxy_says_when_a_name_is_not_allowed(certbot: Certbot) -> None:
    output = certbot.fail_to_obtain(*certbot.standalone, "-d", "www.team-b.test")
    assert "www.team-b.test is not among the names of tenant team-a" in output
    assert "[ref NAME-NOT-ALLOWED]" in output


def test_it_says_what_the_proxy_says_when_a_name_is_not_proved(profiled: Stage, tmp_path: Path) -> None:
    """CLI-18, CLI-23, CLQ-03: certbot finds the reason in the failed challenge."""
    certbot = Certbot(profiled, "team-p", tmp_path)
    nobody = ("--manual", "--manual-auth-hook", "true", "--preferred-challenges", "http")
    output = certbot.fail_to_obtain(*nobody, "-d", "nobody.team-a.test")
    assert "nobody.team-a.test" in output
    assert "Type:   connection" in output
