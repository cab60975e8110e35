"""Every property, as it arrives at the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine.model.state import State
from engine.sdk.testing import TaskResult, run_task
from plugins.openai.chat_completion import ChatCompletion
from tests.unit.plugins_openai.double import KEY, Service

REVIEW = {
    "name": "respond_to_review",
    "description": "Judges a review.",
    "parameters": [
        {
            "name": "urgency",
            "type": "string",
            "description": "How soon.",
            "required": True,
            "enumValues": ["now", "later"],
        },
        {"name": "text", "description": "What to say."},
    ],
}
OTHER = {"name": "other"}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service() as service:
        yield service


def ask(service: Service, /, inputs: dict[str, Any] | None = None, **properties: Any) -> TaskResult:
    task = {"type": ChatCompletion, "apiKey": KEY, "model": "gpt-4o", "baseUrl": service.url}
    return run_task({**task, **properties}, inputs=inputs)


def sent(service: Service, **properties: Any) -> dict[str, Any]:
    result = ask(service, **{"prompt": "hello", **properties})
    assert result.state is State.SUCCESS, result.error
    return service.bodies[-1]


def refusal(service: Service, **properties: Any) -> str:
    before = len(service.bodies)
    result = ask(service, **properties)
    assert result.state is State.FAILED
    assert len(service.bodies) == before, "it was sent all the same"
    return result.error or ""


def test_nothing_is_sent_that_was_not_set(service: Service) -> None:
    assert sent(service) == {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize(
    ("properties", "wire"),
    [
        ({"temperature": 0}, {"temperature": 0}),
        ({"temperature": "0.25"}, {"temperature": 0.25}),
        ({"topP": "{{ 0.5 }}"}, {"top_p": 0.5}),
        ({"frequencyPenalty": -2}, {"frequency_penalty": -2}),
        ({"presencePenalty": 1.5}, {"presence_penalty": 1.5}),
        ({"maxTokens": "100"}, {"max_tokens": 100}),
        ({"n": "{{ 1 + 1 }}"}, {"n": 2}),
        ({"stop": ["a", "{{ 'b' }}"]}, {"stop": ["a", "b"]}),
        ({"stop": []}, {}),
        ({"logitBias": {"1234": -100}}, {"logit_bias": {"1234": -100}}),
        ({"user": "ada"}, {"user": "ada"}),
        ({"seed": 7}, {"seed": 7}),
        ({"reasoningEffort": "low"}, {"reasoning_effort": "low"}),
        ({"functionCall": "auto"}, {}),
        (
            {"jsonResponseSchema": '{"type": "object"}'},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}},
                }
            },
        ),
    ],
)
def test_a_property_on_the_wire(service: Service, properties: dict[str, Any], wire: dict[str, Any]) -> None:
    body = sent(service, **properties)

    assert {name: value for name, value in body.items() if name not in ("model", "messages")} == wire


def test_a_schema_may_be_a_map(service: Service) -> None:
    body = sent(service, jsonResponseSchema={"type": "object", "properties": {}})

    assert body["response_format"]["json_schema"]["schema"] == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("https://acme.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("http://127.0.0.1:8080/v1", "max_tokens"),
        ("https://api.openai.com.evil.example/v1", "max_tokens"),
    ],
)
def test_the_limit_of_tokens_has_the_name_that_the_service_knows(url: str, word: str) -> None:
    task = ChatCompletion(api_key=KEY, model="m", prompt="hello", max_tokens=5, base_url=url)

    assert task.body() == {"model": "m", "messages": [{"role": "user", "content": "hello"}], word: 5}


def test_the_prompt_comes_after_the_messages(service: Service) -> None:
    body = sent(service, prompt="And now?", messages=[{"role": "SYSTEM", "content": "Be brief.", "name": "boss"}])

    assert body["messages"] == [
        {"role": "system", "content": "Be brief.", "name": "boss"},
        {"role": "user", "content": "And now?"},
    ]


def test_an_earlier_answer_can_be_a_message(service: Service) -> None:
    first = ask(service, prompt="Great!", functions=[REVIEW]).outputs["choices"][0]["message"]

    body = sent(
        service,
        messages=[first, {"role": "tool", "content": "done", "toolCallId": first["tool_calls"][0]["id"]}],
        prompt="Thanks",
    )

    assert body["messages"][0] == {"role": "assistant", "content": None, "tool_calls": first["tool_calls"]}
    assert body["messages"][1] == {"role": "tool", "content": "done", "tool_call_id": "call-1"}


def test_old_style_calls_in_messages_are_sent_as_text(service: Service) -> None:
    call = {"name": "f", "arguments": {"a": "ä"}}

    body = sent(
        service,
        messages=[{"role": "assistant", "function_call": call}, {"role": "function", "name": "f", "content": "1"}],
    )

    assert body["messages"][0]["function_call"] == {"name": "f", "arguments": '{"a": "ä"}'}


def test_what_an_expression_gives_is_not_rendered_again(service: Service) -> None:
    result = ask(service, inputs={"q": "{{ secret('KEY') }}"}, messages=[{"role": "user", "content": "{{ inputs.q }}"}])

    assert result.state is State.SUCCESS
    assert service.bodies[-1]["messages"][0]["content"] == "{{ secret('KEY') }}"


def test_functions_are_sent_as_tools(service: Service) -> None:
    body = sent(service, functions=[REVIEW, OTHER])

    assert body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "respond_to_review",
                "description": "Judges a review.",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "urgency": {"type": "string", "description": "How soon.", "enum": ["now", "later"]},
                        "text": {"type": "string", "description": "What to say."},
                    },
                    "required": ["urgency"],
                },
            },
        },
        {"type": "function", "function": {"name": "other", "parameters": {"type": "object", "properties": {}}}},
    ]
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    ("parameter", "schema"),
    [
        ({"type": "integer", "enumValues": ["1", "2"]}, {"type": "integer", "enum": [1, 2]}),
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({"type": "array", "enumValues": ["a"]}, {"type": "array", "items": {"type": "string", "enum": ["a"]}}),
        ({"type": "string", "enumValues": ["1"]}, {"type": "string", "enum": ["1"]}),
        ({"type": "boolean", "required": "true"}, {"type": "boolean"}),
    ],
)
def test_a_parameter_has_a_type_of_its_own(service: Service, parameter: dict[str, Any], schema: dict[str, Any]) -> None:
    function = {"name": "f", "parameters": [{"name": "p", "description": "d", **parameter}]}

    parameters = sent(service, functions=[function])["tools"][0]["function"]["parameters"]

    assert parameters["properties"]["p"] == {"description": "d", **schema}
    assert parameters.get("required") == (["p"] if "required" in parameter else None)


@pytest.mark.parametrize(
    ("function_call", "choice"),
    [
        ("auto", "auto"),
        ("AUTO", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("other", {"type": "function", "function": {"name": "other"}}),
        ("", None),
    ],
)
def test_the_choice_of_a_function(service: Service, function_call: str, choice: Any) -> None:
    assert sent(service, functions=[REVIEW, OTHER], functionCall=function_call).get("tool_choice") == choice


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({}, "nothing to ask: set `prompt` or `messages`"),
        ({"prompt": "{{ '' }}"}, "nothing to ask: set `prompt` or `messages`"),
        ({"messages": []}, "nothing to ask: set `prompt` or `messages`"),
        ({"messages": [{"role": "usr", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "`messages[0]` has the role user and no `content`"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "no `toolCallId`"),
        ({"messages": [{"role": "function", "content": "x"}]}, "no `name`"),
        ({"prompt": "x", "functions": [OTHER], "functionCall": "othr"}, "does not declare othr (declared: other)"),
        ({"prompt": "x", "functionCall": "other"}, "(declared: none)"),
        ({"prompt": "x", "functionCall": "required"}, "needs `functions`"),
        ({"prompt": "x", "functions": [OTHER, OTHER]}, "declares other more than once"),
        ({"prompt": "x", "functions": [{}]}, "functions[0].name"),
        ({"prompt": "x", "stop": list("abcde")}, "stop"),
        ({"prompt": "x", "jsonResponseSchema": "{"}, "`jsonResponseSchema` is not valid JSON"),
        ({"prompt": "x", "jsonResponseSchema": "[1]"}, "has to be a JSON Schema"),
        ({"prompt": "x", "maxTokens": "many"}, "maxTokens"),
        ({"prompt": "x", "clientTimeout": 0}, "clientTimeout"),
        ({"prompt": "x", "apiKey": "{{ '' }}"}, "`apiKey` is empty"),
        ({"prompt": "x", "apiKey": "sk-\nX"}, "`apiKey` has a line break"),
        ({"prompt": "x", "organization": "ä"}, "`organization` has a line break"),
        ({"prompt": "x", "baseUrl": "api.openai.com/v1"}, "`baseUrl` is no web address"),
        ({"prompt": "x", "baseUrl": "http://[::1/v1"}, "`baseUrl` is no web address"),
        ({"prompt": "x", "model": ""}, "model"),
        ({"prompt": "x", "clientTimeot": 5}, "clientTimeout"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    service: Service, properties: dict[str, Any], told: str
) -> None:
    assert told in refusal(service, **properties)


def test_an_enum_value_has_to_fit_its_type(service: Service) -> None:
    parameter = {"name": "p", "description": "d", "type": "integer", "enumValues": ["one"]}

    told = refusal(service, prompt="x", functions=[{"name": "f", "parameters": [parameter]}])

    assert "f.p has 'one', which is no integer" in told
