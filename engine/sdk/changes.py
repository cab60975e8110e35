"""What a task asks to be changed about its own execution, gathered while it runs.

Always true: nothing of it happens unless the attempt succeeds; then all of it happens, once, together with its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from engine.errors import TaskFailed
from engine.model.events import Effects
from engine.model.state import State

#: Names of labels that begin so are the engine's.
SYSTEM = "system."
NOTHING = Effects()
ENDINGS = (State.SUCCESS, State.WARNING, State.FAILED, State.KILLED, State.CANCELLED)


class Changes:
    """The part of a RunContext that gathers them, in `effects`."""

    effects: Effects = NOTHING

    def set_labels(self, labels: Mapping[str, str]) -> None:
        refused = sorted(name for name in labels if name.startswith(SYSTEM))
        if refused:
            hint = f"names that begin with `{SYSTEM}` belong to the engine"
            raise TaskFailed(f"the label `{refused[0]}` cannot be set", hint=hint)
        self.effects = replace(self.effects, labels={**(self.effects.labels or {}), **labels})

    def set_variables(self, variables: Mapping[str, Any]) -> None:
        self.effects = replace(self.effects, variables={**(self.effects.variables or {}), **variables})

    def unset_variables(self, paths: Iterable[str]) -> None:
        self.effects = replace(self.effects, unset=(*self.effects.unset, *paths))

    def end_execution(self, state: State) -> None:
        if state not in ENDINGS:
            raise TaskFailed(f"an execution cannot end as {state}", hint=f"one of {', '.join(ENDINGS)}")
        self.effects = replace(self.effects, ending=state)
