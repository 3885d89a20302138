"""A6: the directory (RFC 8555 §7.1.1)."""

import pytest

from tests.support.acme_keys import generate
from tests.support.problems import assert_refused
from tests.support.proxies import TENANTS, TERMS, WEBSITE
from tests.support.proxy import PUBLIC_URL, Proxy

KNOWN = {"newNonce", "newAccount", "newOrder", "newAuthz", "revokeCert", "keyChange", "renewalInfo", "meta"}
PATHS = {"newNonce": "new-nonce", "newAccount": "new-account", "newOrder": "new-order"}


def url_of(tenant: str) -> str:
    return f"{PUBLIC_URL}/acme/{tenant}/directory"


@pytest.mark.parametrize("tenant", TENANTS)
async def test_anybody_may_read_it(tenant: str, web: Proxy) -> None:
    """DIR-01, DIR-02, DIR-05, DIR-12, DIR-13, NON-01: and its URLs are for good."""
    answer = await web.client().send("GET", url_of(tenant))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert "Link" not in answer.headers
    assert b"\\" not in answer.body
    directory = answer.json()
    assert set(directory) <= KNOWN
    for name, path in PATHS.items():
        assert directory[name] == f"{PUBLIC_URL}/acme/{tenant}/{path}"
    head = await web.client().send("HEAD", url_of(tenant))
    assert (head.status, head.body) == (200, b"")


async def test_it_names_what_there_is_and_nothing_else(web: Proxy) -> None:
    """DIR-03, DIR-09, NAZ-09: what is named answers, and what is not named is not there."""
    client = await web.account()
    directory = await client.directory()
    for name in set(directory) - {"meta", "newNonce", "renewalInfo"}:
        answer = await client.post(directory[name], {}, signer=generate() if name == "newAccount" else None)
        assert answer.status != 404, name
    base = directory["newNonce"].rpartition("/")[0]
    guesses = {"newAuthz": "new-authz", "revokeCert": "revoke-cert", "keyChange": "key-change"}
    for name, path in guesses.items():
        if name not in directory:
            assert_refused(await client.post(f"{base}/{path}", {}), 404, "malformed")
    assert not directory.get("renewalInfo", "").endswith("/")


async def test_by_post_as_get(web: Proxy) -> None:
    """DIR-04, DIR-05: the same, with a nonce."""
    client = await web.account()
    plain, signed = await client.send("GET", url_of("alpha")), await client.get(url_of("alpha"))
    assert (signed.status, signed.body) == (200, plain.body)
    assert "Link" not in signed.headers
    assert "Replay-Nonce" in signed.headers


async def test_what_it_tells_of_its_tenant(web: Proxy) -> None:
    """DIR-06, DIR-07, DIR-08, DIR-10, DIR-11, ACC-08 (abuse)."""
    meta = {tenant: (await web.client(tenant).directory())["meta"] for tenant in TENANTS}
    assert [meta[tenant]["externalAccountRequired"] for tenant in ("alpha", "terms", "bound")] == [
        False,
        False,
        True,
    ]
    assert (meta["terms"]["termsOfService"], meta["terms"]["website"]) == (TERMS, WEBSITE)
    for tenant in TENANTS:
        assert tenant == "terms" or not {"termsOfService", "website"} & set(meta[tenant])
        assert not {"caaIdentities", "profiles", "subdomainAuthAllowed", "auto-renewal"} & set(meta[tenant])


async def test_what_it_says_is_what_is_done(web: Proxy) -> None:
    """DIR-07, DIR-08, ACC-08 (abuse): where it demands, so does newAccount."""
    bound, terms = web.client("bound"), web.client("terms")
    async with web.state.unchanged():
        assert_refused(await bound.new_account(), 403, "externalAccountRequired")
        assert_refused(await terms.new_account(termsOfServiceAgreed=False), 403, "userActionRequired")
