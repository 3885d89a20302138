"""All settings, and the list of their keys."""

import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, BaseModel, PrivateAttr, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from acmeproxy.core.ids import TenantName
from acmeproxy.core.tenant import Tenant
from acmeproxy.settings.login import LoginSettings
from acmeproxy.settings.mistake import Mistake, Path, SettingsError
from acmeproxy.settings.redis import RedisSettings
from acmeproxy.settings.section import RefusedError, Section
from acmeproxy.settings.server import LogSettings, ServerSettings
from acmeproxy.settings.tenants import Name, TenantSettings
from acmeproxy.settings.validation import ValidationSettings
from acmeproxy.settings.values import PrivateFile
from acmeproxy.settings.vault import VaultSettings

ANY_NAME = "NAME"
ANY_PROFILE = "PROFILE"
_PLACEHOLDERS = {"tenants": ANY_NAME, "profiles": ANY_PROFILE}


class Key(msgspec.Struct, frozen=True):
    """A key that may be set: its path (`NAME` stands for a tenant's), and how its value is treated."""

    path: Path
    secret: bool = False
    file: bool = False
    private: bool = False

    @property
    def from_file(self) -> bool:
        """Whether `<key>_file` may name a file that holds the value; a role id lies beside its secret id."""
        return self.secret or self.path[-1] == "role_id"


def _some(tenants: dict[str, TenantSettings]) -> dict[str, TenantSettings]:
    if not tenants:
        raise ValueError("at least one tenant is needed: [tenants.NAME.vault] with a role")
    return tenants


class Settings(BaseSettings):
    """Everything an operator decides, frozen; made by `acmeproxy.settings.load`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    server: ServerSettings
    log: LogSettings = LogSettings()
    redis: RedisSettings
    vault: VaultSettings
    validation: ValidationSettings = ValidationSettings()
    tenants: Annotated[dict[Name, TenantSettings], AfterValidator(_some)]

    _origins: Mapping[Path, str] = PrivateAttr(default_factory=dict)
    _awaited: Mapping[Path, FilePath] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' hook
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load` has layered only: its layers know where each value is written."""
        return (init_settings,)

    @field_validator("validation")
    @classmethod
    def _standard_ports(cls, validation: ValidationSettings, others: ValidationInfo) -> ValidationSettings:
        server = others.data.get("server")
        if validation.foreign_ports and server and server.mode != "development":
            raise RefusedError(
                "may be another than RFC 8555's only with server.mode = development",
                *validation.foreign_ports,
            )
        return validation

    @field_validator("tenants")
    @classmethod
    def _named_in_caa(
        cls, tenants: dict[str, TenantSettings], others: ValidationInfo
    ) -> dict[str, TenantSettings]:
        validation = others.data.get("validation")
        keys = [f"{name}.{key}" for name, tenant in tenants.items() for key in tenant.needs_identities]
        if validation and not validation.caa_identities and keys:
            raise RefusedError("needs validation.caa_identities: the names that mean this CA", *keys)
        return tenants

    def with_origins(self, origins: Mapping[Path, str]) -> "Settings":
        """Return these settings, knowing where each value was written."""
        settings = self.model_copy()
        settings._origins = dict(origins)  # noqa: SLF001 - a copy of this very class
        return settings

    def with_awaited(self, awaited: Mapping[Path, FilePath]) -> "Settings":
        """Return these settings, knowing which values are in files that are not there yet."""
        settings = self.model_copy()
        settings._awaited = dict(awaited)  # noqa: SLF001 - a copy of this very class
        return settings

    def awaited(self, path: Path) -> FilePath | None:
        """Return the file in which a value will be, if it is not there yet: then it stands for nothing."""
        return self._awaited.get(path)

    def origin(self, path: Path) -> str:
        """Return where a value was written: `FILE:LINE`, a variable, `command line`, or `default`."""
        return self._origins.get(path, "default")

    def tenant_values(self) -> dict[TenantName, Tenant]:
        """Return the tenants as the use cases know them."""
        return {
            TenantName(name): tenant.tenant(name, self.vault, self.validation.caa_identities)
            for name, tenant in self.tenants.items()
        }

    def login(self, tenant: str) -> LoginSettings:
        """Return how to log in for a tenant: as itself, or as everybody; its mount as Vault has it."""
        own = self.tenants[tenant].vault
        return self._laid_out(own.login or self.vault.login, own.namespace)

    def reader_login(self) -> LoginSettings:
        """Return how to log in, above the tenants, as who reads what all of them rely on."""
        login = self._laid_out(self.vault.login, "")
        if not login.mount or login.namespace is not None or self.vault.layout == "paths":
            return login
        return login.model_copy(update={"namespace": self.vault.namespace})

    def _laid_out(self, login: LoginSettings, namespace: str) -> LoginSettings:
        if not login.mount or self.vault.layout == "namespaces":
            return login
        above = self.vault.at(namespace)[1] if login.namespace is None else login.namespace
        mount = "/".join(filter(None, (above, login.mount)))
        return login.model_copy(update={"mount": mount, "namespace": None})

    def missing_credentials(self) -> tuple[Mistake, ...]:
        """Return what a worker, and nobody else, needs for logging in to Vault and was not given."""
        keys = dict.fromkeys(
            f"{'vault' if tenant.vault.login is None else f'tenants.{name}.vault'}.login.{key}"
            for name, tenant in self.tenants.items()
            for key in self.login(name).missing
        )
        return tuple(Mistake("settings", key, "is required where certificates are signed") for key in keys)

    def require_credentials(self) -> None:
        """Check that a worker can log in to Vault for every tenant.

        Raises:
            SettingsError: With the keys that are missing.
        """
        if missing := self.missing_credentials():
            raise SettingsError(missing)


def keys(model: type[BaseModel] = Settings, above: Path = ()) -> Iterator[Key]:
    """List every key that may be set, table by table."""
    for name, field in model.model_fields.items():
        path = (*above, name)
        parts = _parts(field.annotation)
        table = next((part for part in parts if isinstance(part, type) and issubclass(part, Section)), None)
        if table is not None:
            yield from keys(table, (*path, _PLACEHOLDERS[name]) if dict in parts else path)
            continue
        private = any(isinstance(part, PrivateFile) for part in (*parts, *field.metadata))
        yield Key(path, secret=SecretStr in parts, file=FilePath in parts, private=private)


def generic(path: Path) -> Path:
    """Return a path with `NAME` in the place of a tenant's name, and `PROFILE` in that of a profile's."""
    above = ("", *path[:-1])
    return tuple(_PLACEHOLDERS.get(table, name) for table, name in zip(above, path, strict=True))


def _parts(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - an annotation may be anything
    """Take an annotation apart: all types and marks in it, and their origins."""
    origin = typing.get_origin(annotation)
    if origin is None:
        return (annotation,)
    inner = (part for argument in typing.get_args(annotation) for part in _parts(argument))
    return (*inner, *(() if origin in {Annotated, types.UnionType} else (origin,)))
