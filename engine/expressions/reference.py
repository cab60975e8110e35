"""The tables of docs/expressions.md, from the catalog: `python -m engine.expressions.reference docs/expressions.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.expressions.catalog import names
from engine.expressions.datepattern import PRESETS, SPECIAL
from engine.expressions.dates import UNITS
from engine.expressions.entry import ENTRIES, Entry, Kind

START, END = "<!-- from the catalog -->\n", "<!-- end -->\n"
_TITLES: dict[Kind, str] = {"filter": "Filters", "function": "Functions", "test": "Tests"}


def tables() -> str:
    """All entries, as Markdown."""
    parts = []
    for kind, title in _TITLES.items():
        rows = [_row(ENTRIES[kind][name]) for name in names(kind)]
        parts.append(f"### {title}\n\n| {kind} | what it gives | example | result |\n|--|--|--|--|\n" + "\n".join(rows))
    presets = ", ".join(f"`{name}`" for name in sorted({*PRESETS, *SPECIAL}))
    units = ", ".join(f"`{name}`" for name in UNITS)
    parts.append(f"### Dates\n\nPresets: {presets}.\n\nUnits of `dateAdd`: {units}.")
    return "\n\n".join(parts) + "\n"


def _row(entry: Entry) -> str:
    arguments = ", ".join(a.name if a.required else f"{a.name}?" for a in entry.arguments)
    more = ", ..." if entry.variadic and arguments else "..." if entry.variadic else ""
    signature = f"{entry.name}({arguments}{more})" if entry.kind == "function" or arguments + more else entry.name
    doc = entry.doc + (" Calls out." if entry.outside else "")
    return f"| `{signature}` | {doc} | {_code(entry.example)} | {'' if entry.result is None else _code(entry.result)} |"


def _code(text: str) -> str:
    shown = text.replace("\n", "⏎").replace("|", "\\|")
    return f"`{shown}`" if shown else "(nothing)"


def main(path: Path) -> None:
    """Write the tables into a page, between its two marks."""
    page = path.read_text(encoding="utf-8")
    head, rest = page.split(START)
    _, tail = rest.split(END)
    path.write_text(f"{head}{START}\n{tables()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
