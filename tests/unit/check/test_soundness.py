"""An error is said of an expression only if it fails, whatever the inputs are: random ones, judged and rendered."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.catalog import Catalog
from engine.check.inference import infer
from engine.check.outline import Outline
from engine.check.roots import Declared, Place, Roots, Site
from engine.dialect import parse
from engine.errors import ExpressionError
from engine.expressions import Functions, render
from engine.expressions.catalog import names
from engine.model.diagnostic import Severity
from tests.unit.check.judging import RETURN

FLOW = f"""
id: demo
namespace: acme
inputs:
  - {{id: name, type: STRING}}
  - {{id: count, type: INT}}
  - {{id: ratio, type: FLOAT}}
  - {{id: go, type: BOOLEAN}}
  - {{id: tags, type: ARRAY, itemType: STRING}}
  - {{id: data, type: JSON}}
  - {{id: maybe, type: STRING, required: false}}
  - {{id: db.port, type: INT}}
  - {{id: env, type: SELECT, values: [dev, prod]}}
variables: {{word: w, number: 5, none: null, rows: [{{id: 1}}, {{id: x}}], map: {{size: 1, a: {{b: c}}}}}}
tasks: [{{id: one, type: {RETURN}}}, {{id: reader, type: {RETURN}}}]
"""
PATHS = (
    "inputs.name", "inputs.count", "inputs.ratio", "inputs.go", "inputs.tags", "inputs.tags[0]", "inputs.data",
    "inputs.data.a", "inputs.maybe", "inputs.db", "inputs.db.port", "inputs.env", "vars.word", "vars.number",
    "vars.none", "vars.rows", "vars.rows[0].id", "vars.rows[1]", "vars.map", "vars.map.a.b", "vars.map.size",
    "outputs.one.value", "outputs.one", "execution.startDate", "execution.state", "flow", "flow.id", "taskrun.id",
    "taskrun.idempotencyKey",
    "tasks.one.state", "x", "x.y", "inputs.nothing", "vars.rows[7]", "vars.word.x", "inputs.tags.size",
    "execution.startDate.year", "vars.map['a']", "inputs['name']", "labels.any",
)  # fmt: skip
LITERALS = ("1", "-2", "1.5", "'a'", "''", "true", "null", "[]", "[1, 'a']", "{}", "{'a': 1}", "'dev'", "'SUCCESS'")
FILTERS = [name for name in names("filter") if name not in ("toIon", "default")]
ARGUMENTS = ("", "()", "(1)", "('a')", "(',', 'b')", "({'a': 'b'})", "([1])", "(0, 1)")
OPERATORS = ("+", "-", "*", "/", "%", "~", "==", "!=", "<", ">=", "and", "or", "contains", "isIn", "??", "???", "..")


class Author(random.Random):
    """Writes expressions."""

    def expression(self, depth: int = 3) -> str:
        inner = depth - 1
        match self.randrange(12) if depth else self.randrange(4):
            case 0 | 1 | 2:
                return self.choice(PATHS)
            case 3:
                return self.choice(LITERALS)
            case 4 | 5:
                return f"({self.expression(inner)} | {self.choice(FILTERS)}{self.choice(ARGUMENTS)})"
            case 6 | 7 | 8:
                return f"({self.expression(inner)} {self.choice(OPERATORS)} {self.expression(inner)})"
            case 9:
                return f"({self.expression(inner)} ? {self.expression(inner)} : {self.expression(inner)})"
            case 10:
                return f"({self.expression(inner)} is {self.choice(('defined', 'empty', 'null', 'even', 'map'))})"
        return self.choice(
            (f"(not {self.expression(inner)})", f"({self.expression(inner)}).a", f"(-{self.choice(PATHS)})")
        )

    def template(self) -> str:
        one, two = self.expression(), self.expression(2)
        return self.choice((
            f"{{{{ {one} }}}}",
            f"{{% set x = {one} %}}{{{{ {two} }}}}",
            f"{{% set x = {one} %}}{{% if {two} %}}{{% set x = 1 %}}{{% endif %}}{{{{ x }}}}",
            f"{{% for x in {one} %}}{{{{ {two} }}}}{{% endfor %}}",
            f"{{% if {one} %}}{{{{ {two} }}}}{{% endif %}}",
        ))  # fmt: skip


def contexts() -> list[Mapping[str, Any]]:
    """Two runs of the flow, with inputs as different as they can be."""
    variables = {"word": "w", "number": 5, "none": None, "rows": [{"id": 1}, {"id": "x"}]}
    shared = {
        "vars": {**variables, "map": {"size": 1, "a": {"b": "c"}}},
        "execution": {"id": "e", "startDate": datetime(2025, 1, 1, tzinfo=UTC), "state": "RUNNING", "originalId": "e"},
        "flow": {"id": "demo", "namespace": "acme", "revision": 1, "tenantId": "main"},
        "taskrun": {
            "id": "r",
            "startDate": datetime(2025, 1, 1, tzinfo=UTC),
            "attemptsCount": 1,
            "idempotencyKey": "k",
        },
        "tasks": {"one": {"state": "SUCCESS"}, "reader": {"state": "RUNNING"}},
        "labels": {"any": "thing"},
    }
    rich = {"name": "2024-01-02", "count": 1, "ratio": 2.0, "go": True, "tags": ["a", "b"], "data": {"a": [1]},
            "maybe": None, "db": {"port": 2}, "env": "dev"}  # fmt: skip
    poor = {"name": "[1]", "count": 2, "ratio": 0.5, "go": False, "tags": ["5"], "data": "text", "maybe": "1",
            "db": {"port": 0}, "env": "prod"}  # fmt: skip
    return [
        {**shared, "inputs": rich, "outputs": {"one": {"value": "7"}}},
        {**shared, "inputs": poor, "outputs": {"one": {"value": None}}},
    ]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_called_an_error_fails(seed: int) -> None:
    author, judged = Author(seed), 0
    parsed = parse(FLOW, types=Catalog())
    assert parsed.flow is not None
    assert parsed.document is not None
    outline = Outline(parsed, Catalog())
    roots = Roots(Declared(parsed.document.data, outline, Catalog()), Site(Place.TASK, outline.by_id["reader"]))
    functions = Functions(now=lambda: datetime(2025, 1, 1, tzinfo=UTC), seed="s")
    for _ in range(600):
        template = author.template()
        try:
            errors = [finding for finding in infer(template, roots) if finding.severity is Severity.ERROR]
        except ExpressionError:
            continue
        if not errors:
            continue
        judged += 1
        for context in contexts():
            with pytest.raises(ExpressionError):
                pytest.fail(f"{template} gives {render(template, context, functions)!r}, and yet: {errors[0].message}")
    assert judged > 50
