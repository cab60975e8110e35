"""The inputs of a run, as a command line gives them: from a file, one by one, or asked for at a terminal.

Always true: a secret is never shown; what is asked for can be given as an option as well, and the error for what is
missing says how.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.commands import key_values
from engine.cli.sources import MAX_INPUT_BYTES, read_source
from engine.cli.terminal import dim, printable, tell
from engine.errors import FlowInvalid, InputsInvalid, UsageError
from engine.model.inputs import ArrayInput, Choice, FileInput, Input, MultiselectInput, SecretInput, SelectInput

if TYPE_CHECKING:
    from engine.core.inputs import Examined
    from engine.model.flow import Flow


def inputs_of(flow: Flow, given: Sequence[str], file: str | None) -> dict[str, Any]:
    """The inputs that `--inputs` and `-i` give; the latter win. Raises UsageError."""
    declared = {item.id: item for item in flow.inputs}
    values = key_values(given, "--input")
    return {**values_of_file(file), **{name: _given(declared.get(name), value) for name, value in values.items()}}


def values_of_file(file: str | None) -> dict[str, Any]:
    """The map in a YAML or JSON file; an empty one without a file. Raises UsageError."""
    if file is None:
        return {}
    from engine.dialect import report
    from engine.dialect.document import read
    from engine.dialect.source import decode

    try:
        document = read(decode(read_source(file), file))
    except FlowInvalid as invalid:
        raise UsageError(report(invalid.diagnostics)) from None
    if document.problems:
        raise UsageError(report(document.problems))
    if not isinstance(document.data, dict | None):
        raise UsageError(f"{file} should hold a map of names and values")
    return dict(document.data or {})


def _given(declared: Input | None, value: str) -> Any:
    """`value`, `@file`, or `@@value` for one that begins with @."""
    if value.startswith("@@"):
        return value[1:]
    if not value.startswith("@"):
        return value
    name = value[1:]
    if isinstance(declared, FileInput):
        return sys.stdin.buffer if name == "-" else Path(name)
    try:
        text = read_source(name, MAX_INPUT_BYTES).decode()
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text") from None
    # Nobody means the end of the last line to be part of a password.
    return text.removesuffix("\n").removesuffix("\r") if isinstance(declared, SecretInput) else text


# -- what is missing


def explained(invalid: InputsInvalid, flow: Flow) -> InputsInvalid:
    """The same error, with a hint that says how what is missing can be given."""
    missing = [item for item in flow.inputs if item.id in invalid.missing]
    if not missing:
        return invalid
    ways = [f"  {_option(item):<28}  {_described(item)}" for item in missing]
    hint = "\n".join(["give what is missing, with -i or in a file with --inputs:", *ways])
    return InputsInvalid(invalid.problems, missing=invalid.missing, hint=hint)


def _option(item: Input) -> str:
    if isinstance(item, (ArrayInput, MultiselectInput)):
        return f"-i {item.id}='[...]'"
    value = "PATH" if isinstance(item, FileInput) else "@FILE" if isinstance(item, SecretInput) else "VALUE"
    return f"-i {item.id}={value}"


def _described(item: Input, choices: Sequence[str] | None = None) -> str:
    """The type, the choices if they are known, and what it is for."""
    parts = [_kind(item)]
    if isinstance(item, (SelectInput, MultiselectInput)) and (listed := _listed(item, choices)):
        parts.append(f"{'one' if isinstance(item, SelectInput) else 'some'} of {', '.join(listed)}")
    if item.title != item.id:
        parts.append(item.title)
    return "; ".join(parts)


def _kind(item: Input) -> str:
    return f"{item.type} of {item.item_type}" if isinstance(item, (ArrayInput, MultiselectInput)) else item.type


def _listed(item: SelectInput | MultiselectInput, choices: Sequence[str] | None) -> list[str]:
    """The choices, with labels where there are some."""
    labels = _labels(item)
    values = choices if choices is not None else item.listed
    return [f"{value} ({labels[value]})" if labels.get(value, value) != value else value for value in values]


def _labels(item: SelectInput | MultiselectInput) -> Mapping[str, str]:
    return {choice.value: choice.label for choice in item.values or () if isinstance(choice, Choice)}


# -- asking


def can_ask() -> bool:
    """Whether there is somebody at a terminal who can be asked."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def ask(entry: Examined, reason: str | None) -> Any:
    """Ask at the terminal for an input that is missing; `reason` is why the last answer was refused."""
    item = entry.input
    if reason is not None:
        tell(click.style(f"  {printable(reason)}", fg="red"))
    elif item.description:
        tell(dim(printable(item.description)))
    kind = _kind(item)
    if isinstance(item, (SelectInput, MultiselectInput)):
        kind += f": {', '.join(_listed(item, entry.choices))}"
    answer = click.prompt(
        printable(f"{item.title} ({kind})"),
        default=item.prefill,
        hide_input=isinstance(item, SecretInput),
        show_default=not isinstance(item, SecretInput),
        value_proc=lambda text: text,
        err=True,
    )
    return _answered(item, answer)


def _answered(item: Input, answer: Any) -> Any:
    """An answer as the value that is meant: a label stands for its value, and a list may be written with commas."""
    if isinstance(item, SelectInput):
        return {label: value for value, label in _labels(item).items()}.get(answer, answer)
    several = isinstance(item, (ArrayInput, MultiselectInput)) and isinstance(answer, str)
    if several and not answer.lstrip().startswith("["):
        return [part.strip() for part in answer.split(",")]
    return answer
