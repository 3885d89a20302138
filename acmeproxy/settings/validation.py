"""The table `[validation]`: how names are looked at."""

import ipaddress
from datetime import timedelta

from acmeproxy.settings.section import Section
from acmeproxy.settings.values import Count, HeaderText, NameServer, Networks, Port, Timeout

HTTP_PORT = 80
HTTPS_PORT = 443


class EgressSettings(Section):
    """`[validation.egress]`: the addresses to which a validation may connect; `deny` wins over `allow`."""

    allow: Networks = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))
    deny: Networks = ()


class ValidationSettings(Section):
    """`[validation]`: `timeout` is the total of one attempt, `retry_delay` the first pause, which doubles."""

    http_port: Port = HTTP_PORT
    https_port: Port = HTTPS_PORT
    resolver: NameServer | None = None
    timeout: Timeout = timedelta(seconds=10)
    attempts: Count = 5
    retry_delay: Timeout = timedelta(seconds=1)
    user_agent: HeaderText = "acmeproxy"
    egress: EgressSettings = EgressSettings()

    @property
    def foreign_ports(self) -> tuple[str, ...]:
        """The keys whose port is not the one of RFC 8555 §8.3 (HTT-19)."""
        standard = {"http_port": HTTP_PORT, "https_port": HTTPS_PORT}
        return tuple(key for key, port in standard.items() if getattr(self, key) != port)
