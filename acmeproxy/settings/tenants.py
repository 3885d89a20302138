"""The tables `[tenants.NAME]`: each an ACME directory, its policy and its place in Vault."""

import re
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, PlainValidator

from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.identifier import dns_name
from acmeproxy.core.ids import TenantName
from acmeproxy.core.provenance import check_tags
from acmeproxy.core.tenant import Names, Tenant, VaultPlace
from acmeproxy.settings.authority import IssuingSettings
from acmeproxy.settings.limits import LimitsSettings
from acmeproxy.settings.login import LoginSettings
from acmeproxy.settings.profiles import Profiles
from acmeproxy.settings.section import Section
from acmeproxy.settings.values import (
    Flag,
    Items,
    Lifetime,
    Link,
    NameServer,
    Networks,
    Present,
    VaultName,
    VaultNames,
)
from acmeproxy.settings.vault import VaultSettings

_NAME: Final = re.compile(r"[a-z0-9-]{1,63}")


def _tenant_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("a tenant's name is 1 to 63 lower-case letters, digits and hyphens")
    return value


def _pattern(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a pattern in quotes")  # noqa: TRY004 - pydantic collects ValueErrors only
    return "*" if value == "*" else dns_name(value)


def _challenge(value: object) -> ChallengeType:
    if value not in set(ChallengeType):
        raise ValueError(f"must be one of: {', '.join(ChallengeType)}")
    return ChallengeType(str(value))


def _some_once(value: tuple[ChallengeType, ...]) -> tuple[ChallengeType, ...]:
    if not value or len(set(value)) != len(value):
        raise ValueError("must name at least one challenge type, and none twice")
    return value


Tags = Annotated[dict[str, str], AfterValidator(check_tags)]
Name = Annotated[str, AfterValidator(_tenant_name)]
Patterns = Annotated[tuple[Annotated[str, PlainValidator(_pattern)], ...], Items]
Challenges = Annotated[
    tuple[Annotated[ChallengeType, PlainValidator(_challenge)], ...], Items, AfterValidator(_some_once)
]


class NamesSettings(Section):
    """`names`: what may be ordered. Nothing listed means nothing allowed (CFG-05)."""

    allow: Patterns = ()
    deny: Patterns = ()
    ip_ranges: Networks = ()


class TenantVaultSettings(Section):
    """`[tenants.NAME.vault]`: where certificates are signed, and as whom if not as everybody (INV-4)."""

    namespace: VaultNames = ""
    mount: Annotated[VaultNames, Present] = "pki"
    role: Annotated[VaultName, Present]
    issuer: VaultName = ""
    authority: IssuingSettings = IssuingSettings()
    login: LoginSettings | None = None


class TenantSettings(Section):
    """`[tenants.NAME]`."""

    names: NamesSettings = NamesSettings()
    wildcards: Flag = False
    challenges: Challenges = (ChallengeType.HTTP01, ChallengeType.DNS01, ChallengeType.TLSALPN01)
    resolver: NameServer | None = None
    caa: Literal["enforce", "off"] = "off"
    eab_required: Flag = False
    lifetime: Lifetime = timedelta(days=30)
    terms_of_service: Link | None = None
    website: Link | None = None
    authorization_reuse: Lifetime | None = None
    profiles: Profiles = Field(default_factory=dict)
    tags: Tags = Field(default_factory=dict)
    limits: LimitsSettings = LimitsSettings()
    vault: TenantVaultSettings

    @property
    def needs_identities(self) -> tuple[str, ...]:
        """The keys that mean nothing while this CA has no name for CAA records (abuse case CAA-08)."""
        needing = {
            "caa": self.caa == "enforce",
            "challenges": ChallengeType.DNSPERSIST01 in self.challenges,
        }
        return tuple(key for key, needs in needing.items() if needs)

    def tenant(self, name: str, vault: VaultSettings, caa_identities: tuple[str, ...] = ()) -> Tenant:
        """Return the tenant that the use cases know, its place put below that of all of `vault`."""
        namespace, mount = vault.at(self.vault.namespace, self.vault.mount)
        return Tenant(
            name=TenantName(name),
            vault=VaultPlace(
                mount=mount,
                role=self.vault.role,
                namespace=namespace,
                issuer=self.vault.issuer,
            ),
            names=Names(self.names.allow, self.names.deny, self.names.ip_ranges),
            challenges=self.challenges,
            wildcards=self.wildcards,
            eab_required=self.eab_required,
            lifetime=self.lifetime,
            terms_of_service=self.terms_of_service,
            website=self.website,
            authorization_reuse=self.authorization_reuse,
            profiles=tuple(profile.profile(key) for key, profile in self.profiles.items()),
            caa=self.caa == "enforce",
            caa_identities=caa_identities,
            limits=self.limits.allowance(),
            tags=self.tags,
        )
