"""The settings: the only reader of files and of the environment.

pydantic lives here and takes its time to import: whoever can do without settings does without this package.
"""

from acmeproxy.settings.address import Address
from acmeproxy.settings.environment import SHORT_NAMES
from acmeproxy.settings.files import find, search_path
from acmeproxy.settings.listing import Row, rows
from acmeproxy.settings.loading import load
from acmeproxy.settings.login import LoginSettings
from acmeproxy.settings.mistake import Mistake, SettingsError
from acmeproxy.settings.redis import RedisSettings
from acmeproxy.settings.schema import Key, Settings, keys
from acmeproxy.settings.server import LogSettings, ServerSettings, TlsSettings
from acmeproxy.settings.tenants import NamesSettings, TenantSettings, TenantVaultSettings
from acmeproxy.settings.validation import EgressSettings, ValidationSettings
from acmeproxy.settings.vault import VaultSettings

__all__ = [
    "SHORT_NAMES",
    "Address",
    "EgressSettings",
    "Key",
    "LogSettings",
    "LoginSettings",
    "Mistake",
    "NamesSettings",
    "RedisSettings",
    "Row",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "TenantSettings",
    "TenantVaultSettings",
    "TlsSettings",
    "ValidationSettings",
    "VaultSettings",
    "find",
    "keys",
    "load",
    "rows",
    "search_path",
]
