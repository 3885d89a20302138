"""The table `[validation]`: how names are looked at."""

import ipaddress
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, PlainValidator

from acmeproxy.core.identifier import dns_name
from acmeproxy.settings.section import Section
from acmeproxy.settings.values import Count, HeaderText, Items, NameServer, Networks, Port, Timeout

HTTP_PORT = 80
HTTPS_PORT = 443
#: The keys that rules over several tables are about.
RULED: Final = ("http_port", "https_port", "tls_alpn_port", "caa_identities")
_MOST_IDENTITIES: Final = 10  # more may not be offered in a dns-persist-01 challenge (DPE-01)


def _identity(value: object) -> str:
    name = dns_name(value) if isinstance(value, str) else "*."
    if name.startswith("*."):
        raise ValueError("must be the name of a domain in quotes")
    return name


def _few_once(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(value) > _MOST_IDENTITIES or len(set(value)) != len(value):
        raise ValueError(f"must name at most {_MOST_IDENTITIES} domains, and none twice")
    return value


Identities = Annotated[
    tuple[Annotated[str, PlainValidator(_identity)], ...], Items, AfterValidator(_few_once)
]


class EgressSettings(Section):
    """`[validation.egress]`: the addresses to which a validation may connect; `deny` wins over `allow`."""

    allow: Networks = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))
    deny: Networks = ()


class ValidationSettings(Section):
    """`[validation]`: `timeout` is the total of one attempt, `retry_delay` the first pause, which doubles."""

    http_port: Port = HTTP_PORT
    https_port: Port = HTTPS_PORT
    tls_alpn_port: Port = HTTPS_PORT
    resolver: NameServer | None = None
    timeout: Timeout = timedelta(seconds=10)
    attempts: Count = 5
    retry_delay: Timeout = timedelta(seconds=1)
    user_agent: HeaderText = "acmeproxy"
    caa_identities: Identities = ()
    egress: EgressSettings = EgressSettings()

    @property
    def foreign_ports(self) -> tuple[str, ...]:
        """The keys whose port is not the one of RFC 8555 §8.3 and RFC 8737 §3 (HTT-19)."""
        standard = {"http_port": HTTP_PORT, "https_port": HTTPS_PORT, "tls_alpn_port": HTTPS_PORT}
        return tuple(key for key, port in standard.items() if getattr(self, key) != port)
