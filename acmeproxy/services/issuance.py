"""From a finalized order to its certificate: what still stands in the way, and one step on (design §6)."""

from collections.abc import Mapping

from acmeproxy.core import policy
from acmeproxy.core.authorization import AuthorizationStatus
from acmeproxy.core.ids import OrderId, TenantName
from acmeproxy.core.job import Job
from acmeproxy.core.order import Processing
from acmeproxy.core.problem import AcmeError, Problem, problem
from acmeproxy.core.reference import Reference
from acmeproxy.core.tenant import Tenant
from acmeproxy.services.ports import Clock
from acmeproxy.services.reports import Report
from acmeproxy.services.signing import Signing, Step
from acmeproxy.services.stores import Orders, OrderWithAuthorizations, Owner


class Issuance:
    """Carries finalized orders out."""

    def __init__(
        self, orders: Orders, signing: Signing, tenants: Mapping[TenantName, Tenant], clock: Clock
    ) -> None:
        self._orders = orders
        self._signing = signing
        self._tenants = tenants
        self._clock = clock

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
        closed = account.value.closed_at is not None
        obstacle = self._obstacle(tenant, found, closed=closed)
        step = Step(owner, tenant, account, found.order, order.progress.intent, obstacle)
        return await self._signing.advance(step)

    def _obstacle(self, tenant: Tenant, found: OrderWithAuthorizations, *, closed: bool) -> Problem | None:
        """Say why the order must not be signed any more, as late as can be (INV-1, STA-08, ACC-02)."""
        order, now = found.order.value, self._clock()
        if closed:
            return problem(Reference.ACCOUNT_CLOSED, "the account was closed before signing")
        try:
            for name in order.identifiers:
                policy.check(tenant, name)
        except AcmeError as error:
            return error.problem
        # Finalize saw them valid; that they may have expired since is our slowness.
        held = {AuthorizationStatus.VALID, AuthorizationStatus.EXPIRED}
        states = {authorization.value.status(now) for authorization in found.authorizations}
        if not states or not states <= held:
            return problem(Reference.ORDER_NOT_READY, "an authorization was given up before signing")
        if now >= order.expires:
            return problem(Reference.SIGNING_ABANDONED, "the CA could not sign in time: order again")
        return None
