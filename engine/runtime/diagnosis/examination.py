"""Goes through all that is stored, a page at a time, and tells what is not as it should be.

Always true: nothing is written and nothing is owned, so it may run beside an engine; what looks wrong only because an
engine was just at it is looked at again before it is told; the memory it takes does not grow with the history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from msgspec import Struct

from engine.errors import PenstockError, StoreError
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.ports import Clock, ExecutionFilter, Files, Store
from engine.runtime.diagnosis.files import missing_files
from engine.runtime.diagnosis.finding import Check, Finding, Findings
from engine.runtime.diagnosis.histories import in_the_attempts, in_the_history
from engine.runtime.diagnosis.order import in_the_order
from engine.runtime.diagnosis.standing import Surroundings, explanation
from engine.runtime.places import BEGUN

_PAGE = 100
_FLOWS = 256  #: how many flows are kept parsed


class Subject(Struct, frozen=True, kw_only=True):
    """What is examined. `mover` names the engine that moves an execution; `marked` are processes by their task run."""

    store: Store
    files: Files
    clock: Clock
    find_flow: Callable[[str, str, int], Flow]  #: by namespace, id, revision; PenstockError if it cannot be read
    mover: Callable[[str], str | None]
    marked: dict[int, str]


class Examination:
    """`on_progress` hears how many executions were looked at, of how many."""

    def __init__(self, subject: Subject, on_progress: Callable[[int, int], None] = lambda part, whole: None) -> None:
        self._subject = subject
        self._store = subject.store
        self._on_progress = on_progress
        self._rows = Findings("rows")
        self._explained = Findings("executions")
        self._histories = Findings("histories")
        self._attempts = Findings("attempts")
        self._order = Findings("order")
        self._files = Findings("files")
        self._processes = Findings("processes")
        self._open = 0
        self._reasons: dict[str, int] = {}
        self._suspects: dict[str, Execution] = {}
        self._runs = {run_id: pid for pid, run_id in subject.marked.items()}
        self._read_flow = lru_cache(_FLOWS)(self._found_flow)

    def checks(self) -> Iterator[Check]:
        """Look at everything. Raises StoreError when the database stops answering."""
        seen = 0
        for execution in self._executions():
            self._look(execution)
            seen += 1
        self._look_again()
        reasons = ", ".join(f"{count:,} with {reason}" for reason, count in sorted(self._reasons.items()))
        whole = f"{seen:,} looked at"
        yield self._rows.check(whole)
        yield self._explained.check(f"{self._open:,} have not ended" + (f": {reasons}" if reasons else ""))
        for findings in (self._histories, self._attempts, self._order):
            yield findings.check(whole)
        yield self._places()
        yield self._triggers()
        yield self._files.check(whole)
        yield self._processes.check(f"{len(self._runs)} of task runs")

    def _executions(self) -> Iterator[Execution]:
        _, whole = self._store.executions(ExecutionFilter(limit=0))
        after, part = "", 0
        while True:
            try:
                page = self._store.whole(after=after, limit=_PAGE)
            except StoreError:
                page, after, ended = self._one_by_one(after)
            else:
                ended, after = len(page) < _PAGE, page[-1].id if page else after
            yield from page
            part += len(page)
            self._on_progress(part, whole)
            if ended:
                return

    def _one_by_one(self, after: str) -> tuple[list[Execution], str, bool]:
        """A page in which something cannot be read: what can, the last id, and whether there is no more."""
        ids = self._store.ids(after=after, limit=_PAGE)
        found = []
        for id_ in ids:
            try:
                execution = self._store.execution(id_)
            except StoreError as error:
                hint = f"`penstock executions delete --force {id_}` removes it, or restore a backup."
                self._rows.add(Finding(what=error.message, hint=hint, execution_id=id_))
            else:
                found += [execution] if execution is not None else []
        return found, ids[-1] if ids else after, len(ids) < _PAGE

    def _look(self, execution: Execution) -> None:
        self._histories.add(*in_the_history(execution))
        self._attempts.add(*in_the_attempts(execution))
        self._files.add(*missing_files(execution, self._subject.files))
        flow = self._flow_of(execution)
        if isinstance(flow, Flow):
            self._order.add(*in_the_order(flow, execution))
        if execution.is_over:
            for run_id in self._runs.keys() & set(execution.task_runs) if self._runs else ():
                self._tell_process(execution, run_id)
            return
        self._open += 1
        if isinstance(flow, PenstockError):
            what = f"execution {execution.id} cannot go on: its flow cannot be read: {flow.message}"
            hint = flow.hint or "Mend the flow or its plugin, or kill the execution."
            self._explained.add(Finding(what=what, hint=hint, execution_id=execution.id))
            return
        self._explain(execution)

    def _flow_of(self, execution: Execution) -> Flow | PenstockError:
        return self._read_flow(execution.namespace, execution.flow_id, execution.flow_revision)

    def _found_flow(self, namespace: str, flow_id: str, revision: int) -> Flow | PenstockError:
        try:
            return self._subject.find_flow(namespace, flow_id, revision)
        except PenstockError as error:
            return error

    def _explain(self, execution: Execution) -> None:
        found = explanation(execution, self._surroundings())
        if isinstance(found, str):
            self._reasons[found] = self._reasons.get(found, 0) + 1
        elif len(self._suspects) < 10 * Findings.KEPT:
            self._suspects[execution.id] = execution
        else:
            self._explained.add(found)

    def _surroundings(self) -> Surroundings:
        return Surroundings(now=self._subject.clock.now(), mover=self._subject.mover, holders=self._holders)

    def _look_again(self) -> None:
        """An engine may have ended some of them between the look at the row and the question."""
        for before in self._suspects.values():
            execution = self._store.execution(before.id)
            if execution is None or execution.is_over or _moved(before, execution):
                continue
            found = explanation(execution, self._surroundings())
            if isinstance(found, Finding):
                self._explained.add(found)

    def _tell_process(self, execution: Execution, run_id: str) -> None:
        again = self._store.execution(execution.id)
        run = again.task_runs.get(run_id) if again is not None and again.is_over else None
        if run is not None:
            pid = self._runs[run_id]
            what = (
                f"process {pid} was begun by {run.task_id} of execution {execution.id}, which is over, and still runs"
            )
            self._processes.add(Finding(what=what, hint=f"kill {pid}", execution_id=execution.id))

    def _holders(self, execution: Execution) -> list[str]:
        where = ExecutionFilter(
            namespace=execution.namespace, flow_id=execution.flow_id, below=False, states=BEGUN, limit=_PAGE
        )
        return [each.id for each in self._store.executions(where)[0] if each.id != execution.id]

    def _places(self) -> Check:
        """No more executions of a flow have begun than may be at once."""
        findings, limited = Findings("places"), 0
        for record in self._store.flows():
            where = ExecutionFilter(
                namespace=record.namespace, flow_id=record.id, below=False, states=BEGUN, limit=_PAGE
            )
            begun, count = self._store.executions(where)
            limits = [limit for limit in map(self._limit, (each.id for each in begun)) if limit is not None]
            limited += bool(limits)
            if limits and len(limits) == len(begun) and count > max(limits):
                what = f"{count} executions of {record.namespace}/{record.id} have begun, and {max(limits)} may at once"
                hint = (
                    "It is right if a person forced or restarted some (`force-run`, `restart`); else please report it."
                )
                findings.add(Finding(what=what, hint=hint))
        return findings.check(f"{limited} flows with a limit have some at work" if limited else "no limit is in use")

    def _limit(self, execution_id: str) -> int | None:
        """How many of its flow may be at once with it, as its revision has it."""
        try:
            execution = self._store.execution(execution_id)
        except StoreError:
            return None  # the row has been told
        flow = self._flow_of(execution) if execution is not None else None
        return flow.concurrency.limit if isinstance(flow, Flow) and flow.concurrency is not None else None

    def _triggers(self) -> Check:
        findings, on = Findings("triggers"), {(each.namespace, each.flow_id) for each in self._store.deployments()}
        for state in self._store.trigger_states():
            if state.problem is not None and not state.disabled and state.key[:2] in on:
                what = f"trigger {state.key} could not be dealt with {state.failures} times in a row: {state.problem}"
                until = f" It is left alone until {state.retry_at}." if state.retry_at is not None else ""
                findings.add(Finding(what=what, hint=f"Mend the flow; `penstock triggers list` shows it.{until}"))
        return findings.check(f"{len(on)} flows have theirs on")


def _moved(before: Execution, after: Execution) -> bool:
    return before.history != after.history or any(
        run != before.task_runs.get(run_id) for run_id, run in after.task_runs.items()
    )
