"""A loop that is read from outside: `outputs.t['b'].x` <-> `outputs.each.outputs[1].outputs.t_x`.

A Loop gives out only what it declares, by place and not by value. So this can be done where the values of the loop
are written down, and where the type of what is read is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.dialect.migrate.draft import Draft
from engine.dialect.migrate.scopes import Text
from engine.dialect.sites import Site
from engine.dialect.uses import Use

#: What some tasks of the core give, with its type.
_KNOWN = {
    ("debug.Return", "value"): "STRING",
    ("debugs.Return", "value"): "STRING",
    ("http.Request", "code"): "INT",
    ("http.Request", "body"): "STRING",
}
_NAME = re.compile(r"[A-Za-z_]\w*")
_FIELD = re.compile(r"\{\{ *outputs\.([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)+) *\}\}")
_PLAIN = re.compile(r"[\w .:/-]+")


class Outside:
    """What is read of loops from outside them, and must be declared there."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._declared: dict[Site, dict[str, dict[str, str]]] = {}

    def rewrite(self, text: Text, use: Use, task: Site) -> bool:
        """Read by place what was read by value; False when that cannot be done."""
        match use.root, use.keys:
            case "outputs", (_, str(value), str(field), *_):
                pass
            case _:
                return False
        type_ = _KNOWN.get((".".join(task.type.rsplit(".", 2)[1:]), field))
        loop = task.loops[0]
        values = written_values(loop)
        plain = _NAME.fullmatch(loop.id) and _NAME.fullmatch(task.id)
        always = task.laned and not task.data.keys() & {"runIf", "when", "disabled", "allowFailure"}
        if type_ is None or not plain or not always or len(task.loops) > 1 or value not in (values or ()):
            return False
        name = f"{task.id}_{field}"
        output = {"id": name, "type": type_, "value": f"{{{{ outputs.{task.id}.{field} }}}}"}
        self._declared.setdefault(loop, {})[name] = output
        assert values is not None
        written = f"outputs.{loop.id}.outputs[{values.index(value)}].outputs.{name}"
        self._draft.edit(text.path, use.start, use.steps[2].end, written, key=text.is_key)
        return True

    def declare(self) -> None:
        """Write down what the loops must give out."""
        for loop, outputs in self._declared.items():
            after = next(name for name in ("concurrencyLimit", "concurrent", "values", "value") if name in loop.data)
            self._draft.add(loop.path, "outputs", list(outputs.values()), after=after)


def given_by(loop: Site) -> dict[str, tuple[str, str]] | None:
    """Of each output that a Loop declares: the task it comes from, and the rest of the path. None if some is more."""
    found: dict[str, tuple[str, str]] = {}
    outputs = loop.data.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        match = _FIELD.fullmatch(str(output.get("value"))) if isinstance(output, Mapping) else None
        if match is None:
            return None
        found[str(output.get("id"))] = match[1], match[2]
    return found if written_values(loop) is not None else None


def by_value(use: Use, loop: Site) -> tuple[int, str] | None:
    """What a 1.x expression has in the place of a path to an output of a Loop, and how many steps that replaces."""
    given, values = given_by(loop), written_values(loop)
    match use.keys:
        case _, "outputs", int(place), "outputs", str(name), *_:
            if given is None or values is None or name not in given or place >= len(values):
                return None
            task, rest = given[name]
            return (5, f"outputs.{task}['{values[place]}']{rest}") if _PLAIN.fullmatch(values[place]) else None
    return None


def written_values(loop: Site) -> list[str] | None:
    """The values of a loop, as text, where they are plain to see and none is there twice."""
    values = loop.data.get("values", loop.data.get("value"))
    if not isinstance(values, list) or any(_is_computed(value) for value in values):
        return None
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    return texts if len(set(texts)) == len(texts) else None


def _is_computed(value: Any) -> bool:
    return value is None or isinstance(value, (Mapping, list)) or (isinstance(value, str) and "{{" in value)
