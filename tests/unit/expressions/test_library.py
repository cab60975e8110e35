"""Every example of the catalog gives the result that the documentation shows, and the page shows the catalog."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.errors import NotFound, TaskCancelled
from engine.expressions import ExpressionError, Functions, evaluate, is_pure, render
from engine.expressions.catalog import all_entries
from engine.expressions.entry import Entry
from engine.expressions.reference import END, START, tables
from engine.runtime.holidays import is_public_holiday
from engine.sdk.ion import from_ion, to_ion

WORLD = Functions(now=lambda: datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), seed="run-1")
EXAMPLES = [entry for entry in all_entries() if entry.result is not None]

ROWS = '{id: 1, name: "Ada"}\n{id: 2}\n'
#: What the examples of functions that call out find there.
AROUND = {"outputs": {"task": {"uri": "kestra:///rows.ion"}}, "inputs": {"sealed": "c2VhbGVk"}}
OUTSIDE = Functions(
    secret={"API_KEY": "s3cr3t"}.__getitem__,
    kv={"region": "eu"}.__getitem__,
    read={"kestra:///rows.ion": ROWS}.__getitem__,
    file_uri=lambda path: f"kestra:///company/team/_files/{path}",
    file_size=lambda path: len({"kestra:///rows.ion": ROWS}[path]),
    file_exists={"kestra:///rows.ion": True}.__getitem__,
    is_file_empty={"kestra:///rows.ion": False}.__getitem__,
    env=lambda name, default: default,
    http=lambda uri: {"rows": [1, 2, 3]},
    from_ion=lambda ion: next(from_ion(ion)),
    to_ion=to_ion,
    error_logs=lambda: [{"message": "no such table"}],
    encrypt=lambda key, plaintext: {("s3cr3t", "text"): "c2VhbGVk"}[key, plaintext],
    decrypt=lambda key, encrypted: {("s3cr3t", "c2VhbGVk"): "text"}[key, encrypted],
    random_port=lambda: 49152,
    subflow=lambda namespace, flow_id: {"list": ["a", "b"]},
    is_public_holiday=is_public_holiday,
)


@pytest.mark.parametrize("entry", EXAMPLES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_the_example_gives_its_result(entry: Entry) -> None:
    assert render(entry.example, *((AROUND, OUTSIDE) if entry.outside else ({}, WORLD))) == entry.result


@pytest.mark.parametrize("entry", all_entries(), ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_is_documented(entry: Entry) -> None:
    assert entry.doc.endswith(".")
    assert entry.name in entry.example
    assert is_pure(entry.example) == (not entry.outside)
    assert entry.result is not None or not entry.outside


def test_the_page_shows_the_catalog() -> None:
    page = (Path(__file__).parents[3] / "docs/expressions.md").read_text(encoding="utf-8")
    shown = page.partition(START)[2].partition(END)[0]
    assert shown.strip() == tables().strip(), "run: python -m engine.expressions.reference docs/expressions.md"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ '1.50' | number }}", "1.5"),
        ("{{ '42' | number('DOUBLE') }}", "42.0"),
        ("{{ '1.10' | number('BIGDECIMAL') }}", "1.10"),
        ("{{ -1234567.5 | numberFormat('#,##0') }}", "-1,234,568"),
        ("{{ 0.256 | numberFormat('0.0%') }}", "25.6%"),
        ("{{ 0 | numberFormat('#.##') }}", "0"),
        ("{{ {'a': null, 'b': [null]} | toJson }}", '{"b":[null]}'),
        ("{{ 'a\r\nb' | indent(1) }}", "a\r\n b"),
        ("{{ {'a': 1} | merge({'b': 2}) }}", '{"a":1,"b":2}'),
        ("{{ null | upper }}{{ null | jq('.a') }}{{ null | split(',') }}", ""),
        ("{{ 'aXbX' | replace({'X': '$1'}) }}", "a$1b$1"),
        ("{{ [1.0, 1, true, '1', [1], [1.0]] | distinct }}", '[1.0,true,"1",[1]]'),
        ("{{ 2 isIn [1, 2] }} {{ 3 not isIn [1, 2] }} {{ 'a' isIn {'a': 1} }}", "true true true"),
        ("{{ max(1, 2.5) }} {{ min(3, 2) }}", "2.5 2"),
        ("{{ '{{ a }}' | length }}", "7"),
        ("{{ ('[1]' is json) and ('[1' is not json) }}", "true"),
    ],
)
def test_more_results(template: str, expected: str) -> None:
    assert render(template, {}, WORLD) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'x' | number }}",
        "{{ 'x' | base64decode }}",
        "{{ fromJson('{') }}",
        "{{ yaml('a: [') }}",
        "{{ 'a' | split('(') }}",
        "{{ 'a' | replace('b') }}",
        "{{ 'a' | indent('x') }}",
        "{{ [1, 'a'] | sort }}",
        "{{ null | startsWith('a') }}",
        "{{ 1 | numberFormat('a#b#c') }}",
        "{{ randomInt(5, 1) }}",
        "{{ nanoId(0) }}",
        "{{ range(1, 5, 0) }}",
    ],
)
def test_bad_input_is_an_expression_error(template: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(template, {}, WORLD)
    assert caught.value.offset is not None


def test_what_calls_out_gets_the_arguments_that_were_given() -> None:
    seen: list[Any] = []

    def kv(*arguments: Any, **named: Any) -> str:
        seen.append((arguments, named))
        return "found"

    assert render("{{ kv('K') }}{{ kv('K', errorOnMissing=false) }}", {}, Functions(kv=kv)) == "foundfound"
    assert seen == [(("K",), {}), (("K",), {"error_on_missing": False})]


def test_what_is_not_offered_is_an_error_that_no_default_hides() -> None:
    with pytest.raises(ExpressionError, match="`secret` is not available here") as caught:
        render("a {{ secret('K') ?? 'none' }}", {})
    assert caught.value.code == "function-unavailable"
    assert caught.value.offset == 5


def test_a_refusal_of_the_world_is_an_expression_error_and_a_cancellation_is_not() -> None:
    def missing(key: str) -> str:
        raise NotFound(f"no secret {key}", hint="Set it.")

    def cancelled(key: str) -> str:
        raise TaskCancelled("stop")

    with pytest.raises(ExpressionError, match="no secret K") as caught:
        render("{{ secret('K') }}", {}, Functions(secret=missing))
    assert caught.value.hint == "Set it."
    assert render("{{ secret('K') ?? 'none' }}", {}, Functions(secret=missing)) == "none"
    with pytest.raises(TaskCancelled):
        render("{{ secret('K') }}", {}, Functions(secret=cancelled))


def test_chance_follows_from_the_seed() -> None:
    template = "{{ uuid() }} {{ id() }} {{ nanoId() }} {{ randomInt(0, 1000000) }} {{ ksuid() }}"
    first = render(template, {}, WORLD)
    assert first == render(template, {}, WORLD)
    assert first != render(template, {}, Functions(now=WORLD.now, seed="run-2"))
    assert len(set(render("{{ id() }} {{ id() }} {{ render('{{ id() }}') }}", {}, WORLD).split())) == 3
    with pytest.raises(ExpressionError, match="not available"):
        render("{{ uuid() }}", {})


def test_now_is_a_date_with_a_zone() -> None:
    assert evaluate("{{ now() }}", {}, WORLD) == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert render("{{ now(timeZone='Europe/Paris') }}", {}, WORLD) == "2024-05-06T09:08:09+02:00[Europe/Paris]"
    assert render("{{ now(format='sql_seq') }}", {}, WORLD) == "2024-05-06 07:08:09"


def test_helpers_of_loops() -> None:
    context = {
        "tasks": {"a": {"state": "FAILED"}, "b": {"x": {"state": "FAILED"}, "y": {"state": "SUCCESS"}}},
        "taskrun": {"value": "in", "iteration": 1},
        "parents": [{"taskrun": {"value": "mid"}}, {"outputs": {}}, {"taskrun": {"value": "out"}}],
        "outputs": {"t": {"out": {"mid": {"in": {"value": 5}}}}, "u": {"p": {"value": 1}, "q": {"value": 2}}},
    }
    assert render("{{ tasksWithState('FAILED') | jq('.[].taskId') | join }}", context) == "ab"
    assert render("{{ currentEachOutput(outputs.t).value }}", context) == "5"
    assert render("{{ iterationOutput(outputs.u).value }}{{ iterationOutput(outputs.u, 1).value }}", context) == "12"
