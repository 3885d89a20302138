"""Finalize: a CSR for a ready order becomes an intent, before Vault hears of it (RFC 8555 §7.4)."""

from datetime import timedelta

from acmeproxy.core import csr, ids, payload, policy, profile, provenance
from acmeproxy.core.ids import OrderId
from acmeproxy.core.order import Intent, OrderStatus
from acmeproxy.core.problem import refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.authentication import Principal, require_terms
from acmeproxy.services.ordering import OrderView
from acmeproxy.services.ports import Clock
from acmeproxy.services.roles import KnownRoles
from acmeproxy.services.stores import Orders, OrderWithAuthorizations, Outcomes, Owner, StaleError


class Finalization:
    """Takes finalize requests; it needs no right to have anything signed."""

    def __init__(
        self, orders: Orders, outcomes: Outcomes, roles: KnownRoles, clock: Clock, *, patience: timedelta
    ) -> None:
        self._orders = orders
        self._outcomes = outcomes
        self._roles = roles
        self._clock = clock
        self._patience = patience

    async def finalize(
        self, tenant: Tenant, principal: Principal, found: OrderWithAuthorizations
    ) -> OrderView:
        """Accept a CSR for a ready order and wait a moment for the certificate (RFC 8555 §7.4).

        The very same CSR again is answered with the order as it is: the first answer may have been lost
        (K18).

        Raises:
            AcmeError: `orderNotReady`, `badCSR`, `malformed`, `rejectedIdentifier`; the order stays ready.
            RoleUnreadError: The role refused it a while ago, and cannot be read now; likewise.
        """
        der = csr.decode(payload.parse(principal.payload, payload.Finalize, Reference.CSR_SHAPE).csr)
        order, authorizations = found.order.value, tuple(a.value for a in found.authorizations)
        if order.repeats(der):
            return OrderView(order, authorizations)
        status = order.status(authorizations, self._clock())
        if status is not OrderStatus.READY:
            raise refuse(Reference.ORDER_NOT_READY, f"the order is {status.value}, not ready")
        account = principal.account.value
        require_terms(tenant, account)
        terms = profile.conditions(tenant, account, order.profile)

        def judge(role: Role | None) -> csr.Request:
            policy.check_again(tenant, account, order.identifiers, role)
            return csr.check(der, order.identifiers, terms.keys, role)

        request = await self._roles.judged(tenant, terms.place, judge)
        if principal.admitted.key_held:
            raise refuse(Reference.CSR_KEY, "the CSR's key is an account's key: make a new one")
        if principal.admitted.key_blocked:
            raise refuse(Reference.CSR_KEY, "the CSR's key was given up as compromised: make a new one")
        intent = Intent(
            id=ids.random_id(),
            csr=request.der,
            key=request.key,
            names=order.identifiers,
            lifetime=int(terms.lifetime.total_seconds()),
            not_after=order.not_after,
            created_at=self._clock(),
            mount=terms.place.mount,
            provenance=provenance.of(tenant, account, order.id, authorizations),
        )
        after = order.finalize(intent)
        with self._outcomes.order(order.id) as watch:
            try:
                await self._orders.finalize(principal.owner, found, after)
            except StaleError:
                return await self._overtaken(principal.owner, order.id, der)
            return OrderView(await watch.outcome(self._patience) or after, authorizations)

    async def _overtaken(self, owner: Owner, order_id: OrderId, der: bytes) -> OrderView:
        """Another request was first, or an authorization changed: decide by what is there now (FIN-20)."""
        loaded = await self._orders.load(owner, order_id)
        if loaded is not None:
            found = loaded[1]
            order = found.order.value
            if order.repeats(der):
                return OrderView(order, tuple(a.value for a in found.authorizations))
        raise refuse(
            Reference.ORDER_NOT_READY, "the order is being finalized already, or lost an authorization"
        )
