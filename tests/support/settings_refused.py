"""What loading says about settings that do not hold."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from acmeproxy.settings import SettingsError, load
from tests.support.settings_file import write


def refused(
    directory: Path,
    text: str,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> list[str]:
    """Load a file that must be refused; return the mistakes as text, the directory's name left out."""
    with pytest.raises(SettingsError) as error:
        load(write(directory, text), environ, overrides)
    return [str(mistake).replace(f"{directory}/", "") for mistake in error.value.mistakes]
