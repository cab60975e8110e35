"""Reference pages and JSON Schemas: written from the class, complete, and never stricter than the engine."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter

from engine import sdk
from engine.sdk.reference import reference_page
from engine.sdk.schema import outputs_schema, properties_schema


class Part(sdk.Definition):
    """A piece."""

    size: int
    """How long it is."""


class Documented(sdk.Task, type="test.Documented", aliases=("test.Doc",)):
    """Does something.

    And says how.
    """

    EXAMPLES = (sdk.Example("Do it.", "\n    id: x\n    tasks: []\n"),)

    zeta: str
    """Comes first: it is required."""
    alpha: float | None = None
    mode: Literal["fast", "safe"] = "safe"
    parts: list[Part] = Field(default_factory=list, description="The pieces.")
    labels: dict[str, int] = Field(default_factory=dict)
    wait: Annotated[timedelta, sdk.Static()] = timedelta(seconds=90)
    free: Any = None

    class Output(sdk.Output):
        total: int | None = None
        """All in all."""


PAGE = """# Documented

```yaml
type: "test.Documented"
```

Also known as `test.Doc`.

Does something.

And says how.

## Examples

Do it.

```yaml
id: x
tasks: []
```

## Properties

### `zeta`

- Type: string
- Dynamic: ✔️
- Required: ✔️

Comes first: it is required.

### `alpha`

- Type:
  - number
  - string
- Dynamic: ✔️
- Required: ❌

### `free`

- Type: any
- Dynamic: ✔️
- Required: ❌

### `labels`

- Type: object
- SubType: integer
- Dynamic: ✔️
- Required: ❌

### `mode`

- Type: string
- Possible values: `fast`, `safe`
- Dynamic: ✔️
- Required: ❌

Default: `safe`

### `parts`

- Type: array
- SubType: Part
- Dynamic: ✔️
- Required: ❌

The pieces.

### `wait`

- Type: string
- Dynamic: ❌
- Required: ❌

Default: `PT1M30S`

## Outputs

### `total`

- Type: integer
- Required: ❌

All in all.

## Definitions

### Part

A piece.

#### Properties

##### `size`

- Type:
  - integer
  - string
- Dynamic: ✔️
- Required: ✔️

How long it is.
"""


def test_the_page_tells_all_that_the_class_knows() -> None:
    assert reference_page(Documented) == PAGE


def test_a_task_without_outputs_has_no_such_section() -> None:
    class Silent(sdk.Task, type="test.Silent"):
        DEPRECATED = "test.Loud"

    assert reference_page(Silent) == (
        '# Silent\n\n```yaml\ntype: "test.Silent"\n```\n\n**Deprecated**: use `test.Loud`.\n'
    )
    assert outputs_schema(Silent)["properties"] == {}


def test_the_schema_names_properties_as_flows_do() -> None:
    schema = properties_schema(Documented)
    assert schema["required"] == ["zeta"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["zeta"]["description"] == "Comes first: it is required."
    assert schema["$defs"]["Part"]["properties"]["size"]["description"] == "How long it is."
    assert outputs_schema(Documented)["properties"]["total"]["description"] == "All in all."


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("zeta", ["text", 5, True], [[], {}]),
        ("alpha", [0.5, "{{ x }}", "0.5", None], [[], {}]),
        ("mode", ["fast", "{{ x }}"], ["slow", 3]),
        ("parts", [[{"size": 3}], [{"size": "{{ x }}"}], ["{{ x }}"], "{{ x }}", '[{"size": 1}]'], ["text", 3, [3]]),
        ("labels", [{"a": 1}, {"a": "{{ x }}"}, "{{ x }}"], [3, [1]]),
        ("wait", ["PT5S"], [5]),
        ("free", [1, "x", [None]], []),
    ],
)
def test_the_schema_accepts_what_the_engine_accepts(name: str, accepted: list[Any], refused: list[Any]) -> None:
    schema = properties_schema(Documented)
    for value in accepted:
        assert matches(schema["properties"][name], value, schema["$defs"]), value
    for value in refused:
        assert not matches(schema["properties"][name], value, schema["$defs"]), value


JSON_TYPES = {"string": str, "number": float, "integer": int, "boolean": bool, "array": list, "object": dict}


def matches(schema: dict[str, Any], value: Any, definitions: dict[str, Any]) -> bool:
    """As much of JSON Schema as our schemas use."""
    if "anyOf" in schema:
        return any(matches(member, value, definitions) for member in schema["anyOf"])
    if "$ref" in schema:
        return matches(definitions[schema["$ref"].rpartition("/")[2]], value, definitions)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(is_a(name, value) for name in types):
        return False
    if isinstance(value, list) and "items" in schema:
        return all(matches(schema["items"], item, definitions) for item in value)
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        return all(key in known and matches(known[key], item, definitions) for key, item in value.items())
    if isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        return all(matches(schema["additionalProperties"], item, definitions) for item in value.values())
    if "enum" in schema and value not in schema["enum"]:
        return False
    return "pattern" not in schema or (bool(TypeAdapter(str).validate_python(value)) and any(c in value for c in "{["))


def is_a(name: str, value: Any) -> bool:
    if name == "null" or value is None:
        return name == "null" and value is None
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, (int, float) if name == "number" else JSON_TYPES[name])
