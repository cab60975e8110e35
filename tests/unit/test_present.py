"""Shapes that leave the engine: Kestra's JSON, and the tree that fits on a screen."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace
from rpds import HashTrieMap

from engine.model.execution import Attempt, Execution, StateChange, TaskRun
from engine.model.state import AttemptState, State
from engine.ports import ExecutionSummary, FlowRecord, LogLine
from engine.present import (
    ExecutionTree,
    as_shown,
    execution_json,
    first_failure,
    flow_json,
    iso_time,
    light_execution_json,
    log_json,
    summary_json,
)

T0 = datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)


def history(*states: State) -> tuple[StateChange, ...]:
    return tuple(StateChange(state, T0 + timedelta(seconds=1.5 * step)) for step, state in enumerate(states))


def task_run(seq: int, *states: State, parent: str | None = None, **fields: Any) -> TaskRun:
    fields = {"id": f"run{seq}", "execution_id": "e1", "task_id": f"task{seq}", "parent_id": parent} | fields
    return TaskRun(seq=seq, state=states[-1], history=history(*states), **fields)


def execution(*runs: TaskRun, states: tuple[State, ...] = (State.CREATED, State.RUNNING), **fields: Any) -> Execution:
    return Execution(
        id="e1",
        namespace="acme.team",
        flow_id="hello",
        flow_revision=3,
        state=states[-1],
        history=history(*states),
        task_runs=HashTrieMap({run.id: run for run in runs}),
        **fields,
    )


class TestJson:
    def test_an_execution_has_kestras_shape(self) -> None:
        attempt = Attempt(epoch=1, state=AttemptState.SUCCEEDED, started_at=T0, ended_at=T0 + timedelta(minutes=61))
        run = task_run(
            0,
            State.CREATED,
            State.RUNNING,
            State.SUCCESS,
            value="a",
            iteration=0,
            attempts=(attempt,),
            outputs={"v": 1},
        )
        ended = (State.CREATED, State.RUNNING, State.SUCCESS)
        shown = execution_json(execution(run, states=ended, inputs={"n": (1,)}, labels={"team": "a"}, outputs={"x": 1}))
        assert list(shown) == [
            "id",
            "namespace",
            "flowId",
            "flowRevision",
            "inputs",
            "outputs",
            "labels",
            "state",
            "taskRunList",
            "originalId",
            "deleted",
            "metadata",
        ]
        assert shown["originalId"] == shown["id"]
        assert shown["metadata"] == {"attemptNumber": 1, "originalCreatedDate": shown["state"]["startDate"]}
        assert shown["inputs"] == {"n": [1]}
        assert shown["labels"] == [{"key": "team", "value": "a"}]
        assert shown["state"] == {
            "current": "SUCCESS",
            "histories": [
                {"state": "CREATED", "date": "2026-01-31T08:00:00.123456Z"},
                {"state": "RUNNING", "date": "2026-01-31T08:00:01.623456Z"},
                {"state": "SUCCESS", "date": "2026-01-31T08:00:03.123456Z"},
            ],
            "startDate": "2026-01-31T08:00:00.123456Z",
            "endDate": "2026-01-31T08:00:03.123456Z",
            "duration": "PT3S",
        }
        (shown_run,) = shown["taskRunList"]
        assert list(shown_run) == ["id", "executionId", "taskId", "value", "iteration", "attempts", "outputs", "state"]
        assert shown_run["attempts"][0]["state"]["current"] == "SUCCESS"
        assert shown_run["attempts"][0]["state"]["duration"] == "PT1H1M"

    def test_what_still_runs_has_no_end_and_what_is_paused_has_one(self) -> None:
        assert "endDate" not in execution_json(execution())["state"]
        assert "endDate" in execution_json(execution(states=(State.CREATED, State.PAUSED)))["state"]

    def test_ids_of_other_executions_and_errors_are_there_when_they_are(self) -> None:
        shown = execution_json(execution(parent_id="p", original_id="o", error="why", trigger={"id": "t"}))
        assert (shown["parentId"], shown["originalId"], shown["error"]) == ("p", "o", "why")
        assert shown["trigger"] == {"id": "t"}

    def test_task_runs_stand_in_the_order_of_their_creation(self) -> None:
        runs = [task_run(seq, State.CREATED) for seq in (11, 2, 7)]
        assert [run["id"] for run in execution_json(execution(*runs))["taskRunList"]] == ["run2", "run7", "run11"]

    def test_a_lost_attempt_failed(self) -> None:
        lost = Attempt(epoch=1, state=AttemptState.LOST, started_at=T0, ended_at=T0, error="its engine died")
        shown = execution_json(execution(task_run(0, State.FAILED, attempts=(lost,))))
        assert shown["taskRunList"][0]["attempts"][0]["state"]["current"] == "FAILED"
        assert shown["taskRunList"][0]["attempts"][0]["error"] == "its engine died"

    def test_a_row_of_a_replay_names_what_it_does_again(self) -> None:
        given = {"namespace": "a", "flow_id": "f", "flow_revision": 1, "state": State.RUNNING, "labels": {}}
        row = ExecutionSummary(id="e1", started_at=T0, ended_at=None, error=None, **given)
        assert light_execution_json(row)["originalId"] == "e1"
        assert "parentId" not in light_execution_json(row)
        again = light_execution_json(replace(row, id="e3", parent_id="e2", original_id="e1"))
        assert (again["id"], again["parentId"], again["originalId"]) == ("e3", "e2", "e1")

    def test_rows_lines_and_flows(self) -> None:
        row = summary_json(
            ExecutionSummary(
                id="e1",
                namespace="a",
                flow_id="f",
                flow_revision=1,
                state=State.FAILED,
                started_at=T0,
                ended_at=T0 + timedelta(milliseconds=20),
                labels={},
                error="why",
            )
        )
        assert row["state"] == {
            "current": "FAILED",
            "startDate": iso_time(T0),
            "endDate": "2026-01-31T08:00:00.143456Z",
            "duration": "PT0.02S",
        }
        line = log_json(LogLine(execution_id="e1", at=T0, level="INFO", message="hi", task_id="t", attempt=1))
        assert line == {
            "executionId": "e1",
            "taskId": "t",
            "attemptNumber": 1,
            "timestamp": iso_time(T0),
            "level": "INFO",
            "message": "hi",
        }
        record = FlowRecord(namespace="a", id="f", revision=2, source="id: f", created_at=T0)
        assert "source" not in flow_json(record)
        assert flow_json(record, with_source=True)["source"] == "id: f"


class TestTree:
    def test_it_is_nested_and_knows_who_comes_last(self) -> None:
        runs = [
            task_run(0, State.SUCCESS),
            task_run(1, State.RUNNING),
            task_run(2, State.RUNNING, parent="run1"),
            task_run(3, State.CREATED, parent="run1"),
        ]
        lines = ExecutionTree(runs).lines()
        assert [line.run and line.run.id for line in lines] == ["run0", "run1", "run2", "run3"]
        assert [line.branch for line in lines] == [(False,), (True,), (True, False), (True, True)]

    def test_many_children_are_summed_up_and_what_matters_is_kept(self) -> None:
        each = task_run(0, State.RUNNING)
        runs = [task_run(seq, State.SUCCESS, parent="run0") for seq in range(1, 10_001)]
        runs[4] = task_run(5, State.FAILED, parent="run0")
        runs[700] = task_run(701, State.RUNNING, parent="run0")
        tree = ExecutionTree([each, *runs])
        lines = tree.lines(30)
        assert len(lines) <= 30
        shown = [line.run.id for line in lines if line.run]
        assert {"run0", "run5", "run701"} <= set(shown)
        assert shown == sorted(shown, key=lambda run_id: int(run_id[3:]))
        assert sum(lines[-1].more.values()) + len(shown) == 10_001
        assert set(lines[-1].more) == {State.SUCCESS}

    def test_a_change_of_state_counts_once(self) -> None:
        tree = ExecutionTree([task_run(seq, State.RUNNING) for seq in range(5)])
        tree.update([task_run(seq, State.SUCCESS) for seq in range(4)])
        (last,) = [line for line in tree.lines(3) if line.run is None]
        assert last.more == {State.SUCCESS: 3}

    def test_deep_and_wide_fits_all_the_same(self) -> None:
        runs = [task_run(seq, State.RUNNING, parent=f"run{(seq - 1) // 3}" if seq else None) for seq in range(400)]
        for limit in (3, 10, 30):
            assert 0 < len(ExecutionTree(runs).lines(limit)) <= limit


def test_the_first_failure_is_the_one_that_explains() -> None:
    container = task_run(0, State.FAILED)
    later = task_run(1, State.CREATED, State.FAILED, parent="run0")
    first = task_run(2, State.FAILED, parent="run0")
    assert first_failure([container, later, first]) is first
    assert first_failure([container]) is container
    assert first_failure([task_run(0, State.SUCCESS)]) is None


def test_drawing_costs_the_lines_drawn() -> None:
    class Counted(dict[str, TaskRun]):
        looks = 0

        def __getitem__(self, key: str) -> TaskRun:
            Counted.looks += 1
            return super().__getitem__(key)

    tree = ExecutionTree([task_run(seq, State.CREATED) for seq in range(20_000)])
    tree.runs = Counted(tree.runs)
    tree.lines(30)
    assert Counted.looks < 1_000


class TestRoundsOfALoop:
    """They have a task run each, which is shown under the name of the Loop, with the value that it is about."""

    loop = task_run(0, State.RUNNING, id="l", task_id="each", items=("a", ("k", "b")))
    first = task_run(1, State.FAILED, id="r0", task_id="each[]", parent="l", value="0", iteration=0)
    second = task_run(2, State.RUNNING, id="r1", task_id="each[]", parent="l", value="1", iteration=1)

    def test_in_json(self) -> None:
        runs = execution_json(execution(self.loop, self.first, self.second))["taskRunList"]
        assert [(run["taskId"], run.get("value")) for run in runs] == [("each", None), ("each", "a"), ("each", "b")]

    def test_in_the_tree(self) -> None:
        shown = [line.run for line in ExecutionTree([self.loop, self.first, self.second]).lines()]
        assert [(run.task_id, run.value) for run in shown if run] == [("each", None), ("each", "a"), ("each", "b")]

    def test_as_what_failed(self) -> None:
        failed = first_failure([self.loop, self.first])
        assert failed is not None
        assert (failed.task_id, failed.value) == ("each", "a")

    def test_all_else_is_as_it_is(self) -> None:
        assert as_shown(self.loop, {}) is self.loop
