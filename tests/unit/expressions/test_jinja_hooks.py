"""What the compiler relies on in Jinja beyond its documented API. When one of these fails, a new Jinja has moved it."""

from __future__ import annotations

import inspect

import jinja2
import pytest
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame

from engine.expressions.compiler import ENVIRONMENT, Generator
from engine.expressions.tags import parse


def source(template: str) -> str:
    return ENVIRONMENT.compile(parse(template).template, raw=True)


def test_the_version_is_the_pinned_one() -> None:
    assert jinja2.__version__.startswith("3.1.")


def test_overridden_methods_exist_with_the_same_arguments() -> None:
    overridden = [name for name in vars(Generator) if not name.startswith("__") and name != "block"]
    assert len(overridden) > 10
    for name in overridden:
        theirs = inspect.signature(inspect.unwrap(getattr(CodeGenerator, name)))
        assert list(inspect.signature(getattr(Generator, name)).parameters) == list(theirs.parameters), name


def test_helpers_that_the_generator_calls_exist() -> None:
    helpers = "write writeline indent outdent blockvisit start_write end_write buffer return_buffer_contents"
    assert all(callable(getattr(CodeGenerator, name)) for name in [*helpers.split(), "temporary_identifier"])
    assert "filters" in inspect.getsource(CodeGenerator.pull_dependencies)
    assert "buffer" in inspect.getsource(Frame)


def test_node_classes_have_the_fields_that_the_parser_fills() -> None:
    assert nodes.Filter.fields == ("node", "name", "args", "kwargs", "dyn_args", "dyn_kwargs")
    assert nodes.Call.fields == ("node", "args", "kwargs", "dyn_args", "dyn_kwargs")
    assert nodes.For.fields == ("target", "iter", "body", "else_", "test", "recursive")
    assert nodes.If.fields == ("test", "body", "elif_", "else_")
    assert nodes.Macro.fields == ("name", "args", "defaults", "body")
    assert nodes.FilterBlock.fields == ("body", "filter")
    assert nodes.CondExpr.fields == ("test", "expr1", "expr2")
    assert "lineno" in nodes.Node.attributes


def test_names_are_looked_up_when_they_are_needed() -> None:
    code = source("{{ false and a }}{% for x in b %}{{ x }}{% endfor %}")
    assert "resolve(" not in code.replace("resolve = context.resolve_or_missing", "")
    assert "context.load('a'" in code


def test_nothing_is_folded_and_nothing_is_made_text() -> None:
    code = source("{{ 1 + 2 }}{{ [1, 'a'] | join('b') }}")
    assert "'1ab'" not in code
    assert "str(" not in code
    assert "escape(" not in code


@pytest.mark.parametrize("template", ["{{ a.b.c }}", "{{ a['b'] }}", "{{ a.f(1) }}"])
def test_no_attribute_is_read_by_jinja(template: str) -> None:
    code = source(template)
    assert "environment.getattr" not in code
    assert "environment.getitem" not in code
    assert "environment.call" not in code
    assert "context.call(" not in code


def test_there_are_no_globals_and_no_loader() -> None:
    assert ENVIRONMENT.globals == {}
    assert ENVIRONMENT.loader is None
    assert not ENVIRONMENT.autoescape
    assert not ENVIRONMENT.optimized
