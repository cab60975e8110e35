"""The scheduler on a real engine, with a clock that the test moves: which flows are started, once, whatever happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from engine.errors import NotFound, StoreError
from engine.model.execution import Execution
from engine.model.scheduling import TriggerKey
from engine.model.state import State
from engine.ports import ExecutionFilter
from engine.runtime import scheduler as module
from engine.runtime.scheduler import Scheduler
from engine.runtime.watched import Bench
from engine.store.backup import back_up, restore

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CORE = "io.kestra.plugin.core"
HOURLY = f'{{id: hourly, type: {CORE}.trigger.Schedule, cron: "0 * * * *"}}'


class Clock:
    """Time as the test has it. It stands still until it is moved."""

    def __init__(self) -> None:
        self.time = NOON
        self.passed = 0.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.passed

    def move(self, hours: float) -> None:
        self.time += timedelta(hours=hours)
        self.passed += max(hours, 0) * 3600


class AtOnce:
    """A pool whose work is done when it is given."""

    def submit(self, work: Callable[..., None], *arguments: Any) -> None:
        work(*arguments)

    def stop(self, patience: float) -> None:
        """There is nothing to end."""


class World:
    """An engine and its scheduler. A crash of both is `restart`."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._home = home
        self.clock = clock
        self.restart()

    def restart(self) -> None:
        if hasattr(self, "engine"):
            self.engine.close(grace=0.0)
        self.engine = Engine(self._home)
        self.engine._clock = self.clock  # type: ignore[assignment]
        self.engine.recover()
        self.scheduler = Scheduler(self._bench(), self.engine.library, self.engine.loop.followers, self.engine._heralds)
        self.scheduler._hands = AtOnce()  # type: ignore[assignment]
        self.scheduler._heralds.on_announced = self.scheduler.changed
        self.engine._scheduler = self.scheduler
        self.scheduler._load()
        self.settle()

    def _bench(self) -> Bench:
        engine = self.engine
        return Bench(
            store=engine.store,
            clock=self.clock,
            firing=engine.firing,
            poll=lambda flow, trigger, functions: pytest.fail("nothing polls here"),
            facts=engine.facts,
            functions=engine._trigger_functions,
            catch_up=100,
            recover="ALL",
        )

    def deploy(self, id_: str, triggers: str, task: str = f"type: {CORE}.log.Log, message: hi", more: str = "") -> None:
        text = f"id: {id_}\nnamespace: acme\n{more}\ntasks:\n  - {{id: a, {task}}}\ntriggers:\n  - {triggers}\n"
        self.engine.push(self.engine.parse(text, file=f"{id_}.yaml"))
        self.settle()

    def settle(self) -> None:
        """Let the scheduler do all that is to be done at this time."""
        for _ in range(12):
            self.scheduler._look_at = 0.0
            self.scheduler._turn()
            for execution_id in self.engine.store.unfinished():
                if self.engine.execution(execution_id).state in (State.CREATED, State.RUNNING):
                    self.engine.follow(execution_id, timeout=20)

    def move(self, hours: float) -> None:
        self.clock.move(hours)
        self.settle()

    def started(self, flow_id: str = "f") -> list[Execution]:
        found, _ = self.engine.store.executions(ExecutionFilter(flow_id=flow_id, oldest_first=True, limit=1000))
        return [self.engine.execution(each.id) for each in found]

    def hours(self, flow_id: str = "f") -> str:
        dates = [execution.trigger["variables"]["date"] for execution in self.started(flow_id) if execution.trigger]
        return " ".join(date[11:13] for date in sorted(dates))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(module, "TICK", 0.0)
    held = World(tmp_path / "home", Clock())
    yield held
    held.engine.close(grace=0.0)


def test_a_schedule_starts_its_flow_at_each_date_once(world: World) -> None:
    world.deploy("f", HOURLY)
    assert world.started() == []
    world.move(1)
    world.move(0.5)
    world.move(0.5)
    assert world.hours() == "13 14"
    assert {execution.state for execution in world.started()} == {State.SUCCESS}


