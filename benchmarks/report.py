"""The table of a run, and its place in the documentation."""

import sys
from collections.abc import Mapping
from pathlib import Path

BEGIN = "<!-- bench:begin (written by make bench) -->"
END = "<!-- bench:end -->"


def table(rows: Mapping[str, str]) -> str:
    """Write rows as a Markdown table, aligned so that the source can be read too."""
    left = max(len(name) for name in rows)
    right = max(len(value) for value in rows.values())
    lines = [f"| {'measured':<{left}} | {'value':>{right}} |", f"|{'-' * (left + 2)}|{'-' * (right + 1)}:|"]
    lines += [f"| {name:<{left}} | {value:>{right}} |" for name, value in rows.items()]
    return "\n".join(lines)


def write(page: Path, text: str) -> None:
    """Put text between the markers of a page, in place of what is there.

    Raises:
        SystemExit: If the page does not have both markers, once and in order.
    """
    content = page.read_text("utf-8") if page.exists() else ""
    if content.count(BEGIN) != 1 or content.count(END) != 1 or content.index(BEGIN) > content.index(END):
        sys.exit(f"{page} needs the lines\n{BEGIN}\n{END}\nwhere the table shall stand.")
    before, _, rest = content.partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", "utf-8")
