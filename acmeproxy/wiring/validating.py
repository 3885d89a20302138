"""What a worker looks at names with: per tenant, as each may have its own resolver."""

from collections.abc import Mapping
from functools import cache

from acmeproxy import settings
from acmeproxy.adapters.clock import utc_now
from acmeproxy.adapters.validation.caa import DnsCaa
from acmeproxy.adapters.validation.dns01 import Dns01
from acmeproxy.adapters.validation.dns_account01 import DnsAccount01
from acmeproxy.adapters.validation.dns_persist01 import DnsPersist01
from acmeproxy.adapters.validation.egress import Egress
from acmeproxy.adapters.validation.http01 import Http01
from acmeproxy.adapters.validation.resolver import Resolver
from acmeproxy.adapters.validation.tls_alpn01 import TlsAlpn01
from acmeproxy.core.challenge import ChallengeType
from acmeproxy.core.ids import TenantName
from acmeproxy.services.consent import AccountUrl, Consent
from acmeproxy.services.ports import Validator
from acmeproxy.services.stores import Owner
from acmeproxy.web.acme.links import Links


def validators(given: settings.Settings) -> Mapping[TenantName, Mapping[ChallengeType, Validator]]:
    """Build every tenant's validators; those with the same resolver share theirs."""
    shared = cache(lambda server: _validators(given, _resolver(given, server)))
    return {TenantName(name): shared(_server(given, name)) for name in given.tenants}


def consent(given: settings.Settings) -> Consent:
    """Build what asks domains' owners, for the tenants that want it asked."""
    validation = given.validation
    asked = {
        TenantName(name): DnsCaa(
            _resolver(given, _server(given, name)), validation.caa_identities, validation.timeout
        )
        for name, tenant in given.tenants.items()
        if tenant.caa == "enforce"
    }
    return Consent(asked, account_url(given))


def account_url(given: settings.Settings) -> AccountUrl:
    """Return what makes the URL of an account, to the byte as clients have it."""

    def url(owner: Owner) -> str:
        return Links.of(given.server.public_url, owner.tenant).account(owner.account)

    return url


def _validators(given: settings.Settings, resolver: Resolver) -> Mapping[ChallengeType, Validator]:
    validation, listen = given.validation, given.server.listen
    egress = Egress(validation.egress.allow, validation.egress.deny, ((listen.host, listen.port),))
    built: tuple[Validator, ...] = (
        Http01(
            resolver=resolver,
            egress=egress,
            timeout=validation.timeout,
            user_agent=validation.user_agent,
            http_port=validation.http_port,
            https_port=validation.https_port,
        ),
        TlsAlpn01(
            resolver=resolver, egress=egress, timeout=validation.timeout, port=validation.tls_alpn_port
        ),
        Dns01(resolver),
        DnsAccount01(resolver),
        DnsPersist01(resolver, utc_now),
    )
    return {validator.type: validator for validator in built}


def _server(given: settings.Settings, tenant: str) -> settings.Address | None:
    return given.tenants[tenant].resolver or given.validation.resolver


def _resolver(given: settings.Settings, server: settings.Address | None) -> Resolver:
    return Resolver((server.host, server.port) if server else None, given.validation.timeout / 2)
