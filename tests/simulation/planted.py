"""Mistakes that somebody could make in the core, one for each kind of failure that engines like this one have had."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from engine.core import (
    attempts,
    claims,
    closing,
    effects,
    ending,
    ledger,
    pausing,
    recovery,
    restarting,
    retry,
    starting,
    stopping,
)
from engine.core import settle as settle_
from engine.core.draft import Draft
from engine.core.flowable import (
    choice,
    dag,
    foreach,
    loop_until,
    parallel,
    pause,
    round_of_loop,
    scope,
    working_directory,
)

#: The module: the package gives its function by the same name.
decide_ = import_module("engine.core.decide")


class Bug(NamedTuple):
    """`old` in the source of `where` becomes `new`. `seed` is where to look first for what is seldom met."""

    story: str
    where: Callable[..., Any]
    old: str
    new: str
    seed: int = 0


BUGS = (
    # Late, lost and repeated
    Bug("the answer of an earlier attempt counts", attempts.attempt_finished, "run.epoch != event.epoch or ", ""),
    Bug("two workers claim one task run", claims.may_claim, "epoch == run.epoch + 1 and ", ""),
    Bug("an attempt begins before its time", claims.waits_for_worker, "and run.due is None", ""),
    Bug("what has not begun gives an answer", attempts.attempt_finished, "event.started_at is not None and ", ""),
    Bug("a retry that was given up comes back", attempts.timer_fired, "run.due != event.due", "run.due is None", 1096),
    Bug("what is over can be moved", decide_.decide, "execution.is_over and", "False and"),
    Bug("an answer that comes twice counts twice", attempts.attempt_finished,
        "run.state not in (State.RUNNING, State.KILLING)", "run.state is State.CREATED"),
    Bug("a task is told twice to wait for a worker", decide_._evaluated, "run.state is State.CREATED", "True"),
    # Stuck after a crash
    Bug("what waited for a worker is lost", recovery.commands_anew, "draft.command(QueueTask(run.id))", "pass"),
    Bug("timers are not set again", recovery.commands_anew, "draft.command(SetTimer(run.id, run.due))", "pass"),
    Bug("what was about to begin is lost", recovery.commands_anew, "repeat(draft, run)", "pass"),
    Bug("containers are not looked at again", recovery.commands_anew, "draft.unsettle_all()", "pass"),
    Bug("an attempt that was lost stays open", recovery._go_on_without,
        "draft.move(run, State.CREATED, attempts=attempts)", "draft.move(run, State.CREATED)"),
    Bug("what was being killed is left behind", recovery._lose_attempt, "run.state is State.KILLING", "False", 1806),
    Bug("what must not run twice does", recovery._go_on_without, 'policy == "FAIL"', "False", 209),
    Bug("what wants a person's word runs without it", recovery._go_on_without, 'policy == "PAUSE"', "False"),
    Bug("a task may kill its engines for ever", recovery._go_on_without, "deaths >= draft.facts.deaths_allowed",
        "False", 124),
    Bug("what a container says of losses is not heard", recovery.on_lost_of, "place.parent is not None", "False"),
    Bug("a folder forgets what has begun in it", recovery._lose_folders, "each is run or each.attempts", "each is run",
        185),
    Bug("a folder waits for what has not begun in it", recovery._lose_folders, "each is run or each.attempts",
        "True", 3244),
    Bug("what is lost runs beside what is left of it", recovery._go_on_without, "if alive:", "if False:"),
    Bug("a folder in the `errors` of a folder outlives it", recovery._lose_folders,
        "continue  # it stood", "pass  # it stood", 5990),
    Bug("what is left of a folder is forgotten", recovery._lose_folders, "survivors.get(each.id, ())", "()", 241),
    Bug("what lives counts as killed", recovery._lose_attempt, "State.FAILED if alive else State.KILLED",
        "State.KILLED", 2681),
    Bug("what was lost is resumed and forgotten", pausing.resume_requested,
        "repeat(draft, draft.move(run, State.CREATED))", "draft.move(run, State.CREATED)"),
    Bug("a process of another attempt is remembered", claims.is_at_work, "run.epoch == epoch and ", ""),
    Bug("an attempt begins beside what is left of the last", attempts.attempt_finished, " or event.survivors", "",
        177),
    # Kill
    Bug("a kill forgets what waits for a retry", stopping.stop, "run.is_terminal or", "run.is_terminal or run.due or"),
    Bug("what runs is not told to stop", stopping.stop, "draft.command(StopTask(run.id, run.epoch))", "pass"),
    Bug("a kill leaves a due time behind", stopping.stop, "draft.move(run, State.KILLED, due=None)",
        "draft.move(run, State.KILLED)"),
    Bug("a killed task counts as a success", ledger.main_state, "if tally.killed:", "if False:"),
    Bug("a task that is stopped is retried", attempts.attempt_finished, "if run.state is State.KILLING:", "if False:"),
    Bug("a kill forgets that the execution was to end otherwise", stopping.kill, "ending=None", "held=False", 326),
    Bug("a task fails at the end, and waits for a retry", attempts.attempt_finished, "draft.is_stopping or ", "", 1847),
    Bug("an attempt that was lost at the end is to run again", recovery._lose_attempt,
        "run.state is State.KILLING or draft.is_stopping", "run.state is State.KILLING", 942),
    Bug("a lane of a stopped loop is counted in two ways", ledger._count_lanes_of, "broken = stopped or",
        "broken =", 2171),
    # Order, limits, failures
    Bug("a sequence does not wait", scope.nexts_in_order, "main.live or ", ""),
    Bug("one more than `concurrent`", scope.nexts_at_once, "limit - main.live", "limit - main.live + 1"),
    Bug("`concurrent` leaves a place empty", scope.nexts_at_once, "max(room, 0)", "max(room - 1, 0)"),
    Bug("a Parallel goes on after a failure", parallel.nexts, "scope.container.concurrent)",
        "0) or scope._draft.tally(scope.key).failed and [scope.next(scope.tasks('tasks')[-1])] or []"),
    Bug("dependencies are forgotten", dag.nexts, "all(_has_ended", "any(True or _has_ended"),
    Bug("one more than `concurrent` in a Dag", dag.nexts, "dag.concurrent - main.live",
        "dag.concurrent + main.live", 355),
    Bug("a Dag looks into another round of its loop", Draft.sibling, "parent)[1:]", "parent)[2:]", 398),
    Bug("a loop goes on after a failure", foreach.nexts_of_loop, "if lanes.failed:", "if False:"),
    Bug("a value of a loop is left out", foreach.nexts_of_loop, "range(lanes.created,",
        "range(lanes.created and lanes.created + 1,"),
    Bug("`errors` go on after a failure of their own", scope.nexts_of_list, "tally.failed or ", ""),
    Bug("`finally` does not wait for `errors`", settle_._advance, "whole_state(state, errors, due, EMPTY, 0)", "state"),
    Bug("`finally` is left out", settle_._advance, "if at_last and", "if at_last > 1 and"),
    Bug("a failure outweighs a kill", ledger.whole_state, "errors.killed or last.killed", "last.killed"),
    Bug("a failure of `finally` is not seen", ledger.whole_state, "if last.failed:", "if False:"),
    # Waiting
    Bug("what a person holds goes on", settle_.settle, "if draft.execution.held:", "if False:"),
    Bug("workers take what a person holds", claims.lets_start, "and not execution.held", ""),
    Bug("a resume takes the last pause", pausing.paused_run, "min(paused", "max(paused"),
    Bug("a pause forgets who resumed it", pausing.resume_requested, "_go_on(draft, run, outputs)",
        "_go_on(draft, run, run.outputs)"),
    Bug("an execution stays PAUSED", settle_._pause_or_go_on, "not draft.waits_only", "False"),
    Bug("paused task runs are not counted", Draft._put, "self._paused += (run.state is State.PAUSED)",
        "self._paused += 0"),
    Bug("a pause that is over does not fail", pause.outcome, "if _failure(scope.run):", "if False:"),
    Bug("a pause ends before what runs `onPause`", pause.outcome, "scope.tally(ON_PAUSE).live", "False"),
    Bug("a paused task is KILLED before what is in it", stopping._is_at_work, "run.state is State.RUNNING or",
        "run.state is State.RUNNING and"),
    Bug("an answer from outside moves what a person holds", decide_._evaluated, "not draft.execution.held",
        "True", 356),
    Bug("a pause waits for its later time", pause.begin, "min(moments)", "max(moments)"),
    Bug("what a person held between two tasks is stuck", Draft.unsettle_children, "self.unsettle(key)", "pass"),
    Bug("`finally` does not run when nobody resumes", pause.outcome, "return State.FAILED", "return State.KILLED"),
    Bug("a pause that cancels when all has ended is stuck", pausing.waited, " and not draft.execution.is_terminal",
        "", 3126),
    Bug("a pause that cancels fails", pausing.waited, "end_as(draft, State.CANCELLED",
        "end_as(draft, State.FAILED"),
    # Loops, retries, answers
    Bug("one round too many", loop_until.close, "made >= often.max_iterations", "made > often.max_iterations"),
    Bug("a round that is the last cuts off too little", closing._no_more_rounds, "loop.items[:begun]",
        "loop.items[: begun + 1]", 758),
    Bug("a folder is opened before it is filled", working_directory.expression,
        "task.input_files or namespace_files or task.cache", "task.cache"),
    Bug("a killed round says that it was the last", round_of_loop.question, "and state in (*_ENDED_WELL, State.FAILED)",
        "", 1585),
    Bug("what a folder gives is not looked for after a warning", working_directory.question, "State.WARNING, ",
        "", 597),
    Bug("what a folder gives is not looked for after a failure", working_directory.question, ", State.FAILED", "", 432),
    Bug("a killed round breaks a Loop that forgives failures", ledger.counted_lane,
        "state in (State.FAILED, State.KILLED)", "state is State.FAILED"),
    Bug("rounds pile up", closing._close, "draft.remove(below(draft, run))", "pass"),
    Bug("one attempt too many", retry.retry_delay, ">= most", "> most"),
    Bug("`allowFailure` allows nothing", ending.end_run, "and task.allow_failure", "and False"),
    Bug("`runIf` means its opposite", starting.start, "not truthy(verdict)", "truthy(verdict)"),
    Bug("labels are set again by what waits", effects.perform, "{**draft.execution.labels, **effects.labels}",
        "{**effects.labels, **draft.execution.labels}"),
    Bug("an If forgets `else`", choice._If.chosen, '"else"', '"then"'),
    # Executions that a task began
    Bug("what waits for executions is lost with its engine", recovery.engine_started, "run.calls is None and ",
        "", 406),
    Bug("a new engine does not look for what its tasks wait for", recovery._await_anew,
        "draft.command(AwaitFlows(run.id, run.epoch))", "pass", 406),
    Bug("a new engine forgets what was being stopped", recovery._await_anew, "run.state is State.KILLING",
        "False", 5385),
    Bug("a new engine waits for executions for ever", recovery._await_anew, "draft.command(SetTimer(run.id, run.due))",
        "pass", 422),
    Bug("executions go on when their task is stopped", stopping.stop,
        "draft.command(StopFlows(run.id, run.epoch, run.calls))", "pass"),
    Bug("executions go on when their task has given up", attempts._called_for_too_long,
        "draft.command(StopFlows(run.id, run.epoch, calls))", "pass", 285),
    Bug("a task waits for executions for ever", attempts.flows_started, "draft.command(SetTimer(run.id, event.due))",
        "pass"),
    Bug("a task that is stopped begins executions", attempts.flows_started, "run.state is State.KILLING", "False"),
    # The beginning, and the next one
    Bug("what waits to begin is forgotten", recovery.engine_started, "draft.command(StartLater(max(draft.at, due)))",
        "pass"),
    Bug("a new engine asks for no place", recovery.engine_started, "draft.flow.concurrency is not None or ", ""),
    Bug("what was created to end begins", recovery.engine_started, " or draft.execution.ending is not None", "", 849),
    Bug("what is made to begin does nothing", restarting.start_forced, "commands_anew(draft)", "pass", 620),
    Bug("nobody hears of the one that tries again", Draft.begin, "self._begun.append(execution)", "pass"),
    Bug("whoever hands over goes on", attempts._retry, "hand_over(draft, again)", "draft.begin(again)"),
    Bug("a restart takes up what another one does", restarting.restart_requested,
        "State.RETRIED in (draft.state, draft.execution.ending)", "False"),
    # The end, and after it
    Bug("outputs that fail are a success", closing.close_execution, "state, error = State.FAILED, str(failure)",
        "error = str(failure)"),
    Bug("`afterExecution` is forgotten", settle_._come_after, "_first_of(scope, begun)", "[]"),
    Bug("a restart keeps what ran beside", restarting.restart_requested, "if _aside(draft, run)", "if False"),
    Bug("what ran beside is changed, and comes back", restarting.unchangeable, "run.is_terminal and _aside(draft, run)",
        "False"),
    Bug("a restart keeps the epoch", restarting._begin_again, "epoch=run.epoch + 1", "epoch=run.epoch"),
    Bug("a restart forgets what it ended in", restarting._go_on, "ending=None", "ending=draft.execution.ending"),
)  # fmt: skip
