"""A role: every field with an unsafe default said, and what it allows is what the tenant needs (VLT-08)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from acmeproxy.adapters.vault.doctor.case import Case, Use
from acmeproxy.adapters.vault.doctor.commands import Value, hours
from acmeproxy.adapters.vault.doctor.names import domain_findings
from acmeproxy.adapters.vault.producer.roles import key_fields
from acmeproxy.core.profile import KEY_KINDS
from acmeproxy.services.findings import Finding, Level, failed, or_passed, warned

_BACKDATED: Final = timedelta(hours=1)
_WANTED_USAGES: Final = frozenset({"ServerAuth", "ClientAuth"})


class _Rule(msgspec.Struct, frozen=True):
    field: str
    why: str
    wanted: bool = False
    level: Level = Level.FAIL


_RULES: Final = (
    _Rule("allow_any_name", "it signs all names"),
    _Rule("allow_glob_domains", "it signs names by patterns"),
    _Rule("allow_localhost", "it signs localhost, which nobody can prove to be his"),
    _Rule("enforce_hostnames", "it signs names that are none of a host", wanted=True),
    _Rule("use_csr_sans", "it takes the names from the request and not from the order"),
    _Rule("use_csr_common_name", "it takes a name from the request's subject"),
    _Rule("require_cn", "it refuses requests without a common name, which acmeproxy never sends"),
    _Rule("server_flag", "its certificates are not for TLS servers, and would be refused", wanted=True),
    _Rule("client_flag", "its certificates are for TLS clients too", level=Level.WARN),
    _Rule("code_signing_flag", "its certificates may sign code"),
    _Rule("email_protection_flag", "its certificates may sign mail"),
    _Rule("generate_lease", "a certificate is revoked when the token that asked for it ends"),
)


async def examine(case: Case, use: Use, role: Mapping[str, Any] | None) -> Sequence[Finding]:
    """Hold a role, `None` for one that nobody sees, against what the tenant needs.

    Raises:
        UnansweredError: There is no answer.
    """
    subject = case.about(f"role {use.place.mount}/{use.place.role}")
    if role is None:
        text = "it is not there, or neither the tenant's token nor vault.login may read it"
        return (failed(subject, text, "acmeproxy vault apply"),)
    found = [*evaluate(case, use, role), *await _issuer(case, use, role)]
    kept = "kept in the store" if use.store else "kept by acmeproxy alone"
    return or_passed(found, subject, f"it signs the order's names and no others, {kept}")


def evaluate(case: Case, use: Use, role: Mapping[str, Any]) -> Sequence[Finding]:
    """Return what is wrong with a role as Vault shows it; a field that a product lacks is no fault."""
    desk = _Desk(case, use, role)
    return [
        *desk.switches(),
        *desk.store(),
        *desk.ends(),
        *desk.usages(),
        *desk.keys(),
        *desk.addresses(),
        *domain_findings(case, role, desk.subject, desk.patch),
    ]


class _Desk:
    """Where one role is looked at."""

    def __init__(self, case: Case, use: Use, role: Mapping[str, Any]) -> None:
        self._case = case
        self._use = use
        self._role = role
        self._path = f"{use.place.mount}/roles/{use.place.role}"
        # A mend is for everything that is asked of the role, or the next one would undo it.
        self._beside = [one for one in case.uses if one.place.role == use.place.role] or [use]
        self.subject = case.about(f"role {use.place.mount}/{use.place.role}")

    def patch(self, **fields: Value) -> str:
        return self._case.commands.patch(self._path, **fields)

    def switches(self) -> Iterator[Finding]:
        for rule in _RULES:
            if rule.field == "allow_any_name" and "*" in self._case.tenant.names.allow:
                # What the tenant lets be ordered; whom it lets, is looked at elsewhere.
                continue
            value = self._role.get(rule.field, rule.wanted)
            if value is not rule.wanted:
                text = f"{rule.field}={'true' if value else 'false'}: {rule.why}"
                yield Finding(rule.level, self.subject, text, self.patch(**{rule.field: rule.wanted}))

    def store(self) -> Iterator[Finding]:
        no_store = self._role.get("no_store") is True
        if no_store and self._use.store:
            text = "no_store=true: a certificate whose answer was lost can never be found again"
            yield failed(self.subject, text, self.patch(no_store=False))
        elif not no_store and not self._use.store:
            text = "no_store=false: the profile says that Vault keeps nothing, and it keeps everything"
            yield warned(self.subject, text, self.patch(no_store=True))

    def ends(self) -> Iterator[Finding]:
        bound = self._role.get("not_after_bound", "ttl-limited")
        if bound == "forbid":
            text = "not_after_bound=forbid: orders that ask for an end of their own are refused"
            yield warned(self.subject, text, self.patch(not_after_bound="ttl-limited"))
        elif bound != "ttl-limited":
            text = f"not_after_bound={bound}: who may sign may exceed max_ttl"
            yield failed(self.subject, text, self.patch(not_after_bound="ttl-limited"))
        longest = _seconds(self._role.get("max_ttl"))
        wanted = self._use.lifetime
        most = max(one.lifetime for one in self._beside)
        if not longest:
            text = "max_ttl is not set: only the mount limits how long its certificates live"
            yield failed(self.subject, text, self.patch(ttl=most, max_ttl=most))
        elif longest < wanted:
            text = f"max_ttl is {hours(longest)} and the tenant promises {hours(wanted)}"
            yield failed(self.subject, text, self.patch(ttl=most, max_ttl=most))
        if _seconds(self._role.get("not_before_duration")) > _BACKDATED:
            text = "not_before_duration is more than an hour: acmeproxy refuses what begins so early"
            yield failed(self.subject, text, self.patch(not_before_duration=60))

    def usages(self) -> Iterator[Finding]:
        usages = _strings(self._role.get("key_usage"))
        kinds = self._use.keys or KEY_KINDS
        foreign = [usage for usage in usages if usage in {"KeyEncipherment", "KeyAgreement"}]
        if foreign and set(kinds) - {"RSA"}:
            text = f"key_usage has {', '.join(foreign)}, which certificates of EC keys must not have"
            yield failed(self.subject, text, self.patch(key_usage="DigitalSignature"))
        elif "DigitalSignature" not in usages:
            text = "key_usage lacks DigitalSignature, which TLS needs"
            yield failed(self.subject, text, self.patch(key_usage="DigitalSignature"))
        more = set(_strings(self._role.get("ext_key_usage"))) - _WANTED_USAGES
        if more or self._role.get("ext_key_usage_oids"):
            text = "ext_key_usage names purposes beside TLS: acmeproxy refuses such certificates"
            yield failed(self.subject, text, self.patch(ext_key_usage="", ext_key_usage_oids=""))

    def keys(self) -> Iterator[Finding]:
        refused = [kind for kind in self._use.keys or KEY_KINDS if not takes(self._role, kind)]
        if not refused:
            return
        kinds = {kind for one in self._beside for kind in one.keys or KEY_KINDS}
        mend = self.patch(**key_fields(kinds))
        key_type = f"key_type={self._role.get('key_type')}"
        if self._use.keys:
            yield failed(self.subject, f"{key_type}: it refuses keys that are offered: {refused[0]}", mend)
        elif len(refused) == len(KEY_KINDS):
            yield failed(self.subject, f"{key_type}: no ACME client has keys that it takes", mend)
        else:
            text = f"{key_type}: it refuses keys that no profile rules out: {', '.join(refused)}"
            yield warned(self.subject, text, mend)

    def addresses(self) -> Iterator[Finding]:
        ranges = [str(network) for network in self._case.tenant.names.ip_ranges]
        allowed = self._role.get("allow_ip_sans") is True
        if allowed and not ranges:
            text = "allow_ip_sans=true: the tenant has no certificates for addresses"
            yield failed(self.subject, text, self.patch(allow_ip_sans=False))
        elif ranges and not allowed:
            text = "allow_ip_sans=false: the tenant's ip_ranges can never be signed"
            yield failed(self.subject, text, self._with_ranges(ranges))
        elif ranges and "allowed_ip_sans_cidr" in self._role:
            limits = _strings(self._role["allowed_ip_sans_cidr"])
            if not limits:
                text = "allow_ip_sans=true without allowed_ip_sans_cidr: it signs all addresses"
                yield failed(self.subject, text, self._with_ranges(ranges))
            elif set(limits) != set(ranges):
                text = "allowed_ip_sans_cidr is not the tenant's names.ip_ranges"
                yield warned(self.subject, text, self._with_ranges(ranges))

    def _with_ranges(self, ranges: Sequence[str]) -> str:
        if "allowed_ip_sans_cidr" in self._role:
            return self.patch(allow_ip_sans=True, allowed_ip_sans_cidr=ranges)
        return self.patch(allow_ip_sans=True)


def takes(role: Mapping[str, Any], kind: str) -> bool:
    """Tell whether a role takes a kind of key; `key_bits` of an EC role is a minimum (vault.md §2)."""
    key_type, bits = role.get("key_type", "any"), role.get("key_bits") or 0
    match kind:
        case "RSA":
            return key_type in {"any", "rsa"}
        case "Ed25519":
            return key_type in {"any", "ed25519"}
    return key_type == "any" or (key_type == "ec" and int(kind.removeprefix("P-")) >= (bits or 256))


def issuer_of(use: Use, role: Mapping[str, Any] | None) -> str:
    """Return the reference of the issuer that signs: the profile's, or the role's own."""
    return use.place.issuer or str((role or {}).get("issuer_ref") or "default")


async def _issuer(case: Case, use: Use, role: Mapping[str, Any]) -> Sequence[Finding]:
    """See that the issuer it names is there: a sign would be answered with 500."""
    if use.place.issuer:
        return ()
    reference = issuer_of(use, role)
    heard = await case.openly(f"{use.place.mount}/issuer/{reference}/json")
    if heard.members.get("data"):
        return ()
    subject = case.about(f"role {use.place.mount}/{use.place.role}")
    text = f"issuer_ref={reference}: the mount has no such issuer, and signing fails"
    mend = case.commands.patch(f"{use.place.mount}/roles/{use.place.role}", issuer_ref="default")
    return (failed(subject, text, mend),)


def _seconds(value: object) -> timedelta:
    return timedelta(seconds=value) if isinstance(value, int) else timedelta()


def _strings(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
