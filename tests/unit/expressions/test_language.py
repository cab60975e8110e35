"""What the probes of a real Pebble do not cover: values, errors with their places, scopes, laziness."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.expressions import ExpressionError, check_syntax, evaluate, is_template, render, truthy


class Lazy(Mapping[str, Any]):
    """A mapping that refuses to be walked over."""

    def __init__(self, **entries: Any) -> None:
        self.entries = entries

    def __getitem__(self, key: str) -> Any:
        return self.entries[key]

    def __contains__(self, key: object) -> bool:
        return key in self.entries

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("walked over")

    def __len__(self) -> int:
        raise AssertionError("counted")


CONTEXT: dict[str, Any] = {
    "n": None,
    "rows": [{"id": 1}, {"id": 2}],
    "outputs": {"my-task": {"value": "v"}, "task": {"values": [1, 2], "nothing": None}},
    "when": datetime(2024, 5, 6, 7, 8, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        ("{{ rows }}", CONTEXT["rows"]),
        ("  {{ rows }}\n", CONTEXT["rows"]),
        (" {{ rows | first }} ", {"id": 1}),
        ("{{ rows }}!", '[{"id":1},{"id":2}]!'),
        ("{{ n }}", None),
        ("{{ 1 + 1 }}", 2),
        ("{{ 1 == 1 }}", True),
        ("{% if true %}5{% endif %}", "5"),
        ("{{ 1 }}{{ 2 }}", "12"),
        ("{{ outputs.task.values[1] }}", 2),
        ("{{ when }}", CONTEXT["when"]),
    ],
)
def test_one_expression_keeps_its_value(template: str, value: Any) -> None:
    assert evaluate(template, CONTEXT) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.10"), "1.10"),
        (date(2024, 5, 6), "2024-05-06"),
        (timedelta(hours=26, seconds=1.5), "PT26H1.5S"),
        (datetime(2024, 5, 6, 7, 8, tzinfo=UTC), "2024-05-06T07:08Z"),
        (datetime(2024, 5, 6, 7, 8, 9, 1000, ZoneInfo("Europe/Paris")), "2024-05-06T07:08:09.001+02:00[Europe/Paris]"),
        (1e21, "1.0E21"),
        (-0.00012, "-1.2E-4"),
        (float("nan"), "NaN"),
        ({"a": [1.0, None], "b": None}, '{"a":[1.0,null]}'),
        ((1, "é\n"), '[1,"é\\n"]'),
    ],
)
def test_values_are_printed_as_java_does(value: Any, text: str) -> None:
    assert render("{{ x }}", {"x": value}) == text
    assert render("{{ x }}{{ '' | trim }}", {"x": value}) == text


def test_a_lazy_mapping_is_asked_and_never_walked_over() -> None:
    context = Lazy(outputs=Lazy(a=Lazy(value="v", items=3)))
    template = "{{ outputs.a.value }} {{ outputs['a'].items }} {{ outputs.b ?? 'none' }}"
    assert render(template, context) == "v 3 none"
    assert render("{{ outputs.a.value }} {{ outputs.a.items }}", context) == "v 3"
    assert render("{% set x = outputs.a %}{{ x.value }}{{ outputs.c is defined }}", context) == "vfalse"


@pytest.mark.parametrize(
    ("template", "message", "offset", "hint"),
    [
        ("{{ output.x }}", "Unable to find `output` used", 3, "Did you mean `outputs`?"),
        ("a {{ outputs.taks.values }}", "Unable to find `outputs.taks` used", 13, "Did you mean `task`?"),
        (
            "{{ outputs.task.nothing.deep }}",
            "because `outputs.task.nothing` is null",
            24,
            "Give a default: `?? 'value'`.",
        ),
        (
            "{{ outputs['my-task'].valu | upper }}",
            "Unable to find `outputs['my-task'].valu`",
            22,
            "Did you mean `value`?",
        ),
        ("{{ rows[2].id | upper }}", "Unable to find `rows[2]`", 7, "The list has 2 elements, counted from 0."),
        ("{{ rows.id }}", "Unable to find `rows.id`", 8, "`rows` is a list."),
        ("{{ 1 + rows | uper }}", "Unable to find the filter `uper`", 14, "Did you mean `upper`?"),
        ("{{ secrets('A') }}", "Unable to find the function `secrets`", 3, "Did you mean `secret`?"),
        ("{{ upper('a') }}", "Unable to find the function `upper`", 3, "`upper` is a filter: write `| upper`."),
        ("{{ 'a' | date(formt='x') }}", "`date` has no argument `formt`", 14, "Did you mean `format`?"),
        ("{{ 'a' | replace }}", "`replace` needs the argument `replacePairs`", 9, None),
        ("{{ 1 is evn }}", "Unable to find the test `evn`", 8, "Did you mean `even`?"),
        ("x {{ 'a' < 'b' }}", "Unable to compare a text and a text", 9, "Turn text into a number with `| number`."),
        ("{% if x %}a{% elif y %}{% endif %}", "Unexpected tag `elif`", 14, "Write `elseif`."),
        ("{% if x %}a", "`if` that is never closed", 3, "Close it: {% endif %}."),
        ("{{ x", "An expression that is never closed", 0, "Close it with `}}`."),
        ("{{ 'x }}", "A text that is never closed", 3, "Close it with '."),
        ("{{ a b }}", "Unexpected `b`", 5, "Text is joined with `~`, and a filter follows `|`."),
        ("{% include 'x' %}", "The tag `include` does not exist here", 3, None),
        ("{{ }}", "Unexpected end of the expression", 3, None),
    ],
)
def test_errors_say_what_where_and_what_to_do(template: str, message: str, offset: int, hint: str | None) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(template, CONTEXT)
    error = caught.value
    assert message in error.message
    assert error.message.endswith("at line 1")
    assert (error.template, error.offset, error.hint) == (template, offset, hint)
    assert error.code != "expression"


def test_the_line_is_that_of_the_trouble() -> None:
    with pytest.raises(ExpressionError, match=r"at line 3$"):
        render("a\nb {{ 1 }}\n{{ missing | upper }}", {})


def test_syntax_is_checked_without_a_context() -> None:
    check_syntax("{{ anything.at.all | upper }}{% for x in y %}{{ x }}{% endfor %}")
    check_syntax("no { template")
    with pytest.raises(ExpressionError):
        check_syntax("{{ a | }}")


def test_rendering_is_once_unless_asked_for() -> None:
    context = {"a": "{{ b }}", "b": "{{ c }}", "c": "end"}
    assert render("{{ a }}", context) == "{{ b }}"
    assert (
        render("{{ render(a) }} {{ renderOnce(a) }} {{ render(a, recursive=false) }}", context) == "end {{ c }} {{ c }}"
    )


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% raw %}{{ x }}\n{% y %}{% endraw %}", "{{ x }}\n{% y %}"),
        ("a {# {{ x }} #}b", "a b"),
        ("{{ {'a': {'b': 1}} }}", '{"a":{"b":1}}'),
        ("{{ \"#{'a' ~ \"b\"}-#{n}\" }}", "ab-"),
        ("{% macro f(a) %}{{ a }}{{ g(a) }}{% endmacro %}{% macro g(a) %}<{{ a }}>{% endmacro %}{{ f(1) }}", "1<1>"),
        ("{% block b %}x{{ rows | length }}{% endblock %}{{ block('b') }}", "x2x2"),
        ("{% filter upper | replace({'A': 'b'}) %}a{{ n }}{% endfilter %}", "b"),
        ("{% for r in rows %}{% for k in r %}{{ k.key }}{{ k.value }}{% endfor %}{% endfor %}", "id1id2"),
        ("{% if n is null and not (1 > 2) %}y{% endif %}", "y"),
        ("{{ when.year }} {{ when.dayOfWeek }} {{ when.getMonthValue() }}", "2024 MONDAY 5"),
        ("{{ when > (when | date | length > 1 ? when : when) }}", "false"),
        ("{{ 'A'.toLowerCase() ~ 'b'.length() }}", "a1"),
        ("{{ rows[0] == {'id': 1.0} }} {{ rows contains {'id': 2} }}", "true true"),
        ("{% set m = {'a': 1} %}{% for i in 1..2 %}{% set m = m | merge({(i ~ ''): i}) %}{% endfor %}{{ m }}",
         '{"a":1,"1":1,"2":2}'),
        ("{{ true ? 'a' : missing }}{{ false and missing }}", "afalse"),
        ("{{ (1/0) ?? 'caught' }} {{ n.x.y is defined }} {{ missing.a | default('d') }}", "caught false d"),
        ("{ {a} }}", "{ {a} }}"),
    ],
)  # fmt: skip
def test_language(template: str, text: str) -> None:
    assert render(template, CONTEXT) == text


def test_a_template_never_changes_its_context() -> None:
    context = {"list": [3, 1, 2], "x": 1}
    assert render("{% set x = 2 %}{{ list | sort }}{{ list | reverse }}{{ list + 4 }}{{ x }}", context)
    assert context == {"list": [3, 1, 2], "x": 1}


@pytest.mark.parametrize("text", ["", "  ", "0", "-0", "false", "FALSE", " null\n"])
def test_false_texts(text: str) -> None:
    assert not truthy(text)


@pytest.mark.parametrize("text", ["true", "1", "no", "0.0", "[]", "x"])
def test_true_texts(text: str) -> None:
    assert truthy(text)


def test_what_is_a_template() -> None:
    assert is_template("{{ a }}")
    assert is_template("{% if %}")
    assert is_template("{# c #}")
    assert not is_template("{ a } %}")


def test_paths_and_text_load_no_template_engine() -> None:
    program = (
        "import sys; from engine.expressions import render;"
        "assert render('a {{ b.c }} {{ d }}', {'b': {'c': 1}, 'd': [1]}) == 'a 1 [1]';"
        "heavy = {'jinja2', 're2', 'jq', 'yaml', 'subprocess'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3], timeout=60)


def test_what_cannot_be_a_key_is_its_text() -> None:
    assert render("{{ {b: 1, [1]: 2} }}", {"b": bytearray(b"raw")}) == '{"raw":1,"[1]":2}'
