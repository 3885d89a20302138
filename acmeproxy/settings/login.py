"""The tables `[vault.login]` and `[tenants.NAME.vault.login]`: who we are for Vault."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, PlainValidator, model_validator

from acmeproxy.settings.address import is_loopback, parse_url, root_url
from acmeproxy.settings.section import RefusedError, Section
from acmeproxy.settings.values import (
    FileSecret,
    Flag,
    HeaderText,
    Present,
    PrivatePath,
    PublicPath,
    Secret,
    VaultName,
    VaultNames,
)

Method = Literal["token", "approle", "kubernetes", "jwt", "cert", "aws", "agent"]
_ROLE: Final = ("mount", "namespace", "role")
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "token": ("token",),
    "approle": ("role_id", "secret_id", "wrapped", *_ROLE),
    "kubernetes": ("jwt_file", *_ROLE),
    "jwt": ("jwt_file", *_ROLE),
    "cert": ("certificate", "key", *_ROLE),
    "aws": ("region", "server_id", *_ROLE),
    "agent": ("address",),
}
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "token": ("token",),
    "approle": ("role_id", "secret_id"),
    "kubernetes": ("role",),
    "jwt": ("jwt_file",),
    "cert": ("certificate", "key"),
}
#: Where the kubelet puts the token of a pod's service account.
_SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_REGION: Final = re.compile(r"[a-z]{2,4}(-[a-z0-9]{1,16}){1,4}")


def _region(value: str) -> str:
    if not _REGION.fullmatch(value):
        raise ValueError("must be the name of an AWS region such as eu-central-1")
    return value


def _listener(value: object) -> str:
    """Take what answers in the agent's name: not somebody on the way."""
    address = root_url(parse_url(value, "https", "http"))
    parts = urlsplit(address)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must be on loopback, or https://")
    return address


class LoginSettings(Section):
    """One login. Without `method`, a role or secret id means approle and anything else a token.

    A key of another method is a mistake, but for `token`: operators have one in their environment.
    """

    method: Method = "token"
    mount: Annotated[VaultNames, Present] | None = None
    namespace: VaultNames | None = None
    role: Annotated[VaultName, Present] | None = None
    role_id: Annotated[str, Present] | None = None
    secret_id: Secret | None = None
    wrapped: Flag = False
    token: Secret | None = None
    jwt_file: PublicPath | None = None
    certificate: PublicPath | None = None
    key: PrivatePath | None = None
    region: Annotated[str, AfterValidator(_region)] | None = None
    server_id: HeaderText | None = None
    address: Annotated[str, PlainValidator(_listener)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, given: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
        """Add what follows from what is given: the method, and the customary places of a method."""
        if not isinstance(given, dict):
            return given
        method = given.get("method", "approle" if {"role_id", "secret_id"} & given.keys() else "token")
        keys = _KEYS.get(method, ()) if isinstance(method, str) else ()
        places = {"mount": method} if "mount" in keys else {}
        if method == "kubernetes":
            places["jwt_file"] = _SERVICE_ACCOUNT
        return {**places, **given, "method": method}

    @model_validator(mode="after")
    def _of_one_method(self) -> "LoginSettings":
        known = _KEYS[self.method]
        if foreign := sorted(self.model_fields_set - {"method", "token", *known}):
            raise RefusedError(f"is no key of method {self.method}, which has {', '.join(known)}", *foreign)
        return self

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys without which nobody can log in; the web role needs none of them."""
        return tuple(key for key in _NEEDED.get(self.method, ()) if getattr(self, key) is None)

    def file_of(self, key: Literal["token", "secret_id"]) -> Path | None:
        """Return the file that a secret is in, to be read again: another may be in it by then."""
        value = getattr(self, key)
        return value.path if isinstance(value, FileSecret) else None
