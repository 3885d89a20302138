"""The table of ACME resources: what takes POST only, and the three that anybody may GET (RFC 8555 §6.3)."""

from aiohttp import web

from acmeproxy.web.acme import (
    accounts,
    authorizations,
    certificates,
    directory,
    key_change,
    orders,
    renewal,
    revocation,
)


def add_routes(router: web.UrlDispatcher) -> None:
    """Put the resources of every tenant under `/acme/<tenant>/`."""
    base = "/acme/{tenant}"
    # One resource with several methods: its name decides on headers, whatever the method (DIR-05, NON-03).
    shown = router.add_resource(f"{base}/directory", name="directory")
    shown.add_route("GET", directory.read_directory)
    shown.add_route("HEAD", directory.read_directory)
    shown.add_route("POST", directory.post_directory)
    nonces = router.add_resource(f"{base}/new-nonce", name="newNonce")
    nonces.add_route("HEAD", directory.head_new_nonce)
    nonces.add_route("GET", directory.get_new_nonce)
    nonces.add_route("POST", directory.post_new_nonce)
    router.add_post(f"{base}/new-account", accounts.new_account, name="newAccount")
    router.add_post(f"{base}/account/{{account}}", accounts.account, name="account")
    router.add_post(f"{base}/account/{{account}}/orders", accounts.orders, name="orders")
    router.add_post(f"{base}/revoke-cert", revocation.revoke_cert, name="revokeCert")
    # Whatever stands behind the slash is an identifier, or a wrong one (ARI-05).
    router.add_get(f"{base}/renewal-info/{{name:.+}}", renewal.renewal_info, name="renewalInfo")
    router.add_post(f"{base}/key-change", key_change.key_change, name="keyChange")
    router.add_post(f"{base}/new-order", orders.new_order, name="newOrder")
    router.add_post(f"{base}/order/{{order}}", orders.order, name="order")
    router.add_post(f"{base}/order/{{order}}/finalize", orders.finalize, name="finalize")
    router.add_post(f"{base}/new-authz", authorizations.new_authorization, name="newAuthz")
    router.add_post(
        f"{base}/authorization/{{authorization}}", authorizations.authorization, name="authorization"
    )
    router.add_post(
        f"{base}/challenge/{{authorization}}/{{type}}", authorizations.challenge, name="challenge"
    )
    router.add_post(f"{base}/certificate/{{certificate}}", certificates.certificate, name="certificate")
    router.add_post(
        f"{base}/certificate/{{certificate}}/{{number}}", certificates.alternate, name="alternate"
    )
