"""From properties to the wire: what an author wrote, in the words of the Chat Completions API. Pure.

Authors write `functions` and `functionCall`; the API has long called these `tools` and `tool_choice`, and newer
models and other servers know only the new names, so those are what is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator

import engine.sdk as sdk

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
_CHOICES = ("auto", "none", "required")
ParameterType = Literal["string", "number", "integer", "boolean", "array", "object"]


class MessageFunctionCall(sdk.Definition):
    """A call that the model asked for in an earlier message."""

    name: str
    arguments: Any = Field(default=None, description="A map, or the JSON text of one.")


class Message(sdk.Definition):
    """One message of the conversation. An earlier answer's `message` output can stand here as it is."""

    role: Role = Field(description="Who speaks.")
    content: str | None = Field(default=None, description="What is said.")
    name: str | None = Field(default=None, description="Tells apart speakers of one role; for `function`, which one.")
    function_call: MessageFunctionCall | None = Field(
        default=None, description="The call that the assistant asked for."
    )
    tool_calls: list[dict[str, Any]] | None = Field(
        default=None, description="The calls that the assistant asked for, as the API gave them."
    )
    tool_call_id: str | None = Field(default=None, description="For the role `tool`: which call this answers.")
    refusal: str | None = Field(default=None, description="Why the assistant would not answer.")

    @field_validator("role", mode="before")
    @classmethod
    def _lower(cls, role: Any) -> Any:
        return role.lower() if isinstance(role, str) else role


class FunctionParameter(sdk.Definition):
    """One argument of a function."""

    name: str = Field(description="The argument's name.")
    description: str = Field(description="What the model should put there. The more exact, the better the answer.")
    type: ParameterType = Field(default="string", description="The argument's JSON type.")
    enum_values: list[str] | None = Field(default=None, description="The only values that the model may choose from.")
    required: bool = Field(default=False, description="Whether the model has to give it.")


class Function(sdk.Definition):
    """Something the model may ask to be called."""

    name: str = Field(min_length=1, description="The function's name: letters, digits, `_` and `-`.")
    description: str | None = Field(default=None, description="What it does: the model decides by this.")
    parameters: list[FunctionParameter] | None = Field(default=None, description="The arguments that it takes.")


def argument_names(functions: Any) -> list[str] | None:
    """The arguments of all functions as they are written in a flow; None when that cannot be told before it runs."""
    names: list[str] = []
    for function in functions if isinstance(functions, list | tuple) else [None]:
        parameters = function.get("parameters") if isinstance(function, Mapping) else None
        if not isinstance(parameters, list | tuple) or not parameters:
            return None
        for parameter in parameters:
            name = parameter.get("name") if isinstance(parameter, Mapping) else None
            if not isinstance(name, str) or "{" in name:
                return None
            names.append(name)
    return names


def messages(given: Sequence[Message], prompt: str | None) -> list[dict[str, Any]]:
    """The conversation, with the prompt as its last word."""
    wire = [_message(index, message) for index, message in enumerate(given)]
    if prompt:
        wire.append({"role": "user", "content": prompt})
    return wire


def tools(functions: Sequence[Function]) -> list[dict[str, Any]]:
    """The functions that the model may call."""
    names = [function.name for function in functions]
    for name in names:
        if names.count(name) > 1:
            raise sdk.TaskFailed(
                f"`functions` declares {name} more than once", hint="Give every function its own name."
            )
    return [{"type": "function", "function": _function(function)} for function in functions]


def check_choice(function_call: str, functions: Sequence[Function]) -> None:
    """Raises ValueError for a choice that the functions do not offer. Their names may still be expressions."""
    names = [function.name for function in functions]
    if function_call in names or any("{{" in name for name in names):
        return
    word = function_call.lower()
    if word == "required" and not functions:
        raise ValueError("`required` needs `functions` to choose from")
    if word not in _CHOICES:
        declared = ", ".join(names) or "none"
        raise ValueError(
            f"`functions` does not declare {function_call} (declared: {declared}); "
            f"name one of them, or {', '.join(_CHOICES)}"
        )


def tool_choice(function_call: str | None, functions: Sequence[Function]) -> Any:
    """Which function the model has to call; None leaves it to the model."""
    if not function_call or not functions:
        return None  # the API refuses a choice where there is nothing to choose from
    if function_call in [function.name for function in functions]:
        return {"type": "function", "function": {"name": function_call}}
    return function_call.lower()


def response_format(schema: dict[str, Any] | str | None) -> dict[str, Any] | None:
    """Asks for content that satisfies a JSON Schema."""
    if not schema:
        return None
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except ValueError as error:
            raise sdk.TaskFailed(f"`jsonResponseSchema` is not valid JSON: {error}") from None
    if not isinstance(schema, dict):
        raise sdk.TaskFailed("`jsonResponseSchema` has to be a JSON Schema: a map with a `type`")
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def _message(index: int, message: Message) -> dict[str, Any]:
    called = message.function_call or message.tool_calls
    needs = {
        "content": message.content is None and not called and message.refusal is None,
        "name": message.role == "function" and not message.name,
        "toolCallId": message.role == "tool" and not message.tool_call_id,
    }
    for word, missing in needs.items():
        if missing:
            raise sdk.TaskFailed(f"`messages[{index}]` has the role {message.role} and no `{word}`")
    wire = message.model_dump(exclude_none=True, exclude={"function_call"})
    if message.function_call and not message.tool_calls:
        arguments = message.function_call.arguments
        text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
        wire["function_call"] = {"name": message.function_call.name, "arguments": text}
    if called:
        wire.setdefault("content", None)
    return wire


def _function(function: Function) -> dict[str, Any]:
    parameters = function.parameters or []
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {parameter.name: _parameter(function, parameter) for parameter in parameters},
    }
    required = [parameter.name for parameter in parameters if parameter.required]
    if required:
        schema["required"] = required
    wire: dict[str, Any] = {"name": function.name, "parameters": schema}
    if function.description is not None:
        wire["description"] = function.description
    return wire


def _parameter(function: Function, parameter: FunctionParameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.type, "description": parameter.description}
    if parameter.type == "array":
        # An array has to say what is in it; the API refuses one that does not.
        schema["items"] = {"type": "string", "enum": parameter.enum_values} if parameter.enum_values else {}
    elif parameter.enum_values:
        schema["enum"] = [_enum_value(function, parameter, text) for text in parameter.enum_values]
    return schema


def _enum_value(function: Function, parameter: FunctionParameter, text: str) -> Any:
    """A choice in the parameter's own type: the 1 of an integer is no text."""
    if parameter.type == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise sdk.TaskFailed(
            f"`enumValues` of {function.name}.{parameter.name} has {text!r}, which is no {parameter.type}"
        ) from None
