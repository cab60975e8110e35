"""An answer from the web that an http.Trigger has asked for: whether it starts the flow, and what the flow sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from engine.core.facts import Facts
from engine.core.rendering import answer
from engine.core.triggering.calls import conditions_hold
from engine.core.triggering.verdict import Verdict, context_of, furnished
from engine.errors import ExpressionError
from engine.expressions import Functions, language, truthy
from engine.model.flow import Flow
from engine.model.triggers import HttpTrigger


class Response(Struct, frozen=True, kw_only=True):
    """An answer. Headers are by their names in lower case; each may have come several times."""

    uri: str
    code: int
    headers: Mapping[str, Sequence[str]]
    body: str


def responds(flow: Flow, trigger: HttpTrigger, response: Response, functions: Functions, facts: Facts) -> Verdict:
    """Whether an answer starts the flow: `responseCondition` is asked first, and sees `response`; then all others.

    What cannot be told, inputs and labels too, starts nothing: it is asked again soon.
    """
    headers = {name: list(values) for name, values in response.headers.items()}
    variables = {"uri": response.uri, "code": response.code, "headers": headers, "body": response.body}
    asked = {"statusCode": response.code, "headers": headers, "body": response.body}
    context = context_of(flow, trigger, facts, variables)
    try:
        wanted = answer(
            "condition",
            trigger.response_condition,
            {**context, "response": asked},
            functions,
            language(flow.expressions),
        )
        if not truthy(wanted) or not conditions_hold(flow, trigger, context, functions):
            return Verdict()
        return furnished(Verdict(fires=True, variables=variables), flow, trigger, context, functions)
    except ExpressionError as error:
        return Verdict(problem=error.message)
