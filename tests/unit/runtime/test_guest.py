"""Two engines on one database, in one process: whichever is asked, the owner runs it, and both tell the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from engine.app import Engine
from engine.errors import FlowInvalid, IllegalState, InputsInvalid, NotFound, StoreBusy
from engine.model.state import State
from engine.runtime import guest as guest_module
from engine.runtime.guest import Guest, patiently
from engine.runtime.peer import Away, Ending, Peer
from engine.runtime.wire import Submission
from engine.store import MemoryStore, open_store, owner_of
from tests.contract.builders import NOON, an_execution, created

FLOW = """\
id: hello
namespace: test
inputs:
  - {id: name, type: STRING, defaults: World}
tasks:
  - {id: greet, type: io.kestra.plugin.core.debug.Return, format: "Hello {{ inputs.name }}"}
  - {id: say, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.greet.value }}"}
outputs:
  - {id: greeting, type: STRING, value: "{{ outputs.greet.value }}"}
"""
SLEEPER = "id: sleeper\nnamespace: test\ntasks: [{id: nap, type: io.kestra.plugin.core.flow.Sleep, duration: PT60S}]\n"
SUBMISSION = Submission(id="e1", source="", file="", inputs={}, labels={})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hello.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "sleeper.yaml").write_text(SLEEPER, encoding="utf-8")
    return tmp_path / "home"


@pytest.fixture
def owner(home: Path) -> Iterator[Engine]:
    with Engine(home) as engine:
        engine.run("hello.yaml")
        yield engine


@pytest.fixture
def other(owner: Engine) -> Iterator[Engine]:
    with Engine(owner.home) as engine:
        yield engine


class TestTwoEngines:
    def test_a_run_is_the_same_in_both(self, owner: Engine, other: Engine) -> None:
        told: list[tuple[str, str]] = []
        lines: list[str] = []

        def on_change(execution: Any, runs: Any, logs: Any) -> None:
            told.extend((run.task_id, run.state.value) for run in runs)
            lines.extend(line.message for line in logs)

        execution = other.run("hello.yaml", {"name": "Ada"}, {"team": "x"}, on_change)
        assert (execution.state, execution.outputs, execution.labels) == (
            State.SUCCESS,
            {"greeting": "Hello Ada"},
            {"team": "x", "system.correlationId": execution.id},
        )
        assert told == [("greet", "SUCCESS"), ("say", "SUCCESS")]
        assert lines == ["Hello Ada"]
        assert owner.execution(execution.id).inputs == {"name": "Ada"}

    def test_what_the_owner_has_waited_for_is_no_longer_owned(self, home: Path) -> None:
        with Engine(home) as engine:
            engine.run("hello.yaml")
            assert owner_of(home / "penstock.db") is not None
        assert owner_of(home / "penstock.db") is None
        with Engine(home) as engine:
            assert engine.run("hello.yaml").state is State.SUCCESS

    def test_submitted_there_followed_and_killed_from_here(self, owner: Engine, other: Engine) -> None:
        execution = other.submit("sleeper.yaml")
        assert execution.state is State.RUNNING
        with pytest.raises(TimeoutError):
            other.follow(execution.id, timeout=0.05)
        other.kill(execution.id, "enough")
        assert other.follow(execution.id).state is State.KILLED
        assert owner.execution(execution.id).state is State.KILLED

    def test_a_wish_to_kill_is_passed_on_while_following(self, owner: Engine, other: Engine) -> None:
        ended = other.run("sleeper.yaml", on_change=lambda execution, runs, logs: other.interrupt(execution.id))
        assert ended.state is State.KILLED

    def test_who_only_follows_is_told_of_the_future_alone(self, owner: Engine, other: Engine) -> None:
        execution = owner.submit("sleeper.yaml")
        told: list[str] = []

        def on_change(execution: Any, runs: Any, logs: Any) -> None:
            told.extend(run.state.value for run in runs)

        with pytest.raises(TimeoutError):
            other.follow(execution.id, on_change, timeout=0.05)
        owner.kill(execution.id)
        assert other.follow(execution.id, on_change).state is State.KILLED
        assert "CREATED" not in told

    def test_errors_are_found_here_first(self, owner: Engine, other: Engine) -> None:
        with pytest.raises(InputsInvalid, match="nam"):
            other.run("hello.yaml", {"nam": 1})
        with pytest.raises(NotFound):
            other.run("test/unknown")
        with pytest.raises(NotFound):
            other.follow("unknown")

    def test_what_only_the_owner_finds_wrong_is_told_all_the_same(self, home: Path, tmp_path: Path) -> None:
        (tmp_path / "plugins").mkdir()
        (tmp_path / "plugins" / "fresh.py").write_text(
            'from engine.sdk import Task\nclass Fresh(Task, type="test.Fresh"):\n    def run(self, ctx): pass\n'
        )
        (tmp_path / "fresh.yaml").write_text("id: fresh\nnamespace: test\ntasks: [{id: a, type: test.Fresh}]\n")
        with Engine(home) as other:
            bare = other.settings.model_copy(update={"plugins": ()})
            with Engine(home, settings=bare) as owner:
                owner.run("hello.yaml")
                with pytest.raises(FlowInvalid) as invalid:
                    other.run("fresh.yaml")
        assert "test.Fresh" in invalid.value.diagnostics[0].message

    def test_what_a_dead_engine_left_is_recovered_by_the_owner(self, home: Path) -> None:
        with Engine(home) as first:
            left = first.submit("hello.yaml").id
            first.follow(left)
            first.store.commit(
                [
                    created(
                        an_execution("dead", State.CREATED, namespace="test", flow_id="hello", inputs={"name": "Ada"})
                    )
                ]
            )
        with Engine(home) as owner, Engine(home) as other:
            owner.run("hello.yaml")
            assert owner.left_behind == ["dead"]
            assert other.recover() == ["dead"]
            assert other.follow("dead").state is State.SUCCESS
            assert other.recover() == []

    def test_nobody_runs_it(self, home: Path) -> None:
        with Engine(home) as first:
            first.run("hello.yaml")
            first.store.commit(
                [
                    created(
                        an_execution("dead", State.CREATED, namespace="test", flow_id="hello", inputs={"name": "Ada"})
                    )
                ]
            )
        with Engine(home) as other:
            with pytest.raises(IllegalState) as told:
                other.follow("dead")
            assert "recover" in str(told.value.hint)
            other.kill("dead")
            assert other.follow("dead").state is State.KILLED


class Stand:
    """Stands for a peer: each call takes the next of its answers."""

    def __init__(self, *answers: BaseException | None) -> None:
        self.answers = list(answers)

    def owner(self) -> None:
        return None

    def submit(self, submission: Submission) -> None:
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer


def guest(peer: Any, own: Callable[[], bool] = lambda: False, store: MemoryStore | None = None) -> Guest:
    return Guest(store or MemoryStore(), peer, own)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_module, "PAUSE", 0.0)


class TestHandingOver:
    def test_one_that_starts_or_ends_is_asked_again(self) -> None:
        peer = Stand(Away("starts"), Ending("ends"), Away("gone"), None)
        assert guest(peer).hand_over(SUBMISSION)
        assert peer.answers == []

    def test_when_it_has_ended_its_place_is_taken(self) -> None:
        turns = iter([False, False, True])
        assert not guest(Stand(Ending("ends"), Away("gone")), lambda: next(turns)).hand_over(SUBMISSION)

    def test_one_that_never_listens_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guest_module, "STARTING", 0.0)
        with pytest.raises(Away, match="process 7"):
            guest(Stand(*[Away("process 7")] * 1000)).hand_over(SUBMISSION)

    def test_one_that_hangs_is_not_asked_again(self) -> None:
        with pytest.raises(StoreBusy, match="hangs"):
            guest(Stand(StoreBusy("hangs"))).hand_over(SUBMISSION)

    @pytest.mark.parametrize("lost", [Away("hung up"), StoreBusy("timeout")])
    def test_what_was_taken_before_the_answer_was_lost_is_not_begun_again(self, lost: StoreBusy) -> None:
        store = MemoryStore()
        store.commit([created(an_execution("e1"))])
        assert guest(Stand(lost), store=store).hand_over(SUBMISSION)

    def test_a_long_wait_is_explained_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guest_module, "SILENT_WAIT", -1.0)
        heard: list[str] = []
        guest(Stand(Ending("it ends"), Ending("it ends"), None)).hand_over(SUBMISSION, heard.append)
        assert heard == ["waiting: it ends"]

    def test_patience_ends(self) -> None:
        with pytest.raises(StoreBusy):
            patiently(lambda: guest(Stand(StoreBusy("busy"))).hand_over(SUBMISSION) and None, 0.0)
        tries = iter([StoreBusy("making it"), None])

        def attempt() -> str:
            error = next(tries)
            if error is not None:
                raise error
            return "open"

        assert patiently(attempt) == "open"


def test_one_that_ends_just_before_the_first_look() -> None:
    store = MemoryStore()
    store.commit([created(an_execution("e1", State.CREATED, State.RUNNING, State.SUCCESS))])
    ended = guest(Stand(), store=store).follow("e1", lambda *news: None, kills=SimpleQueue())
    assert ended is not None
    assert ended.state is State.SUCCESS


def test_the_engine_of_a_followed_execution_dies(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = open_store(f"sqlite:///{home / 'penstock.db'}", owner=True)
    dying.save_flow("test", "hello", FLOW, at=NOON, disabled=False)

    def take(peer: Peer, submission: Submission) -> None:
        inputs = {"name": "Ada"}
        dying.commit(
            [created(an_execution(submission.id, State.CREATED, namespace="test", flow_id="hello", inputs=inputs))]
        )

    monkeypatch.setattr(Peer, "submit", take)
    told: list[str] = []

    def on_change(execution: Any, runs: Any, logs: Any) -> None:
        dying.close()
        told.extend(run.task_id for run in runs)

    with Engine(home) as engine:
        ended = engine.run("hello.yaml", on_change=on_change)
    assert ended.state is State.SUCCESS
    assert ended.outputs == {"greeting": "Hello Ada"}
    assert told == ["greet", "say"]


def test_all_that_was_handed_over_is_gone_on_with(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes the place of a dead engine sees to all of its own executions, not just the first."""
    dying = open_store(f"sqlite:///{home / 'penstock.db'}", owner=True)
    dying.save_flow("test", "hello", FLOW, at=NOON, disabled=False)

    def take(peer: Peer, submission: Submission) -> None:
        inputs = dict(submission.inputs)
        dying.commit(
            [created(an_execution(submission.id, State.CREATED, namespace="test", flow_id="hello", inputs=inputs))]
        )

    monkeypatch.setattr(Peer, "submit", take)
    with Engine(home) as engine:
        handed_over = [engine.submit("hello.yaml", {"name": name}).id for name in ("Ada", "Bob", "Cy")]
        dying.close()
        ended = [engine.follow(execution_id) for execution_id in handed_over]
    assert [execution.outputs for execution in ended] == [
        {"greeting": f"Hello {name}"} for name in ("Ada", "Bob", "Cy")
    ]
