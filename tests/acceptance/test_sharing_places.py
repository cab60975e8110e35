"""Two engines that share a PostgreSQL begin executions of limited flows as fast as they can: the limit holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest

from engine import Engine
from engine.model.execution import Execution
from engine.model.state import State
from engine.settings import Database, Settings
from engine.store.shared import SharedStore
from tests.contract.conftest import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]  # fixtures

LIMITED = """
id: limited
namespace: test
concurrency: {{ limit: {limit}, behavior: {behavior} }}
tasks:
  - {{ id: pure, type: io.kestra.plugin.core.debug.Return, format: a }}
  - {{ id: slow, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.05S }}
"""
PURE = LIMITED.rpartition("  - {{ id: slow")[0]
EACH = 12

Begin = Callable[[str], list[Execution]]


@pytest.fixture
def begin(tmp_path: Path, postgres_url: str) -> Iterator[Begin]:
    """Run a flow so many times in each of two engines, all at once."""
    settings = Settings(database=Database(url=postgres_url))
    with ExitStack() as open_ones:
        engines = [open_ones.enter_context(Engine(tmp_path / name, settings=settings)) for name in ("one", "two")]

        def run(text: str) -> list[Execution]:
            (tmp_path / "limited.yaml").write_text(text, encoding="utf-8")
            flow = engines[0].load(tmp_path / "limited.yaml")
            ready = threading.Barrier(2 * EACH)

            def one(engine: Engine) -> Execution:
                ready.wait()
                return engine.run(flow)

            with ThreadPoolExecutor(2 * EACH) as pool:
                return list(pool.map(one, engines * EACH))

        yield run


def most_at_once(executions: list[Execution]) -> int:
    """How many have been running at the same time."""
    steps: list[tuple[datetime, int]] = []
    for execution in executions:
        times = [step.at for step in execution.history if step.state is State.RUNNING]
        if times:
            steps += [(times[0], 1), (execution.history[-1].at, -1)]
    now, most = 0, 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most


@pytest.fixture(params=["asked", "unasked"])
def _judge(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unasked, all find a place before the commit: as if they had looked for one in the same moment."""
    if request.param == "unasked":
        monkeypatch.setattr(SharedStore, "ahead", lambda store, execution: ([], 0))


@pytest.mark.usefixtures("_judge")
@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_run_than_there_are_places(begin: Begin, limit: int) -> None:
    ended = begin(LIMITED.format(limit=limit, behavior="QUEUE"))
    assert {execution.state for execution in ended} == {State.SUCCESS}
    assert 1 <= most_at_once(ended) <= limit
    for execution in ended:
        assert [len(run.attempts) for run in execution.task_runs.values()] == [1, 1]
        assert [step.state for step in execution.history].count(State.RUNNING) == 1


@pytest.mark.usefixtures("_judge")
def test_beginnings_that_are_undone_leave_nothing(begin: Begin) -> None:
    """Those that are over within one commit would be done before anybody could count them."""
    ended = begin(PURE.format(limit=1, behavior="QUEUE"))
    assert {execution.state for execution in ended} == {State.SUCCESS}
    for execution in ended:
        assert [len(run.attempts) for run in execution.task_runs.values()] == [1]


@pytest.mark.usefixtures("_judge")
def test_who_finds_no_place_may_be_cancelled(begin: Begin) -> None:
    ended = begin(LIMITED.format(limit=2, behavior="CANCEL"))
    states = [execution.state for execution in ended]
    assert set(states) == {State.SUCCESS, State.CANCELLED}
    assert most_at_once([execution for execution in ended if execution.state is State.SUCCESS]) <= 2
    assert all(not execution.task_runs for execution in ended if execution.state is State.CANCELLED)
