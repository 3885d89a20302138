"""certbot revokes with the account's key and with the certificate's (RFC 8555 §7.6)."""

from pathlib import Path

from tests.support.certbot import Certbot
from tests.support.stage import Stage


def test_it_revokes_as_the_account_that_ordered(dev: Stage, certbot: Certbot) -> None:
    """CLI-30."""
    name = "account.team-a.test"
    certbot.obtain(*certbot.standalone, "-d", name)

    certbot.run("revoke", *certbot.server, "--cert-name", name, "--reason", "superseded")

    (revoked,) = dev.certificates("team-a", name)
    assert (revoked["state"], revoked["reason"]) == ("revoked", 4)


def test_whoever_has_the_certificates_key_revokes_it(dev: Stage, certbot: Certbot, tmp_path: Path) -> None:
    """CLI-30; the certbot that revokes has no account."""
    name = "key.team-a.test"
    certbot.obtain(*certbot.standalone, "-d", name)
    stranger = Certbot(dev, "team-a", tmp_path / "stranger")
    files = ("--cert-path", str(certbot.file(name)), "--key-path", str(certbot.file(name, "privkey")))

    stranger.run("revoke", *stranger.server, *files, "--reason", "keycompromise", "--no-delete-after-revoke")

    (revoked,) = dev.certificates("team-a", name)
    assert (revoked["state"], revoked["reason"]) == ("revoked", 1)


def test_it_takes_a_second_revocation_for_what_it_is(dev: Stage, certbot: Certbot) -> None:
    name = "twice.team-a.test"
    certbot.obtain(*certbot.standalone, "-d", name)
    revoke = ("revoke", *certbot.server, "--cert-name", name, "--no-delete-after-revoke")
    certbot.run(*revoke)

    output, code = certbot.attempt(*revoke)

    assert code == 1
    assert "revoked already" in output
    assert [one["state"] for one in dev.certificates("team-a", name)] == ["revoked"]
