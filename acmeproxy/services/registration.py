"""Accounts come, change and go (RFC 8555 §7.3)."""

import msgspec

from acmeproxy.core import eab, payload
from acmeproxy.core.account import Account, check_contact
from acmeproxy.core.problem import AcmeError, problem, refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.authentication import Applicant, Principal, require_open
from acmeproxy.services.ports import Clock
from acmeproxy.services.stores import Accounts, EabKeys, KeyCertifiedError, StaleError


class Registered(msgspec.Struct, frozen=True):
    """An account, and whether this request made it (201) or found it (200)."""

    account: Account
    created: bool


class Registration:
    """Makes, finds, changes and closes accounts."""

    def __init__(self, accounts: Accounts, eab_keys: EabKeys, clock: Clock) -> None:
        self._accounts = accounts
        self._eab_keys = eab_keys
        self._clock = clock

    async def register(self, tenant: Tenant, applicant: Applicant, url: str) -> Registered:
        """Return the account of the applicant's key, making it if it may be made (RFC 8555 §7.3, §7.3.1).

        For a key that has an account every member of the request is ignored (NAC-04).

        Raises:
            AcmeError: `accountDoesNotExist`, `userActionRequired`, `invalidContact`, `unsupportedContact`,
                `externalAccountRequired`, `unauthorized`, `badPublicKey`, `malformed`.
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
                raise refuse(
                    Reference.INTERNAL, "the account changed at this moment: try again", retry_after=1
                ) from None
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
        contact = check_contact(wish.contact or ())
        key = await self._bound(tenant, applicant, wish, url)
        return Account(
            id=self._accounts.new_id(applicant.key.thumbprint),
            key=applicant.key.jwk,
            thumbprint=applicant.key.thumbprint,
            created_at=now,
            contact=contact,
            terms_agreed_at=now if wish.terms_of_service_agreed is True else None,
            external_account_binding=wish.external_account_binding if key else None,
            eab_kid=key.kid if key else None,
        )

    async def _bound(
        self, tenant: Tenant, applicant: Applicant, wish: payload.NewAccount, url: str
    ) -> eab.EabKey | None:
        """Verify a binding whenever there is one, demand one where the tenant does (RFC 8555 §7.3.4)."""
        if wish.external_account_binding is None:
            if tenant.eab_required:
                text = (
                    f"tenant {tenant.name} needs an external account binding: ask for a kid and its hmac key"
                )
                raise refuse(Reference.EAB_REQUIRED, text)
            return None
        binding = eab.parse(wish.external_account_binding, url, applicant.key)
        return binding.verify(await self._eab_keys.get(tenant.name, binding.kid))

    async def _raced(self, tenant: Tenant, applicant: Applicant) -> Registered:
        """Somebody registered the same key meanwhile: theirs is the account (KEY-09)."""
        found = await self._accounts.find(tenant.name, applicant.key.thumbprint)
        if found is None:
            raise refuse(
                Reference.INTERNAL, "the account was not stored: try again", status=503, retry_after=1
            )
        require_open(found.value)
        return Registered(found.value, created=False)
