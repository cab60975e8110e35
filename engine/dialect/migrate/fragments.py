"""YAML for what a migration adds: a few new lines, printed so that they read back as the same data.

A text is quoted as soon as this project's own reader would take it for something else.
"""

from __future__ import annotations

from typing import Any

import yaml

from engine.dialect.scalars import resolve

_ENDLESS = 1_000_000


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, as flows are mostly written, and writes nothing by reference."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text:
        style = "|"
    elif "{{" in text or "{%" in text or _is_taken_for_a_value(text):
        style = "'" if '"' in text or "\\" in text else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _is_taken_for_a_value(text: str) -> bool:
    try:
        return not isinstance(resolve(text), str)
    except ValueError:
        return True


_Dumper.add_representer(str, _text)


def entry(name: str, value: Any, *, flow: bool) -> list[str]:
    """The lines of `name: value`; only one in flow style."""
    lines = _dump({name: value}, flow=flow)
    return [lines[0][1:-1]] if flow else lines


def items(values: list[Any], *, flow: bool) -> list[str]:
    """The lines of some entries of a list, each with its dash; in flow style one line, without the brackets."""
    lines = _dump(values, flow=flow)
    return [lines[0][1:-1]] if flow else lines


def inline(value: Any) -> str:
    """A value on one line, wherever a value may stand."""
    return _dump([value], flow=True)[0][1:-1]


def _dump(value: Any, *, flow: bool) -> list[str]:
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=flow, sort_keys=False, allow_unicode=True, width=_ENDLESS
    )
    return text.rstrip("\n").split("\n") if not flow else [text.rstrip("\n")]
