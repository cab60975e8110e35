"""What is submitted, and what the flow declares -> the `inputs` of an execution.

Pure. All problems are found at once. An input that does not apply (its `dependsOn` does not hold) is left out, not
even null; one that is optional and not given is null.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.core.coercion import coerce
from engine.dialect.suggest import nearest
from engine.errors import ExpressionError, InputsInvalid
from engine.expressions import Functions, evaluate
from engine.model.inputs import Input, MultiselectInput, SelectInput

_SHOWN = 100


def resolve_inputs(
    declared: Sequence[Input],
    submitted: Mapping[str, Any],
    *,
    variables: Mapping[str, Any] | None = None,
    functions: Functions | None = None,
) -> dict[str, Any]:
    """The values of all inputs that apply, nested by the dots in their ids.

    `variables` is what expressions in defaults and conditions see besides `inputs` (`flow`, `vars`, ...),
    `functions` what they may call.
    Raises InputsInvalid with every problem. Values are plain JSON (`engine.model.inputs` says which).
    """
    resolution = _Resolution(declared, submitted, variables or {}, functions)
    resolution.run()
    if resolution.problems:
        raise InputsInvalid(resolution.problems)
    return nested(resolution.values)


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """`{"a.b": 1}` -> `{"a": {"b": 1}}`."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *groups, leaf = name.split(".")
        place = tree
        for group in groups:
            place = place.setdefault(group, {})
        place[leaf] = value
    return tree


class _Resolution:
    def __init__(
        self,
        declared: Sequence[Input],
        submitted: Mapping[str, Any],
        variables: Mapping[str, Any],
        functions: Functions | None,
    ) -> None:
        self._declared = {item.id: item for item in declared}
        self._submitted = dict(_flattened(submitted, self._declared))
        self._variables = variables
        self._functions = functions or Functions()
        self._done: set[str] = set()
        self._left_out: set[str] = set()
        self.values: dict[str, Any] = {}
        self.problems: list[str] = []

    def run(self) -> None:
        for name, value in self._submitted.items():
            if name not in self._declared:
                self.problems.append(self._unknown(name, value))
        for item in self._declared.values():
            self._resolve(item)

    def _resolve(self, item: Input) -> None:
        if item.id in self._done:
            return
        self._done.add(item.id)
        for name in item.depends_on.inputs if item.depends_on else ():
            if name in self._declared:
                self._resolve(self._declared[name])
        try:
            if not self._applies(item):
                self._left_out.add(item.id)
                return
            value = self._submitted.get(item.id)
            choices = self._choices(item)
            if value is None:
                value = self._default(item, choices)
            if value is not None:
                self.values[item.id] = self._value(item, value, choices)
            elif item.required:
                self.problems.append(f"Invalid input for `{item.id}`, missing required input, but received `null`")
            else:
                self.values[item.id] = None
        except ExpressionError as error:
            self._left_out.add(item.id)
            self.problems.append(f"Invalid input for `{item.id}`, its declaration fails ({error.message})")

    def _applies(self, item: Input) -> bool:
        depends = item.depends_on
        if depends is None:
            return True
        if self._left_out.intersection(depends.inputs):
            return False
        if depends.condition is None or depends.condition is True:
            return True
        answer = self._evaluate(depends.condition)
        return answer is True or (isinstance(answer, str) and answer.strip().lower() == "true")

    def _choices(self, item: Input) -> list[str] | None:
        if not isinstance(item, (SelectInput, MultiselectInput)):
            return None
        if item.expression is None:
            return list(item.listed)
        values = self._evaluate(item.expression)
        if isinstance(values, str):
            try:
                values = json.loads(values)
            except ValueError:
                values = None
        if not isinstance(values, list):
            raise ExpressionError("`expression` must give a list", template=item.expression)
        return [str(value) for value in values]

    def _default(self, item: Input, choices: list[str] | None) -> Any:
        if item.defaults is not None:
            return self._evaluate(item.defaults)
        if choices and isinstance(item, (SelectInput, MultiselectInput)) and item.auto_select_first:
            return choices[0] if isinstance(item, SelectInput) else choices[:1]
        return None

    def _value(self, item: Input, value: Any, choices: list[str] | None) -> Any:
        try:
            return coerce(item, value, choices)
        except ValueError as error:
            self.problems.append(f"Invalid input for `{item.id}`, {error}, but received `{_shown(value)}`")
            return None

    def _evaluate(self, template: Any) -> Any:
        if isinstance(template, list):
            return [self._evaluate(entry) for entry in template]
        if not isinstance(template, str) or "{" not in template:
            return template
        return evaluate(template, {**self._variables, "inputs": nested(self.values)}, self._functions)

    def _unknown(self, name: str, value: Any) -> str:
        close = nearest(name, self._declared)
        known = ", ".join(self._declared)
        hint = f"did you mean `{close}`?" if close else f"it has {known}" if known else "it has none"
        return f"Invalid input for `{name}`, the flow declares no such input ({hint}), but received `{_shown(value)}`"


def _flattened(
    submitted: Mapping[str, Any], declared: Mapping[str, Input], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Submitted values by declared id: `{"a": {"b": 1}}` is as good as `{"a.b": 1}`."""
    for key, value in submitted.items():
        name = f"{prefix}{key}"
        group = name not in declared and any(known.startswith(f"{name}.") for known in declared)
        if group and isinstance(value, Mapping):
            yield from _flattened(value, declared, f"{name}.")
        else:
            yield name, value


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
