"""An ACME client that hides nothing: every answer is returned as it came, and every request can be forged.

It shares no code with acmeproxy, so that a misreading of RFC 8555 there is not repeated here.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession
from yarl import URL

from tests.support.acme_csr import certificate_key, certificate_request, identifier
from tests.support.acme_jws import HONEST, ExternalAccount, Forgery, JsonObject, bind, sign
from tests.support.acme_keys import AccountKey, PrivateKey, b64url, generate
from tests.support.http01_responder import Http01Responder

_SLOWEST = 0.2
_UNSETTLED = frozenset({"pending", "processing"})
_ERRORS = "urn:ietf:params:acme:error:"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: `headers` look up names in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - JSON is what it is; tests compare it with what they expect
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def location(self) -> str:
        """The URL of what was made."""
        return self.headers["Location"]

    @property
    def error(self) -> str:
        """The type of a problem without its namespace, or nothing (RFC 8555 §6.7)."""
        if self.headers.get("Content-Type") != "application/problem+json":
            return ""
        return str(self.json().get("type", "")).removeprefix(_ERRORS)


@dataclass(frozen=True)
class Issued:
    """A finished order: `chain` is PEM as delivered, `key` the certificate's own."""

    order: Answer
    key: PrivateKey
    chain: bytes


class UnexpectedAnswerError(AssertionError):
    """A step of `obtain` was not answered as it must be for the next one."""