@pytest.mark.parametrize(("recover", "hours"), [("ALL", "13 14 15 16"), ("LAST", "13 16"), ("NONE", "13")])
def test_what_was_missed_while_nothing_ran(world: World, recover: str, hours: str) -> None:
    world.deploy("f", HOURLY.replace("}", f", recoverMissedSchedules: {recover}}}"))
    world.move(1)
    world.clock.move(3.5)
    world.restart()
    assert world.hours() == hours
    world.move(0.5)
    assert world.hours() == f"{hours} 17"


def test_a_restored_database_makes_up_for_nothing(world: World, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/home/penstock.db"
    world.deploy("f", HOURLY)
    world.move(1)
    backup = back_up(url, tmp_path / "copy.db", world.clock.now())
    world.move(1)
    world.clock.move(3.5)
    world.engine.close(grace=0.0)
    restore(url, backup.file, world.clock.now())
    world.restart()
    assert world.hours() == "13"
    world.move(0.5)
    assert world.hours() == "13 18"


def test_a_flow_that_was_only_run_starts_nothing(world: World) -> None:
    text = f"id: f\nnamespace: acme\ntasks: [{{id: a, type: {CORE}.log.Log, message: x}}]\ntriggers: [{HOURLY}]"
    world.engine.run(world.engine.parse(text, file="f.yaml"))
    world.move(3)
    assert len(world.started()) == 1


def test_another_revision_keeps_the_dates_that_are_the_same(world: World) -> None:
    world.deploy("f", HOURLY)
    world.clock.move(1)  # the scheduler sees it only now, together with the new revision
    world.deploy("f", HOURLY, more="description: newer")
    assert [execution.flow_revision for execution in world.started()] == [2]


def test_another_cron_counts_from_now_on(world: World) -> None:
    world.deploy("f", HOURLY)
    world.clock.move(1)
    world.deploy("f", HOURLY.replace("0 * * * *", "30 * * * *"))
    assert world.started() == []
    world.move(0.5)
    assert world.hours() == "13"


def test_what_comes_while_a_trigger_is_off_is_not_made_up_for(world: World) -> None:
    world.deploy("f", HOURLY)
    key = TriggerKey("acme", "f", "hourly")
    world.engine.triggers.disable(key)
    world.move(2.5)
    world.engine.triggers.enable(key)
    world.settle()
    assert world.started() == []
    world.move(0.5)
    assert world.hours() == "15"


def test_a_flow_that_is_deleted_starts_nothing_and_forgets(world: World) -> None:
    world.deploy("f", HOURLY)
    world.engine.delete_flow("acme", "f")
    world.move(3)
    world.deploy("f", HOURLY)
    assert world.started() == []


def test_an_execution_that_ends_badly_stops_its_trigger(world: World) -> None:
    world.deploy("f", HOURLY.replace("}", ", stopAfter: [FAILED]}"), task=f"type: {CORE}.execution.Fail")
    world.move(1)
    world.move(5)
    assert [execution.state for execution in world.started()] == [State.FAILED]
    assert world.engine.triggers.all()[0].is_on is False
    world.restart()
    world.move(5)
    assert len(world.started()) == 1


def test_nothing_is_started_while_a_pause_waits_for_a_person(world: World) -> None:
    world.deploy("f", HOURLY.replace("}", ", recoverMissedSchedules: LAST}"), task=f"type: {CORE}.flow.Pause")
    world.move(1)
    world.move(3.5)
    assert world.hours() == "13"
    world.restart()
    assert world.hours() == "13"
    (paused,) = world.started()
    world.engine.resume(paused.id)
    world.settle()
    assert world.hours() == "13 16"


def test_a_condition_that_raises_makes_an_execution_that_failed(world: World) -> None:
    world.deploy("f", HOURLY.replace("}", ", when: \"{{ kv('nothing') }}\"}"))
    world.move(1)
    (failed,) = world.started()
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert failed.error.startswith("the trigger `")
    assert "nothing" in failed.error


def test_no_secret_is_told_of_what_goes_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "SECRET_WORD", "hunter2hunter2")
    world.restart()
    world.deploy(
        "f", HOURLY.replace("}", ", inputs: {n: \"{{ secret('WORD') }}\"}}"), more="inputs: [{id: n, type: INT}]"
    )
    world.move(1)
    (failed,) = world.started()
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert "hunter2" not in failed.error
    assert "******" in failed.error


