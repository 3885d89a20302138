"""What all tables of the settings have in common: frozen, strict, and no key that nobody reads."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table: an unknown key and a value of another type are mistakes, not guesses (CFG-04)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, validate_default=False
    )


class RefusedError(ValueError):
    """A value was refused by a rule over several keys; `keys` names, below the table, those to blame."""

    def __init__(self, text: str, *keys: str) -> None:
        super().__init__(text)
        self.keys = keys