class AcmeClient:
    """One account at one directory.

    Every method but `obtain` and `settled` sends one request, after one for a nonce if the pool is empty.
    `requests` counts all of them, `answers` keeps what came back. `pace` is the longest pause between two
    polls, in seconds; `None` waits as long as `Retry-After` says. `front` is the origin to connect to instead
    of the one in every URL, as if a proxy that terminates TLS stood between.
    """

    def __init__(
        self,
        http: ClientSession,
        directory_url: str,
        key: AccountKey | None = None,
        *,
        pace: float | None = 0.05,
        front: str | None = None,
    ) -> None:
        self.key = key or generate()
        self.kid: str | None = None
        self.requests = 0
        self.nonces: list[str] = []
        self.answers: list[Answer] = []
        self._http = http
        self._directory_url = directory_url
        self._directory: JsonObject = {}
        self._pace = pace
        self._front = front

    # --- plain requests ---------------------------------------------------------------------------------

    async def send(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send anything at all; a nonce in the answer goes to the pool."""
        self.requests += 1
        skip = () if headers and "Content-Type" in headers else ("Content-Type",)
        async with self._http.request(
            method,
            URL(self._reached(url), encoded=True),
            data=body,
            headers=headers,
            skip_auto_headers=skip,
            allow_redirects=False,
        ) as response:
            answer = Answer(response.status, response.headers.copy(), await response.read())
        self.answers.append(answer)
        if nonce := answer.headers.get("Replay-Nonce"):
            self.nonces.append(nonce)
        return answer

    def _reached(self, url: str) -> str:
        return url if self._front is None else self._front + "/" + "/".join(url.split("/")[3:])

    async def directory(self) -> JsonObject:
        """Return the directory object, fetched once (RFC 8555 §7.1.1)."""
        if not self._directory:
            self._directory = (await self.send("GET", self._directory_url)).json()
        return self._directory

    async def nonce(self) -> str:
        """Take a nonce from the pool, or a fresh one (RFC 8555 §7.2)."""
        if not self.nonces:
            await self.send("HEAD", (await self.directory())["newNonce"])
        return self.nonces.pop()

    async def post(
        self,
        url: str,
        payload: object,
        forgery: Forgery = HONEST,
        *,
        signer: AccountKey | None = None,
    ) -> Answer:
        """Post a signed request; nothing is tried twice, not even after `badNonce`.

        Args:
            url: Where to; also the `url` of the protected header.
            payload: JSON, or `None` for a POST-as-GET.
            forgery: What to falsify.
            signer: Signs with this key and shows it as `jwk`, in place of the account's `kid`.
        """
        who = {"jwk": signer.jwk} if signer else {"kid": self.kid} if self.kid else {"jwk": self.key.jwk}
        header = {"nonce": await self.nonce(), "url": url, **who}
        body = sign(signer or self.key, header, payload, forgery)
        headers = {} if forgery.content_type is None else {"Content-Type": forgery.content_type}
        return await self.send("POST", url, body, headers)

    async def get(self, url: str, forgery: Forgery = HONEST) -> Answer:
        """Read a resource: POST-as-GET (RFC 8555 §6.3)."""
        return await self.post(url, None, forgery)

    # --- accounts ---------------------------------------------------------------------------------------

    async def new_account(
        self,
        external: ExternalAccount | None = None,
        forgery: Forgery = HONEST,
        **members: Any,  # noqa: ANN401 - members of the request, of any JSON type
    ) -> Answer:
        """Register, or find the account of this key; on success `kid` is set (RFC 8555 §7.3)."""
        url = (await self.directory())["newAccount"]
        payload: JsonObject = {"termsOfServiceAgreed": True, **members}
        if external:
            payload["externalAccountBinding"] = bind(external, self.key, url)
        answer = await self.post(url, payload, forgery, signer=self.key)
        if answer.status in {200, 201}:
            self.kid = answer.location
        return answer

    async def change_key(self, new: AccountKey, forgery: Forgery = HONEST) -> Answer:
        """Roll the account over to another key, and use that one from then on (RFC 8555 §7.3.5)."""
        url = (await self.directory())["keyChange"]
        inner = sign(
            new, {"jwk": new.jwk, "url": url}, {"account": self.kid, "oldKey": self.key.jwk}, forgery
        )
        answer = await self.post(url, json.loads(inner))
        if answer.status == 200:
            self.key = new
        return answer

    async def deactivate(self, url: str | None = None) -> Answer:
        """Deactivate this account, or the authorization at `url` (RFC 8555 §7.3.6, §7.5.2)."""
        return await self.post(url or str(self.kid), {"status": "deactivated"})

    # --- certificates -----------------------------------------------------------------------------------

    async def new_order(
        self,
        names: Sequence[str],
        forgery: Forgery = HONEST,
        **members: Any,  # noqa: ANN401 - members of the request, of any JSON type
    ) -> Answer:
        """Place an order for names and addresses (RFC 8555 §7.4)."""
        payload = {"identifiers": [identifier(name) for name in names], **members}
        return await self.post((await self.directory())["newOrder"], payload, forgery)

    async def answer(self, challenge_url: str, forgery: Forgery = HONEST) -> Answer:
        """Say that a challenge's proof is in place (RFC 8555 §7.5.1)."""
        return await self.post(challenge_url, {}, forgery)

    async def finalize(self, finalize_url: str, csr: bytes, forgery: Forgery = HONEST) -> Answer:
        """Hand in the CSR, in DER (RFC 8555 §7.4)."""
        return await self.post(finalize_url, {"csr": b64url(csr)}, forgery)

    async def revoke(
        self, certificate: bytes, reason: int | None = None, *, signer: AccountKey | None = None
    ) -> Answer:
        """Revoke a certificate, in DER, as this account or with the key `signer` (RFC 8555 §7.6)."""
        payload: JsonObject = {"certificate": b64url(certificate)}
        if reason is not None:
            payload["reason"] = reason
        return await self.post((await self.directory())["revokeCert"], payload, signer=signer)

    async def settled(self, url: str, first: Answer | None = None, *, within: float = 60) -> Answer:
        """Read a resource until it is neither pending nor processing, for at most `within` seconds.

        Args:
            url: The resource.
            first: An answer that shows it already.
            within: Seconds until `TimeoutError`.
        """
        async with asyncio.timeout(within):
            answer = first or await self.get(url)
            pace = self._pace
            while answer.status in {200, 201} and answer.json()["status"] in _UNSETTLED:
                asked = float(answer.headers.get("Retry-After", "1"))
                await asyncio.sleep(asked if pace is None else min(asked, pace))
                # What lasts is asked for less often: every question is a signature and its verification.
                pace = pace and min(pace * 1.5, _SLOWEST)
                answer = await self.get(url)
        return answer

    async def obtain(self, names: Sequence[str], responder: Http01Responder) -> Issued:
        """Walk from new-order to the chain with http-01, as a brisk client does.

        Raises:
            UnexpectedAnswerError: With the status and the body of the answer that was in the way.
        """
        order = _expect(await self.new_order(names), "pending", "ready")
        for url in order.json()["authorizations"] if order.json()["status"] == "pending" else ():
            await self._prove(url, responder)
        key = certificate_key()
        finalized = await self.finalize(order.json()["finalize"], certificate_request(names, key))
        done = await self.settled(order.location, _expect(finalized, "processing", "valid"))
        chain = await self.get(_expect(done, "valid").json()["certificate"])
        if chain.status != 200:
            raise UnexpectedAnswerError(chain.status, chain.body)
        return Issued(done, key, chain.body)

    async def _prove(self, url: str, responder: Http01Responder) -> None:
        authorization = _expect(await self.get(url), "pending", "valid")
        if authorization.json()["status"] == "valid":
            return
        [challenge] = [c for c in authorization.json()["challenges"] if c["type"] == "http-01"]
        responder.tokens[challenge["token"]] = self.key.key_authorization(challenge["token"])
        shown = _expect(await self.answer(challenge["url"]), "pending", "processing", "valid")
        _expect(await self.settled(challenge["url"], shown), "valid")


def _expect(answer: Answer, *statuses: str) -> Answer:
    if answer.status not in {200, 201} or answer.json()["status"] not in statuses:
        raise UnexpectedAnswerError(answer.status, answer.body)
    return answer
