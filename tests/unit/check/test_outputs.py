"""Types from JSON Schemas, and what a plugin says of the outputs of one task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from engine.check import check
from engine.check.outputs import from_schema
from engine.check.types import ANY, INT, NULL, TEXT, ListOf, MapOf, Missing, Record, Text, Union, member
from engine.dialect import parse
from engine.sdk import Output, Task


class Row(BaseModel):
    name: str
    children: list[Row] = []


class Query(Task, type="acme.Query"):
    columns: list[str] | None = None
    broken: bool = False

    class Output(Output):
        rows: list[Row]
        counts: dict[str, int]
        state: Literal["ok", "late"] = "ok"

    @classmethod
    def outputs_for(cls, properties: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if properties.get("broken"):
            raise RuntimeError("out of order")
        columns = properties.get("columns")
        if not isinstance(columns, list):
            return None
        row = {"type": "object", "properties": {name: {} for name in columns}, "additionalProperties": False}
        return {"type": "object", "properties": {"rows": {"type": "array", "items": row}}}


class Free(Task, type="acme.Free"):
    class Output(Output):
        model_config = ConfigDict(extra="allow")
        known: int = 0


class Silent(Task, type="acme.Silent"):
    def run(self, ctx: Any) -> None: ...


class Vague(Task, type="acme.Vague"):
    def run(self, ctx: Any) -> Mapping[str, Any]:
        return {}


TYPES: dict[str, type[Task]] = {cls.TYPE: cls for cls in (Query, Free, Silent, Vague)}


class Types:
    def canonical(self, type_: str) -> str | None:
        return type_ if type_ in TYPES else None

    def names(self) -> Iterable[str]:
        return TYPES

    def missing(self, type_: str) -> str | None:
        return None

    def properties(self, type_: str) -> type[BaseModel]:
        return TYPES[type_]


def messages(before: str, template: str) -> list[str]:
    source = (
        f"id: demo\nnamespace: acme\ntasks:\n  - {{id: one, {before}}}\noutputs: [{{id: o, value: '{template}'}}]\n"
    )
    parsed = parse(source, types=Types())
    assert parsed.diagnostics == []
    return [finding.message for finding in check(parsed, Types())]


@pytest.mark.parametrize(
    ("before", "template", "expected"),
    [
        ("type: acme.Query", "{{ outputs.one.rows[0].name }} {{ outputs.one.counts.any }}", []),
        ("type: acme.Query", "{{ outputs.one.rows[0].nam }}", ['outputs.one.rows[0] has no "nam"']),
        ("type: acme.Query", "{{ outputs.one.rows[0].children[0].children[0].name }}", []),
        ("type: acme.Query", '{{ outputs.one.state == "lat" }}', [
            'this is always false: "lat" is never a value of the other side']),
        ("type: acme.Query, columns: [a, b]", "{{ outputs.one.rows[0].a }}", []),
        ("type: acme.Query, columns: [a, b]", "{{ outputs.one.rows[0].c }}", ['outputs.one.rows[0] has no "c"']),
        ('type: acme.Query, columns: "{{ vars }}"', "{{ outputs.one.rows[0].name }}", []),
        ("type: acme.Query, broken: true", "{{ outputs.one.anything }}", []),
        ("type: acme.Free", "{{ outputs.one.known }} {{ outputs.one.more.of.it }}", []),
        ("type: acme.Vague", "{{ outputs.one.whatever }}", []),
        ("type: acme.Silent", "{{ outputs.one.value }}", ['the task "one" has no outputs']),
    ],
)  # fmt: skip
def test_outputs_are_what_the_plugin_says(before: str, template: str, expected: list[str]) -> None:
    assert messages(before, template) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, ANY),
        ({"type": "string"}, TEXT),
        ({"type": ["integer", "null"]}, Union((INT, NULL))),
        ({"enum": ["a", "b"]}, Text(("a", "b"))),
        ({"enum": ["a", 1]}, ANY),
        ({"const": "a"}, Text(("a",))),
        ({"anyOf": [{"type": "string"}, {}]}, ANY),
        ({"type": "array"}, ListOf(ANY)),
        ({"type": "array", "items": {"type": "string"}}, ListOf(TEXT)),
        ({"type": "object"}, MapOf(ANY)),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, MapOf(INT)),
        ({"allOf": [{"type": "string"}], "type": "object"}, ANY),
        ({"$ref": "#/$defs/nowhere"}, ANY),
        ({"type": "strange"}, ANY),
    ],
)
def test_a_schema_is_taken_for_what_it_certainly_says(schema: dict[str, Any], expected: object) -> None:
    assert from_schema(schema) == expected


def test_a_map_is_closed_unless_it_says_that_there_may_be_more() -> None:
    closed = from_schema({"type": "object", "properties": {"a": {"type": "string"}}})
    opened = from_schema({"type": "object", "properties": {"a": {}}, "additionalProperties": True})
    assert isinstance(closed, Record)
    assert member(closed, "a") == TEXT
    assert member(closed, "b") == Missing(("a",))
    assert member(opened, "b") == ANY
