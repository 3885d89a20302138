"""Who sent a request: the checks that every signed POST takes, in their order (RFC 8555 §6.2)."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from acmeproxy.core import jws
from acmeproxy.core.account import Account, AccountStatus
from acmeproxy.core.ids import AccountId
from acmeproxy.core.jwk import AccountKey
from acmeproxy.core.problem import AcmeError, problem, refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.stores import Admitted, Gate, Owner, Stored, Wanted

T = TypeVar("T")

_ACCOUNT_ID: Final = re.compile(r"[0-9a-f]{33}")


class SignedRequest(msgspec.Struct, frozen=True):
    """A POST as it came: its tenant, the URL that it was handed out under, and its body.

    `account_prefix` is what this tenant's account URLs begin with.
    """

    tenant: Tenant
    url: str
    body: bytes
    account_prefix: str


class Principal(msgspec.Struct, frozen=True):
    """An account that signed a request, the payload, and what was read with it."""

    owner: Owner
    account: Stored[Account]
    payload: bytes
    admitted: Admitted


class Applicant(msgspec.Struct, frozen=True):
    """A key that signed a request, and its account if it has one."""

    key: AccountKey
    account: Stored[Account] | None
    payload: bytes


class Authentication:
    """Turns signed requests into principals, or refuses them and changes nothing but the nonce."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def by_account(self, request: SignedRequest, wanted: Callable[[bytes], Wanted]) -> Principal:
        """Authenticate a request signed by an account (`kid`).

        Args:
            request: The request.
            wanted: Says, from the payload, what to read beside the account; it is asked before the signature
                is checked and must believe nothing.

        Raises:
            AcmeError: By conformance A2..A4: `malformed`, `badSignatureAlgorithm`, `badNonce`,
                `accountDoesNotExist`, or `unauthorized`, the last with status 401 for a closed account.
        """
        envelope = jws.parse(request.body)
        nonce = envelope.nonce
        account_id = await self._or_burn(request, nonce, lambda: _account_id(request, envelope.signer()))
        also = msgspec.structs.replace(wanted(envelope.payload), account=account_id)
        admitted = await self._gate.admit(request.tenant.name, nonce, also)
        account = admitted.account
        if account is None:
            raise refuse(
                Reference.ACCOUNT_UNKNOWN,
                "this account is unknown here: delete the client's account and register again",
            )
        self._settle(request, envelope, AccountKey.restore(account.value.key), admitted)
        require_open(account.value)
        return Principal(Owner(request.tenant.name, account_id), account, envelope.payload, admitted)

    async def by_key(self, request: SignedRequest) -> Applicant:
        """Authenticate a request signed by a key of its own (`jwk`), as newAccount is.

        Raises:
            AcmeError: As `by_account`, and `badPublicKey`.
        """
        envelope = jws.parse(request.body)
        nonce = envelope.nonce
        key = await self._or_burn(request, nonce, lambda: _own_key(envelope.signer()))
        admitted = await self._gate.admit(request.tenant.name, nonce, Wanted(thumbprint=key.thumbprint))
        self._settle(request, envelope, key, admitted)
        return Applicant(key, admitted.account, envelope.payload)

    async def by_account_or_certificate_key(
        self, request: SignedRequest, wanted: Callable[[bytes], Wanted]
    ) -> Principal | Applicant:
        """Authenticate an account, or whoever has a certificate's key, however weak that is (RFC 8555 §7.6).

        For a key no account is looked for, and none is made.

        Raises:
            AcmeError: As `by_account` and `by_key`.
        """
        envelope = jws.parse(request.body)
        if "jwk" not in envelope.header:
            return await self.by_account(request, wanted)
        nonce = envelope.nonce
        key = await self._or_burn(request, nonce, lambda: _own_key(envelope.signer(weak=True)))
        self._settle(request, envelope, key, await self._gate.admit(request.tenant.name, nonce, Wanted()))
        return Applicant(key, None, envelope.payload)

    async def _or_burn(self, request: SignedRequest, nonce: str, judge: Callable[[], T]) -> T:
        """Use the nonce up even where the header alone is reason enough to refuse (NON-07)."""
        try:
            return judge()
        except AcmeError:
            await self._gate.admit(request.tenant.name, nonce, Wanted())
            raise

    def _settle(
        self, request: SignedRequest, envelope: jws.Envelope, key: AccountKey, admitted: Admitted
    ) -> None:
        envelope.verify(key)
        if admitted.nonce_fault is not None:
            # acme.sh knows this error by its words (NON-11).
            raise refuse(
                Reference.NONCE, f"JWS has an invalid anti-replay nonce: it is {admitted.nonce_fault.value}"
            )
        envelope.check_url(request.url)


def require_open(account: Account) -> None:
    """Make sure that an account may still act (RFC 8555 §7.3.6).

    Raises:
        AcmeError: `unauthorized` with status 401.
    """
    if account.status is not AccountStatus.VALID:
        raise refuse(
            Reference.ACCOUNT_CLOSED, f"the account is {account.status.value}: register with a new key"
        )


def require_terms(tenant: Tenant, account: Account) -> None:
    """Make sure that an account agreed to the terms that hold now (RFC 8555 §7.3.3, ACC-13).

    Raises:
        AcmeError: `userActionRequired`, with the terms as instance and as link.
    """
    terms = tenant.terms_of_service
    if terms is not None and account.terms_agreed != terms:
        text = f"the terms of service changed: agree to {terms} and have the CA's operators note it"
        raise AcmeError(
            problem(Reference.ACCOUNT_TERMS, text, instance=terms), link=((terms, "terms-of-service"),)
        )


def _account_id(request: SignedRequest, signer: jws.Signer) -> AccountId:
    if signer.kid is None:
        raise refuse(Reference.JWS_HEADER, "sign this request with kid, the account's url, not with jwk")
    if not signer.kid.startswith(request.account_prefix):
        raise refuse(Reference.JWS_HEADER, "kid is no account url of this directory")
    account_id = signer.kid.removeprefix(request.account_prefix)
    if not _ACCOUNT_ID.fullmatch(account_id):
        raise refuse(Reference.ACCOUNT_UNKNOWN, "kid names no account here: register again")
    return AccountId(account_id)


def _own_key(signer: jws.Signer) -> AccountKey:
    if signer.key is None:
        raise refuse(Reference.JWS_HEADER, "sign this request with jwk, the key itself, not with kid")
    return signer.key
