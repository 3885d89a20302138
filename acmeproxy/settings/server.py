"""The tables `[server]` and `[log]`."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import PlainValidator, ValidationInfo, field_validator

from acmeproxy.settings.address import Address, parse_url, root_url
from acmeproxy.settings.section import Section
from acmeproxy.settings.values import Capacity, Flag, Listen, PrivatePath, PublicPath, Wait

Mode = Literal["production", "development"]


class TlsSettings(Section):
    """`[server.tls]`: the server's own certificate chain and key, both PEM."""

    certificate: PublicPath
    key: PrivatePath


class ServerSettings(Section):
    """`[server]`: where to listen, and the one name under which clients know us (CFG-02, CFG-03)."""

    mode: Mode = "production"
    allow_insecure_listen: Flag = False
    tls: TlsSettings | None = None
    listen: Listen = Address("127.0.0.1", 8443)
    public_url: Annotated[str, PlainValidator(lambda value: root_url(parse_url(value, "https", "http")))]
    challenge_wait: Wait = timedelta(seconds=1)
    finalize_wait: Wait = timedelta(seconds=2)
    revoke_wait: Wait = timedelta(seconds=10)
    shutdown_timeout: Wait = timedelta(seconds=30)
    max_requests: Capacity = 1000

    @field_validator("listen")
    @classmethod
    def _not_in_the_open(cls, listen: Address, others: ValidationInfo) -> Address:
        if listen.loopback:
            return listen
        if others.data.get("mode") == "development":
            raise ValueError("development mode listens on loopback only")
        if "tls" in others.data and not others.data["tls"] and not others.data.get("allow_insecure_listen"):
            raise ValueError(
                "plain HTTP beyond loopback: give server.tls.certificate and key, or, behind a proxy that "
                "terminates TLS, set server.allow_insecure_listen = true"
            )
        return listen

    @field_validator("public_url")
    @classmethod
    def _https(cls, url: str, others: ValidationInfo) -> str:
        if url.startswith("http:") and others.data.get("mode") == "production":
            raise ValueError("must begin with https:// unless server.mode is development")
        return url


class LogSettings(Section):
    """`[log]`: how much is told, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"
