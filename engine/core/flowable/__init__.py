"""One module for each container. Each answers the same questions, purely, about one task run of its task:

`expression`  what must be evaluated before it can begin: (name, template), or None
`begin`       what that value means: an `Opening` (outputs, items, a wait), or an error text
`nexts`       which main children, and which of `errors`, may start now
`outcome`     how its main children ended, None while they go on
`question`    what must be evaluated before it may end in a state: (name, template), or None
`close`       what that value means: a `Closing` (state, outputs, another round), or an error text

Which children exist at all is answered by `Container.branches` in the model; `errors` and `finally` are the same for
every container, and `engine.core.settle` sees to their end.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from engine.core.flowable import (
    allow_failure,
    choice,
    dag,
    each_parallel,
    foreach,
    loop,
    loop_until,
    parallel,
    pause,
    round_of_loop,
    sequential,
    working_directory,
)
from engine.core.flowable.opening import Closing, Opening
from engine.core.flowable.scope import Next, Scope
from engine.model.execution import TaskRun
from engine.model.flow import (
    AllowFailure,
    Container,
    Dag,
    EachParallel,
    EachSequential,
    ForEach,
    ForEachItem,
    If,
    Loop,
    LoopUntil,
    Parallel,
    Pause,
    Round,
    Sequential,
    Switch,
    WaitFor,
    WorkingDirectory,
)
from engine.model.state import State


class Flowable(Protocol):
    """The questions, as a module answers them."""

    def expression(self, task: Any) -> tuple[str, Any] | None: ...

    def begin(self, task: Any, value: Any, at: datetime) -> Opening | str: ...

    def nexts(self, scope: Scope) -> list[Next]: ...

    def outcome(self, scope: Scope) -> State | None: ...

    def question(self, task: Any, state: State) -> tuple[str, Any] | None: ...

    def close(self, task: Any, run: TaskRun, state: State, value: Any, at: datetime) -> Closing | str: ...


_FLOWABLES: dict[type[Container], Flowable] = {
    Sequential: sequential,
    Parallel: parallel,
    Dag: dag,
    If: choice.IF,
    Switch: choice.SWITCH,
    ForEach: foreach,
    EachSequential: foreach,
    EachParallel: each_parallel,
    Loop: loop,
    Round: round_of_loop,
    AllowFailure: allow_failure,
    LoopUntil: loop_until,
    WaitFor: loop_until,
    Pause: pause,
    WorkingDirectory: working_directory,
    ForEachItem: sequential,
}


def flowable(task: Container) -> Flowable:
    """The module that answers for a container."""
    return _FLOWABLES[type(task)]
