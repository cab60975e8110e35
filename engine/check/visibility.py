"""Whether a task has run by the time that an expression is evaluated.

The order is that of `engine.core.flowable`: lists run from the first to the last, a Dag by what its tasks depend on,
a Parallel in no order, one branch of a choice only, `errors` after something failed, `finally` after all that, and
listeners after the end. Where loops repeat what looks like an order in the file, nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from itertools import takewhile

from engine.check.outline import Node
from engine.model.flow import Dag, EachParallel, EachSequential, ForEach, If, Parallel, Switch
from engine.model.tree import ERRORS

#: The lists that run before or after the main tasks, in their order. Listeners come last, in no order.
_TURNS: Mapping[str, int] = {"onPause": -1, ERRORS: 1, "finally": 2, "afterExecution": 3}
_LAST = 4


class When(Enum):
    """What is known about a task at the place of an expression."""

    RUN = auto()  #: as far as is known it has; it may have failed, or been in a loop over nothing
    CHOSEN = auto()  #: it has if its branch was taken, or its `runIf` held
    RACING = auto()  #: nothing orders the two
    NEVER = auto()  #: it cannot have
    DISABLED = auto()  #: it does not run at all


def when(target: Node, site: Node | None, *, state_only: bool = False, at_end: bool = False) -> When:
    """Whether `target` has run when an expression of `site` is evaluated; None stands for the end of the flow.

    With `state_only` it is enough that it was considered: a skipped task has a state too. With `at_end` the site is a
    container, and the expression is evaluated when the tasks in it have ended.
    """
    if target.disabled:
        return When.DISABLED
    if site is None:
        return _inside(target.line, conditional_site=False, state_only=state_only)
    ours, theirs = site.line, target.line
    shared = len(list(takewhile(lambda pair: pair[0] is pair[1], zip(ours, theirs, strict=False))))
    looping = any(node.valued for node in ours[:shared])
    if shared == len(theirs):  # the task itself, or a container around it
        return When.NEVER if target is site and not (state_only or looping or at_end) else When.RUN
    if shared == len(ours) and at_end:
        return _inside(theirs[shared:], conditional_site=False, state_only=state_only)
    if shared == len(ours):  # a container's own expression is evaluated before anything in it starts
        return When.RUN if looping else When.NEVER
    container, mine, other = (ours[shared - 1] if shared else None), ours[shared], theirs[shared]
    answer = _beside(container, mine, other)
    if answer in (When.NEVER, When.RACING) and (looping or (mine.valued and other.valued)):
        return When.RUN  # for another value it may have
    if answer is not When.RUN:
        return answer
    choosing = any(_is_chosen(node, state_only=False) for node in ours[shared:])
    return _inside(theirs[shared:], conditional_site=choosing, state_only=state_only)


def _inside(line: list[Node], *, conditional_site: bool, state_only: bool) -> When:
    """What may keep a task from running although its turn came. One that asks by a choice of its own knows why."""
    if conditional_site:
        return When.RUN
    last = line[-1]
    chosen = any(_is_chosen(node, state_only=state_only and node is last) for node in line)
    return When.CHOSEN if chosen else When.RUN


def _is_chosen(node: Node, *, state_only: bool) -> bool:
    in_choice = node.parent is not None and node.parent.container in (If, Switch) and _turn(node.branch) == 0
    return in_choice or (not state_only and node.task is not None and node.task.run_if is not None)


def _turn(branch: str) -> int:
    return _LAST if branch.startswith("listeners.") else _TURNS.get(branch, 0)


def _beside(container: Node | None, mine: Node, other: Node) -> When:
    """Two different children of one container (None: of the flow): has `other` ended when `mine` starts?"""
    kind = container.container if container is not None else None
    if mine.branch != other.branch:
        at_once = kind in (Parallel, Dag, ForEach, EachSequential, EachParallel)
        after = _turn(mine.branch) > _turn(other.branch) or _turn(mine.branch) == _turn(other.branch) == _LAST
        return When.RUN if after or (other.branch == ERRORS and at_once) else When.NEVER
    task = container.task if container is not None else None
    if mine.branch != ERRORS:
        if container is not None and kind is Dag:
            return _in_dag(container, mine.id, other.id)
        if kind is Parallel and not (isinstance(task, Parallel) and task.concurrent == 1):
            return When.RACING if isinstance(task, Parallel) else When.RUN
    return When.RUN if other.index < mine.index else When.NEVER


def _in_dag(dag: Node, mine: str, other: str) -> When:
    if _needs(dag.needs, mine, other):
        return When.RUN
    if _needs(dag.needs, other, mine):
        return When.NEVER
    return When.RACING if isinstance(dag.task, Dag) and dag.task.concurrent != 1 else When.RUN


def _needs(needs: Mapping[str, tuple[str, ...]], task_id: str, wanted: str) -> bool:
    """Whether a task of a Dag waits for another one, through others too."""
    seen: set[str] = set()
    waiting = [task_id]
    while waiting:
        for before in needs.get(waiting.pop(), ()):
            if before == wanted:
                return True
            if before not in seen:
                seen.add(before)
                waiting.append(before)
    return False
