"""What triggers give their flow, against the inputs that it declares. Both are known before anything is due."""

from __future__ import annotations

from collections.abc import Iterator

from engine.dialect.document import Document
from engine.dialect.suggest import did_you_mean, nearest
from engine.model.diagnostic import Diagnostic, Severity
from engine.model.flow import Flow
from engine.model.inputs import Input, MultiselectInput, SelectInput
from engine.model.listeners import Trigger
from engine.model.triggers import ForeignTrigger

_SO = "so each execution that it starts fails"


def refused_inputs(document: Document, flow: Flow | None) -> Iterator[Diagnostic]:
    """The triggers that give inputs which the flow does not declare, or not those that it needs."""
    for index, trigger in enumerate(flow.triggers if flow else ()):
        if flow is None or trigger.disabled or isinstance(trigger, ForeignTrigger):
            continue
        names = [declared.id for declared in flow.inputs]
        groups = {name.partition(".")[0] for name in names}
        for name in trigger.inputs:
            if name not in names and name.partition(".")[0] not in groups:
                yield document.source.diagnostic(
                    "refused-inputs",
                    f'the trigger gives the input "{name}", which the flow does not declare, {_SO}',
                    document.span(("triggers", index, "inputs", name)),
                    severity=Severity.WARNING,
                    hint=did_you_mean(nearest(name, names)),
                )
        missing = [f'"{declared.id}"' for declared in flow.inputs if _is_missing(declared, trigger)]
        if missing:
            yield document.source.diagnostic(
                "refused-inputs",
                f"the trigger does not give {', '.join(missing)}, which the flow needs, {_SO}",
                document.span(("triggers", index)),
                severity=Severity.WARNING,
                hint="give it in the trigger's `inputs`, or give the input `defaults` or `required: false`",
            )


def _is_missing(declared: Input, trigger: Trigger) -> bool:
    """Whether it is certain that an input is needed and has no value. Only some are asked for in each case."""
    is_asked = declared.required and declared.depends_on is None and "." not in declared.id
    selects = isinstance(declared, (SelectInput, MultiselectInput)) and declared.auto_select_first
    return is_asked and declared.defaults is None and not selects and trigger.inputs.get(declared.id) is None
