"""From a finalized order to its certificate: what still stands in the way, and one step on (design §6)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from msgspec import structs

from acmeproxy.core import policy, profile
from acmeproxy.core.account import Account
from acmeproxy.core.authorization import AuthorizationStatus
from acmeproxy.core.ids import OrderId, TenantName
from acmeproxy.core.job import Job
from acmeproxy.core.order import Processing
from acmeproxy.core.problem import AcmeError, Problem, problem
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.consent import Consent
from acmeproxy.services.ports import CaaForbidden, CaaUnknown, Clock
from acmeproxy.services.reports import Report
from acmeproxy.services.signing import Signing, Step
from acmeproxy.services.stores import Orders, OrderWithAuthorizations, Owner

#: How long to wait where nobody could say whether a domain's owner allows the certificate.
_UNDECIDED: Final = timedelta(seconds=15)


class Issuance:
    """Carries finalized orders out."""

    def __init__(
        self,
        orders: Orders,
        signing: Signing,
        tenants: Mapping[TenantName, Tenant],
        clock: Clock,
        *,
        consent: Consent,
    ) -> None:
        self._orders = orders
        self._signing = signing
        self._tenants = tenants
        self._clock = clock
        self._consent = consent

    async def issue(self, job: Job) -> Report:
        """Carry a finalized order one step on: look, sign, check, commit. Safe to run twice."""
        owner = Owner(job.tenant, job.account)
        loaded = await self._orders.load(owner, OrderId(job.subject))
        if loaded is None:
            return Report("gone")
        account, found = loaded
        order = found.order.value
        tenant = self._tenants.get(job.tenant)
        if not isinstance(order.progress, Processing) or tenant is None:
            await self._orders.drop(owner, order)
            return Report("dropped")
        try:
            place = profile.conditions(tenant, account.value, order.profile).place
            obstacle = self._obstacle(tenant, account.value, found)
        except AcmeError as error:
            place, obstacle = tenant.vault, error.problem
        if obstacle is None:
            held = [authorization.value for authorization in found.authorizations]
            match await self._consent.ask_again(owner, held, self._clock()):
                case CaaForbidden(problem=obstacle):
                    pass
                case CaaUnknown(problem=unknown):
                    await self._orders.look_again(owner, order, self._clock() + _UNDECIDED)
                    return Report("undecided", {"order": order.id, "error": unknown.detail})
        where = structs.replace(tenant, vault=place)
        step = Step(owner, where, account, found.order, order.progress.intent, obstacle)
        return await self._signing.advance(step)

    def _obstacle(self, tenant: Tenant, account: Account, found: OrderWithAuthorizations) -> Problem | None:
        """Say why the order must not be signed any more, as late as can be (INV-1, STA-08, ACC-02).

        Raises:
            AcmeError: The tenant or the account may not have one of the names any more.
        """
        order, now = found.order.value, self._clock()
        if account.closed_at is not None:
            return problem(Reference.ACCOUNT_CLOSED, "the account was closed before signing")
        policy.check_again(tenant, account, order.identifiers)
        # Finalize saw them valid; that they may have expired since is our slowness.
        held = {AuthorizationStatus.VALID, AuthorizationStatus.EXPIRED}
        states = {authorization.value.status(now) for authorization in found.authorizations}
        # One that is lost proves nothing, however valid the others are (INV-12).
        missing = set(order.authorizations) - {one.value.id for one in found.authorizations}
        if missing or not states <= held:
            return problem(Reference.ORDER_NOT_READY, "an authorization was given up before signing")
        if now >= (order.not_after or order.expires) or now >= order.expires:
            return problem(Reference.SIGNING_ABANDONED, "the CA could not sign in time: order again")
        return None
