"""Orders are placed, read and listed; authorizations are given up (RFC 8555 §7.4, §7.1.2.1, §7.5.2)."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import structs

from acmeproxy.core import ids, payload, policy, profile
from acmeproxy.core.authorization import Authorization, AuthorizationStatus
from acmeproxy.core.challenge import Challenge, ChallengeType, fitting
from acmeproxy.core.identifier import Identifier
from acmeproxy.core.ids import AccountId, OrderId
from acmeproxy.core.order import Order, OrderStatus
from acmeproxy.core.problem import AcmeError, refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.authentication import Principal, require_terms
from acmeproxy.services.limiting import Limiting
from acmeproxy.services.ports import Clock
from acmeproxy.services.renewal import Renewal
from acmeproxy.services.roles import KnownRoles
from acmeproxy.services.stores import Authorizations, Orders, StaleError, Stored

#: How long a client has to prove its names and finalize; also for how long Vault may be away after that.
ORDER_LIFETIME: Final = timedelta(hours=24)
PAGE: Final = 100

#: An authorization about to end is no help for a new order; an order that ends at once is none.
_REUSE_MARGIN: Final = timedelta(hours=1)
_SHORTEST: Final = timedelta(minutes=5)

_CURSOR: Final = re.compile(r"[0-9]{1,9}")


class OrderView(msgspec.Struct, frozen=True):
    """An order as somebody may look at it: with the authorizations that its status comes from."""

    order: Order
    authorizations: tuple[Authorization, ...]


class Page(msgspec.Struct, frozen=True):
    """Some of an account's orders, and where the next ones begin (empty at the end)."""

    orders: tuple[Order, ...]
    next_cursor: str


