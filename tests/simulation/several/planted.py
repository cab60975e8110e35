"""Mistakes that somebody could make where executions meet. Each must be found."""

from __future__ import annotations

from engine.core import admission, attempts, calling, recovery, renewal, replaying, sla, stopping
from engine.runtime.awaiting import Awaiting
from engine.runtime.batch import Batch
from engine.runtime.calls import Calls
from engine.runtime.commanding import Commanding
from engine.runtime.family import Family
from engine.runtime.loop import Loop
from engine.runtime.places import Places, _Flow
from tests.simulation.planted import Bug

BUGS = (
    # Places
    Bug("one more than the limit begins", Places.admit, "< limits.limit", "<= limits.limit"),
    Bug("who comes later overtakes", Places.admit, "len(places.begun) + ahead", "len(places.begun)", seed=225),
    Bug("the queue is a stack", Places.freed, "places.queue[: max(room, 0)]", "places.queue[::-1][: max(room, 0)]"),
    Bug(
        "a place is not given on",
        Loop._free,
        "places.freed(active.flow, execution)",
        "places.freed(active.flow, execution) and ()",
    ),
    Bug("a place is kept after the end", Places.freed, "places.begun.discard(execution.id)", "pass"),
    Bug("a pause gives its place away", Places.note, "execution.state in BEGUN", "execution.state is State.RUNNING"),
    Bug(
        "places are counted from nothing after a crash",
        Places._of,
        "each.id for each in found if each.id != execution.id",
        "each.id for each in found if each.id == execution.id",
        seed=45,
    ),
    Bug("what is taken over has left the queue", Places.note, "self._of(execution).join_queue(execution)", "pass"),
    Bug("a place is lost with a commit", Loop._give_up, "given_up.stored.state not in BEGUN", "False", seed=1027),
    Bug("a refusal is told and nothing else", admission.place_refused, "finish(draft, state, error=", "str(error="),
    # Calls
    Bug("a task run is stored, and what it begins is not", Family.begin, "batch.change(active)", "pass"),
    Bug(
        "what belongs together is stored in parts", Family.begin, "batch.bind(execution.id, beginner)", "pass", seed=123
    ),
    Bug("what a stopped task run wants is begun", Family.called, "run.state is State.RUNNING and", ""),
    Bug("a wait ends with the first of many", Awaiting._if_over, "if wait.left:", "if False:"),
    Bug("a wait is over before its retry", Family.ended, "execution.state is not State.RETRIED", "True"),
    Bug(
        "a retry that was faster is waited for",
        Family.ended,
        "stored is not None and stored.is_terminal",
        "False",
        seed=58,
    ),
    Bug(
        "nobody looks for what goes on after a crash",
        Family.wait,
        "batch.after.append((run.execution_id, partial(self._tasks.look_for_flows, active, run)))",
        "pass",
    ),
    Bug("what is found is not taken over", Family.found, "self._post(Adopt(", "str((", seed=73),
    Bug("a kill stops at the child", Family.stop, "self._kill(execution_id)", "pass"),
    Bug("a kill is forgotten by a retry", Family.ended, "elif wait.is_stopped:", "elif False:", seed=3093),
    Bug("a kill is forgotten with its engine", Family.adopted, "is_abandoned(run, execution)", "False", seed=53),
    Bug(
        "a killed task run does not wait for its executions",
        stopping.stop,
        "elif run.calls is not None:",
        "elif False:",
    ),
    Bug(
        "recovery forgets what a task run waits for",
        recovery._await_anew,
        "draft.command(AwaitFlows(run.id, run.epoch))",
        "pass",
    ),
    Bug("each epoch begins the same executions", calling.call_id, "run.id, epoch, index", "run.id, index", seed=37),
    Bug("a restart loses what it went on with", Calls._go_on, "again.append((flow, execution.id))", "pass"),
    Bug(
        "a timeout leaves its executions running",
        attempts._called_for_too_long,
        "draft.command(StopFlows(run.id, run.epoch, calls))",
        "pass",
    ),
    # Retries of the whole
    Bug(
        "one retry too many",
        renewal.successor,
        "execution.attempt_number, first",
        "execution.attempt_number - 1, first",
    ),
    Bug(
        "who retries is begun before its time",
        renewal.successor,
        "due=draft.at + timedelta(seconds=seconds)",
        "due=None",
    ),
    Bug("a retry is nobody's", renewal.successor, "caller=execution.caller", "caller=None"),
    Bug(
        "what waits for its time is lost with its engine",
        recovery.engine_started,
        "draft.command(StartLater(max(draft.at, due)))",
        "pass",
    ),
    Bug("a retry is stored by itself", Batch.bind, "self._bonds[execution_id] = other", "pass", seed=123),
    # Promises
    Bug("a promise is broken again and again", sla.is_open, "and BROKEN_SLA not in execution.labels", ""),
    Bug(
        "a deadline is lost with its engine",
        recovery.engine_started,
        "if draft.state is State.QUEUED:",
        "if False:",
        seed=68,
    ),
    Bug(
        "a retry has broken the promise of the one before",
        replaying.replay,
        "if name not in ITS_OWN",
        "if True",
        seed=52,
    ),
    Bug("a broken promise is told of and nothing else", sla._broken, 'if sla.behavior == "NONE":', "if True:"),
    Bug("nobody waits for a deadline", Commanding.note, "self._timers.set(command.due, id_, passed)", "pass"),
    Bug(
        "nobody begins what is due",
        Commanding.note,
        "self._timers.set(command.due, id_, ExecutionStarted(at=command.due))",
        "pass",
    ),
    Bug("who leaves the queue stays in it", _Flow.leave_queue, "del self.queue[place]", "pass"),
)
