"""One module for each container. Each answers the same questions, purely, about one task run of its task:

`expression(task)`   what must be evaluated before it can begin: (name, template), or None
`begin(task, value)` what that value means: an `Opening` (outputs, items), or an error text
`nexts(scope)`       which children may start now
`outcome(scope)`     the state it ended in, None while it goes on

The fourth question, which children exist at all, is answered by `Container.branches` in the model.
"""

from __future__ import annotations

from typing import Any, Protocol

from engine.core.flowable import choice, dag, foreach, parallel, sequential
from engine.core.flowable.opening import Opening
from engine.core.flowable.scope import Next, Scope
from engine.model.flow import Container, Dag, ForEach, If, Parallel, Sequential, Switch
from engine.model.state import State


class Flowable(Protocol):
    """The questions, as a module answers them."""

    def expression(self, task: Any) -> tuple[str, Any] | None: ...

    def begin(self, task: Any, value: Any) -> Opening | str: ...

    def nexts(self, scope: Scope) -> list[Next]: ...

    def outcome(self, scope: Scope) -> State | None: ...


_FLOWABLES: dict[type[Container], Flowable] = {
    Sequential: sequential,
    Parallel: parallel,
    Dag: dag,
    If: choice.IF,
    Switch: choice.SWITCH,
    ForEach: foreach,
}


def flowable(task: Container) -> Flowable:
    """The module that answers for a container."""
    return _FLOWABLES[type(task)]
