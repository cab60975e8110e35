"""What is submitted, and what the flow declares -> the `inputs` of an execution.

Pure. All problems are found at once, and none of them shows a secret. An input that does not apply (its `dependsOn`
does not hold) is left out, not even null; one that is optional and not given is null.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from engine.core.coercion import coerce
from engine.dialect.suggest import nearest
from engine.errors import ExpressionError, InputsInvalid
from engine.expressions import KESTRA, Functions, Language
from engine.model.inputs import FileInput, Input, MultiselectInput, SecretInput, SelectInput
from engine.model.sealed import MASK, ciphertext_of

_SHOWN = 100
_MISSING = "missing required input"
#: Values of secrets that are shorter would blank out ordinary words in messages.
_SHORTEST_SECRET = 4


class Examined(Struct, kw_only=True):
    """What became of one declared input. `reasons` is why its value was refused; then `value` is as submitted."""

    input: Input
    value: Any = None
    enabled: bool = True  #: False: it does not apply
    is_default: bool = False
    choices: Sequence[str] | None = None
    reasons: tuple[str, ...] = ()


#: Asked for an input that is required and not given, with the reason why the last answer was refused. None: no answer.
Ask = Callable[[Examined, str | None], Any]
#: What the value of a FILE input becomes: the URI of the file. Raises ValueError with the reason why it cannot.
Attach = Callable[[FileInput, Any], Any]


def resolve_inputs(
    declared: Sequence[Input],
    submitted: Mapping[str, Any],
    *,
    variables: Mapping[str, Any] | None = None,
    functions: Functions | None = None,
    attach: Attach | None = None,
    ask: Ask | None = None,
    secrets: list[str] | None = None,
    written_in: Language = KESTRA,
) -> dict[str, Any]:
    """The values of all inputs that apply, nested by the dots in their ids; those of secrets are still open.

    `variables` is what expressions in defaults and conditions see besides `inputs` (`flow`, `vars`, ...),
    `functions` what they may call; `secrets` are what no message shows, and functions may add to them.
    Raises InputsInvalid with every problem. Values are plain JSON (`engine.model.inputs` says which).
    """
    resolution = _Resolution(declared, submitted, variables or {}, functions, attach, ask, secrets, written_in)
    resolution.run()
    problems = resolution.problems()
    if problems:
        missing = [name for name, entry in resolution.examined.items() if _MISSING in entry.reasons]
        raise InputsInvalid(problems, missing=missing)
    return nested(resolution.values)


def examine_inputs(
    declared: Sequence[Input],
    submitted: Mapping[str, Any],
    *,
    variables: Mapping[str, Any] | None = None,
    functions: Functions | None = None,
    attach: Attach | None = None,
    written_in: Language = KESTRA,
) -> list[Examined]:
    """What would become of every declared input, in the order of the flow. Raises nothing."""
    resolution = _Resolution(declared, submitted, variables or {}, functions, attach, None, None, written_in)
    resolution.run()
    return [resolution.examined[item.id] for item in declared]


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


def flattened(
    submitted: Mapping[str, Any], declared: Mapping[str, Input], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Submitted values by declared id: `{"a": {"b": 1}}` is as good as `{"a.b": 1}`."""
    for key, value in submitted.items():
        name = f"{prefix}{key}"
        group = name not in declared and any(known.startswith(f"{name}.") for known in declared)
        if group and isinstance(value, Mapping):
            yield from flattened(value, declared, f"{name}.")
        else:
            yield name, value


