"""`judge`: whether an execution that has come to a state starts a flow, by one Flow trigger of it.

Any execution of any flow may come by, so that a condition cannot be answered is often no mistake: it reads what only
some flows have. One no among the conditions settles it then. Where nothing does, the trigger's author is told: by an
execution that failed if the trigger (of an entry: the entry) names that flow, and else by a line in the log. So two
flows that watch all others for failures do not fail each other for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from engine.core.conditions import holds
from engine.core.facts import Facts
from engine.core.rendering import answer
from engine.core.triggering import gathering
from engine.core.triggering.entries import Entry, any_names, matches
from engine.core.triggering.memory import Memory, Satisfied
from engine.core.triggering.upstream import Upstream
from engine.core.triggering.verdict import Verdict, every, furnished, some
from engine.errors import ExpressionError
from engine.expressions import Functions, truthy
from engine.model.conditions import MultipleCondition, Not, Or
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.listeners import Condition
from engine.model.state import State
from engine.model.triggers import FlowTrigger

#: How many of those that have counted are known. No more than these are heard of again at once.
_KNOWN = 64


def judge(
    flow: Flow,
    trigger: FlowTrigger,
    upstream_flow: Flow,
    upstream: Execution,
    state: State,
    at: datetime,
    memory: Memory,
    functions: Functions,
    facts: Facts,
) -> Verdict:
    """What becomes of it that `upstream` came to `state` at an instant, for a trigger of `flow` with its `memory`.

    `upstream` may have gone on since. Never by executions of the same flow. Windows are on the clocks of
    `functions.zone` unless they name others.
    """
    nothing = Verdict(memory=memory)
    if state not in trigger.states or (upstream.namespace, upstream.flow_id) == (flow.namespace, flow.id):
        return nothing
    case = _Case(Upstream(flow, trigger, upstream_flow, replace(upstream, state=state), facts, functions), at)
    try:
        if not case.is_considered():
            return nothing
    except ExpressionError as error:
        return case.untold(error.message, case.is_named, nothing)
    return case.decided(memory)


class _Untold(Struct, frozen=True):
    """Why an entry cannot be judged, and whether the entry names the flow that it is judged by."""

    reason: str
    is_named: bool


class _Gathered(Struct, frozen=True, kw_only=True):
    """What has been gathered, by what is waited for together."""

    held: Mapping[str, Mapping[str, Satisfied]]
    heard: Mapping[str, tuple[str, ...]]
    counts: bool  #: whether the one that came by satisfies something, and was not known
    untold: Sequence[_Untold]  #: the worst first

    def memory(self, begun_anew: Collection[str] = ()) -> Memory:
        """What is remembered of it."""
        kept = {id_: held for id_, held in self.held.items() if held and id_ not in begun_anew}
        return Memory(satisfied=kept, heard=self.heard)


class _Case:
    """A trigger and what came by."""

    def __init__(self, upstream: Upstream, at: datetime) -> None:
        self._upstream = upstream
        self._at = at
        self._trigger = upstream.trigger
        self._subject = upstream.subject()
        self._own = gathering.own(self._trigger)
        self._all = [*self._own, *gathering.among(self._trigger.conditions)]

    def is_considered(self) -> bool:
        """Whether `when` and all conditions hold that remember nothing. Raises ExpressionError."""
        plain = (condition for condition in self._trigger.conditions if not gathering.gathers(condition))
        return every([partial(self._when), *(partial(holds, condition, self._subject) for condition in plain)])

    @property
    def is_named(self) -> bool:
        """Whether the trigger says by its name that it is about this flow."""
        entries = [*self._trigger.conditions, *(entry for each in self._own for entry in each.entries.values())]
        return any_names(entries, self._upstream.execution)

    def decided(self, memory: Memory) -> Verdict:
        """What follows for that which is gathered, and whether it is complete by now."""
        now = self._gathered(memory)
        complete = {each.id for each in self._all if now.counts and len(now.held[each.id]) >= each.needed}
        verdict = Verdict(memory=now.memory() if now.counts else memory)
        try:
            if self._is_fulfilled(complete):
                return self._fired(now, complete)
        except ExpressionError as error:
            return self.untold(error.message, self.is_named, verdict)
        if now.untold and (not now.counts or now.untold[0].is_named):
            return self.untold(now.untold[0].reason, now.untold[0].is_named, verdict)
        return verdict

    def untold(self, trouble: str, is_named: bool, verdict: Verdict) -> Verdict:
        """What follows from something that cannot be told, where that concerns a flow by its name or by chance."""
        variables = self._upstream.variables(()) if is_named else {}
        return replace(verdict, fires=is_named, problem=trouble, variables=variables)

    # -- what has been gathered

    def _gathered(self, memory: Memory) -> _Gathered:
        """What is satisfied by now, each thing within its window."""
        this = self._as_satisfied()
        all_held: dict[str, Mapping[str, Satisfied]] = {}
        heard = dict(memory.heard)
        untold: list[_Untold] = []
        counts = False
        for each in self._all:
            before = {name: one for name, one in memory.satisfied.get(each.id, {}).items() if name in each.entries}
            is_known = this.key in heard.get(each.id, ())
            new = {} if is_known else dict.fromkeys(self._matched(each.entries, untold), this)
            span = each.span(before.values(), this.at, self._subject.functions.zone) if before or new else None
            all_held[each.id] = gathering.held(before, new, span) if span is not None else {}
            if new and span is not None and this.at in span:
                counts = True
                if len(each.entries) > 1 or len(self._all) > 1:  # else it makes the trigger fire, and is known by that
                    heard[each.id] = (*heard.get(each.id, ()), this.key)[-_KNOWN:]
        untold.sort(key=lambda one: not one.is_named)
        return _Gathered(held=all_held, heard=heard, counts=counts, untold=untold)

    def _matched(self, entries: Mapping[str, Entry], untold: list[_Untold]) -> Iterator[str]:
        """The names of the entries that this one satisfies; those that cannot be judged are added to `untold`."""
        for name, entry in entries.items():
            try:
                if matches(entry, self._subject):
                    yield name
            except ExpressionError as error:
                untold.append(_Untold(error.message, any_names([entry], self._upstream.execution)))

    def _as_satisfied(self) -> Satisfied:
        execution = self._upstream.execution
        return Satisfied(
            execution_id=execution.id,
            namespace=execution.namespace,
            flow_id=execution.flow_id,
            state=execution.state,
            at=self._at,
            outputs=execution.outputs or {},
        )

    def _is_fulfilled(self, complete: Collection[str]) -> bool:
        """Whether what is complete is enough. Raises ExpressionError."""
        if not all(each.id in complete for each in self._own):
            return False
        gathered = (condition for condition in self._trigger.conditions if gathering.gathers(condition))
        return every(self._asking(condition, complete) for condition in gathered)

    def _asking(self, condition: Condition, complete: Collection[str]) -> Callable[[], bool]:
        return lambda: self._holds(condition, complete)

    def _holds(self, condition: Condition, complete: Collection[str]) -> bool:
        """Whether a condition holds, when those that remember are as complete as they are."""
        match condition:
            case MultipleCondition():
                return condition.id in complete
            case Or():
                return some(self._asking(inner, complete) for inner in condition.inner)
            case Not():
                return not some(self._asking(inner, complete) for inner in condition.inner)
        return holds(condition, self._subject)

    # -- what comes of it

    def _fired(self, now: _Gathered, complete: Collection[str]) -> Verdict:
        variables = self._upstream.variables(one for held in now.held.values() for one in held.values())
        begun_anew = {each.id for each in self._all if each.resets and each.id in complete}
        verdict = Verdict(fires=True, variables=variables, memory=now.memory(begun_anew))
        context = self._upstream.context(lambda: variables)
        try:
            return furnished(verdict, self._upstream.flow, self._trigger, context, self._subject.functions)
        except ExpressionError as error:
            return self.untold(error.message, self.is_named, verdict)

    def _when(self) -> bool:
        when, subject = self._trigger.when, self._subject
        return when is None or truthy(answer("when", when, subject.context, subject.functions, subject.written_in))
