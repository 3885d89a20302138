"""Resources as clients see them: entity, now and links in, JSON out (RFC 8555 §7.1).

Members without a value are left out: an empty `error` would be taken for a failure (PRB-12), and a second
`status` in an order for its own (ORD-11).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from acmeproxy.core.account import Account
from acmeproxy.core.authorization import Authorization
from acmeproxy.core.challenge import Challenge, ChallengeType
from acmeproxy.core.order import Issued, Order, OrderStatus
from acmeproxy.core.problem import Problem
from acmeproxy.core.renewal import Advice
from acmeproxy.core.tenant import Tenant
from acmeproxy.web.acme.links import Links

Resource = dict[str, Any]


def directory(tenant: Tenant, links: Links) -> Resource:
    """Show a tenant's directory (RFC 8555 §7.1.1)."""
    meta: Resource = {"externalAccountRequired": tenant.eab_required}
    if tenant.terms_of_service:
        meta["termsOfService"] = tenant.terms_of_service
    if tenant.website:
        meta["website"] = tenant.website
    if tenant.caa:
        meta["caaIdentities"] = list(tenant.caa_identities)
    if tenant.profiles:
        meta["profiles"] = {profile.name: profile.description for profile in tenant.profiles}
    shown: Resource = {
        "newNonce": links.new_nonce,
        "newAccount": links.new_account,
        "newOrder": links.new_order,
        "revokeCert": links.revoke_cert,
        "keyChange": links.key_change,
        "renewalInfo": links.renewal_info,
    }
    # Without reuse no order would take notice of an authorization made before it (DIR-03).
    if tenant.authorization_reuse:
        shown["newAuthz"] = links.new_authorization
    return {**shown, "meta": meta}


def account(entity: Account, links: Links) -> Resource:
    """Show an account (RFC 8555 §7.1.2)."""
    shown: Resource = {
        "status": entity.status.value,
        "contact": list(entity.contact),
        "orders": links.orders(entity.id),
    }
    if entity.terms_agreed_at:
        shown["termsOfServiceAgreed"] = True
    if entity.external_account_binding:
        shown["externalAccountBinding"] = entity.external_account_binding
    return shown


def order(entity: Order, authorizations: Sequence[Authorization], now: datetime, links: Links) -> Resource:
    """Show an order (RFC 8555 §7.1.3); `finalize` in every state, since clients keep it (CLQ-01)."""
    status = entity.status(authorizations, now)
    shown: Resource = {
        "status": status.value,
        "expires": moment(entity.expires),
        "identifiers": [_identifier(name.type.value, name.value) for name in entity.identifiers],
        "authorizations": [links.authorization(one) for one in entity.authorizations],
        "finalize": links.finalize(entity.id),
    }
    if entity.profile:
        shown["profile"] = entity.profile
    if entity.not_after:
        shown["notAfter"] = moment(entity.not_after)
    if entity.replaces:
        shown["replaces"] = entity.replaces
    if isinstance(entity.progress, Issued):
        shown["certificate"] = links.certificate(entity.progress.certificate_id)
    fault = entity.error(authorizations) if status is OrderStatus.INVALID else None
    if fault:
        shown["error"] = problem(fault)
    return shown


def authorization(entity: Authorization, now: datetime, links: Links) -> Resource:
    """Show an authorization (RFC 8555 §7.1.4)."""
    base = entity.identifier.base
    shown: Resource = {
        "status": entity.status(now).value,
        "expires": moment(entity.expires),
        "identifier": _identifier(base.type.value, base.value),
        "challenges": [challenge(entity, one, links) for one in entity.shown(now)],
    }
    if entity.identifier.wildcard:
        shown["wildcard"] = True
    return shown


def challenge(parent: Authorization, entity: Challenge, links: Links) -> Resource:
    """Show a challenge (RFC 8555 §7.1.5, §8)."""
    shown: Resource = {
        "type": entity.type.value,
        "url": links.challenge(parent, entity),
        "status": entity.status.value,
    }
    if entity.type is ChallengeType.DNSPERSIST01:
        shown["issuer-domain-names"] = list(entity.issuers)
        shown["accounturi"] = links.account(parent.account_id)
    else:
        shown["token"] = entity.token
    if entity.validated_at:
        shown["validated"] = moment(entity.validated_at)
    if entity.error:
        shown["error"] = problem(entity.error)
    return shown


def problem(entity: Problem) -> Resource:
    """Show a problem inside another resource (RFC 8555 §6.7)."""
    shown: Resource = msgspec.to_builtins(entity)
    return shown


def renewal_info(advice: Advice) -> Resource:
    """Show when to renew (RFC 9773 §4.2)."""
    window = {"start": moment(advice.window.start), "end": moment(advice.window.end)}
    explained = {"explanationURL": advice.explanation} if advice.explanation else {}
    return {"suggestedWindow": window, **explained}


def moment(when: datetime) -> str:
    """Write a time in whole seconds of UTC (RFC 3339); older parsers know no fractions (CLQ-08)."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _identifier(type_: str, value: str) -> Resource:
    return {"type": type_, "value": value}
