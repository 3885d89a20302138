"""The table `[redis]`."""

from datetime import timedelta
from typing import Final, Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import SecretStr, ValidationInfo, field_validator

from acmeproxy.settings.address import is_loopback
from acmeproxy.settings.section import Section
from acmeproxy.settings.values import Flag, Secret, Timeout

# Others could switch off the check of the server's certificate, or change what the adapter relies on.
_QUERY: Final = frozenset({"db", "username", "password", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})


class RedisSettings(Section):
    """`[redis]`: the state. The URL may hold a password and is a secret for that (CFG-03)."""

    allow_insecure: Flag = False
    url: Secret
    password: Secret | None = None
    durability: Literal["auto", "fsync", "none"] = "auto"
    timeout: Timeout = timedelta(seconds=2)

    @field_validator("url")
    @classmethod
    def _safe(cls, url: SecretStr, others: ValidationInfo) -> SecretStr:
        parts = _split(url.get_secret_value())
        if not {name for name, _ in parse_qsl(parts.query)} <= _QUERY:
            raise ValueError(f"may have only these in its query: {', '.join(sorted(_QUERY))}")
        insecure = parts.scheme == "redis" and not is_loopback(parts.hostname or "localhost")
        if insecure and not others.data.get("allow_insecure"):
            raise ValueError("beyond loopback must be rediss://, or set redis.allow_insecure = true")
        return url

    @field_validator("password")
    @classmethod
    def _one_password(cls, password: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        if password and "url" in others.data and holds_password(others.data["url"].get_secret_value()):
            raise ValueError("is in redis.url too: give it once")
        return password


def holds_password(url: str) -> bool:
    """Whether a Redis URL is more than an address; what cannot be split is taken to be a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    return parts.password is not None or "password" in dict(parse_qsl(parts.query))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("must be a redis://, rediss:// or unix:// URL") from None
    if parts.scheme not in {"redis", "rediss", "unix"} or parts.fragment:
        raise ValueError("must be a redis://, rediss:// or unix:// URL")
    if parts.scheme == "unix" and not parts.path.startswith("/"):
        raise ValueError("must be unix:// and the absolute path of the socket")
    return parts
