"""The table of a run, and its place in the documentation."""

import sys
from collections.abc import Mapping
from pathlib import Path

ISSUANCE = "bench"


def table(rows: Mapping[str, str]) -> str:
    """Write rows as a Markdown table, aligned so that the source can be read too."""
    left = max(len(name) for name in rows)
    right = max(len(value) for value in rows.values())
    lines = [f"| {'measured':<{left}} | {'value':>{right}} |", f"|{'-' * (left + 2)}|{'-' * (right + 1)}:|"]
    lines += [f"| {name:<{left}} | {value:>{right}} |" for name, value in rows.items()]
    return "\n".join(lines)


def write(page: Path, text: str, name: str = ISSUANCE) -> None:
    """Put text between the markers of a page that have a name, in place of what is there.

    Raises:
        SystemExit: If the page does not have both markers, once and in order.
    """
    begin, end = f"<!-- {name}:begin (written by make bench) -->", f"<!-- {name}:end -->"
    content = page.read_text("utf-8") if page.exists() else ""
    if content.count(begin) != 1 or content.count(end) != 1 or content.index(begin) > content.index(end):
        sys.exit(f"{page} needs the lines\n{begin}\n{end}\nwhere the table shall stand.")
    before, _, rest = content.partition(begin)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}", "utf-8")
