"""What every task type that ships with the engine keeps to."""

from __future__ import annotations

import importlib.metadata
import textwrap

import pytest
import yaml

from engine.catalog import GROUP, Catalog
from engine.sdk import Task
from engine.sdk.reference import reference_page
from engine.sdk.schema import outputs_schema, properties_schema

POINTS = sorted(importlib.metadata.distribution("penstock").entry_points.select(group=GROUP), key=lambda p: p.name)
CLASSES = {point.value: point.load() for point in POINTS}


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_each_name_leads_to_a_class_that_bears_it(point: importlib.metadata.EntryPoint) -> None:
    cls = point.load()
    assert issubclass(cls, Task)
    assert point.name in (cls.TYPE, *cls.ALIASES)
    assert Catalog().canonical(point.name) == cls.TYPE


@pytest.mark.parametrize("cls", CLASSES.values(), ids=lambda cls: cls.__name__)
def test_each_class_is_registered_under_all_its_names(cls: type[Task]) -> None:
    registered = {point.name for point in POINTS if CLASSES[point.value] is cls}
    assert registered == {cls.TYPE, *cls.ALIASES}


@pytest.mark.parametrize("cls", CLASSES.values(), ids=lambda cls: cls.__name__)
def test_each_class_is_documented(cls: type[Task]) -> None:
    assert cls.__doc__
    for schema in (properties_schema(cls), outputs_schema(cls)):
        blank = [name for name, declared in schema["properties"].items() if not declared.get("description")]
        assert not blank, f"say what these are: {blank}"
    assert reference_page(cls).startswith(f"# {cls.__name__}\n")


@pytest.mark.parametrize("cls", CLASSES.values(), ids=lambda cls: cls.__name__)
def test_each_class_has_an_example_with_properties_that_exist(cls: type[Task]) -> None:
    assert cls.EXAMPLES
    known = {key for name, field in cls.model_fields.items() for key in (name, field.alias)}
    for example in cls.EXAMPLES:
        flow = yaml.safe_load(textwrap.dedent(example.yaml))
        used = [task for task in flow["tasks"] if task["type"] in (cls.TYPE, *cls.ALIASES)]
        assert used, f"{example.title} does not use {cls.TYPE}"
        for task in used:
            assert task.keys() - {"id", "type"} <= known
