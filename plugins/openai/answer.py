"""From the wire to outputs: what came back, checked, in the words that expressions use.

Services differ, and things stand between them and us: nothing is believed before it is looked at. A model's function
call is given twice: as `tool_calls`, the way it came, and as `function_call` with its arguments already parsed.
Always true: what is not a complete answer is a failure, never a partial success.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Iterator
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import engine.sdk as sdk
from plugins.openai.call import Reply
from plugins.openai.failure import one_line, sample

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NO_API = "Check `baseUrl`: it has to be the address of the API itself (it mostly ends with /v1), not of a page."
_CUT = "Raise `maxTokens`, or leave it out."


class _Part(BaseModel):
    """A part of an answer. Services add words of their own; they are left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ToolFunction(_Part):
    name: str = Field(description="The function to call.")
    arguments: str = Field(description="Its arguments: JSON text, as the model wrote it.")


class ToolCall(_Part):
    id: str | None = Field(default=None, description="What the answer to this call has to name.")
    type: str = Field(default="function", description="The kind of tool.")
    function: ToolFunction = Field(description="The call itself.")


class ChatFunctionCall(_Part):
    name: str = Field(description="The function to call.")
    arguments: Any = Field(description="Its arguments, parsed; the text itself when it is not JSON.")


class ChatMessage(_Part):
    role: str = Field(default="assistant", description="Who speaks: `assistant`.")
    content: str | None = Field(default=None, description="The answer in words; null when a function is called.")
    name: str | None = Field(default=None, description="The speaker's name, where a service gives one.")
    function_call: ChatFunctionCall | None = Field(default=None, description="The first function that the model calls.")
    tool_calls: list[ToolCall] | None = Field(default=None, description="All functions that the model calls.")
    refusal: str | None = Field(default=None, description="Why the model would not answer.")


class ChatCompletionChoice(_Part):
    index: int = Field(default=0, description="Which of the `n` answers this is, from 0.")
    finish_reason: str | None = Field(default=None, description="Why it ends: `stop`, `length`, `tool_calls`, ...")
    message: ChatMessage = Field(description="The answer.")


class PromptTokens(_Part):
    cached_tokens: int | None = Field(default=None, description="Tokens of the prompt that the service still had.")


class Usage(_Part):
    prompt_tokens: int = Field(default=0, description="Tokens that were sent.")
    completion_tokens: int = Field(default=0, description="Tokens that were written.")
    total_tokens: int = Field(default=0, description="Both together.")
    prompt_tokens_details: PromptTokens | None = Field(default=None, description="More about the tokens sent.")


