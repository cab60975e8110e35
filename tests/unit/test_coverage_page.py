"""docs/coverage.md and the engine say the same: every property and type has its line, and its state is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from engine.catalog import Catalog
from engine.dialect import unsupported
from engine.model.flow import CONTAINERS, Container, Flow, FlowOutput, PluginDefault, Retry, Task
from engine.model.inputs import INPUT_TYPES
from engine.model.listeners import Listener, Trigger
from engine.model.triggers import TRIGGER_TYPES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
SECTIONS: dict[str, str] = dict(section.split("\n", 1) for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:])
STATES = ("works", "differs", "not yet", "only here")
CORE = "io.kestra.plugin.core."
#: Other words for properties that the models have under another name.
SPELLINGS = {"taskDefaults", "when", "deleted", "tenantId", "updated"}


def rows(section: str) -> list[tuple[list[str], list[str]]]:
    """The lines of a section's table: the names in the first column, and the other columns."""
    lines = [re.split(r" *\| *", line)[1:-1] for line in SECTIONS[section].splitlines() if line.startswith("| ")]
    return [(words(first), rest) for first, *rest in lines[1:]]


def words(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def state(columns: list[str]) -> str:
    return next(known for known in STATES if any(column.startswith(known) for column in columns))


def named(section: str) -> dict[str, str]:
    """Every name of a section's table with its state."""
    return {name: state(rest) for names, rest in rows(section) for name in names}


def properties(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.mark.parametrize(
    ("section", "model", "refused"),
    [
        ("A flow", Flow, unsupported.FLOW_PROPERTIES),
        ("Any task", Task, unsupported.TASK_PROPERTIES),
        ("Retry", Retry, {}),
    ],
)
def test_every_property_has_its_line_and_what_is_refused_is_told(
    section: str, model: type[BaseModel], refused: dict[str, str]
) -> None:
    told = named(section)
    assert told.keys() - SPELLINGS == properties(model) | refused.keys()
    late = {name for name, state in told.items() if state == "not yet"}
    assert late - {"triggers"} == set(refused)


def test_every_property_of_what_a_flow_lists_is_named() -> None:
    text = SECTIONS["A flow"].rpartition("\n| ")[2].partition("\n\n")[2]
    for model in (FlowOutput, PluginDefault, Listener):
        assert properties(model) <= set(words(text))


def test_every_container_has_its_line_with_its_own_properties() -> None:
    lines = {CORE + names[0]: set(words(rest[0])) for names, rest in rows("Containers") if state(rest) != "not yet"}
    assert lines == {kind.TYPES[0]: properties(kind) - properties(Container) for kind in CONTAINERS}


def test_every_type_of_task_has_its_line() -> None:
    told = {name if name.startswith("io.") else CORE + name: state for section in ("Containers", "Tasks")
            for name, state in named(section).items()}  # fmt: skip
    there = {entry.type for entry in Catalog().entries() if "$" not in entry.type}  # a `$` is in what nobody writes
    assert {name for name, state in told.items() if state != "not yet"} == there
    assert {name for name, state in told.items() if state == "not yet"} == {
        name for name in unsupported.TYPES if name.startswith(CORE) and Catalog().canonical(name) is None
    } - {f"{CORE}flow.{older}" for older in ("Flow", "Worker")}


def test_every_type_of_input_has_its_line() -> None:
    told = named("Inputs")
    assert told.keys() == INPUT_TYPES.keys() | unsupported.INPUT_TYPES.keys()
    assert {name for name, state in told.items() if state == "not yet"} == unsupported.INPUT_TYPES.keys()


def test_what_is_said_to_prove_a_line_is_there() -> None:
    proofs = [word for section in SECTIONS for _, rest in rows(section) for word in words(rest[-1])]
    assert len(proofs) > 100
    for proof in proofs:
        path = ROOT / "tests" / (proof if "/" in proof else f"golden/flows/{proof}.yaml")
        assert path.exists(), proof


def test_every_link_leads_to_a_heading() -> None:
    for page, heading in re.findall(r"\]\(([a-z-]+\.md)#([a-z-]+)\)", PAGE):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        anchors = {title.lower().replace(",", "").replace(" ", "-") for title in re.findall(r"^## (.+)$", text, re.M)}
        assert heading in anchors, f"{page}#{heading}"


def test_every_trigger_has_its_line_with_its_own_properties() -> None:
    told = {names[0]: set(words(columns[0])) for names, columns in rows("Triggers")}
    known = {trigger.TYPES[0].removeprefix(CORE): properties(trigger) for trigger in set(TRIGGER_TYPES.values())}
    assert told.keys() == known.keys()
    for name, own in known.items():
        apart = {"properties"} if name == "http.Trigger" else set()
        assert own - properties(Trigger) - apart == told[name] - {"http.Request"}, name
