"""What a Vault role allows, told before Vault is asked: a preview, and never stricter than Vault.

Evaluated as OpenBao 2.7 does it, which a test compares. Where Vault did not tell something, told it in a way
that we do not know, or decides by what we cannot see (templates, the token's name), the preview lets through.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from acmeproxy.core.identifier import Identifier, IdentifierType

_LABEL: Final = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?")
_WILD_LABEL: Final = re.compile(r"(?:[a-zA-Z0-9-]*\*[a-zA-Z0-9-]*)")
_LOCAL: Final = ("localhost", "localdomain")
_KINDS: Final = frozenset({"rsa", "ec", "ed25519", "mldsa"})
#: The least bits of a key where a role says 0.
_LEAST_BITS: Final = {"rsa": 2048, "ec": 256}
#: The least bits where it takes any kind of key, whatever else it says.
_LEAST_OF_ANY: Final = {"rsa": 2048, "ec": 224}
_SHOWN: Final = 5
#: Seconds of a thousand years; nobody can count with more.
_LARGEST: Final = 31_536_000_000


class Role(msgspec.Struct, frozen=True, omit_defaults=True):
    """A role as Vault tells it; `None` is what it did not tell, or not in a way that we know.

    `ttl` and `max_ttl` are in seconds, 0 for the mount's. `not_after_bound` is OpenBao's: `permit`,
    `ttl-limited`, `forbid` or an instant in RFC 3339.
    """

    name: str
    allowed_domains: tuple[str, ...] | None = None
    allowed_domains_template: bool | None = None
    allow_bare_domains: bool | None = None
    allow_subdomains: bool | None = None
    allow_wildcard_certificates: bool | None = None
    allow_glob_domains: bool | None = None
    allow_any_name: bool | None = None
    allow_localhost: bool | None = None
    allow_token_displayname: bool | None = None
    allow_ip_sans: bool | None = None
    allowed_ip_sans_cidr: tuple[str, ...] | None = None
    enforce_hostnames: bool | None = None
    require_cn: bool | None = None
    use_csr_common_name: bool | None = None
    use_csr_sans: bool | None = None
    key_type: str | None = None
    key_bits: int | None = None
    ttl: int | None = None
    max_ttl: int | None = None
    not_after_bound: str | None = None
    no_store: bool | None = None
    no_store_metadata: bool | None = None
    issuer_ref: str | None = None

    def refuses(self, identifier: Identifier) -> str | None:
        """Return the rule by which a name or an address is refused, as what follows `vault role NAME`."""
        if identifier.type is IdentifierType.IP:
            return self._refuses_address(identifier.value)
        return self._refuses_name(identifier.value)

    def refuses_key(self, key: object) -> str | None:
        """Return the rule by which a public key is refused; kinds that we do not know are let through."""
        match key:
            case rsa.RSAPublicKey():
                kind, bits = "rsa", key.key_size
            case ec.EllipticCurvePublicKey():
                kind, bits = "ec", key.curve.key_size
            case ed25519.Ed25519PublicKey():
                kind, bits = "ed25519", 0
            case _:
                return None
        if self.key_type == "any":
            least = _LEAST_OF_ANY.get(kind, 0)
        elif self.key_type not in _KINDS:
            return None
        elif self.key_type != kind:
            return f"takes keys of type {self.key_type} only (key_type = {self.key_type})"
        else:
            least = max(self.key_bits or _LEAST_BITS.get(kind, 0), _LEAST_OF_ANY.get(kind, 0))
        if bits >= least or (self.key_type != "any" and self.key_bits is None):
            return None
        return f"takes {kind} keys of at least {least} bits (key_bits = {self.key_bits or 0})"

    def refuses_subject(self, *, common_name: bool) -> str | None:
        """Return the rule by which a CSR with or without a common name is refused.

        A role that wants one and does not take the CSR's is a mistake of the operator's, not of the client's.
        """
        if self.require_cn and self.use_csr_common_name and not common_name:
            return "wants a common name in the CSR (require_cn = true)"
        return None

    def refuses_end(self, end: datetime, now: datetime) -> str | None:
        """Return the rule by which a certificate that is signed now and ends then is refused."""
        match self.not_after_bound:
            case None | "permit":
                return None
            case "forbid":
                return "does not let an order choose notAfter (not_after_bound = forbid)"
            case "ttl-limited":
                # Where a role has a ttl, OpenBao takes that and not the larger max_ttl.
                longest = min(filter(None, (self.ttl, self.max_ttl)), default=None)
                if longest is None or end - now <= timedelta(seconds=longest):
                    return None
                return f"has certificates for at most {longest} seconds (not_after_bound = ttl-limited)"
            case bound:
                latest = _instant(bound)
                return None if latest is None or end <= latest else f"ends at {bound} (not_after_bound)"

    def _refuses_address(self, address: str) -> str | None:
        if self.allow_ip_sans is False:
            return "does not allow addresses (allow_ip_sans = false)"
        try:
            ranges = [ipaddress.ip_network(text, strict=False) for text in self.allowed_ip_sans_cidr or ()]
            inside = any(ipaddress.ip_address(address) in network for network in ranges)
        except ValueError:
            return None
        return None if inside or not ranges else f"allows addresses in {_some(map(str, ranges))} only"

    def _refuses_name(self, name: str) -> str | None:
        wild = "*" in name
        if wild and self.allow_wildcard_certificates is False:
            return "does not allow wildcards (allow_wildcard_certificates = false)"
        label, _, rest = name.partition(".") if wild else ("", "", name)
        if "*" in rest or label.count("*") > 1:
            return "allows one wildcard, in the first label"
        if self.enforce_hostnames and not (
            (not rest or _is_host(rest)) and (not wild or _WILD_LABEL.fullmatch(label))
        ):
            return "allows host names only (enforce_hostnames = true)"
        if self._lets_through or self._allows_local(rest, wild=wild):
            return None
        domains = [domain.lower() for domain in self.allowed_domains or () if domain]
        name, rest = name.lower(), rest.lower()
        if any(self._allows(domain, name, rest, wild=wild) for domain in domains):
            return None
        return self._rule(domains, name, rest, wild=wild)

    @property
    def _lets_through(self) -> bool:
        """Whether any host name may be allowed, as far as we know."""
        return (
            self.allow_any_name is not False
            or self.allowed_domains is None
            or self.allow_token_displayname is not False
            # Written so that a role of an older server, which does not tell, is one without templates.
            or (bool(self.allowed_domains_template) and any("{{" in d for d in self.allowed_domains))
        )

    def _allows_local(self, rest: str, *, wild: bool) -> bool:
        if self.allow_localhost is False:
            return False
        return rest in _LOCAL or (
            self.allow_subdomains is not False and any(_below(rest, d, wild=wild) for d in _LOCAL)
        )

    def _allows(self, domain: str, name: str, rest: str, *, wild: bool) -> bool:
        """Tell whether one of the role's domains allows a name.

        Case is no matter: OpenBao tells cases apart and Vault need not.
        """
        return (
            (self.allow_bare_domains is not False and name == domain)
            or (self.allow_subdomains is not False and _below(rest, domain, wild=wild))
            or (self.allow_glob_domains is not False and _globs(domain, name))
        )

    def _rule(self, domains: list[str], name: str, rest: str, *, wild: bool) -> str:
        """Say which rule would have to be another one."""
        if self.allow_localhost is False and (
            rest in _LOCAL or any(_below(rest, d, wild=wild) for d in _LOCAL)
        ):
            return "does not allow localhost (allow_localhost = false)"
        if name in domains:
            return "does not allow bare domains (allow_bare_domains = false)"
        if any(_below(rest, domain, wild=wild) for domain in domains):
            return "does not allow subdomains (allow_subdomains = false)"
        if any(_globs(domain, name) for domain in domains):
            return "does not take its domains as patterns (allow_glob_domains = false)"
        return f"allows other domains only (allowed_domains = {_some(domains)})"


def read(name: str, told: Mapping[str, Any]) -> Role:
    """Take what Vault told of a role; a value of another type than expected counts as not told."""
    return Role(
        name,
        **{
            field.name: value
            for field in msgspec.structs.fields(Role)
            if field.name != "name" and (value := _value(field.type, told.get(field.name))) is not None
        },
    )


def _value(wanted: Any, given: object) -> Any:  # noqa: ANN401 - a type, and a value of it
    """Return a value of a field's type, or `None`; lists may be words with commas between them."""
    if given is None:
        return None
    if isinstance(given, str) and wanted == tuple[str, ...] | None:
        given = [word for word in given.split(",") if word]
    try:
        value = msgspec.convert(given, wanted)
    except msgspec.ValidationError:
        return None
    return None if isinstance(value, int) and abs(value) > _LARGEST else value


def _is_host(name: str) -> bool:
    return bool(_HOST.fullmatch(name)) and all(len(label) <= 63 for label in name.split("."))  # noqa: PLR2004 - RFC 1035 §2.3.4


def _below(rest: str, domain: str, *, wild: bool) -> bool:
    """Tell whether a name is below a domain; of a wildcard, `rest` is what follows its first label."""
    return rest.endswith(f".{domain}") or (wild and rest == domain)


def _globs(domain: str, name: str) -> bool:
    """Tell whether a domain with stars in it, each for any characters and dots too, matches a name."""
    return "*" in domain and bool(re.fullmatch(".*".join(map(re.escape, domain.split("*"))), name))


def _some(things: Iterable[str]) -> str:
    listed = list(things)
    more = ", ..." if len(listed) > _SHOWN else ""
    return (", ".join(listed[:_SHOWN]) or "none") + more


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else None
