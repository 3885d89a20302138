"""The client library `acme`, which certbot is made of, for what certbot cannot be brought to do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from acme import challenges, client, crypto_util, messages, standalone
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from josepy.jwa import ES256
from josepy.jwk import JWKEC
from josepy.util import ComparableECKey

from tests.support.stage import Stage

_DEADLINE: Final = timedelta(seconds=60)


class Library:
    """A client with a fresh P-256 account key; trusts what `REQUESTS_CA_BUNDLE` says."""

    def __init__(self, stage: Stage, tenant: str = "team-a") -> None:
        self._stage = stage
        self._key = JWKEC(key=ComparableECKey(ec.generate_private_key(ec.SECP256R1())))
        net = client.ClientNetwork(self._key, alg=ES256, user_agent="acmeproxy's tests")
        self.directory = client.ClientV2.get_directory(stage.directory(tenant), net)
        self.acme = client.ClientV2(self.directory, net)

    def register(self, **more: Any) -> messages.RegistrationResource:  # noqa: ANN401 - as the library takes it
        """Make an account."""
        wanted = messages.NewRegistration.from_data(
            email="ops@team-a.test", terms_of_service_agreed=True, **more
        )
        return self.acme.new_account(wanted)

    def forget_account(self) -> str:
        """Know the key only from now on, and return the URL that the account has."""
        account = self.acme.net.account
        assert account is not None
        self.acme.net.account = None
        return str(account.uri)

    def binding(self, hmac_alg: str = "HS256") -> dict[str, Any]:
        """Return a binding of the key to the stage's external account."""
        eab = self._stage.eab
        return messages.ExternalAccountBinding.from_data(
            self._key.public_key(), eab["kid"], eab["hmac_key"], self.directory, hmac_alg
        )

    def order(self, *names: str, csr: bytes | None = None) -> messages.OrderResource:
        """Order a certificate with a fresh key."""
        return self.acme.new_order(csr or request(*names))

    def answer(self, order: messages.OrderResource) -> None:
        """Say of each authorization that http-01 can be looked at."""
        for authorization in order.authorizations:
            found = http01(authorization)
            self.acme.answer_challenge(found, found.chall.response(self._key))

    def obtain(self, *names: str, alternates: bool = False) -> messages.OrderResource:
        """Get a certificate by http-01."""
        order = self.order(*names)
        with self.proving(order):
            self.answer(order)
            deadline = datetime.now() + _DEADLINE  # noqa: DTZ005 - the library's are naive
            order = self.acme.poll_authorizations(order, deadline)
            return self.acme.finalize_order(order, deadline, fetch_alternative_chains=alternates)

    @contextmanager
    def proving(self, order: messages.OrderResource) -> Iterator[None]:
        """Serve what http-01 looks for."""
        resources = set()
        for authorization in order.authorizations:
            found = http01(authorization)
            response, validation = found.response_and_validation(self._key)
            resources.add(standalone.HTTP01RequestHandler.HTTP01Resource(found.chall, response, validation))
        server = standalone.HTTP01Server(("127.0.0.1", self._stage.http01_port), resources)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def http01(authorization: messages.AuthorizationResource) -> messages.ChallengeBody:
    """Return the http-01 challenge of an authorization."""
    found: messages.ChallengeBody
    (found,) = (one for one in authorization.body.challenges if isinstance(one.chall, challenges.HTTP01))
    return found


def request(*names: str) -> bytes:
    """Make a CSR in PEM, with a fresh key, as certbot does."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return crypto_util.make_csr(pem, list(names))
