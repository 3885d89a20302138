"""The table `[vault]`."""

from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import PlainValidator, ValidationInfo, field_validator

from acmeproxy.settings.address import is_loopback, parse_url, root_url
from acmeproxy.settings.authority import AuthoritySettings
from acmeproxy.settings.login import LoginSettings
from acmeproxy.settings.section import Section
from acmeproxy.settings.values import Count, Flag, PublicPath, Timeout, VaultNames


class VaultSettings(Section):
    """`[vault]`: the server, the limits of asking it, and the login of tenants that have none of their own.

    `roots` is a PEM bundle of the roots to which every issued certificate must lead (INV-2). `namespace` is
    put before each tenant's. `max_request_duration` is the server's own setting of that name:
    after it, a request whose answer was lost has been carried out or never will be. `layout` says whether
    the server has namespaces, or they are put before the mounts instead. `unsafe` is what a start makes of a
    token or a role that can do too much.
    """

    allow_insecure: Flag = False
    address: Annotated[str, PlainValidator(lambda value: root_url(parse_url(value, "https", "http")))]
    ca: PublicPath | None = None
    roots: PublicPath | None = None
    namespace: VaultNames = ""
    timeout: Timeout = timedelta(seconds=15)
    max_request_duration: Timeout = timedelta(seconds=90)
    max_in_flight: Count = 8
    layout: Literal["namespaces", "paths"] = "namespaces"
    unsafe: Literal["warn", "refuse"] = "warn"
    authority: AuthoritySettings = AuthoritySettings()
    login: LoginSettings = LoginSettings()

    def at(self, namespace: str, path: str = "") -> tuple[str, str]:
        """Return the namespace to name in requests, and a mount of it, below `vault.namespace`."""
        whole = "/".join(filter(None, (self.namespace, namespace)))
        return (whole, path) if self.layout == "namespaces" else ("", "/".join(filter(None, (whole, path))))

    @field_validator("address")
    @classmethod
    def _https(cls, address: str, others: ValidationInfo) -> str:
        parts = urlsplit(address)
        insecure = parts.scheme == "http" and not is_loopback(parts.hostname or "")
        if insecure and not others.data.get("allow_insecure"):
            raise ValueError("beyond loopback must be https://, or set vault.allow_insecure = true")
        return address