def test_a_broken_flow_is_in_nobodys_way(world: World) -> None:
    world.deploy("f", HOURLY)
    world.deploy("g", HOURLY)
    record = world.engine.store.save_flow("acme", "g", "id: [", at=NOON, disabled=False)
    deployed = {each.flow_id: each for each in world.engine.store.deployments()}
    from msgspec.structs import replace

    world.engine.store.deploy(replace(deployed["g"], revision=record.revision))
    world.scheduler.changed()
    world.move(1)
    assert world.hours() == "13"
    assert list(world.scheduler.broken) == ["acme/g"]


def test_a_store_that_fails_for_a_while_costs_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.deploy("f", HOURLY)
    commit = world.engine.store.commit

    def full(changes: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(world.engine.store, "commit", full)
    world.move(1)
    assert world.started() == []
    monkeypatch.setattr(world.engine.store, "commit", commit)
    world.move(1)
    world.settle()
    assert world.hours() == "13 14"


UPSTREAM = f"{{id: up, type: {CORE}.trigger.Flow, preconditions: {{id: p, flows: [{{namespace: acme, flowId: f}}]}}}}"


def test_a_flow_is_started_by_the_end_of_another(world: World) -> None:
    world.deploy("g", UPSTREAM)
    world.deploy("f", HOURLY)
    world.move(1)
    (first,), (second,) = world.started(), world.started("g")
    assert second.trigger is not None
    assert second.trigger["variables"]["executionId"] == first.id
    assert world.engine.store.announcements() == []


def test_what_ended_while_nobody_listened_is_heard_later(world: World) -> None:
    world.deploy("g", UPSTREAM)
    world.deploy("f", HOURLY)
    world.scheduler._work_off = lambda: None  # type: ignore[method-assign]  # it dies before it hears
    world.move(1)
    assert world.started("g") == []
    world.restart()
    assert len(world.started("g")) == 1
    world.restart()
    assert len(world.started("g")) == 1


def test_what_was_started_and_not_crossed_off_is_not_started_again(world: World) -> None:
    world.deploy("g", UPSTREAM)
    world.deploy("f", HOURLY)
    world.engine.store.heard = lambda ids: None  # type: ignore[method-assign]  # it dies before it crosses off
    world.scheduler._hear = lambda: None  # type: ignore[method-assign]
    world.move(1)
    told = world.engine.store.announcements()
    world.scheduler._listening._hear(told[0], {state.key: state for state in world.engine.store.trigger_states()})
    world.settle()
    assert len(world.started("g")) == 1
    world.restart()
    assert len(world.started("g")) == 1


def test_two_that_wait_for_each_other_do_not_start_themselves(world: World) -> None:
    world.deploy("g", f"{{id: up, type: {CORE}.trigger.Flow}}")
    world.engine.run(
        world.engine.parse(
            f"id: f\nnamespace: acme\ntasks: [{{id: a, type: {CORE}.log.Log, message: x}}]", file="f.yaml"
        )
    )
    world.settle()
    assert len(world.started("g")) == 1


def test_a_call_whose_execution_ends_badly_stops_its_webhook(world: World) -> None:
    hook = f"{{id: hook, type: {CORE}.trigger.Webhook, key: secret-key, stopAfter: [FAILED]}}"
    world.deploy("f", hook, task=f"type: {CORE}.execution.Fail")
    assert world.engine.webhooks.call("acme", "f", "secret-key") is not None
    world.settle()
    assert [execution.state for execution in world.started()] == [State.FAILED]
    with pytest.raises(NotFound):
        world.engine.webhooks.call("acme", "f", "secret-key")
