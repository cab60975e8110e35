"""What every task type that ships with the engine keeps to."""

from __future__ import annotations

import importlib.metadata

import pytest

from engine.catalog import GROUP, Catalog
from engine.sdk import Task
from engine.sdk.conformance import problems_of
from engine.sdk.reference import reference_page

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
def test_each_class_is_fit_to_be_shipped(cls: type[Task]) -> None:
    assert problems_of(cls) == []
    assert reference_page(cls).startswith(f"# {cls.__name__}\n")
