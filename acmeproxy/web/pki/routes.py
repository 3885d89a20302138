"""The table of what every CA publishes: URLs that stand in certificates and never change."""

from aiohttp import web

from acmeproxy.web.pki import documents, responder


def add_routes(router: web.UrlDispatcher) -> None:
    """Put what is public of every CA under `/pki/<name>/`."""
    base = "/pki/{name}"
    issuer = f"{base}/issuer/{{issuer}}"
    router.add_get(f"{base}/ca", documents.certificate, name="ca")
    router.add_get(f"{base}/chain", documents.chain, name="chain")
    router.add_get(f"{base}/crl", documents.crl, name="crl")
    router.add_get(f"{base}/crl/delta", documents.delta_crl, name="deltaCrl")
    router.add_get(f"{issuer}/ca", documents.certificate, name="issuerCa")
    router.add_get(f"{issuer}/chain", documents.chain, name="issuerChain")
    router.add_get(f"{issuer}/crl", documents.crl, name="issuerCrl")
    router.add_get(f"{issuer}/crl/delta", documents.delta_crl, name="issuerDeltaCrl")
    router.add_post(f"{base}/ocsp", responder.post, name="ocsp")
    # Base64 has slashes in it, escaped or not (RFC 6960 appendix A.1).
    router.add_get(f"{base}/ocsp/{{request:.+}}", responder.get, name="ocspGet")
