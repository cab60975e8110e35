"""Functions that compute: from their arguments, the context, and the seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from engine.errors import ExpressionError
from engine.expressions.entry import declare
from engine.expressions.faults import Unavailable, limit
from engine.expressions.library.outside import outside
from engine.expressions.library.text import integer
from engine.expressions.limits import MAX_DEPTH
from engine.expressions.operators import span
from engine.expressions.resolve import item
from engine.expressions.values import is_list, is_number, java_text, json_text, kind

if TYPE_CHECKING:
    from engine.expressions.evaluation import Evaluation


@declare("function", "range", "Numbers from one to another, both included.", "{{ range(0, 6, 2) }}", "[0,2,4,6]")
def range_(start: Any, end: Any, increment: Any = 1) -> list[Any]:
    return span(start, end, increment)


@declare("function", "max", "The largest argument.", "{{ max(1, 5, 3) }}", "5")
def max_(*values: Any) -> Any:
    return max(_numbers("max", values))


@declare("function", "min", "The smallest argument.", "{{ min(1, 5, 3) }}", "1")
def min_(*values: Any) -> Any:
    return min(_numbers("min", values))


def _numbers(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    wrong = [value for value in values if not is_number(value)]
    if wrong or not values:
        found = kind(wrong[0]) if wrong else "nothing"
        raise ExpressionError(f"`{name}` needs numbers, and got {found},", code="expression-type")
    return values


@declare("function", "block", "The text of a block of this template.", "{{ block('missing') }}", "", evaluation=True)
def block(evaluation: Evaluation, name: Any) -> str:
    return evaluation.block(java_text(name))


@declare(
    "function",
    "render",
    "The text that a template in a value gives; again while it changes, if `recursive`.",
    "{{ render('{' ~ '{ 1 + 1 }}') }}",
    "2",
    evaluation=True,
)
def render(evaluation: Evaluation, to_render: Any, recursive: Any = True) -> Any:
    text = to_render
    for _ in range(MAX_DEPTH):
        if not isinstance(text, str) or "{" not in text:
            return text
        before, text = text, evaluation.render(evaluation, text)
        if recursive is not True or text == before:
            return text
    raise limit(f"More than {MAX_DEPTH} rounds of rendering")


@declare(
    "function",
    "renderOnce",
    "The text that a template in a value gives.",
    "{{ renderOnce('{' ~ '{ 1 + 1 }}') }}",
    "2",
    evaluation=True,
)
def render_once(evaluation: Evaluation, to_render: Any) -> Any:
    return render(evaluation, to_render, False)


# -- from the context


@declare("function", "fetchContext", "All variables, as a map.", "{{ fetchContext() }}", evaluation=True)
def fetch_context(evaluation: Evaluation) -> dict[str, Any]:
    return dict(evaluation.variables)


@declare("function", "printContext", "All variables, as JSON.", "{{ printContext() }}", evaluation=True)
def print_context(evaluation: Evaluation) -> str:
    return json_text(dict(evaluation.variables))


def _variable(evaluation: Evaluation, name: str) -> Any:
    return evaluation.variables.get(name, {})


@declare(
    "function",
    "tasksWithState",
    "The task runs in a state, as a list of maps with taskId, value and state.",
    "{{ tasksWithState('FAILED') | length }}",
    "0",
    evaluation=True,
)
def tasks_with_state(evaluation: Evaluation, state: Any) -> list[dict[str, Any]]:
    wanted, found = java_text(state).upper(), []
    for task_id, task in _variable(evaluation, "tasks").items():
        # A task that ran once has its state; one that ran for several values has a map of them.
        runs = {None: task} if isinstance(task.get("state"), str) else task
        for value, run in runs.items():
            if isinstance(run, Mapping) and run.get("state") == wanted:
                found.append({"taskId": task_id, "value": value, "state": wanted})
    return found


@declare(
    "function",
    "currentEachOutput",
    "The outputs of a task for the loop values that this task runs for.",
    "{{ currentEachOutput(outputs.inner).value }}",
    evaluation=True,
)
def current_each_output(evaluation: Evaluation, outputs: Any) -> Any:
    # `parents` has the nearest loop first; outputs are nested from the outermost.
    runs = [parent.get("taskrun") or {} for parent in reversed(list(_variable(evaluation, "parents")))]
    for run in [*runs, _variable(evaluation, "taskrun")]:
        if run.get("value") is not None:
            outputs = item(outputs, run["value"], "outputs")
    return outputs


@declare(
    "function",
    "iterationOutput",
    "The output of an iteration of a loop, by default of the one before this.",
    "{{ iterationOutput(outputs.task).value }}",
    evaluation=True,
)
def iteration_output(evaluation: Evaluation, outputs: Any, iteration: Any = None) -> Any:
    if iteration is None:
        current = _variable(evaluation, "taskrun").get("iteration")
        if current is None:
            raise ExpressionError("`iterationOutput` needs a loop around it,", code="expression-call")
        iteration = current - 1
    values = list(outputs.values()) if isinstance(outputs, Mapping) else outputs
    if not is_list(values):
        message = f"`iterationOutput` needs the outputs of a task, and this is {kind(outputs)},"
        raise ExpressionError(message, code="expression-type")
    return item(values, integer(iteration, "iteration"), "outputs")


@declare(
    "function",
    "loopOutputs",
    "One output of every iteration of a Loop; null where it is missing.",
    "{{ loopOutputs([{'outputs': {'n': 1}}, {'outputs': {}}], 'n') }}",
    "[1,null]",
)
def loop_outputs(outputs: Any, id_: Any) -> list[Any]:
    if not is_list(outputs):
        message = f"`loopOutputs` needs the outputs of a Loop, and this is {kind(outputs)},"
        raise ExpressionError(message, code="expression-type")
    iterations = [entry.get("outputs") if isinstance(entry, Mapping) else None for entry in outputs]
    return [declared.get(java_text(id_)) if isinstance(declared, Mapping) else None for declared in iterations]


# -- from the seed


def _drawn(evaluation: Evaluation) -> int:
    """The next 256 bits that follow from the seed, the template and how many were drawn before."""
    seed = evaluation.functions.seed
    if not seed:
        raise Unavailable("Random values are not available here,", code="function-unavailable")
    evaluation.drawn += 1
    text = f"{seed}\n{evaluation.template}\n{evaluation.drawn}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NANO = _BASE62 + "_-"


def _spelled(number: int, length: int) -> str:
    text = ""
    for _ in range(length):
        number, digit = divmod(number, len(_BASE62))
        text = _BASE62[digit] + text
    return text


@declare("function", "uuid", "A random id, unique everywhere.", "{{ uuid() }}", evaluation=True)
def uuid(evaluation: Evaluation) -> str:
    return str(UUID(int=_drawn(evaluation) >> 128, version=4))


@declare("function", "id", "A short random id, unique everywhere.", "{{ id() }}", evaluation=True)
def id_(evaluation: Evaluation) -> str:
    return _spelled(_drawn(evaluation), 22)


@declare("function", "ksuid", "A random id that sorts by the second it was made in.", "{{ ksuid() }}", evaluation=True)
def ksuid(evaluation: Evaluation) -> str:
    seconds = int(outside(evaluation, "now", "ksuid")().timestamp()) - 1_400_000_000
    return _spelled((seconds << 128) + (_drawn(evaluation) >> 128), 27)


@declare("function", "nanoId", "A random id of a length, from an alphabet.", "{{ nanoId(10) }}", evaluation=True)
def nano_id(evaluation: Evaluation, length: Any = 21, alphabet: Any = _NANO) -> str:
    count, letters = integer(length, "length"), java_text(alphabet)
    if not 0 < count <= 1000 or not letters:
        raise ExpressionError("`nanoId` needs a length of 1 to 1000, and an alphabet,", code="expression-type")
    return "".join(letters[_drawn(evaluation) % len(letters)] for _ in range(count))


@declare(
    "function",
    "randomInt",
    "A random integer from `lower` up to but not including `upper`.",
    "{{ randomInt(1, 7) }}",
    evaluation=True,
)
def random_int(evaluation: Evaluation, lower: Any, upper: Any) -> int:
    low, high = integer(lower, "lower"), integer(upper, "upper")
    if high < low:
        raise ExpressionError("`randomInt` needs an upper bound above the lower one,", code="expression-type")
    return low + _drawn(evaluation) % max(high - low, 1)
