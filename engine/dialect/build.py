"""Data -> nouns: the tree of tasks, each validated by itself, so that one mistake hides no other.

Which properties of a noun hold tasks (or inputs, or conditions) is read from its annotations: a new container needs
no line here.
What a runnable task's own properties must look like is its plugin's to say; they are checked and then kept as written.
"""

from __future__ import annotations

import json
import types as python_types
from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin

from msgspec.structs import replace
from pydantic import BaseModel, ValidationError

from engine.dialect import unsupported
from engine.dialect.document import Document, Path
from engine.dialect.source import Span
from engine.dialect.suggest import did_you_mean, nearest, nearest_type
from engine.dialect.types import TypeIndex
from engine.dialect.violations import Violation, described, known_properties, violations
from engine.errors import PluginBroken
from engine.model.diagnostic import Diagnostic, Severity
from engine.model.flow import CONTAINERS, Container, Definition, Flow, ForEachItem, RunnableTask, Task
from engine.model.inputs import INPUT_TYPES, Input
from engine.model.listeners import Condition, Trigger

#: How deep containers may be nested in containers, and conditions in conditions.
MAX_CONTAINERS = 32

_CONTAINERS = {name: container for container in CONTAINERS for name in container.TYPES}
_COMMON = frozenset(known_properties(Task))
#: Stands where a broken task was, so that the rest of the tree keeps its shape and can be checked.
#: What the types of the language itself begin with.
_CORE = ("io.kestra.plugin.core.", "io.kestra.core.")
_BROKEN = RunnableTask.model_construct(id="broken", type="broken")
_BROKEN_INPUT = Input.model_construct(id="broken", type="broken")
_BROKEN_CONDITION = Condition.model_construct(type="broken")
_BROKEN_TRIGGER = Trigger.model_construct(id="broken", type="broken")

D = TypeVar("D", bound=BaseModel)
N = TypeVar("N", bound=Container | Condition)


