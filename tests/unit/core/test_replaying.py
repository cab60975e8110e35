"""Replays: what is kept, what begins again, and what runs only after it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.catalog import Catalog
from engine.core import Facts
from engine.core.replaying import replay, restart_elsewhere
from engine.dialect import load
from engine.errors import IllegalState, UsageError
from engine.model.commands import Evaluate
from engine.model.events import Evaluated, Event, ExecutionStarted
from engine.model.execution import Execution, TaskRun
from engine.model.flow import Flow
from engine.model.state import State
from tests.simulation.play import START, Answers, Play, succeed, told
from tests.simulation.random_flows import FlowMaker

PLUGIN = "io.kestra.plugin.core"


def flow(tasks: str, rest: str = "", revision: int = 1) -> Flow:
    text = f"id: f\nnamespace: n\ntasks:\n{tasks}{rest}"
    for name in ("Sequential", "Parallel", "Dag", "If", "ForEach", "WorkingDirectory", "AllowFailure"):
        text = text.replace(f"type: {name}", f"type: {PLUGIN}.flow.{name}")
    text = text.replace("type: R}", f"type: {PLUGIN}.debug.Return}}")
    return load(text, file="f.yaml", types=Catalog()).model_copy(update={"revision": revision})


class Again(Play):
    """Goes on with an execution that is there."""

    def go_on(self, execution: Execution) -> Execution:
        self.execution = execution
        self.waiting: list[Event] = [ExecutionStarted(at=self.tick())]
        return self.run()

    def perform(self, command: object) -> None:
        super().perform(command)
        if isinstance(command, Evaluate):
            self.waiting.append(
                Evaluated(at=self.tick(), name=command.name, task_run_id=command.task_run_id, value="true")
            )


def failing(*ids: str) -> Answers:
    def answer(run: TaskRun) -> Any:
        return {"state": State.FAILED, "error": "no"} if run.task_id in ids else succeed(run)

    return answer


def ran(flow: Flow, answers: Answers = succeed) -> Execution:
    return Again(flow, answers=answers).run()


def run_of(execution: Execution, task_id: str, value: str | None = None) -> TaskRun:
    return next(run for run in execution.in_order() if run.task_id == task_id and value in (None, run.value))


def replayed(
    flow: Flow, execution: Execution, task_id: str, value: str | None = None, **options: Any
) -> tuple[Execution, set[str]]:
    """The replay when it has ended, and the tasks that ran in it, with their values."""
    new = replay(flow, execution, "new", START, from_task_runs=[run_of(execution, task_id, value).id], **options)
    play = Again(flow)
    end = play.go_on(new)
    runs = {run.id: run for run in end.in_order()}
    return end, {told_of(runs[run_id]) for run_id, _ in play.started}


def told_of(run: TaskRun) -> str:
    return run.task_id + (f"[{run.value}]" if run.value is not None else "")


LINE = "".join(f"  - {{id: {name}, type: R}}\n" for name in "abc")


def test_from_the_start_everything_runs_again() -> None:
    line = flow(LINE)
    old = ran(line)
    new = replay(line, old, "new", START, inputs={"x": 1})
    assert (new.state, new.inputs, new.parent_id, new.original_id) == (State.CREATED, {"x": 1}, "run", "run")
    assert not new.task_runs
    second = replay(line, Again(line).go_on(new), "third", START)
    assert (second.parent_id, second.original_id, second.inputs) == ("new", "run", {"x": 1})


def test_what_came_before_is_kept_under_new_ids() -> None:
    line = flow(LINE)
    old = ran(line)
    end, again = replayed(line, old, "b")
    assert again == {"b", "c"}
    assert end.state is State.SUCCESS
    assert [run.id for run in end.in_order()] == ["new-0", "new-1", "new-2"]
    assert {run.execution_id for run in end.in_order()} == {"new"}
    assert run_of(end, "a").attempts == run_of(old, "a").attempts
    assert State.RESTARTED in [change.state for change in run_of(end, "b").history]
    assert [change.state for change in end.history[:3]] == [State.CREATED, State.RESTARTED, State.RUNNING]


def test_edited_outputs_are_those_of_what_is_kept() -> None:
    line = flow(LINE)
    old = ran(line)
    a, b = run_of(old, "a").id, run_of(old, "b").id
    end, _ = replayed(line, old, "b", outputs={a: {"value": "mine"}})
    assert run_of(end, "a").outputs == {"value": "mine"}
    assert run_of(old, "a").outputs == {"value": "a"}
    with pytest.raises(UsageError, match="given for `b`, which runs again"):
        replay(line, old, "new", START, from_task_runs=[b], outputs={b: {}})
    with pytest.raises(UsageError, match="keeps no outputs"):
        replay(line, old, "new", START, outputs={a: {}})


def test_in_a_dag_only_what_depends_on_it_runs_again() -> None:
    dag = flow(
        "  - id: d\n    type: Dag\n    tasks:\n"
        "      - {task: {id: a, type: R}}\n"
        "      - {task: {id: b, type: R}}\n"
        "      - {task: {id: c, type: R}, dependsOn: [a]}\n"
        "      - {task: {id: e, type: R}, dependsOn: [b, c]}\n"
        "      - {task: {id: g, type: R}, dependsOn: [b]}\n"
        "  - {id: z, type: R}\n"
    )
    _, again = replayed(dag, ran(dag), "a")
    assert again == {"a", "c", "e", "z"}


EACH = """\
  - id: each
    type: ForEach
    values: [x, y, z]
    concurrencyLimit: {limit}
    tasks:
      - {{id: a, type: R}}
      - {{id: b, type: R}}
  - {{id: after, type: R}}
