"""What a job came to, for the log: one word and its circumstances, never a secret."""

import msgspec


class Report(msgspec.Struct, frozen=True):
    """`alarm` is for what an operator must see."""

    outcome: str
    fields: dict[str, str] = {}
    alarm: bool = False
