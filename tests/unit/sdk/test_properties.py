"""Typed rendering: what each declared type makes of what is written, and what is said when it can't."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator, model_validator

from engine.errors import ExpressionError, TaskFailed
from engine.sdk import Definition, Secret, Static, Task
from engine.sdk.properties import render_properties, secret_values

VALUES: dict[str, Any] = {
    "n": 5,
    "half": 0.5,
    "yes": True,
    "word": "text",
    "number_text": "7",
    "names": ["a", "b"],
    "names_text": '["a", 1]',
    "names_of_templates": ["{{ n }}"],
    "map": {"k": 1},
    "map_text": '{"k": "{{ n }}"}',
    "message": {"role": "user", "content": "{{ word }}", "maxTokens": "3"},
    "key": "sk-1",
    "nothing": None,
}
EXPRESSION = re.compile(r"{{ (\w+) }}")


def _value(match: re.Match[str], template: str) -> Any:
    if match[1] not in VALUES:
        raise ExpressionError(f"Unable to find `{match[1]}`", template=template, hint="set it")
    return VALUES[match[1]]


def render(template: str) -> str:
    return EXPRESSION.sub(lambda match: str(_value(match, template)), template)


def evaluate(template: str) -> Any:
    whole = EXPRESSION.fullmatch(template.strip())
    return _value(whole, template) if whole else render(template)


class Message(Definition):
    role: Literal["user", "system"] = "user"
    content: str | None = None
    max_tokens: int | None = None
    replies: list[Message] = Field(default_factory=list)


class Sample(Task, type="test.Sample"):
    text: str | None = None
    choice: Literal["a", "text"] | None = None
    count: int = 1
    ratio: float | None = None
    flag: bool = False
    wait: timedelta | None = None
    names: list[str] = Field(default_factory=list)
    pair: tuple[int, ...] = ()
    options: Mapping[str, int] = Field(default_factory=dict)
    anything: Any = None
    message: Message | None = None
    messages: list[Message] = Field(default_factory=list)
    one_or_many: str | list[str] | None = None
    number_or_list: int | list[int] | None = None
    static: Annotated[dict[str, str] | None, Static()] = None
    max_tokens: int | None = None


def sample(**raw: Any) -> Sample:
    return render_properties(Sample, raw, render, evaluate)


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("text", "{{ word }}!", "text!"),
        ("text", "{{ n }}", "5"),
        ("text", 5, "5"),
        ("text", True, "true"),
        ("text", None, None),
        ("choice", "{{ word }}", "text"),
        ("count", "{{ n }}", 5),
        ("count", " {{ number_text }} ", 7),
        ("count", "1{{ n }}", 15),
        ("ratio", "{{ half }}", 0.5),
        ("ratio", "3", 3.0),
        ("flag", "{{ yes }}", True),
        ("flag", "true", True),
        ("wait", "PT{{ n }}S", timedelta(seconds=5)),
        ("names", ["{{ word }}", "{{ n }}", 3], ["text", "5", "3"]),
        ("names", "{{ names }}", ["a", "b"]),
        ("names", "{{ names_text }}", ["a", "1"]),
        ("names", '["{{ word }}"]', ["text"]),
        ("pair", ["{{ n }}", "2"], (5, 2)),
        ("options", {"{{ word }}": "{{ n }}", "text": 9}, {"text": 5}),
        ("options", "{{ map }}", {"k": 1}),
        ("anything", "{{ names }}", ["a", "b"]),
        ("anything", {"{{ word }}": ["{{ n }}", {"x": "{{ map }}"}]}, {"text": [5, {"x": {"k": 1}}]}),
        ("anything", "{{ map_text }}", '{"k": "{{ n }}"}'),
        ("message", {"content": "{{ n }}", "maxTokens": "{{ n }}"}, Message(content="5", max_tokens=5)),
        ("message", "{{ message }}", Message(role="user", content="{{ word }}", max_tokens=3)),
        ("messages", [{"replies": [{"content": "{{ word }}"}]}], [Message(replies=[Message(content="text")])]),
        ("one_or_many", "{{ word }}", "text"),
        ("one_or_many", ["{{ word }}"], ["text"]),
        ("one_or_many", 5, "5"),
        ("one_or_many", True, "true"),
        ("number_or_list", 5, 5),
        ("number_or_list", "{{ n }}", 5),
        ("number_or_list", "{{ names_text }}", None),
        ("static", {"k": "{{ missing }}"}, {"k": "{{ missing }}"}),
        ("maxTokens", "{{ n }}", None),
    ],
)
def test_the_declared_type_decides(name: str, written: Any, value: Any) -> None:
    if name == "number_or_list" and value is None:
        with pytest.raises(TaskFailed, match=r"number_or_list\[0\]"):
            sample(number_or_list=written)
    elif name == "maxTokens":
        assert sample(maxTokens=written).max_tokens == sample(max_tokens=written).max_tokens == 5
    else:
        assert getattr(sample(**{name: written}), name) == value


def test_what_is_not_set_stays_unset() -> None:
    assert sample(text="x").model_fields_set == {"text"}


def test_what_an_expression_gave_is_never_rendered_again() -> None:
    assert sample(message="{{ message }}").message == Message(content="{{ word }}", max_tokens=3)
    assert sample(anything="{{ map_text }}").anything == '{"k": "{{ n }}"}'
    assert sample(names="{{ names_of_templates }}").names == ["{{ n }}"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            {"count": "{{ word }}"},
            'property "count": expected a valid integer, unable to parse string as an integer, got "text", '
            'which "{{ word }}" gave',
        ),
        ({"count": "x"}, 'property "count": expected a valid integer, unable to parse string as an integer, got "x"'),
        ({"choice": "{{ n }}"}, 'property "choice": expected \'a\' or \'text\', got "5", which "{{ n }}" gave'),
        ({"names": "{{ n }}"}, 'property "names": expected a list, got 5, which "{{ n }}" gave'),
        (
            {"messages": [{}, {"replies": [{"maxTokens": "{{ word }}"}]}]},
            'property "messages[1].replies[0].maxTokens": expected a valid integer, unable to parse string as an '
            'integer, got "text", which "{{ word }}" gave',
        ),
        (
            {"messages": '[{"maxTokens": "{{ word }}"}]'},
            'property "messages[0].maxTokens": expected a valid integer, unable to parse string as an integer, '
            'got "text", which "[{\\"maxTokens\\": \\"{{ word }}\\"}]" gave',
        ),
        ({"message": 3}, 'property "message": expected a map, got 3'),
        ({"names": "[1, "}, 'property "names": expected a list, got "[1, "'),
        ({"wait": "5 days or so"}, 'property "wait": expected an ISO-8601 duration such as PT5S, got "5 days or so"'),
        ({"maxToken": 1}, 'unknown property "maxToken", did you mean "maxTokens"?'),
        ({"text": "{{ missing }}"}, 'property "text": Unable to find `missing`'),
        ({"messages": [{"content": "{{ missing }}"}]}, 'property "messages[0].content": Unable to find `missing`'),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_origin(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        sample(**raw)
    assert caught.value.message == message


def test_all_mistakes_are_told_at_once() -> None:
    class Strict(Task, type="test.Strict"):
        needed: str
        count: int = 0

    with pytest.raises(TaskFailed) as caught:
        render_properties(Strict, {"count": []}, render, evaluate)
    assert caught.value.message.splitlines() == [
        'property "needed" is required',
        'property "count": expected a valid integer, got []',
    ]


def test_a_rule_of_the_task_itself_speaks_for_itself() -> None:
    class Either(Task, type="test.Either"):
        prompt: str | None = None
        count: int = 0

        @field_validator("count")
        @classmethod
        def _even(cls, count: int) -> int:
            if count % 2:
                raise ValueError("must be even")
            return count

        @model_validator(mode="after")
        def _something(self) -> Either:
            if self.prompt is None:
                raise ValueError("set `prompt`")
            return self

    with pytest.raises(TaskFailed, match=r"^set `prompt`$"):
        render_properties(Either, {}, render, evaluate)
    with pytest.raises(TaskFailed) as caught:
        render_properties(Either, {"count": "{{ n }}"}, render, evaluate)
    assert caught.value.message == 'property "count": must be even, got 5, which "{{ n }}" gave'


def test_the_hint_of_an_expression_is_kept() -> None:
    with pytest.raises(TaskFailed) as caught:
        sample(text="{{ missing }}")
    assert caught.value.hint == "set it"


class Request(Task, type="test.Request"):
    options: list[Options] = Field(default_factory=list)


class Options(Definition):
    proxy: Proxy | None = None


class Proxy(Definition):
    port: int
    token: Secret = ""


def test_definitions_may_stand_after_what_uses_them() -> None:
    request = render_properties(Request, {"options": [{"proxy": {"port": "{{ n }}"}}]}, render, evaluate)
    assert request.options == [Options(proxy=Proxy(port=5))]
    with_token = render_properties(Request, {"options": [{"proxy": {"port": 1, "token": "t"}}]}, render, evaluate)
    assert secret_values(with_token) == ["t"]


class Credentials(BaseModel):
    user: str
    password: Secret


class Guarded(Task, type="test.Guarded"):
    key: Secret | None = None
    tokens: list[Secret] = Field(default_factory=list)
    login: Credentials | None = None
    logins: dict[str, Credentials] = Field(default_factory=dict)
    model: str = ""


def test_secrets_are_found_wherever_they_are_declared() -> None:
    raw = {
        "key": "{{ key }}",
        "tokens": ["t1", ""],
        "login": {"user": "u", "password": "p1"},
        "logins": {"a": {"user": "u", "password": "p2"}},
        "model": "m",
    }
    assert secret_values(render_properties(Guarded, raw, render, evaluate)) == ["sk-1", "t1", "p1", "p2"]
    assert secret_values(sample(text="x")) == []


@pytest.mark.parametrize("raw", [{"key": ["sk-1"]}, {"login": {"user": [], "password": ["sk-1"]}}])
def test_an_error_never_shows_a_secret(raw: dict[str, Any]) -> None:
    with pytest.raises(TaskFailed) as caught:
        render_properties(Guarded, raw, render, evaluate)
    assert "sk-1" not in caught.value.message