"""


@pytest.mark.parametrize(
    ("limit", "again"),
    [(1, {"b[y]", "a[z]", "b[z]", "after"}), (0, {"b[y]", "after"}), (2, {"b[y]", "after"})],
)
def test_in_a_loop_later_values_run_again_if_they_come_one_by_one(limit: int, again: set[str]) -> None:
    each = flow(EACH.format(limit=limit))
    end, ran_again = replayed(each, ran(each), "b", "y")
    assert ran_again == again
    assert sorted(told(end)) == sorted(told(ran(each)))


def test_in_a_parallel_the_others_are_kept() -> None:
    both = flow(
        "  - id: p\n    type: Parallel\n    tasks:\n      - {id: a, type: R}\n      - {id: b, type: R}\n"
        "  - {id: c, type: R}\n"
    )
    assert replayed(both, ran(both), "a")[1] == {"a", "c"}


def test_a_container_begins_anew_and_asks_its_question_again() -> None:
    choice = flow(
        "  - {id: first, type: R}\n"
        "  - id: choose\n    type: If\n    condition: \"{{ outputs.first.value == 'mine' }}\"\n"
        "    then:\n      - {id: yes, type: R}\n    else:\n      - {id: no, type: R}\n"
    )
    old = ran(choice)
    assert "no SUCCESS" in told(old)
    end, again = replayed(choice, old, "choose", outputs={run_of(old, "first").id: {"value": "mine"}})
    assert again == {"yes"}
    assert "no SUCCESS" not in told(end)


def test_a_shared_folder_begins_anew_as_a_whole() -> None:
    folder = flow(
        "  - id: w\n    type: WorkingDirectory\n    tasks:\n      - {id: a, type: R}\n      - {id: b, type: R}\n"
    )
    assert replayed(folder, ran(folder), "b")[1] == {"a", "b"}


def test_what_the_failure_had_led_to_is_dropped() -> None:
    lists = {"errors": "mend", "finally": "last", "afterExecution": "tell"}
    rest = "".join(f"{name}:\n  - {{id: {task}, type: R}}\n" for name, task in lists.items())
    line = flow(LINE, rest)
    old = ran(line, failing("b"))
    assert told(old) == ["a SUCCESS", "b FAILED", "mend SUCCESS", "last SUCCESS", "tell SUCCESS"]
    end, again = replayed(line, old, "b")
    assert again == {"b", "c", "last", "tell"}
    assert end.state is State.SUCCESS
    end, again = replayed(line, old, "mend")
    assert (again, end.state) == ({"mend", "last", "tell"}, State.FAILED)
    assert replayed(line, old, "last")[1] == {"last", "tell"}
    with pytest.raises(IllegalState, match="`tell` runs after the execution has ended"):
        replayed(line, old, "tell")


def test_only_what_has_ended_can_be_replayed_from_a_task() -> None:
    line = flow(LINE)
    play = Again(line)
    play.step(play.waiting[0])
    with pytest.raises(IllegalState, match="is RUNNING; only one that has ended"):
        replay(line, play.execution, "new", START, from_task_runs=[run_of(play.execution, "a").id])
    assert replay(line, play.execution, "new", START).state is State.CREATED


class TestAnotherRevision:
    def lines(self, *ids: str, revision: int = 2) -> Flow:
        return flow("".join(f"  - {{id: {name}, type: R}}\n" for name in ids), revision=revision)

    def replayed(self, now: Flow, task_id: str) -> set[str]:
        was = self.lines("a", "b", "c", revision=1)
        end, again = replayed(now, ran(was), task_id, was=was)
        assert (end.flow_revision, end.state) == (2, State.SUCCESS)
        return again

    def test_what_follows_is_that_of_the_new_one(self) -> None:
        assert self.replayed(self.lines("a", "b", "new"), "b") == {"b", "new"}
        assert self.replayed(self.lines("a", "b", "new", "c"), "b") == {"b", "new", "c"}

    def test_a_task_that_is_gone_is_named(self) -> None:
        with pytest.raises(IllegalState, match=r"revision 2 .* it has no task `a`$"):
            self.replayed(self.lines("b", "c"), "b")
        with pytest.raises(IllegalState, match="it has no task `c`"):
            self.replayed(self.lines("a", "b"), "c")

    def test_a_task_that_came_before_and_did_not_run_is_named(self) -> None:
        with pytest.raises(IllegalState, match="has task `new`, which did not run, before `b`"):
            self.replayed(self.lines("a", "new", "b", "c"), "b")

    def test_a_task_in_another_place_is_named(self) -> None:
        now = flow(
            "  - id: s\n    type: Sequential\n    tasks:\n      - {id: a, type: R}\n  - {id: b, type: R}\n", revision=2
        )
        with pytest.raises(IllegalState, match="has task `a` in another place"):
            self.replayed(now, "b")

    def test_a_restart_there_is_a_new_execution(self) -> None:
        was, now = self.lines("a", "b", "c", revision=1), self.lines("a", "b", "d")
        old = ran(was, failing("b"))
        new = restart_elsewhere(now, old, "new", START, was=was, facts=Facts())
        assert (new.parent_id, new.flow_revision, new.attempt_number) == ("run", 2, 2)
        assert told(Again(now).go_on(new)) == ["a SUCCESS", "b SUCCESS", "d SUCCESS"]
        with pytest.raises(IllegalState, match="has no task that failed"):
            restart_elsewhere(now, ran(was), "new", START, was=was, facts=Facts())


def test_a_replay_from_any_task_of_any_flow_ends_as_the_first_run_did() -> None:
    tried = 0
    for seed in range(150):
        random_flow = FlowMaker(seed, outside=False).flow()
        old = ran(random_flow)
        if not old.is_over:
            continue  # it waits for a person
        for run in old.in_order():
            if random_flow.tree.places[run.task_id].after:
                continue
            new = replay(random_flow, old, "new", START, from_task_runs=[run.id])
            end = Again(random_flow).go_on(new)
            assert end.state is old.state, f"seed {seed}, from {run.task_id}"
            if all(each.state is not State.FAILED for each in old.in_order()):  # else, who started before it is chance
                assert sorted(told(end)) == sorted(told(old)), f"seed {seed}, from {run.task_id}"
            tried += 1
    assert tried > 500
