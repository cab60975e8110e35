"""Declared inputs and submitted values -> the inputs of an execution."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, get_args

import pytest

from engine.core.inputs import Examined, examine_inputs, resolve_inputs
from engine.errors import InputsInvalid
from engine.expressions import Functions
from engine.model.inputs import INPUT_TYPES, Input, InputType

SCHEMA = {
    "properties": {"b": {"items": {"$ref": "#/$defs/whole"}}, "c": {"pattern": "^(a+)+$"}},
    "patternProperties": {"^n[0-9]$": {"type": "string"}},
    "$defs": {"whole": {"type": "integer"}},
}


def declare(type_: str = "STRING", id_: str = "x", **options: Any) -> Input:
    return INPUT_TYPES[type_].model_validate({"id": id_, "type": type_, **options})


def problems(declared: list[Input], submitted: dict[str, Any]) -> list[str]:
    with pytest.raises(InputsInvalid) as caught:
        resolve_inputs(declared, submitted)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("type_", "options", "submitted", "value"),
    [
        ("STRING", {}, "text", "text"),
        ("STRING", {}, 5, "5"),
        ("STRING", {}, True, "true"),
        ("STRING", {"validator": "[a-z]+[0-9]"}, "abc1", "abc1"),
        ("INT", {}, "42", 42),
        ("INT", {"min": 1, "max": 3}, 3, 3),
        ("INT", {"min": 1, "max": 3}, 1, 1),
        ("FLOAT", {}, "1.5", 1.5),
        ("FLOAT", {}, 2, 2.0),
        ("BOOLEAN", {}, "TRUE", True),
        ("BOOL", {}, False, False),
        ("SELECT", {"values": ["a", "b"]}, "b", "b"),
        ("SELECT", {"values": [{"label": "First", "value": "a"}]}, "a", "a"),
        ("SELECT", {"values": ["a"], "allowCustomValue": True}, "z", "z"),
        ("SELECT", {"expression": "{{ ['a', 'b'] }}"}, "a", "a"),
        ("ENUM", {"values": ["a"], "required": False}, "z", "z"),
        ("MULTISELECT", {"values": ["a", "b", "c"]}, '["a", "c"]', ["a", "c"]),
        ("MULTISELECT", {"options": ["1", "2"], "itemType": "INT"}, ["1", 2], [1, 2]),
        ("JSON", {}, '{"a": [1, null]}', {"a": [1, None]}),
        ("JSON", {}, {"a": 1}, {"a": 1}),
        ("JSON", {"jsonSchema": SCHEMA}, {"b": [1], "c": "aa", "n1": "x"}, {"b": [1], "c": "aa", "n1": "x"}),
        ("SECRET", {"validator": "[a-z]+"}, "abc", "abc"),
        ("FILE", {"allowedFileExtensions": [".csv"]}, "nsfile:///a.CSV", "nsfile:///a.CSV"),
        ("MULTISELECT", {"values": ["1", "2.5"], "itemType": "FLOAT"}, [1], [1.0]),
        ("MULTISELECT", {"values": ["true"], "itemType": "BOOL"}, ["TRUE"], [True]),
        ("SELECT", {"expression": "{{ [{'label': 'One', 'value': 1}, true] }}"}, "true", "true"),
        ("YAML", {}, "a: [1, yes]", {"a": [1, "yes"]}),
        ("ARRAY", {"itemType": "INT"}, '["1", 2]', [1, 2]),
        ("ARRAY", {"itemType": "DATE"}, ["2024-12-31"], ["2024-12-31"]),
        ("DATETIME", {}, "2024-12-31T23:59:00+01:00", "2024-12-31T22:59:00Z"),
        ("DATETIME", {}, datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00Z"),
        ("DATETIME", {"after": "2024-01-01T00:00:00Z"}, "2024-01-01T00:00:00.500Z", "2024-01-01T00:00:00.500000Z"),
        ("DATE", {"after": "2024-01-01"}, "2024-12-31", "2024-12-31"),
        ("DATE", {}, date(2024, 2, 29), "2024-02-29"),
        ("TIME", {}, "10:15:00", "10:15"),
        ("TIME", {}, time(10, 15, 30), "10:15:30"),
        ("DURATION", {"min": "PT1S"}, "P1DT1H", "PT25H"),
        ("DURATION", {}, timedelta(minutes=90), "PT1H30M"),
        ("URI", {}, "https://example.com/a?b=c", "https://example.com/a?b=c"),
        ("URI", {}, "kestra:///a/b.csv", "kestra:///a/b.csv"),
        ("EMAIL", {}, "a.b@example.com", "a.b@example.com"),
        ("EMAIL", {}, "", ""),
    ],
)
def test_a_value_gets_the_type_that_is_declared(type_: str, options: Any, submitted: Any, value: Any) -> None:
    resolved = resolve_inputs([declare(type_, **options)], {"x": submitted})
    assert resolved == {"x": value}
    assert type(resolved["x"]) is type(value)
    assert json.loads(json.dumps(resolved)) == resolved


@pytest.mark.parametrize(
    ("type_", "options", "submitted", "reason"),
    [
        ("STRING", {}, [1], "it must be text"),
        ("STRING", {"validator": "[a-z]+"}, "ab1", "it must match the pattern `[a-z]+`"),
        ("STRING", {"validator": "(?=a)b"}, "b", "is not one that RE2 knows"),
        ("FILE", {}, "data.csv", "it must be the URI of a stored file"),
        ("FILE", {}, 5, "it must be the URI of a stored file"),
        ("FILE", {"allowedFileExtensions": [".csv", "txt"]}, "nsfile:///a.json", "whose name ends in .csv, txt"),
        ("JSON", {"jsonSchema": {"type": "object", "required": ["a"]}}, "{}", "$: 'a' is a required property"),
        ("JSON", {"jsonSchema": SCHEMA}, '{"b": [1, "x"], "n1": 1}', "$.b[1]: 'x' is not of type 'integer'"),
        ("JSON", {"jsonSchema": SCHEMA}, {"n1": 1}, "$.n1: 1 is not of type 'string'"),
        ("JSON", {"jsonSchema": SCHEMA}, {"c": "aab"}, "$.c: 'aab' does not match '^(a+)+$'"),
        ("JSON", {"jsonSchema": '{"enum": [1, 2]}'}, 3, "$: 3 is not one of [1, 2]"),
        ("JSON", {"jsonSchema": False}, 3, "$: False schema does not allow 3"),
        ("JSON", {"jsonSchema": {"$ref": "https://127.0.0.1:9/x"}}, 3, "refers to what is not in it"),
        ("JSON", {"jsonSchema": {"pattern": "(?=a)"}}, '"b"', "a pattern that RE2 does not know"),
        ("JSON", {"jsonSchema": {"$ref": "#"}}, 3, "it is too deep for its `jsonSchema`"),
        ("MULTISELECT", {"values": []}, ["a"], "there is nothing to choose from"),
        ("INT", {}, "five", "it must be a whole number"),
        ("INT", {}, True, "it must be a whole number"),
        ("INT", {}, 1.5, "it must be a whole number"),
        ("INT", {}, 2**63, "it must fit into 64 bits"),
        ("INT", {}, "9" * 5000, "it must be a whole number"),
        ("INT", {"min": 1}, 0, "it must be at least 1"),
        ("INT", {"max": 3}, "4", "it must be at most 3"),
        ("FLOAT", {}, "nan", "it must be a finite number"),
        ("FLOAT", {}, 10**400, "it must be a number"),
        ("FLOAT", {}, {}, "it must be a number"),
        ("BOOLEAN", {}, "yes", "it must be true or false"),
        ("SELECT", {"values": ["a", "b"]}, "c", "it must be one of a, b"),
        ("MULTISELECT", {"values": ["a"]}, ["a", "z"], "it must be one of a"),
        ("JSON", {}, "{", "it must be JSON"),
        ("JSON", {}, "[NaN]", "NaN is not JSON"),
        ("JSON", {}, "[" * 100_000, "it must be JSON"),
        ("JSON", {}, {"a": {1, 2}}, "it must be a JSON value"),
        ("YAML", {}, "a: [", "it must be YAML"),
        ("YAML", {}, "a: 1\na: 2", "it must be YAML"),
        ("ARRAY", {"itemType": "INT"}, '["a"]', "it must be a whole number"),
        ("ARRAY", {"itemType": "INT"}, "{}", "it must be a list"),
        ("DATETIME", {}, "yesterday", "it must be an instant"),
        ("DATETIME", {}, "2024-12-31T23:59:00", "it must say its time zone"),
        (
            "DATETIME",
            {"after": "2025-01-01T00:00:00Z"},
            "2024-12-31T23:59:00.5Z",
            "it must be after 2025-01-01T00:00:00Z",
        ),
        ("DATE", {}, "2024-02-30", "it must be a date"),
        ("DATE", {"before": "2024-01-01"}, "2024-12-31", "it must be before 2024-01-01"),
        ("TIME", {}, "25:00", "it must be a time"),
        ("TIME", {}, "10:00Z", "it must be a time without a time zone"),
        ("DURATION", {}, "5 minutes", "is not an ISO-8601 duration"),
        ("DURATION", {"max": "PT1M"}, "PT2M", "it must be at most PT1M"),
        ("URI", {}, "no uri", "it must be a URI"),
        ("EMAIL", {}, "nobody", "it must be an e-mail address"),
    ],
)
def test_a_value_of_another_type_is_refused(type_: str, options: Any, submitted: Any, reason: str) -> None:
    (problem,) = problems([declare(type_, **options)], {"x": submitted})
    assert problem.startswith("Invalid input for `x`, ")
    assert reason in problem
    assert ", but received `" in problem
    assert len(problem) < 400


def test_every_type_has_a_class() -> None:
    assert set(get_args(InputType)) == set(INPUT_TYPES)


def test_all_problems_are_told_at_once() -> None:
    declared = [declare("INT", "count"), declare("STRING", "name"), declare("BOOL", "flag")]
    assert problems(declared, {"count": "x", "flag": "y", "nmae": "z"}) == [
        "Invalid input for `nmae`, the flow declares no such input (did you mean `name`?), but received `z`",
        "Invalid input for `count`, it must be a whole number, but received `x`",
        "Invalid input for `name`, missing required input, but received `null`",
        "Invalid input for `flag`, it must be true or false, but received `y`",
    ]


def test_an_unknown_name_without_a_neighbour_lists_what_there_is() -> None:
    assert "(it has a, b)" in problems([declare(id_="a", defaults="1"), declare(id_="b", defaults="1")], {"zzz": 1})[0]
    assert "(it has none)" in problems([], {"zzz": 1})[0]


def test_an_optional_input_without_a_value_is_null_and_a_default_fills_in() -> None:
    declared = [declare(id_="a", required=False), declare("INT", "b", defaults="7"), declare("INT", "c", defaults=1)]
    assert resolve_inputs(declared, {"c": 2}) == {"a": None, "b": 7, "c": 2}


def test_a_default_may_be_an_expression_over_earlier_inputs_and_variables() -> None:
    declared = [
        declare(id_="name", defaults="ada"),
        declare(id_="greeting", defaults="Hello {{ inputs.name }} of {{ flow.id }}"),
        declare("INT", "size", defaults="{{ inputs.name | length }}"),
    ]
    resolved = resolve_inputs(declared, {}, variables={"flow": {"id": "demo"}})
    assert resolved == {"name": "ada", "greeting": "Hello ada of demo", "size": 3}


def test_a_default_that_fails_is_a_problem_of_its_input() -> None:
    declared = [declare(id_="a", defaults="{{ inputs.missing }}"), declare("SELECT", "b", expression="{{ 'x' }}")]
    found = problems(declared, {})
    assert found[0].startswith("Invalid input for `a`, its declaration fails (")
    assert found[1] == "Invalid input for `b`, its declaration fails (`expression` must give a list)"


def test_dots_nest_and_a_nested_map_may_be_submitted() -> None:
    declared = [declare("INT", "db.port"), declare(id_="db.host"), declare("JSON", "free")]
    expected = {"db": {"port": 1, "host": "h"}, "free": {"a": 1}}
    assert resolve_inputs(declared, {"db.port": "1", "db.host": "h", "free": {"a": 1}}) == expected
    assert resolve_inputs(declared, {"db": {"port": 1, "host": "h"}, "free": {"a": 1}}) == expected
    assert "`db.prot`" in problems(declared, {"db": {"prot": 1, "port": 1, "host": "h"}, "free": 1})[0]


def test_an_input_that_does_not_apply_is_left_out_with_all_that_depend_on_it() -> None:
    declared = [
        declare(id_="detail", dependsOn={"inputs": ["kind"], "condition": "{{ inputs.kind == 'other' }}"}),
        declare(id_="more", dependsOn={"inputs": ["detail"]}),
        declare("SELECT", "kind", values=["usual", "other"]),
    ]
    assert resolve_inputs(declared, {"kind": "usual"}) == {"kind": "usual"}
    assert resolve_inputs(declared, {"kind": "other", "detail": "d", "more": "m"}) == {
        "kind": "other", "detail": "d", "more": "m",
    }  # fmt: skip


def test_a_condition_that_fails_is_told() -> None:
    declared = [declare(id_="a", dependsOn={"condition": "{{ inputs.nothing }}"}), declare(id_="b", defaults="1")]
    assert "`a`, its declaration fails" in problems(declared, {})[0]


def test_the_first_choice_may_be_the_default() -> None:
    select = declare("SELECT", "one", values=["a", "b"], autoSelectFirst=True)
    several = declare("MULTISELECT", "many", values=["a", "b"], autoSelectFirst=True)
    assert resolve_inputs([select, several], {}) == {"one": "a", "many": ["a"]}


def test_a_catastrophic_pattern_does_not_hang() -> None:
    (problem,) = problems([declare(validator="(a+)+$")], {"x": "a" * 5000 + "b"})
    assert "it must match the pattern" in problem


def test_what_is_wrong_with_another_input_is_told_once() -> None:
    declared = [
        declare("INT", "amount"),
        declare(id_="told", defaults="it is {{ inputs.amount }}"),
        declare(id_="more", dependsOn={"inputs": ["amount"]}),
    ]
    assert problems(declared, {"amount": "x"}) == [
        "Invalid input for `amount`, it must be a whole number, but received `x`"
    ]


def test_a_person_is_asked_for_what_is_missing_until_it_is_right() -> None:
    asked: list[tuple[str, str | None]] = []
    answers = iter(["other", "x", "7"])

    def ask(entry: Examined, reason: str | None) -> str:
        asked.append((entry.input.id, reason))
        return next(answers)

    declared = [
        declare("SELECT", "kind", values=["usual", "other"]),
        declare("INT", "size", dependsOn={"inputs": ["kind"], "condition": "{{ inputs.kind == 'other' }}"}),
        declare("INT", "twice", defaults="{{ inputs.size * 2 }}"),
        declare("INT", "never", required=False),
    ]
    assert resolve_inputs(declared, {}, ask=ask) == {"kind": "other", "size": 7, "twice": 14, "never": None}
    assert asked == [("kind", None), ("size", None), ("size", "it must be a whole number")]


def test_no_answer_leaves_it_missing() -> None:
    with pytest.raises(InputsInvalid) as caught:
        resolve_inputs([declare()], {}, ask=lambda entry, reason: None)
    assert caught.value.missing == ("x",)


def test_every_input_is_examined_even_where_some_are_wrong() -> None:
    declared = [
        declare("INT", "size"),
        declare(id_="name", defaults="Ada"),
        declare(id_="more", dependsOn={"condition": False}),
        declare("SELECT", "kind", values=["a", "b"], required=False),
    ]
    size, name, more, kind = examine_inputs(declared, {"size": "x"})
    assert (size.value, size.enabled, size.reasons) == ("x", True, ("it must be a whole number",))
    assert (name.value, name.is_default, name.reasons) == ("Ada", True, ())
    assert (more.value, more.enabled) == (None, False)
    assert (kind.value, kind.is_default, kind.choices) == (None, False, ["a", "b"])


def test_secrets_that_a_default_reads_are_in_no_message() -> None:
    secrets: list[str] = []

    def secret(key: str) -> str:
        secrets.append("hunter2")
        return "hunter2"

    declared = [declare("INT", defaults="{{ secret('KEY') }}")]
    with pytest.raises(InputsInvalid, match=r"but received `\*{6}`"):
        resolve_inputs(declared, {}, functions=Functions(secret=secret), secrets=secrets)
