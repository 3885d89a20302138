"""The table of ACME resources: what takes POST only, and the two that anybody may GET (RFC 8555 §6.3)."""

from aiohttp import web

from acmeproxy.web.acme import accounts, authorizations, certificates, directory, orders


def add_routes(router: web.UrlDispatcher) -> None:
    """Put the resources of every tenant under `/acme/<tenant>/`."""
    base = "/acme/{tenant}"
    router.add_get(f"{base}/directory", directory.read_directory, name="directory")
    router.add_post(f"{base}/directory", directory.post_directory)
    router.add_head(f"{base}/new-nonce", directory.head_new_nonce, name="newNonce")
    router.add_get(f"{base}/new-nonce", directory.get_new_nonce, allow_head=False)
    router.add_post(f"{base}/new-nonce", directory.post_new_nonce)
    router.add_post(f"{base}/new-account", accounts.new_account, name="newAccount")
    router.add_post(f"{base}/account/{{account}}", accounts.account, name="account")
    router.add_post(f"{base}/account/{{account}}/orders", accounts.orders, name="orders")
    router.add_post(f"{base}/new-order", orders.new_order, name="newOrder")
    router.add_post(f"{base}/order/{{order}}", orders.order, name="order")
    router.add_post(f"{base}/order/{{order}}/finalize", orders.finalize, name="finalize")
    router.add_post(
        f"{base}/authorization/{{authorization}}", authorizations.authorization, name="authorization"
    )
    router.add_post(
        f"{base}/challenge/{{authorization}}/{{type}}", authorizations.challenge, name="challenge"
    )
    router.add_post(f"{base}/certificate/{{certificate}}", certificates.certificate, name="certificate")