class Completion(sdk.Output):
    """What a ChatCompletion task gives to the tasks after it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    choices: list[ChatCompletionChoice] = Field(description="The answers, as many as `n` asks for.")
    id: str | None = Field(default=None, description="The service's id of this completion.")
    model: str | None = Field(default=None, description="The model that answered.")
    object: str | None = Field(default=None, description="`chat.completion`.")
    usage: Usage | None = Field(default=None, description="What the call used.")
    system_fingerprint: str | None = Field(default=None, description="The service's setup that answered.")
    request_id: str | None = Field(default=None, description="What to name when asking the service about this call.")


def schema(arguments: Collection[str] | None) -> dict[str, Any]:
    """The JSON Schema of a completion whose function calls can have these arguments; None: any."""
    described = Completion.model_json_schema(mode="serialization")
    if arguments is not None:
        parsed = {"type": "object", "properties": {name: {} for name in arguments}, "additionalProperties": False}
        call = described["$defs"][ChatFunctionCall.__name__]
        call["properties"]["arguments"] = {"anyOf": [parsed, {"type": "string"}]}
    return described


def read(reply: Reply) -> Completion:
    """Raises TaskFailed, with the beginning of the answer, for anything that is not a completion."""
    data = _json(reply)
    if not isinstance(data, dict):
        _refuse(f"the service answered with a JSON {type(data).__name__}, not with a completion", reply)
    if data.get("error"):
        error = data["error"]
        said = error.get("message") if isinstance(error, dict) else error
        hint = "The service calls it a success, yet reports this error: look there first."
        raise sdk.TaskFailed(f"the service answered with an error: {one_line(str(said))}", hint=hint)
    if not data.get("choices"):
        _refuse("the service's answer has no `choices`", reply)
    try:
        completion = Completion.model_validate(_with_function_calls(data) | {"request_id": reply.request_id})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        _refuse(f"the service's answer is not a completion: {where}: {first['msg'].lower()}", reply)
    if any(_UNSTORABLE.search(text) for text in _texts(completion.model_dump())):
        _refuse("the answer has characters in it that no text may have (NUL, or half a surrogate pair)", reply)
    return completion


def check(completion: Completion, *, functions: bool, function_call: str | None, logger: logging.Logger) -> None:
    """Fail for an answer that is whole on the wire and yet not what was asked for; log what is only odd."""
    for choice in completion.choices:
        message, where = choice.message, f"choices[{choice.index}].message"
        cut = choice.finish_reason == "length"
        call = message.function_call
        if call and not isinstance(call.arguments, dict):
            if cut:
                _fail(completion, f"the arguments of {call.name} were cut off before their end", _CUT)
            logger.warning(
                "%s.function_call.arguments is not a JSON object but the text %s; `%s.tool_calls` has it as it came",
                where,
                one_line(str(call.arguments)),
                where,
            )
        if call is None and message.refusal:
            logger.warning("the model refused to answer: %s", one_line(message.refusal))
        elif call is None and not message.content:
            _no_words(completion, choice)
        elif cut and call is None:
            logger.warning("%s.content was cut off by the limit of tokens. %s", where, _CUT)
        if functions and call is None:
            _no_call(completion, choice, function_call, logger)


def report(completion: Completion, ctx: sdk.RunContext) -> None:
    """Count the tokens, under the names of old and new Kestra alike."""
    usage = completion.usage
    if usage is None:
        return
    for kind in ("prompt", "completion", "total"):
        tokens = getattr(usage, f"{kind}_tokens")
        ctx.counter(f"usage.{kind}_tokens", tokens)
        ctx.counter(f"usage.{kind}.tokens", tokens)
    if usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens is not None:
        ctx.counter("usage.prompt.cached_tokens", usage.prompt_tokens_details.cached_tokens)


def _no_words(completion: Completion, choice: ChatCompletionChoice) -> None:
    where = f"choices[{choice.index}].message.content"
    match choice.finish_reason:
        case "length":
            _fail(completion, f"{where} is empty: the limit of tokens was used up before the answer began", _CUT)
        case "content_filter":
            _fail(completion, f"{where} is empty: the service's content filter withheld it", "Reword the prompt.")
        case reason if choice.message.content is None:
            _fail(
                completion,
                f"{where} is null: the model gave neither words nor a call (finish_reason: {reason})",
                "Ask again, or ask differently; if it stays, the service is at fault.",
            )


def _no_call(
    completion: Completion, choice: ChatCompletionChoice, function_call: str | None, logger: logging.Logger
) -> None:
    wanted, where = function_call or "auto", f"choices[{choice.index}].message.function_call"
    if wanted.lower() == "none":
        return
    if wanted.lower() != "auto":
        if choice.finish_reason == "length":
            _fail(completion, f"{where} is null: the limit of tokens was used up before the call was complete", _CUT)
        hint = "This model or service does not support it: use another model."
        _fail(completion, f"{where} is null, though `functionCall: {function_call}` asks for a call", hint)
    logger.warning(
        "%s is null: the model answered in words and called no function. "
        "To make it call one, set `functionCall` to that function's name.",
        where,
    )


def _fail(completion: Completion, message: str, hint: str) -> NoReturn:
    raise sdk.TaskFailed(message, hint=hint, outputs=completion)


def _refuse(problem: str, reply: Reply) -> NoReturn:
    raise sdk.TaskFailed(f"{problem}; it begins: {sample(reply.body)}", hint=_NO_API)


def _json(reply: Reply) -> Any:
    try:
        text = reply.body.decode("utf-8-sig")
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        page = "html" in reply.content_type or reply.body.lstrip()[:1] == b"<"
        what = "a web page" if page else f"something that is not JSON ({one_line(str(error))})"
        _refuse(f"the service answered with {what}", reply)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _with_function_calls(data: dict[str, Any]) -> dict[str, Any]:
    """The answer with both forms of each call, whichever of them came."""
    choices = data["choices"]
    if not isinstance(choices, list):
        return data
    return data | {"choices": [_both_forms(choice) for choice in choices]}


def _both_forms(choice: Any) -> Any:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return choice
    calls = message.get("tool_calls") or None
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    # Some services give the arguments as a map already, where JSON text is due.
    for function in functions:
        if isinstance(function, dict) and isinstance(function.get("arguments"), dict):
            function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
    first = next(
        (function for function in [message.get("function_call"), *functions] if isinstance(function, dict)), {}
    )
    if not first:
        return choice | {"message": message | {"tool_calls": calls}}
    call = {"name": first.get("name"), "arguments": _parsed(first.get("arguments"))}
    return choice | {"message": message | {"tool_calls": calls, "function_call": call}}


def _parsed(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments if arguments is not None else {}
    try:
        parsed = json.loads(arguments or "{}", parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return arguments
    return parsed if isinstance(parsed, dict) else arguments


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *_texts(item)) if isinstance(key, str) else _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
