"""Whether a flow lets itself be started with these inputs: its `checks`, judged before anything is created."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from msgspec import Struct

from engine.core.rendering import answer
from engine.errors import ExpressionError
from engine.expressions import Functions, language, truthy
from engine.model.flow import Flow
from engine.model.policy import Check, CheckBehavior

#: The strongest first.
_BEHAVIORS: tuple[CheckBehavior, ...] = get_args(CheckBehavior)


class Verdict(Struct, frozen=True):
    """The checks that failed, in the order of the flow, and what follows from them."""

    failing: tuple[Check, ...]
    behavior: CheckBehavior  #: the strongest of those that failed; CREATE_EXECUTION when none did


def judge(flow: Flow, inputs: Mapping[str, Any], variables: Mapping[str, Any], functions: Functions) -> Verdict:
    """What the flow's checks say about resolved `inputs`. `variables` are the other roots (`flow`, `vars`, ...).

    A check that cannot be evaluated has failed, and its message says why: nothing gets past a broken guard.
    """
    context = {**variables, **({"inputs": inputs} if inputs else {})}
    failing = tuple(_failing(flow, context, functions))
    asked = {check.behavior for check in failing}
    return Verdict(failing, next((each for each in _BEHAVIORS if each in asked), "CREATE_EXECUTION"))


def _failing(flow: Flow, context: Mapping[str, Any], functions: Functions) -> Iterator[Check]:
    for check in flow.checks:
        try:
            if not truthy(answer("when", check.when, context, functions, language(flow.expressions))):
                yield check
        except ExpressionError as error:
            message = f"{check.message} (it could not be checked: {error.message})"
            yield check.model_copy(update={"message": message})
