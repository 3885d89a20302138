"""What is wrong with the settings: every mistake at once, each with its place."""

import msgspec

from acmeproxy.core.problem import plain

Path = tuple[str, ...]


class Mistake(msgspec.Struct, frozen=True, order=True):
    """One thing to correct: where it is written, the dotted key, and what to do about it.

    `where` is `FILE:LINE`, the name of an environment variable, or `command line`. No field ever holds the
    refused value: it may be a secret that landed in the wrong place (LOG-02).
    """

    where: str
    key: str
    text: str

    def __str__(self) -> str:
        return ": ".join(plain(part) for part in (self.where, self.key, self.text) if part)


class SettingsError(Exception):
    """The settings cannot be used; `mistakes` holds all that is wrong with them (CFG-04)."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes
