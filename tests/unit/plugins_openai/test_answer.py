"""What comes back, and what is not believed."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from engine.sdk import TaskFailed
from engine.sdk.testing import FakeContext
from plugins.openai.answer import Completion, check, read, report
from plugins.openai.call import Reply
from tests.unit.plugins_openai.double import completion

FUNCTION = {"name": "f", "arguments": '{"city": "Oslo"}'}


def reply(body: Any, content_type: str = "application/json") -> Reply:
    return Reply(body if isinstance(body, bytes) else json.dumps(body).encode(), content_type, "req-9")


def answered(**message: Any) -> Completion:
    return read(reply(completion(**message)))


def called(arguments: Any, **function_call: Any) -> dict[str, Any]:
    function = {"name": "f", "arguments": arguments, **function_call}
    return {"content": None, "tool_calls": [{"id": "1", "type": "function", "function": function}]}


def checked(outputs: Completion, *, functions: bool = True, function_call: str | None = None) -> list[str]:
    """The warnings; raises TaskFailed."""
    ctx = FakeContext()
    check(outputs, functions=functions, function_call=function_call, logger=ctx.logger)
    assert all(log.level == "WARN" for log in ctx.logs)
    return [log.message for log in ctx.logs]


def failure(outputs: Completion, **options: Any) -> TaskFailed:
    with pytest.raises(TaskFailed) as caught:
        check(outputs, logger=logging.getLogger(__name__), **{"functions": True, "function_call": None, **options})
    assert caught.value.outputs is outputs, "what came is kept all the same"
    assert caught.value.hint
    return caught.value


def test_the_outputs_have_the_names_that_flows_use() -> None:
    outputs = read(reply(completion() | {"system_fingerprint": "fp-1", "new_word": 1})).model_dump()

    assert outputs == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o",
        "system_fingerprint": "fp-1",
        "request_id": "req-9",
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12, "prompt_tokens_details": None},
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {
                    "role": "assistant",
                    "content": "You said: hello",
                    "name": None,
                    "function_call": None,
                    "tool_calls": None,
                    "refusal": None,
                },
            }
        ],
    }


def test_a_call_is_given_parsed_and_as_it_came() -> None:
    message = answered(**called('{"city": "Oslo"}')).choices[0].message.model_dump()

    assert message["function_call"] == {"name": "f", "arguments": {"city": "Oslo"}}
    assert message["tool_calls"] == [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"city": "Oslo"}'}}
    ]


def test_an_old_style_call_is_parsed_too() -> None:
    message = answered(content=None, function_call=FUNCTION).choices[0].message

    assert message.function_call
    assert message.function_call.arguments == {"city": "Oslo"}


def test_arguments_that_are_a_map_already_are_taken() -> None:
    message = answered(**called({"city": "Oslo"})).choices[0].message

    assert message.function_call
    assert message.function_call.arguments == {"city": "Oslo"}
    assert message.tool_calls
    assert message.tool_calls[0].function.arguments == '{"city": "Oslo"}'


def test_no_arguments_are_an_empty_map() -> None:
    message = answered(**called("")).choices[0].message

    assert message.function_call
    assert message.function_call.arguments == {}


@pytest.mark.parametrize("arguments", ["{city: Oslo", "[1]", "NaN", "[" * 100_000])
def test_arguments_that_are_no_object_stay_text_with_a_warning(arguments: str) -> None:
    outputs = answered(**called(arguments))

    assert outputs.choices[0].message.function_call
    assert outputs.choices[0].message.function_call.arguments == arguments
    assert ["is not a JSON object" in text for text in checked(outputs)] == [True]


def test_arguments_that_the_limit_cut_off_are_a_failure() -> None:
    error = failure(answered(finish_reason="length", **called('{"city": "Os')))

    assert "the arguments of f were cut off" in error.message
    assert "maxTokens" in (error.hint or "")


@pytest.mark.parametrize(
    ("reason", "content", "told"),
    [
        ("length", None, "the limit of tokens was used up"),
        ("length", "", "the limit of tokens was used up"),
        ("content_filter", None, "content filter withheld it"),
        ("stop", None, "neither words nor a call (finish_reason: stop)"),
    ],
)
def test_an_answer_without_words_or_a_call_is_a_failure(reason: str, content: str | None, told: str) -> None:
    assert told in failure(answered(content=content, finish_reason=reason), functions=False).message


def test_words_that_were_cut_off_are_kept_with_a_warning() -> None:
    assert "cut off" in checked(answered(finish_reason="length"), functions=False)[0]


def test_a_refusal_is_logged() -> None:
    assert checked(answered(content=None, refusal="I would rather not."), functions=False) == [
        "the model refused to answer: I would rather not."
    ]


def test_words_instead_of_a_call_say_what_to_set() -> None:
    (warning,) = checked(answered())

    assert warning.startswith("choices[0].message.function_call is null: the model answered in words")
    assert "set `functionCall`" in warning


def test_words_are_fine_when_no_call_was_asked_for() -> None:
    assert checked(answered(), function_call="none") == []
    assert checked(answered(), functions=False) == []


def test_a_call_that_was_asked_for_has_to_come() -> None:
    assert "though `functionCall: f` asks for a call" in failure(answered(), function_call="f").message
    cut = answered(finish_reason="length")
    assert "used up before the call was complete" in failure(cut, function_call="f").message


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<!DOCTYPE html><title>Log in</title>", "a web page; it begins: <!DOCTYPE html><title>Log in"),
        (b"", "not JSON (Expecting value: line 1 column 1 (char 0)); it begins: (nothing)"),
        (b'{"id": "x", "choices": [', "something that is not JSON"),
        (b"\xff\xfe", "something that is not JSON"),
        (b"[" * 200_000, "something that is not JSON"),
        (b'{"choices": [{"message": {"content": NaN}}]}', "NaN is not JSON"),
        ([], "a JSON list"),
        ("hello", "a JSON str"),
        ({}, "has no `choices`"),
        ({"choices": []}, "has no `choices`"),
        ({"choices": None}, "has no `choices`"),
        ({"choices": "x"}, "not a completion: choices:"),
        ({"choices": [1]}, "not a completion: choices.0:"),
        ({"choices": [{"message": []}]}, "not a completion: choices.0.message:"),
        ({"choices": [{"message": {"content": 1}}]}, "not a completion: choices.0.message.content:"),
        (completion(tool_calls="x"), "not a completion: choices.0.message.tool_calls:"),
        (completion(tool_calls=[{"function": {"name": 1}}]), "choices.0.message.function_call.name:"),
        (completion() | {"usage": {"prompt_tokens": "many"}}, "not a completion: usage.prompt_tokens:"),
        (completion(content="a\x00b"), "NUL"),
        (completion(content="a\ud800b"), "surrogate"),
        (completion(**called('{"a\\u0000": "b"}')), "NUL"),
        ({"error": {"message": "no such model"}}, "answered with an error: no such model"),
        ({"error": "busy\x00"}, "answered with an error: busy"),
    ],
)
def test_what_is_no_completion_is_a_failure_that_shows_it(body: Any, told: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        read(reply(body))

    assert told in caught.value.message
    assert len(caught.value.message) < 800
    assert "\x00" not in caught.value.message
    caught.value.message.encode()
    assert caught.value.hint


def test_html_is_told_by_its_content_type_too() -> None:
    with pytest.raises(TaskFailed, match="a web page"):
        read(reply(b"hello", "text/html; charset=utf-8"))


def test_a_byte_order_mark_is_no_harm() -> None:
    assert read(reply(b"\xef\xbb\xbf" + json.dumps(completion()).encode())).id == "chatcmpl-1"


def test_tokens_are_counted_under_both_families_of_names() -> None:
    ctx = FakeContext()
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 3},
    }

    report(read(reply(completion() | {"usage": usage})), ctx)

    assert {metric.name: metric.value for metric in ctx.metrics} == {
        "usage.prompt_tokens": 5,
        "usage.completion_tokens": 7,
        "usage.total_tokens": 12,
        "usage.prompt.tokens": 5,
        "usage.completion.tokens": 7,
        "usage.total.tokens": 12,
        "usage.prompt.cached_tokens": 3,
    }
    assert {metric.kind for metric in ctx.metrics} == {"counter"}


def test_a_service_that_counts_nothing_is_believed() -> None:
    ctx = FakeContext()

    report(read(reply({key: value for key, value in completion().items() if key != "usage"})), ctx)

    assert ctx.metrics == []
