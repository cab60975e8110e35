"""Asks a language model through OpenAI's Chat Completions API, or any server that speaks it.

This file says what an author writes and what comes back; `request` turns the properties into the wire's words,
`call` makes the call within its deadline, `answer` reads what came. Nothing is sent that the author did not set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

import engine.sdk as sdk
from plugins.openai import answer, request
from plugins.openai.answer import Completion
from plugins.openai.call import Call, Target

OPENAI_URL = "https://api.openai.com/v1"

_ASK = """\
id: openai_completion
namespace: company.team
inputs:
  - id: prompt
    type: STRING
    defaults: What is data orchestration?
tasks:
  - id: completion
    type: io.kestra.plugin.openai.ChatCompletion
    apiKey: "{{ secret('OPENAI_API_KEY') }}"
    model: gpt-4o
    clientTimeout: 60
    prompt: "{{ inputs.prompt }}"
  - id: response
    type: io.kestra.plugin.core.debug.Return
    format: "{{ outputs.completion.choices[0].message.content }}"
"""

_DECIDE = """\
id: openai_function_call
namespace: company.team
tasks:
  - id: triage
    type: io.kestra.plugin.openai.ChatCompletion
    apiKey: "{{ secret('OPENAI_API_KEY') }}"
    model: gpt-4o
    clientTimeout: 60
    prompt: The package arrived broken, and nobody answers the phone.
    functionCall: triage
    functions:
      - name: triage
        description: Sorts a customer's letter.
        parameters:
          - name: urgency
            type: string
            description: How soon somebody has to answer.
            enumValues: [now, later]
            required: true
  - id: urgency
    type: io.kestra.plugin.core.debug.Return
    format: "{{ outputs.triage.choices[0].message.function_call.arguments.urgency }}"
