"""certbot with dns-01, through dynamic updates of a name server (RFC 8555 §8.4, RFC 2136)."""

from tests.support.certbot import Certbot, dns_names
from tests.support.stage import Stage


def test_it_gets_a_wildcard(dev: Stage, certbot: Certbot) -> None:
    certbot.obtain(*certbot.dns, "-d", "*.apps.team-a.test")

    assert dns_names(certbot.leaf("apps.team-a.test")) == ["*.apps.team-a.test"]
    assert dev.dns.most["_acme-challenge.apps.team-a.test"] == 1
    assert dev.dns.texts("_acme-challenge.apps.team-a.test") == set()


def test_it_proves_a_wildcard_and_its_base_by_two_values_at_one_name(dev: Stage, certbot: Certbot) -> None:
    certbot.obtain(*certbot.dns, "-d", "both.team-a.test", "-d", "*.both.team-a.test")

    assert dns_names(certbot.leaf("both.team-a.test")) == ["*.both.team-a.test", "both.team-a.test"]
    assert dev.dns.most["_acme-challenge.both.team-a.test"] == 2


def test_a_wildcard_is_offered_no_other_challenge(certbot: Certbot) -> None:
    output = certbot.fail_to_obtain(*certbot.standalone, "-d", "*.web.team-a.test")
    assert "an authenticator plugin that can do challenges over DNS" in output
