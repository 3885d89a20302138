"""Loading: all sources in their order, all mistakes at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from acmeproxy.settings import files, refusal
from acmeproxy.settings.environment import from_environment
from acmeproxy.settings.layers import Layer, from_file, from_overrides, nested
from acmeproxy.settings.mistake import Mistake, Path, SettingsError
from acmeproxy.settings.schema import Settings
from acmeproxy.settings.validation import RULED


def load(
    path: FilePath | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    *,
    awaiting: bool = False,
) -> Settings:
    """Load the settings: command line over environment over file over default.

    Args:
        path: The file of `--config`. Without it, $ACMEPROXY_CONFIG or the first of the search path.
        environ: The environment; nothing else of the process is looked at.
        overrides: Options of the command line by dotted key (`server.listen`); `None` means not given.
        awaiting: The credentials and roots that `acmeproxy vault apply` makes need not be there yet:
            `Settings.awaited` says where they will be.

    Raises:
        SettingsError: With everything that is wrong, in the order of the places.
    """
    environ = environ or {}
    file = files.find(path, environ)
    layers = (
        from_file(file, awaiting=awaiting) if file else Layer(),
        from_environment(environ, awaiting=awaiting),
        from_overrides(overrides or {}),
    )
    wrong = [mistake for layer in layers for mistake in layer.mistakes]
    tree, origins = nested(layers)
    settings = None
    # A file that is not TOML says nothing: what it lacks would only hide its one mistake.
    if not any(mistake.key == "" for mistake in layers[0].mistakes):
        source = str(file) if file else _no_file(environ)
        settings, refused = _validated(_with_tables(tree), origins, source)
        # What could not be read is not missing as well.
        unread = {mistake.key.removesuffix("_file") for mistake in wrong}
        wrong += (m for m in refused if m.key not in unread or _is_leaf(m.key, layers))
    if wrong or settings is None:
        raise SettingsError(tuple(sorted(set(wrong), key=_by_place)))
    return settings.with_awaited({path: at for layer in layers for path, at in layer.awaited.items()})


def _validated(
    tree: dict[str, Any], origins: Mapping[Path, str], source: str
) -> tuple[Settings | None, list[Mistake]]:
    # pydantic-settings would take a key such as _env_file for an instruction to itself.
    mistakes = [refusal.unknown((key,), origins, source) for key in tree if key.startswith("_")]
    tree = {key: value for key, value in tree.items() if not key.startswith("_")}
    try:
        return Settings(**tree).with_origins(origins), mistakes
    except ValidationError as error:
        mistakes += refusal.mistakes(error, origins, source)
    # Rules over two tables (HTT-19) are asked only of tables that hold: ask them of their own keys alone.
    try:
        Settings(**{**tree, **_ruled(tree)})
    except ValidationError as error:
        mistakes += refusal.mistakes(error, origins, source)
    return None, mistakes


def _ruled(tree: Mapping[str, Any]) -> dict[str, Any]:
    server, validation = (
        table if isinstance(table, dict) else {} for table in (tree["server"], tree.get("validation"))
    )
    mode = "development" if server.get("mode") == "development" else "production"
    return {
        "server": {"mode": mode, "public_url": "https://acme.example"},
        "validation": {key: value for key, value in validation.items() if key in RULED},
    }


def _with_tables(tree: dict[str, Any]) -> dict[str, Any]:
    """Add the tables that have required keys, so that the key is missed and not the table."""
    full = {"server": {}, "redis": {}, "vault": {}, "tenants": {}, **tree}
    tenants = full["tenants"]
    for tenant in tenants.values() if isinstance(tenants, dict) else ():
        if isinstance(tenant, dict):
            tenant.setdefault("vault", {})
    return full


def _no_file(environ: Mapping[str, str]) -> str:
    places = ", ".join(str(place) for place in files.search_path(environ))
    return f"no settings file ({places})"


def _is_leaf(key: str, layers: Sequence[Layer]) -> bool:
    return any(tuple(key.split(".")) in layer.leaves for layer in layers)


def _by_place(mistake: Mistake) -> tuple[bool, str, int, str]:
    """Order the file's lines first, then variables and options."""
    file, _, line = mistake.where.rpartition(":")
    return (False, file, int(line), mistake.key) if line.isdigit() else (True, mistake.where, 0, mistake.key)
