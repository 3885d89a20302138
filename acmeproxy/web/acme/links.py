"""Every URL that we hand out, from the configured public URL and nothing else (HTTP-02)."""

import msgspec

from acmeproxy.core.authorization import Authorization
from acmeproxy.core.challenge import Challenge
from acmeproxy.core.ids import AccountId, AuthorizationId, CertificateId, OrderId, TenantName


class Links(msgspec.Struct, frozen=True):
    """The URLs of one tenant. They never change: clients keep them, and CAA records name them (DIR-12)."""

    base: str

    @classmethod
    def of(cls, public_url: str, tenant: TenantName) -> "Links":
        """Return the URLs of a tenant under a public URL without a trailing slash."""
        return cls(f"{public_url}/acme/{tenant}")

    @property
    def directory(self) -> str:
        """The directory (RFC 8555 §7.1.1)."""
        return f"{self.base}/directory"

    @property
    def new_nonce(self) -> str:
        """The newNonce resource (RFC 8555 §7.2)."""
        return f"{self.base}/new-nonce"

    @property
    def new_account(self) -> str:
        """The newAccount resource (RFC 8555 §7.3)."""
        return f"{self.base}/new-account"

    @property
    def new_order(self) -> str:
        """The newOrder resource (RFC 8555 §7.4)."""
        return f"{self.base}/new-order"

    @property
    def revoke_cert(self) -> str:
        """The revokeCert resource (RFC 8555 §7.6)."""
        return f"{self.base}/revoke-cert"

    @property
    def renewal_info(self) -> str:
        """What clients put a slash and a certificate's identifier after (RFC 9773 §4.1)."""
        return f"{self.base}/renewal-info"

    @property
    def key_change(self) -> str:
        """The keyChange resource (RFC 8555 §7.3.5)."""
        return f"{self.base}/key-change"

    @property
    def new_authorization(self) -> str:
        """The newAuthz resource (RFC 8555 §7.4.1)."""
        return f"{self.base}/new-authz"

    @property
    def account_prefix(self) -> str:
        """What every account URL begins with."""
        return f"{self.base}/account/"

    def account(self, account_id: AccountId) -> str:
        """An account, which is also its key's `kid` (RFC 8555 §6.2)."""
        return self.account_prefix + account_id

    def orders(self, account_id: AccountId, cursor: str = "") -> str:
        """A page of an account's orders (RFC 8555 §7.1.2.1)."""
        url = f"{self.base}/account/{account_id}/orders"
        return f"{url}?cursor={cursor}" if cursor else url

    def order(self, order_id: OrderId) -> str:
        """An order."""
        return f"{self.base}/order/{order_id}"

    def finalize(self, order_id: OrderId) -> str:
        """Where an order is finalized."""
        return f"{self.base}/order/{order_id}/finalize"

    def authorization(self, authorization_id: AuthorizationId) -> str:
        """An authorization."""
        return f"{self.base}/authorization/{authorization_id}"

    def challenge(self, authorization: Authorization, challenge: Challenge) -> str:
        """A challenge of an authorization, told apart by its type."""
        return f"{self.base}/challenge/{authorization.id}/{challenge.type.value}"

    def certificate(self, certificate_id: CertificateId) -> str:
        """A certificate chain."""
        return f"{self.base}/certificate/{certificate_id}"

    def alternate(self, certificate_id: CertificateId, number: int) -> str:
        """Another chain of the same certificate, counted from 1; 0 is the certificate's own URL."""
        url = self.certificate(certificate_id)
        return f"{url}/{number}" if number else url