class Builder:
    """Builds the nouns of one document and gathers what is wrong with it."""

    def __init__(self, document: Document, types: TypeIndex) -> None:
        self.document = document
        self._types = types
        self._depth = 0
        self.findings: list[Diagnostic] = []
        self.tasks: list[tuple[Path, Task]] = []  #: every task that is valid by itself, in the order of the file
        self.conditions: list[tuple[Path, Condition]] = []  #: every condition that is valid by itself
        self.triggers: list[tuple[Path, Trigger]] = []  #: every trigger that is valid by itself

    def flow(self, data: Mapping[str, Any]) -> Flow | None:
        """The flow that `data` describes; None when it is not a flow."""
        data = {key: value for key, value in data.items() if key not in unsupported.SERVER_PROPERTIES}
        data = self._without_unsupported(data, unsupported.FLOW_PROPERTIES, ())
        if isinstance(data.get("checks"), list):
            data["checks"] = [
                self.respelled(check, ("checks", index), "condition", "when") if isinstance(check, Mapping) else check
                for index, check in enumerate(data["checks"])
            ]
        return self.define(Flow, data, (), "the flow")

    def add(
        self,
        code: str,
        message: str,
        path: Path,
        *,
        key: bool = False,
        hint: str | None = None,
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Note a finding at the value (or the key) at `path`."""
        span = self.document.span(path, key=key)
        if not self.document.is_written(path) and path:
            message += " (the value comes from plugin defaults)"
        if code == "missing-property" and not key:
            span = span._replace(width=1)
        self.note(code, message, span, hint=hint, severity=severity)

    def note(
        self, code: str, message: str, span: Span, *, hint: str | None = None, severity: Severity = Severity.ERROR
    ) -> None:
        """Note a finding at a place of the file."""
        self.findings.append(self.document.source.diagnostic(code, message, span, hint=hint, severity=severity))

    def define(self, model: type[D], data: Mapping[str, Any], path: Path, owner: str) -> D | None:
        """A noun from its map. A property without a value counts as absent."""
        given = {key: value for key, value in data.items() if value is not None}
        inner = _inner_fields(model)
        built = {
            key: self._fill(inner[key], value, (*path, key)) if key in inner else value for key, value in given.items()
        }
        try:
            return model.model_validate(built, by_alias=True, by_name=False)
        except ValidationError as error:
            for violation in violations(error, data, model, owner):
                self._note(violation, path, data)
            return None

    def _note(self, violation: Violation, path: Path, data: Mapping[str, Any]) -> None:
        self.add(violation.code, violation.message, (*path, *violation.path), key=violation.at_key, hint=violation.hint)

    def _fill(self, annotation: Any, value: Any, path: Path) -> Any:
        """The value with every map that describes a task, an input, a condition or a trigger replaced by that noun."""
        if annotation is Task:
            return self._task(value, path)
        if annotation is Input:
            return self._input(value, path)
        if annotation is Condition:
            return self._condition(value, path)
        if annotation is Trigger:
            return self._trigger(value, path)
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin in (Union, python_types.UnionType):
            return self._fill(next(filter(_holds_nouns, arguments)), value, path)
        if origin is tuple and isinstance(value, list):
            return tuple(self._fill(arguments[0], item, (*path, index)) for index, item in enumerate(value))
        if not isinstance(value, Mapping):
            return value
        if isinstance(annotation, type) and issubclass(annotation, Definition):
            inner = _inner_fields(annotation)
            return {
                key: self._fill(inner[key], item, (*path, key)) if key in inner else item for key, item in value.items()
            }
        if origin is not tuple:
            return {key: self._fill(arguments[1], item, (*path, key)) for key, item in value.items()}
        return value

    def _task(self, value: Any, path: Path) -> Task:
        if not isinstance(value, Mapping):
            self.add("wrong-type", f"a task must be a map with an id and a type, but is {described(value)}", path)
            return _BROKEN
        type_ = value.get("type")
        if not isinstance(type_, str):
            self._untyped(value, path, "a task")
            return _BROKEN
        canonical = self._types.canonical(type_)
        container = _CONTAINERS.get(type_)
        if container is None and canonical is None:
            self._unknown_type(type_, (*path, "type"))
            return _BROKEN
        data = self._without_unsupported(value, unsupported.TASK_PROPERTIES, path, container)
        data = self.respelled(data, path, "when", "runIf")
        self.tasks.append((path, _BROKEN))
        slot = len(self.tasks) - 1
        task = (
            self._nested("containers", container, data, path)
            if container
            else self._runnable(data, canonical or type_, path)
        )
        self.tasks[slot] = (path, task or _BROKEN)
        if isinstance(task, ForEachItem):
            self.tasks.extend(((*path, "tasks", index), made) for index, made in enumerate(task.tasks))
        return task or _BROKEN

    def _nested(self, kinds: str, model: type[N], data: Mapping[str, Any], path: Path) -> N | None:
        """A noun that may hold others of its kind, and so on."""
        if self._depth >= MAX_CONTAINERS:
            self.add("too-deep", f"{kinds} may be nested {MAX_CONTAINERS} deep, and this one is deeper", path)
            return None
        self._depth += 1
        try:
            return self.define(model, {**data, "type": model.TYPES[0]}, path, model.TYPES[0])
        finally:
            self._depth -= 1

    def _condition(self, value: Any, path: Path) -> Condition:
        if not isinstance(value, Mapping):
            self.add("wrong-type", f"a condition must be a map with a type, but is {described(value)}", path)
            return _BROKEN_CONDITION
        type_ = value.get("type")
        if not isinstance(type_, str):
            self._untyped(value, path, "a condition", needs=("type",))
            return _BROKEN_CONDITION
        from engine.model.conditions import CONDITION_TYPES

        model = CONDITION_TYPES.get(type_)
        if model is None:
            meant = nearest_type(type_, CONDITION_TYPES)
            hint = did_you_mean(CONDITION_TYPES[meant].TYPES[0] if meant else None)
            self.add("unknown-type", f'there is no condition type "{type_}"', (*path, "type"), hint=hint)
            return _BROKEN_CONDITION
        condition = self._nested("conditions", model, value, path)
        if condition is not None:
            self.conditions.append((path, condition))
        return condition or _BROKEN_CONDITION

    def _trigger(self, value: Any, path: Path) -> Trigger:
        if not isinstance(value, Mapping):
            self.add("wrong-type", f"a trigger must be a map with an id and a type, but is {described(value)}", path)
            return _BROKEN_TRIGGER
        type_ = value.get("type")
        if not isinstance(type_, str):
            self._untyped(value, path, "a trigger")
            return _BROKEN_TRIGGER
        from engine.model.triggers import HTTP_REQUEST, TRIGGER_TYPES, WITH_PROPERTIES, ForeignTrigger, HttpTrigger

        model = TRIGGER_TYPES.get(type_, ForeignTrigger)
        canonical = model.TYPES[0] if model.TYPES else type_
        data = {**self._without_idle(value, path), "type": canonical}
        if model is ForeignTrigger:
            self._foreign_trigger(type_, TRIGGER_TYPES, (*path, "type"))
        if issubclass(model, WITH_PROPERTIES):
            known = known_properties(model) - {"properties"}
            own = {key: item for key, item in data.items() if key not in known and item is not None}
            data = {**{key: item for key, item in data.items() if key in known}, "properties": own}
            if model is HttpTrigger and self._types.canonical(HTTP_REQUEST):
                self._check_properties(HTTP_REQUEST, own, data, path)
        trigger = self.define(model, data, path, canonical)
        if trigger is not None:
            self.triggers.append((path, trigger))
        return trigger or _BROKEN_TRIGGER

    def _without_idle(self, trigger: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """A trigger without the properties that this version reads past, with a warning for each."""
        kept = {}
        for key, value in trigger.items():
            if key not in unsupported.TRIGGER_PROPERTIES:
                kept[key] = value
            elif not unsupported.is_neutral(value):
                message = f'"{key}" has no effect: {unsupported.TRIGGER_PROPERTIES[key]}'
                self.add("not-supported", message, (*path, key), key=True, severity=Severity.WARNING)
        return kept

    def _foreign_trigger(self, type_: str, known: Mapping[str, type[Trigger]], path: Path) -> None:
        meant = nearest_type(type_, known)
        hint = did_you_mean(known[meant].TYPES[0] if meant else None)
        if type_.startswith(_CORE):  # all of those are known here, so that this is a slip
            message = f'there is no trigger of the type "{type_}"'
            self.add("unknown-type", message, path, hint="it is a task" if self._types.canonical(type_) else hint)
            return
        message = f"triggers of the type {type_} are not run by this version: this one never starts the flow"
        self.add("not-supported", message, path, hint=hint, severity=Severity.WARNING)

    def _runnable(self, data: Mapping[str, Any], canonical: str, path: Path) -> RunnableTask | None:
        common = {key: value for key, value in data.items() if key in _COMMON}
        own = {key: value for key, value in data.items() if key not in _COMMON and value is not None}
        known = len(self.findings)
        self._check_properties(canonical, own, data, path)
        # Validated as a plain Task: its messages then speak of what the YAML has, not of `properties`.
        task = self.define(Task, {**common, "type": canonical}, path, canonical)
        if task is None or len(self.findings) > known:
            return None
        return RunnableTask.model_construct(**dict(task), properties=own)

    def _check_properties(self, canonical: str, own: Mapping[str, Any], data: Mapping[str, Any], path: Path) -> None:
        try:
            model = self._types.properties(canonical)
        except PluginBroken as error:
            self.add("plugin-broken", error.message, (*path, "type"), hint=error.hint)
            return
        try:
            model.model_validate(own, by_alias=True, by_name=False)
        except ValidationError as error:
            for violation in violations(error, data, model, canonical):
                if not _decided_at_run_time(violation):
                    self._note_property(violation, model, data, path)

    def _note_property(self, violation: Violation, model: Any, data: Mapping[str, Any], path: Path) -> None:
        if violation.code == "unknown-property" and len(violation.path) == 1:
            hint = did_you_mean(nearest(str(violation.path[0]), _COMMON | known_properties(model))) or violation.hint
            violation = replace(violation, hint=hint)
        self._note(violation, path, data)

    def _input(self, value: Any, path: Path) -> Input:
        if not isinstance(value, Mapping):
            self.add("wrong-type", f"an input must be a map with an id and a type, but is {described(value)}", path)
            return _BROKEN_INPUT
        type_ = value.get("type")
        if not isinstance(type_, str):
            self._untyped(value, path, "an input")
            return _BROKEN_INPUT
        if type_ in unsupported.INPUT_TYPES:
            self.add("not-supported", f"inputs of type {type_}: {unsupported.INPUT_TYPES[type_]}", (*path, "type"))
            return _BROKEN_INPUT
        model = INPUT_TYPES.get(type_)
        if model is None:
            hint = did_you_mean(nearest(type_, INPUT_TYPES)) or f"it is one of {', '.join(INPUT_TYPES)}"
            self.add("unknown-type", f'there is no input type "{type_}"', (*path, "type"), hint=hint)
            return _BROKEN_INPUT
        data = dict(value)
        if "name" in data and "id" not in data:
            self.document.respell(path, "name", "id")
            data["id"] = data.pop("name")
        return self.define(model, data, path, f"an input of type {type_}") or _BROKEN_INPUT

    def _untyped(
        self, value: Mapping[str, Any], path: Path, subject: str, needs: tuple[str, ...] = ("id", "type")
    ) -> None:
        if value.get("type") is not None:
            self.add("wrong-type", f'"type" must be text, but is {described(value["type"])}', (*path, "type"))
            return
        for name in needs:
            if value.get(name) is None:
                self.add("missing-property", f'{subject} needs the property "{name}"', path)

    def _unknown_type(self, type_: str, path: Path) -> None:
        if type_ in unsupported.TYPES:
            self.add("not-supported", f"{type_}: {unsupported.TYPES[type_]}", path)
            return
        meant = nearest_type(type_, self._types.names())
        hint = did_you_mean(self._types.canonical(meant) if meant else None)
        self.add(
            "unknown-type",
            f'there is no task type "{type_}"',
            path,
            hint=self._types.missing(type_) or hint or "`penstock plugins list` shows all types",
        )

    def _without_unsupported(
        self, data: Mapping[str, Any], table: Mapping[str, str], path: Path, model: type[Definition] | None = None
    ) -> dict[str, Any]:
        """The data without the properties of the table that `model` does not have."""
        known = known_properties(model) - _COMMON if model else frozenset()
        kept = {}
        for key, value in data.items():
            if key not in table or key in known:
                kept[key] = value
            elif not unsupported.is_neutral(value):
                self.add("not-supported", f'"{key}": {table[key]}', (*path, key), key=True)
        return kept

    def respelled(self, data: Mapping[str, Any], path: Path, written: str, meant: str) -> dict[str, Any]:
        """The data of the map at `path` with a property under the name that it has here."""
        if written in data and meant in data:
            message = f'"{written}" and "{meant}" mean the same; keep one of them'
            self.add("conflict", message, (*path, written), key=True)
        self.document.respell(path, written, meant)
        return {meant if key == written else key: value for key, value in data.items()}


def _decided_at_run_time(violation: Violation) -> bool:
    """Whether the value is not known before its expressions are rendered, or is turned into text then."""
    if violation.code in ("missing-property", "unknown-property"):
        return False
    if violation.code == "wrong-type" and isinstance(violation.value, (bool, int, float)):
        return " must be text" in violation.message
    return has_template(violation.value) or (violation.code == "wrong-type" and _is_json(violation.value))


def _is_json(value: Any) -> bool:
    """Whether text holds a list or a map as JSON, which is accepted wherever one is due."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return False
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def has_template(value: Any) -> bool:
    """Whether a value is, or contains, text with an expression."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(has_template(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(has_template(item) for item in value)


@cache
def _inner_fields(model: type[Definition]) -> dict[str, Any]:
    """The properties of a noun that hold tasks, inputs, conditions or triggers: name in YAML -> annotation."""
    return {
        field.alias or name: field.annotation
        for name, field in model.model_fields.items()
        if _holds_nouns(cast("Hashable", field.annotation))
    }


@cache
def _holds_nouns(annotation: Hashable) -> bool:
    if annotation in (Task, Input, Condition, Trigger):
        return True
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return issubclass(annotation, Definition) and bool(_inner_fields(annotation))
    return any(_holds_nouns(argument) for argument in get_args(annotation))