class _Resolution:
    def __init__(
        self,
        declared: Sequence[Input],
        submitted: Mapping[str, Any],
        variables: Mapping[str, Any],
        functions: Functions | None,
        attach: Attach | None,
        ask: Ask | None,
        secrets: list[str] | None,
        written_in: Language,
    ) -> None:
        self._declared = {item.id: item for item in declared}
        self._submitted = dict(flattened(submitted, self._declared))
        self._variables = variables
        self._functions = functions or Functions()
        self._attach = attach
        self._written_in = written_in
        self._ask = ask
        self._secrets = secrets if secrets is not None else []
        self.values: dict[str, Any] = {}
        self.examined: dict[str, Examined] = {}

    def run(self) -> None:
        for item in self._declared.values():
            self._resolve(item)

    def problems(self) -> list[str]:
        """Every problem as a sentence."""
        told = [self._unknown(name, value) for name, value in self._submitted.items() if name not in self._declared]
        for name in self._declared:
            entry = self.examined[name]
            told += [self._told(entry, reason) for reason in entry.reasons]
        return told

    def _resolve(self, item: Input) -> None:
        if item.id in self.examined:
            return
        entry = self.examined[item.id] = Examined(input=item)
        for name in item.depends_on.inputs if item.depends_on else ():
            if name in self._declared:
                self._resolve(self._declared[name])
        try:
            entry.enabled = self._applies(item)
            if entry.enabled:
                self._examine(entry)
        except ExpressionError as error:
            entry.enabled = False
            if not self._builds_on_refused(item):  # what is wrong with another input is told once
                entry.reasons = (f"its declaration fails ({error.message})",)

    def _builds_on_refused(self, item: Input) -> bool:
        """Whether what is declared reads an input that was refused itself."""
        declared = str((item.defaults, getattr(item, "expression", None), item.depends_on))
        return any(name in declared for name, entry in self.examined.items() if entry.reasons)

    def _applies(self, item: Input) -> bool:
        depends = item.depends_on
        if depends is None:
            return True
        others = [self.examined[name] for name in depends.inputs if name in self.examined]
        if any(not other.enabled or other.reasons for other in others):
            return False
        if depends.condition is None or depends.condition is True:
            return True
        answer = self._evaluate(depends.condition)
        return answer is True or (isinstance(answer, str) and answer.strip().lower() == "true")

    def _examine(self, entry: Examined) -> None:
        """Find the value of an input that applies, and whether it is accepted."""
        item = entry.input
        entry.choices = self._choices(item)
        entry.value = self._submitted.get(item.id)
        if entry.value is None:
            entry.value = self._default(item, entry.choices)
            entry.is_default = entry.value is not None
        if entry.value is None and item.required:
            entry.reasons = (_MISSING,)
            self._ask_for(entry)
        else:
            self._accept(entry)

    def _ask_for(self, entry: Examined) -> None:
        """Have a person give the value, again and again until it is accepted."""
        reason = None
        while self._ask is not None and entry.reasons:
            entry.value = self._ask(entry, reason)
            if entry.value is None:
                return
            self._accept(entry)
            reason = entry.reasons[0] if entry.reasons else None

    def _accept(self, entry: Examined) -> None:
        item, value = entry.input, entry.value
        if isinstance(item, SecretInput) and isinstance(value, str):
            self._secrets.append(value)
        entry.reasons = ()
        try:
            if value is not None:
                if isinstance(item, FileInput) and self._attach is not None:
                    value = self._attach(item, value)
                value = coerce(item, value, entry.choices)
            self.values[item.id] = entry.value = value
        except ValueError as error:
            entry.reasons = (str(error),)

    def _choices(self, item: Input) -> list[str] | None:
        if not isinstance(item, (SelectInput, MultiselectInput)):
            return None
        if item.expression is None:
            return list(item.listed)
        values = self._evaluate(item.expression)
        if isinstance(values, str):
            try:
                values = json.loads(values)
            except (ValueError, RecursionError):
                values = None
        if not isinstance(values, list):
            raise ExpressionError("`expression` must give a list", template=item.expression)
        return [_choice(value) for value in values]

    def _default(self, item: Input, choices: list[str] | None) -> Any:
        if item.defaults is not None:
            return self._evaluate(item.defaults)
        if choices and isinstance(item, (SelectInput, MultiselectInput)) and item.auto_select_first:
            return choices[0] if isinstance(item, SelectInput) else choices[:1]
        return None

    def _evaluate(self, template: Any) -> Any:
        if isinstance(template, list):
            return [self._evaluate(entry) for entry in template]
        if isinstance(template, Mapping):
            return {key: self._evaluate(entry) for key, entry in template.items()}
        if not isinstance(template, str) or "{" not in template:
            return template
        return self._written_in.evaluate(template, {**self._variables, "inputs": nested(self.values)}, self._functions)

    def _unknown(self, name: str, value: Any) -> str:
        close = nearest(name, self._declared)
        known = ", ".join(self._declared)
        hint = f"did you mean `{close}`?" if close else f"it has {known}" if known else "it has none"
        secret = close is not None and isinstance(self._declared[close], SecretInput)
        shown = MASK if secret else self._masked(_shown(value))
        return f"Invalid input for `{name}`, the flow declares no such input ({hint}), but received `{shown}`"

    def _told(self, entry: Examined, reason: str) -> str:
        name = entry.input.id
        if not entry.enabled:
            return self._masked(f"Invalid input for `{name}`, {reason}")
        secret = isinstance(entry.input, SecretInput) and entry.value is not None
        shown = MASK if secret else _shown(entry.value)
        return f"Invalid input for `{name}`, {self._masked(reason)}, but received `{self._masked(shown)}`"

    def _masked(self, text: str) -> str:
        """The text without the values of secrets."""
        for secret in self._secrets:
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, MASK)
        return text


def _choice(value: Any) -> str:
    """What is chosen: a value, or the `value` of a map with a label."""
    if isinstance(value, Mapping) and "value" in value:
        value = value["value"]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value: Any) -> str:
    if ciphertext_of(value) is not None:
        return MASK
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        text = f"a {type(value).__name__} that JSON cannot hold"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
