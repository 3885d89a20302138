"""From a finalized order to its certificate: what still stands in the way, and one step on (design §6)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from cryptography import x509

from acmeproxy.core import csr, policy, profile
from acmeproxy.core.account import Account
from acmeproxy.core.authorization import AuthorizationStatus
from acmeproxy.core.ids import OrderId, TenantName
from acmeproxy.core.job import Job
from acmeproxy.core.order import Abandoned, Processing
from acmeproxy.core.problem import AcmeError, Problem, problem, refuse
from acmeproxy.core.reference import Reference
from acmeproxy.core.role import Role
from acmeproxy.core.tenant import Tenant, VaultPlace
from acmeproxy.services.consent import Consent
from acmeproxy.services.handover import Step
from acmeproxy.services.ports import CaaForbidden, CaaUnknown, Clock
from acmeproxy.services.reports import Report
from acmeproxy.services.roles import KnownRoles, RoleUnreadError
from acmeproxy.services.signing import Signing
from acmeproxy.services.stores import Orders, OrderWithAuthorizations, Owner

#: How long to wait where nobody could say whether a domain's owner allows the certificate.
_UNDECIDED: Final = timedelta(seconds=15)


class Issuance:
    """Carries finalized orders out."""

    def __init__(  # noqa: PLR0913 - what it needs, each named at its one place of use
        self,
        orders: Orders,
        signing: Signing,
        tenants: Mapping[TenantName, Tenant],
        roles: KnownRoles,
        clock: Clock,
        *,
        consent: Consent,
    ) -> None:
        self._orders = orders
        self._signing = signing
        self._tenants = tenants
        self._roles = roles
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
        tenant = self._tenants[job.tenant]
        match order.progress:
            case Processing(intent):
                pass
            case Abandoned(error, _, unseen) if unseen is not None:
                return await self._signing.clear(Step(owner, tenant, account, found.order, unseen, error))
            case _:
                await self._orders.drop(owner, order)
                return Report("dropped")
        place = tenant.vault
        try:
            place = profile.conditions(tenant, account.value, order.profile).place
            obstacle = await self._judged(tenant, account.value, found, place)
        except AcmeError as error:
            obstacle = error.problem
        if obstacle is None:
            held = [authorization.value for authorization in found.authorizations]
            match await self._consent.ask_again(owner, held, self._clock()):
                case CaaForbidden(problem=obstacle):
                    pass
                case CaaUnknown(problem=unknown):
                    await self._orders.look_again(owner, order, self._clock() + _UNDECIDED)
                    return Report("undecided", {"order": order.id, "error": unknown.detail})
        step = Step(owner, tenant.at(place), account, found.order, intent, obstacle)
        return await self._signing.advance(step)

    async def _judged(
        self, tenant: Tenant, account: Account, found: OrderWithAuthorizations, place: VaultPlace
    ) -> Problem | None:
        """Say as `_obstacle` why not, by the role of a place as it is now: an old one ends no order."""

        def judge(role: Role | None) -> Problem | None:
            return self._obstacle(tenant, account, found, role)

        try:
            return await self._roles.judged(tenant, place, judge)
        except RoleUnreadError:
            # Then Vault itself decides: it signs, refuses, or is away as well.
            return judge(None)

    def _obstacle(
        self, tenant: Tenant, account: Account, found: OrderWithAuthorizations, role: Role | None
    ) -> Problem | None:
        """Say why the order must not be signed any more, as late as can be (INV-1, STA-08, ACC-02).

        Raises:
            AcmeError: The tenant or the account may not have one of the names any more, or the role would not
                sign them, the key or the end.
        """
        order, now = found.order.value, self._clock()
        if account.closed_at is not None:
            return problem(Reference.ACCOUNT_CLOSED, "the account was closed before signing")
        policy.check_again(tenant, account, order.identifiers, role)
        if isinstance(order.progress, Processing):
            csr.check_role(x509.load_der_x509_csr(order.progress.intent.csr), role)
        if role and order.not_after and (rule := role.refuses_end(order.not_after, now)):
            text = f"notAfter would not be signed: vault role {role.name} {rule}"
            raise refuse(Reference.ROLE_LIFETIME, text)
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
