"""Accounts come, change and go (RFC 8555 §7.3)."""

from contextlib import suppress
from typing import Final

import msgspec

from acmeproxy.core import eab, payload
from acmeproxy.core.account import Account, check_contact
from acmeproxy.core.ids import AccountId
from acmeproxy.core.problem import AcmeError, problem, refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.account_stores import Accounts, EabKeys, KeyCertifiedError
from acmeproxy.services.authentication import Applicant, Principal, require_open
from acmeproxy.services.limiting import Limiting
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Owner, StaleError

#: How often a document is read and decided upon again when others change it at the same time.
_TRIES: Final = 5


class Registered(msgspec.Struct, frozen=True):
    """An account, and whether this request made it (201) or found it (200)."""

    account: Account
    created: bool


class Registration:
    """Makes, finds, changes and closes accounts."""

    def __init__(self, accounts: Accounts, eab_keys: EabKeys, limiting: Limiting, clock: Clock) -> None:
        self._accounts = accounts
        self._eab_keys = eab_keys
        self._limiting = limiting
        self._clock = clock

    async def register(self, tenant: Tenant, applicant: Applicant, url: str) -> Registered:
        """Return the account of the applicant's key, making it if it may be made (RFC 8555 §7.3, §7.3.1).

        For a key that has an account every member of the request is ignored (NAC-04).

        Raises:
            AcmeError: `accountDoesNotExist`, `userActionRequired`, `invalidContact`, `unsupportedContact`,
                `externalAccountRequired`, `unauthorized`, `badPublicKey`, `malformed`, `rateLimited`.
        """
        wish = payload.parse(applicant.payload, payload.NewAccount)
        if applicant.account:
            require_open(applicant.account.value)
            return Registered(applicant.account.value, created=False)
        if wish.only_return_existing:
            raise refuse(Reference.ACCOUNT_UNKNOWN, "no account has this key: register first")
        account = await self._drafted(tenant, applicant, wish, url)
        try:
            await self._accounts.create(tenant.name, account)
        except KeyCertifiedError:
            raise refuse(
                Reference.ACCOUNT_KEY_CERTIFIED, "this is the key of a certificate: make another"
            ) from None
        except StaleError:
            return await self._raced(tenant, applicant)
        await self._close_if_revoked(tenant, account)
        return Registered(account, created=True)

    async def update(self, tenant: Tenant, principal: Principal) -> Account:
        """Read or change the account that signed (RFC 8555 §7.3.2, §7.3.6).

        Raises:
            AcmeError: `invalidContact`, `unsupportedContact`, `malformed`.
        """
        before = principal.account.value
        if not principal.payload:
            return before
        wish = payload.parse(principal.payload, payload.AccountUpdate)
        if wish.status == "deactivated":
            after = before.deactivate(self._clock())
        elif wish.contact is not None:
            after = before.with_contact(check_contact(wish.contact))
        else:
            after = before
        if after != before:
            try:
                await self._accounts.replace(tenant.name, principal.account, after)
            except StaleError:
                text = "the account changed at this moment: try again"
                raise refuse(Reference.INTERNAL, text, status=503, retry_after=1) from None
        return after

    async def _drafted(
        self, tenant: Tenant, applicant: Applicant, wish: payload.NewAccount, url: str
    ) -> Account:
        now = self._clock()
        if tenant.terms_of_service and wish.terms_of_service_agreed is not True:
            raise AcmeError(
                problem(
                    Reference.ACCOUNT_TERMS,
                    f"agree to the terms of service at {tenant.terms_of_service}",
                    instance=tenant.terms_of_service,
                ),
                link=((tenant.terms_of_service, "terms-of-service"),),
            )
        if not isinstance(wish.terms_of_service_agreed, bool | None):
            raise refuse(Reference.JWS_PAYLOAD, "termsOfServiceAgreed is true or false")
        contact = check_contact(wish.contact or ())
        account_id = self._accounts.new_id(applicant.key.thumbprint)
        key = await self._bound(tenant, applicant, wish, url, account_id)
        return Account(
            id=account_id,
            key=applicant.key.jwk,
            thumbprint=applicant.key.thumbprint,
            created_at=now,
            contact=contact,
            terms_agreed_at=now if wish.terms_of_service_agreed is True else None,
            external_account_binding=wish.external_account_binding if key else None,
            eab_kid=key.kid if key else None,
            eab_names=key.names if key else (),
            eab_profiles=key.profiles if key else (),
            eab_tags=key.tags if key else {},
            terms_agreed=tenant.terms_of_service if wish.terms_of_service_agreed is True else None,
        )

    async def _bound(
        self,
        tenant: Tenant,
        applicant: Applicant,
        wish: payload.NewAccount,
        url: str,
        account_id: AccountId,
    ) -> eab.EabKey | None:
        """Verify a binding whenever there is one, demand one where the tenant does (RFC 8555 §7.3.4)."""
        if wish.external_account_binding is None:
            if tenant.eab_required:
                text = (
                    f"tenant {tenant.name} needs an external account binding: ask for a kid and its hmac key"
                )
                raise refuse(Reference.EAB_REQUIRED, text)
            await self._limiting.spend_new_account(tenant)
            return None
        binding = eab.parse(wish.external_account_binding, url, applicant.key)
        for attempt in range(_TRIES):
            stored = await self._eab_keys.get(tenant.name, binding.kid)
            binding.verify(stored.value if stored else None)
            if stored is None:
                break
            if attempt == 0:
                await self._limiting.spend_new_account(tenant, binding.kid)
            bound = stored.value.bind(applicant.key.thumbprint, account_id, self._clock())
            try:
                await self._eab_keys.replace(tenant.name, stored, bound)
            except StaleError:
                continue
            return bound
        text = "many accounts are being bound to this EAB key: try again"
        raise refuse(Reference.INTERNAL, text, status=503, retry_after=1)

    async def _close_if_revoked(self, tenant: Tenant, account: Account) -> None:
        """Close an account whose EAB key was revoked while the account was being made (ACC-07)."""
        if account.eab_kid is None:
            return
        key = await self._eab_keys.get(tenant.name, account.eab_kid)
        if key is not None and key.value.revoked_at is None:
            return
        stored = await self._accounts.get(Owner(tenant.name, account.id))
        if stored is not None:
            # Whoever revoked the key may be closing it at this moment.
            with suppress(StaleError):
                await self._accounts.replace(tenant.name, stored, stored.value.revoke(self._clock()))
        raise refuse(Reference.EAB_REFUSED, "this EAB key has ended: ask for a new one")

    async def _raced(self, tenant: Tenant, applicant: Applicant) -> Registered:
        """Somebody registered the same key meanwhile: theirs is the account (KEY-09)."""
        found = await self._accounts.find(tenant.name, applicant.key.thumbprint)
        if found is None:
            raise refuse(
                Reference.INTERNAL, "the account was not stored: try again", status=503, retry_after=1
            )
        require_open(found.value)
        return Registered(found.value, created=False)
