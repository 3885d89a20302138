"""certbot renews when the proxy says so, and asks for profiles (RFC 9773, draft-ietf-acme-profiles)."""

from datetime import timedelta
from pathlib import Path

from tests.support.certbot import Certbot, serial
from tests.support.stage import Stage

RENEW = ("renew", "--no-random-sleep-on-renew")


def test_it_renews_at_once_what_an_operator_wants_renewed(dev: Stage, certbot: Certbot) -> None:
    """RFC 9773 §4.2: no --force-renewal, and the certificate has a month to go."""
    name = "renewed.team-a.test"
    certbot.obtain(*certbot.standalone, "-d", name)
    first = serial(certbot.leaf(name))

    told = dev.operate("certificates", "renew", "--tenant", "team-a", "--serial", first, "--spread", "1s")
    assert told.startswith("1 to be renewed within 1s")
    certbot.run(*RENEW)

    second = serial(certbot.leaf(name))
    assert second != first
    assert [one["serial"] for one in dev.certificates("team-a", name)] == [first, second]


def test_it_leaves_alone_what_need_not_be_renewed(dev: Stage, certbot: Certbot) -> None:
    name = "lasting.team-a.test"
    certbot.obtain(*certbot.standalone, "-d", name)
    first = serial(certbot.leaf(name))

    assert "not yet due for renewal" in certbot.run(*RENEW)

    assert serial(certbot.leaf(name)) == first
    assert "renewal-info" in certbot.log
    assert len(dev.certificates("team-a", name)) == 1


def test_it_renews_at_once_what_was_revoked(dev: Stage, certbot: Certbot) -> None:
    """RFC 9773 §4.2: the window of a revoked certificate lies in the past."""
    name = "revoked.team-a.test"
    certbot.obtain(*certbot.standalone, "-d", name)
    first = serial(certbot.leaf(name))
    certbot.run("revoke", *certbot.server, "--cert-name", name, "--no-delete-after-revoke")

    certbot.run(*RENEW)

    assert serial(certbot.leaf(name)) != first
    assert [one["state"] for one in dev.certificates("team-a", name)] == ["revoked", "valid"]


def test_it_gets_the_profile_that_it_prefers(profiled: Stage, tmp_path: Path) -> None:
    certbot = Certbot(profiled, "team-p", tmp_path)
    name = "brief.team-a.test"

    certbot.obtain(*certbot.standalone, "-d", name, "--preferred-profile", "brief")

    leaf = certbot.leaf(name)
    assert (
        timedelta(seconds=90) < leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(minutes=3)
    )
    assert [one["profile"] for one in profiled.orders(name)] == ["brief"]


def test_it_gets_the_default_for_a_profile_that_there_is_not(profiled: Stage, tmp_path: Path) -> None:
    certbot = Certbot(profiled, "team-p", tmp_path)
    name = "default.team-a.test"

    certbot.obtain(*certbot.standalone, "-d", name, "--preferred-profile", "nonesuch")

    assert [one["profile"] for one in profiled.orders(name)] == ["classic"]


def test_it_proves_a_name_once_where_authorizations_are_used_again(profiled: Stage, tmp_path: Path) -> None:
    """The second order is ready from the start: nothing listens at the http-01 port."""
    certbot = Certbot(profiled, "team-p", tmp_path)
    name = "again.team-a.test"
    certbot.obtain(*certbot.standalone, "-d", name)
    first = serial(certbot.leaf(name))
    nobody = ("--manual", "--manual-auth-hook", "false", "--preferred-challenges", "http")

    certbot.obtain(*nobody, "-d", name, "--force-renewal")

    assert serial(certbot.leaf(name)) != first