"""


class ChatCompletion(sdk.Task, type="io.kestra.plugin.openai.ChatCompletion", effect="idempotent"):
    """Ask a language model, and hand its answer to the tasks that follow."""

    EXAMPLES = (sdk.Example("Ask a question", _ASK), sdk.Example("Let the model decide, in a form you choose", _DECIDE))
    Output: ClassVar[type[sdk.Output]] = Completion

    api_key: sdk.Secret = Field(description="The key that pays for the call. Keep it in a secret, not in the flow.")
    model: str = Field(min_length=1, description="Which model answers, such as `gpt-4o`.")
    prompt: str | None = Field(
        default=None,
        description="What to ask. It is sent with the role `user`, after `messages` when both are given. "
        "One of `prompt` and `messages` has to be there.",
    )
    messages: list[request.Message] | None = Field(
        default=None,
        validate_default=True,
        description="The conversation so far, oldest message first. Needed when there is no `prompt`.",
    )
    functions: list[request.Function] | None = Field(
        default=None, description="What the model may ask to be called, each with the arguments that it takes."
    )
    function_call: str | None = Field(
        default=None,
        description="`auto` lets the model choose between words and a function (so does leaving this out), `none` "
        "keeps it to words, `required` has it call some function, a function's name has it call that one.",
    )
    temperature: float | None = Field(default=None, description="From 0, matter-of-fact, to 2, wild.")
    top_p: float | None = Field(
        default=None, description="Choose only among the likeliest tokens that together have this probability."
    )
    frequency_penalty: float | None = Field(
        default=None, description="From -2 to 2: above 0, words already used often become less likely."
    )
    presence_penalty: float | None = Field(
        default=None, description="From -2 to 2: above 0, words not used yet become more likely."
    )
    max_tokens: int | None = Field(
        default=None,
        description="How long an answer may get, in tokens. Sent as `max_completion_tokens` to OpenAI, "
        "as `max_tokens` to every other `baseUrl`.",
    )
    n: int | None = Field(default=None, description="How many answers to write. Each one is paid for.")
    stop: list[str] | None = Field(
        default=None, max_length=4, description="Up to four texts; the answer ends before the first one that it meets."
    )
    logit_bias: dict[str, int] | None = Field(
        default=None, description="By token id, from -100 (never) to 100 (always): how much to favour that token."
    )
    user: str | None = Field(default=None, description="Who among your own users asks: helps to trace abuse.")
    seed: int | None = Field(default=None, description="The same seed and request tend to give the same answer.")
    reasoning_effort: str | None = Field(
        default=None, description="How hard a reasoning model thinks first: `low`, `medium`, `high`, ..."
    )
    json_response_schema: dict[str, Any] | str | None = Field(
        default=None, description="A JSON Schema, as a map or as JSON text, that the answer's content has to satisfy."
    )
    base_url: str = Field(
        default=OPENAI_URL, description="Where the API is; set it for any other server that speaks the same language."
    )
    organization: str | None = Field(default=None, description="The OpenAI organization that is billed.")
    project: str | None = Field(default=None, description="The OpenAI project that is billed.")
    client_timeout: Annotated[int, sdk.Static()] = Field(
        default=10,
        ge=1,
        description="How many seconds the whole call may take, repetitions included. "
        "Language models are often slower than the default.",
    )
    max_retries: int = Field(
        default=2,
        ge=0,
        description="How often a call is repeated after a failure that may pass: no connection, too many requests, "
        "trouble on the server. Never beyond `clientTimeout`; a longer wait that the server asks for becomes "
        "a later attempt of the task.",
    )

    # Written as checks of single properties, so that a flow is told of them, at their line, before it runs.

    @field_validator("messages")
    @classmethod
    def _something_to_ask(
        cls, messages: list[request.Message] | None, info: ValidationInfo
    ) -> list[request.Message] | None:
        if not messages and not info.data.get("prompt", "unknown"):
            raise ValueError("there is nothing to ask: set `prompt` or `messages`")
        return messages

    @field_validator("function_call")
    @classmethod
    def _names_a_function(cls, function_call: str | None, info: ValidationInfo) -> str | None:
        if function_call and "functions" in info.data:
            request.check_choice(function_call, info.data["functions"] or [])
        return function_call

    @classmethod
    def outputs_for(cls, properties: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return answer.schema(request.argument_names(properties.get("functions")))

    def run(self, ctx: sdk.RunContext) -> Completion:
        target = Target.of(self.api_key, self.base_url, self.organization, self.project)
        ctx.mask(target.api_key)
        call = Call(ctx, target, timeout=self.client_timeout, max_retries=self.max_retries)
        reply = call.complete(self.body())
        completion = answer.read(reply)
        answer.report(completion, ctx)
        answer.check(completion, functions=bool(self.functions), function_call=self.function_call, logger=ctx.logger)
        return completion

    def body(self) -> dict[str, Any]:
        """What goes over the wire. Raises TaskFailed when the properties contradict each other."""
        functions = self.functions or []
        tools = request.tools(functions)
        wire = {
            "model": self.model,
            "messages": request.messages(self.messages or [], self.prompt),
            "tools": tools or None,
            "tool_choice": request.tool_choice(self.function_call, functions),
            "temperature": self.temperature,
            "top_p": self.top_p,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            self._max_tokens_word(): self.max_tokens,
            "n": self.n,
            "stop": self.stop or None,
            "logit_bias": self.logit_bias or None,
            "user": self.user,
            "seed": self.seed,
            "reasoning_effort": self.reasoning_effort,
            "response_format": request.response_format(self.json_response_schema),
        }
        return {name: value for name, value in wire.items() if value is not None}

    def _max_tokens_word(self) -> str:
        # OpenAI's newer models refuse `max_tokens`; most other servers silently ignore `max_completion_tokens`.
        host = urlsplit(self.base_url).hostname or ""
        openai = host.endswith(("api.openai.com", ".openai.azure.com"))
        return "max_completion_tokens" if openai else "max_tokens"