class Ordering:
    """Places orders and gives authorizations up."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it needs, each named at its one place of use
        self,
        orders: Orders,
        authorizations: Authorizations,
        limiting: Limiting,
        renewal: Renewal,
        roles: KnownRoles,
        clock: Clock,
    ) -> None:
        self._orders = orders
        self._authorizations = authorizations
        self._limiting = limiting
        self._renewal = renewal
        self._roles = roles
        self._clock = clock

    async def place(self, tenant: Tenant, principal: Principal) -> OrderView:
        """Place an order for all the names asked for, or refuse it whole (RFC 8555 §7.4, NOR-04).

        Raises:
            AcmeError: `malformed`, `rejectedIdentifier`, `unsupportedIdentifier`, `invalidProfile`,
                `userActionRequired`, `rateLimited`, `unauthorized`, `alreadyReplaced`.
            RoleUnreadError: The role refused it a while ago, and cannot be read now.
        """
        wish = payload.parse(principal.payload, payload.NewOrder)
        account, now = principal.account.value, self._clock()
        require_terms(tenant, account)
        if wish.auto_renewal is not None:
            raise refuse(Reference.ORDER_SHAPE, "there is no automatic renewal here: leave auto-renewal away")
        chosen = profile.choose(tenant, account, wish.profile)
        terms = profile.conditions(tenant, account, chosen)
        narrower = policy.narrower_names(account)

        def judge(role: Role | None) -> tuple[datetime | None, tuple[Identifier, ...]]:
            return _end(wish, terms, role, now), policy.identifiers(tenant, wish.identifiers, narrower, role)

        not_after, names = await self._roles.judged(tenant, terms.place, judge)
        claim = await self._renewal.claim(principal.owner, wish.replaces, names)
        held = await self._reusable(tenant, principal, names)
        order_id = ids.OrderId(ids.random_id())
        fresh = {
            name: draft(tenant, principal.owner.account, name, now, order_id)
            for name in names
            if name not in held
        }
        listed = tuple(held[name].value if name in held else fresh[name] for name in names)
        order = Order(
            id=order_id,
            account_id=principal.owner.account,
            identifiers=names,
            authorizations=tuple(authorization.id for authorization in listed),
            created_at=now,
            expires=min(authorization.expires for authorization in listed),
            profile=chosen,
            not_after=not_after,
            replaces=wish.replaces,
        )
        exempt = claim is not None and claim.exempt
        spends = await self._limiting.spend_new_order(tenant, principal, names, exempt=exempt)
        try:
            with self._limiting.refusing(tenant.name):
                await self._orders.create(
                    principal.owner,
                    order,
                    tuple(fresh.values()),
                    spends,
                    tuple(held.values()),
                    claim.predecessor if claim else None,
                )
        except StaleError:
            # Who was overtaken in replacing a certificate is told so (RPL-06).
            await self._renewal.claim(principal.owner, wish.replaces, names)
            text = "an authorization changed at this moment: try again"
            raise refuse(Reference.INTERNAL, text, status=503, retry_after=1) from None
        return OrderView(order, listed)

    async def preauthorize(self, tenant: Tenant, principal: Principal) -> Authorization:
        """Make an authorization before any order (RFC 8555 §7.4.1).

        Raises:
            AcmeError: `malformed` for a wildcard; `rejectedIdentifier` with status 403 for other refusals by
                policy; `unsupportedIdentifier`; `rateLimited`, since it counts as an order.
        """
        wish = payload.parse(principal.payload, payload.NewAuthorization)
        account = principal.account.value
        require_terms(tenant, account)
        if wish.identifier.value.startswith("*."):
            raise refuse(Reference.NAME_SHAPE, "a wildcard cannot be authorized before its order")
        try:
            (name,) = policy.identifiers(tenant, (wish.identifier,), policy.narrower_names(account))
        except AcmeError as error:
            raise _forbidden(error) from None
        authorization = draft(tenant, principal.owner.account, name, self._clock())
        spends = await self._limiting.spend_new_order(tenant, principal, (name,))
        with self._limiting.refusing(tenant.name):
            await self._authorizations.create(principal.owner, authorization, spends)
        return authorization

    async def _reusable(
        self, tenant: Tenant, principal: Principal, names: Sequence[Identifier]
    ) -> Mapping[Identifier, Stored[Authorization]]:
        """Find what the account proved so shortly ago that it need not prove it again (NOR-10, NOR-11).

        What dns-persist-01 proved is looked at anew: the record may be gone (DPE-09).
        """
        if tenant.authorization_reuse is None:
            return {}
        oldest = self._clock() - tenant.authorization_reuse
        held = await self._authorizations.valid(principal.owner, names)
        return {
            name: found
            for name, found in held.items()
            if any(
                c.validated_at and c.validated_at > oldest and c.type is not ChallengeType.DNSPERSIST01
                for c in found.value.challenges
            )
            and found.value.expires - self._clock() > _REUSE_MARGIN
        }

    async def page(self, principal: Principal, cursor: str) -> Page:
        """List the account's orders that are not invalid (RFC 8555 §7.1.2.1).

        Raises:
            AcmeError: `malformed` for a cursor that was never given out (OLS-07).
        """
        if cursor and not _CURSOR.fullmatch(cursor):
            raise refuse(Reference.CURSOR, "there is no such page of orders")
        found, next_cursor = await self._orders.page(principal.owner, cursor, PAGE)
        now = self._clock()
        live = (
            one.order.value
            for one in found
            if one.order.value.status([a.value for a in one.authorizations], now) is not OrderStatus.INVALID
        )
        return Page(tuple(live), next_cursor)

    async def update_authorization(
        self, principal: Principal, stored: Stored[Authorization]
    ) -> Authorization:
        """Read an authorization or give it up (RFC 8555 §7.5, §7.5.2).

        Raises:
            AcmeError: `malformed` for any other change, or where it is final already (AUZ-09, AUZ-10).
        """
        before = stored.value
        if not principal.payload:
            return before
        wish = payload.parse(principal.payload, payload.AuthorizationUpdate, Reference.AUTHORIZATION_UPDATE)
        if wish.status != AuthorizationStatus.DEACTIVATED:
            raise refuse(Reference.AUTHORIZATION_UPDATE, "an authorization can only be deactivated")
        now = self._clock()
        if before.status(now) is AuthorizationStatus.DEACTIVATED:
            return before
        after = before.deactivate(now)
        if after == before:
            status = before.status(now).value
            raise refuse(Reference.AUTHORIZATION_CLOSED, f"the authorization is {status}: place a new order")
        try:
            await self._authorizations.conclude(principal.owner, stored, after)
        except StaleError:
            text = "the authorization changed at this moment: try again"
            raise refuse(Reference.INTERNAL, text, status=503, retry_after=1) from None
        return after


def draft(
    tenant: Tenant, account: AccountId, name: Identifier, now: datetime, order_id: OrderId | None = None
) -> Authorization:
    """Draft a pending authorization; it lasts for an order, and as long as it may be used again."""
    lifetime = max(ORDER_LIFETIME, tenant.authorization_reuse or ORDER_LIFETIME)
    return Authorization(
        id=ids.AuthorizationId(ids.random_id()),
        account_id=account,
        order_id=order_id or OrderId(""),
        identifier=name,
        expires=(now + lifetime).replace(microsecond=0),
        challenges=tuple(_challenge(tenant, kind) for kind in fitting(name, tenant.challenges)),
    )


def _challenge(tenant: Tenant, kind: ChallengeType) -> Challenge:
    if kind is ChallengeType.DNSPERSIST01:
        return Challenge(type=kind, issuers=tenant.caa_identities)
    return Challenge(type=kind, token=ids.token())


def _end(
    wish: payload.NewOrder, terms: profile.Conditions, role: Role | None, now: datetime
) -> datetime | None:
    """Return the end that was asked for, if it can be had to the second (NOR-05)."""
    if payload.moment(wish.not_before, "notBefore"):
        raise refuse(Reference.ORDER_DATES, "certificates begin when they are signed: leave notBefore away")
    end = payload.moment(wish.not_after, "notAfter")
    if end is not None and role and (rule := role.refuses_end(end, now)):
        text = f"notAfter would not be signed: vault role {role.name} {rule}"
        raise refuse(Reference.ROLE_LIFETIME, text)
    if end is None or now + _SHORTEST <= end <= now + terms.lifetime:
        return end
    latest = (now + terms.lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
    raise refuse(Reference.ORDER_DATES, f"notAfter must lie between five minutes from now and {latest}")


def _forbidden(error: AcmeError) -> AcmeError:
    """Policy refuses a pre-authorization with 403 (NAZ-03); other faults keep their status."""
    rejected = error.problem.type.endswith(Reference.NAME_NOT_ALLOWED.type)
    return AcmeError(structs.replace(error.problem, status=403)) if rejected else error
