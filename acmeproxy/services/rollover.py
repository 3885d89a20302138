"""An account gets another key (RFC 8555 §7.3.5)."""

from typing import Any

import msgspec

from acmeproxy.core import jws, payload
from acmeproxy.core.account import Account
from acmeproxy.core.jwk import AccountKey
from acmeproxy.core.problem import AcmeError, refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.account_stores import Accounts, KeyCertifiedError, KeyTakenError
from acmeproxy.services.authentication import Principal
from acmeproxy.services.stores import StaleError


class _Change(msgspec.Struct, frozen=True, rename="camel"):
    account: str
    old_key: Any


class Rollover:
    """Changes accounts' keys."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def change(self, tenant: Tenant, principal: Principal, url: str, prefix: str) -> Account:
        """Give the account that signed the key that signed inside (KCH-01..14).

        Args:
            tenant: Whose account it is.
            principal: Who signed outside.
            url: The outer url.
            prefix: What this tenant's account URLs begin with.

        Raises:
            AcmeError: `malformed` for a wrong inner JWS; `badPublicKey`; `malformed` with status 409 and the
                holder's URL as `Location`, where the new key has an account.
        """
        account = principal.account.value
        key = _new_key(principal, url, prefix)
        if key.thumbprint == account.thumbprint:
            raise _taken(prefix + account.id, "this is the account's key already")
        after = account.with_key(key.jwk, key.thumbprint)
        try:
            await self._accounts.rekey(tenant.name, principal.account, after)
        except KeyTakenError as error:
            raise _taken(prefix + error.holder, "the new key has an account: make another") from None
        except KeyCertifiedError:
            text = "the new key is the key of a certificate: make another"
            raise refuse(Reference.ACCOUNT_KEY_CERTIFIED, text) from None
        except StaleError:
            # Of two changes at once the other one counts: the key that signed may be the old one by now.
            raise _taken(prefix + account.id, "the account is being changed by another request") from None
        return after


def _new_key(principal: Principal, url: str, prefix: str) -> AccountKey:
    if not principal.payload:
        raise refuse(Reference.KEY_CHANGE, "keyChange needs a JWS, signed by the new key, as payload")
    try:
        inner = jws.parse(principal.payload)
    except AcmeError as error:
        raise _malformed(error) from error
    key = _signer(inner)
    try:
        inner.verify(key)
    except AcmeError as error:
        raise _malformed(error) from error
    if inner.header.get("url") != url:
        raise refuse(Reference.KEY_CHANGE, "the inner url is not the outer url")
    change = payload.parse(inner.payload, _Change, Reference.KEY_CHANGE)
    if change.account != prefix + principal.owner.account:
        raise refuse(Reference.KEY_CHANGE, "account in the inner payload is not the account that signed")
    _check_old_key(change.old_key, principal.account.value.thumbprint)
    return key


def _signer(inner: jws.Envelope) -> AccountKey:
    if "nonce" in inner.header:
        raise refuse(Reference.KEY_CHANGE, "the inner JWS has no nonce")
    if "kid" in inner.header or "jwk" not in inner.header:
        raise refuse(Reference.KEY_CHANGE, "the inner JWS carries the new key as jwk")
    signer = inner.signer()
    if signer.key is None:
        raise refuse(Reference.KEY_CHANGE, "the inner JWS carries the new key as jwk")
    return signer.key


def _check_old_key(jwk: object, thumbprint: str) -> None:
    try:
        same = AccountKey.parse(jwk).thumbprint == thumbprint
    except AcmeError:
        same = False
    if not same:
        raise refuse(Reference.KEY_CHANGE, "oldKey is not the account's current key")


def _taken(location: str, text: str) -> AcmeError:
    error = refuse(Reference.KEY_TAKEN, text)
    return AcmeError(error.problem, location=location)


def _malformed(error: AcmeError) -> AcmeError:
    return refuse(Reference.KEY_CHANGE, f"inner JWS: {error.problem.detail.partition(' [ref ')[0]}")
