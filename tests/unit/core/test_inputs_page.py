"""docs/inputs.md and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine import Engine
from engine.core.inputs import resolve_inputs
from engine.errors import InputsInvalid
from engine.model.inputs import INPUT_TYPES, Input

PAGE = (Path(__file__).parents[3] / "docs" / "inputs.md").read_text(encoding="utf-8")
ROWS = {
    name: set(re.findall(r"`(\w+)`", options))
    for name, options in re.findall(r"^\| `([A-Z]+)` \|.*\|.*\| ?(.*?) ?\|$", PAGE, re.MULTILINE)
}
TASKS = "tasks: [{id: t, type: io.kestra.plugin.core.debug.Return, format: x}]"


def properties(model: type[Input]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_every_type_stands_there_with_its_options() -> None:
    assert {name: properties(model) - properties(Input) for name, model in INPUT_TYPES.items()} == ROWS


def test_what_every_input_may_say_stands_there() -> None:
    assert {name for name in properties(Input) if f"`{name}`" not in PAGE} == set()


def test_the_example_is_a_flow_and_its_messages_are_what_is_told(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    with Engine(tmp_path) as engine:
        flow = engine.parse(f"id: f\nnamespace: n\n{blocks[0]}{TASKS}", file="f.yaml")
    with pytest.raises(InputsInvalid) as refused:
        resolve_inputs(flow.inputs, {"table": "customer", "since": "yesterday", "db": {"password": "x"}})
    assert "\n".join(refused.value.problems) in PAGE
