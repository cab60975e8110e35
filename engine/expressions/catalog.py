"""All names of the language: the table that the parser, the checker and docs/expressions.md read."""

from __future__ import annotations

import engine.expressions.library as _library  # noqa: F401  # importing it declares the names
from engine.expressions.entry import ENTRIES, Entry, Kind
from engine.expressions.faults import did_you_mean

#: Names that other dialects or versions have, and what to write instead.
INSTEAD = {
    "escape": "Nothing needs escaping here: output is plain text.",
    "raw": "Nothing needs escaping here: output is plain text.",
    "tojson": "Write `toJson`.",
    "numberformat": "Write `numberFormat`.",
    "int": "Write `number('INT')`.",
    "float": "Write `number('FLOAT')`.",
    "map": "Use `jq`.",
    "select": "Use `jq`.",
    "credential": "It belongs to Kestra's Enterprise Edition: use `secret`.",
    "assets": "It belongs to Kestra's Enterprise Edition.",
    "appLink": "It belongs to Kestra's Enterprise Edition.",
}


def lookup(kind: Kind, name: str) -> Entry | None:
    """The entry of a name, or None."""
    return ENTRIES[kind].get(name)


def names(kind: Kind) -> list[str]:
    """All names of a kind."""
    return sorted(ENTRIES[kind])


def all_entries() -> list[Entry]:
    """Every entry, by kind and name."""
    return [ENTRIES[kind][name] for kind in ENTRIES for name in names(kind)]


def suggestion(kind: Kind, name: str) -> str | None:
    """What to write instead of an unknown name."""
    if kind != "filter" and name in ENTRIES["filter"]:
        return f"`{name}` is a filter: write `| {name}`."
    if kind == "filter" and name in ENTRIES["function"]:
        return f"`{name}` is a function: write `{name}(...)`."
    return INSTEAD.get(name) or did_you_mean(name, ENTRIES[kind])
