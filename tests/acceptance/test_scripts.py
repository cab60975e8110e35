"""Scripts in real executions: told to stop, out of time, refused, and checked before they run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from engine import Engine
from engine.model.execution import Execution
from engine.model.state import State
from engine.sdk.process import supervisor

FLOW = """
id: script
namespace: company.team
tasks:
  - id: task
    type: io.kestra.plugin.scripts.shell.Commands
    {more}
    commands:
      - setsid sleep 60 &
      - echo ready
      - {last}
outputs:
  - id: code
    type: INT
    value: "{{{{ outputs.task.exitCode }}}}"
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(home=tmp_path / "home") as engine:
        yield engine


def run(engine: Engine, last: str, more: str = "warningOnStdErr: false", **options: Any) -> Execution:
    flow = engine.parse(FLOW.format(more=more, last=last), file="script.yaml")
    return engine.run(flow, **options)


def wait_until(holds: Callable[[], bool]) -> None:
    until = monotonic() + 30
    while not holds() and monotonic() < until:
        os.sched_yield()
    assert holds()


def lines_of(engine: Engine, execution: Execution) -> list[str]:
    return [f"{line.level} {line.message}" for line in engine.store.logs(execution.id)]


def test_the_page_about_scripts_is_right(engine: Engine) -> None:
    page = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text(encoding="utf-8")
    flow = engine.parse(page.partition("```yaml\n")[2].partition("```")[0], file="scripts.md")
    assert lines_of(engine, engine.run(flow)) == ["INFO 3 words, 3\n"]


#: What tests before these have started and keep.
_OTHERS: set[int] = set()


@pytest.fixture(autouse=True)
def others() -> None:
    _OTHERS.update(supervisor.descendants(os.getpid()))


def left_over() -> set[int]:
    """Processes that were not there before the test."""
    return supervisor.descendants(os.getpid()) - _OTHERS


def test_a_script_leaves_nothing_behind(engine: Engine) -> None:
    execution = run(engine, "exit 0")
    assert execution.state is State.SUCCESS
    assert execution.outputs == {"code": 0}
    assert left_over() == set()


def test_the_image_that_is_not_there_is_told_of(engine: Engine) -> None:
    execution = run(engine, "exit 0", "containerImage: alpine")
    told = "there are no containers here: commands run as processes of this machine"
    assert lines_of(engine, execution) == [f"WARN {told}", "INFO ready"]


def test_a_failed_script_keeps_its_outputs(engine: Engine) -> None:
    execution = run(engine, "echo oops >&2; exit 3")
    assert execution.state is State.FAILED
    (task,) = execution.in_order()
    assert task.outputs == {"vars": {}, "exitCode": 3, "outputFiles": {}}
    assert "ended with exit code 3\noops" in str(task.attempts[-1].error)


@pytest.mark.parametrize(
    "last",
    [
        "sleep 60",
        "trap '' TERM INT HUP; while :; do sleep 60; done",
        "(setsid sh -c '(trap \\\"\\\" TERM; exec sleep 60) & exit'); sleep 60",
        "nohup sh -c 'sleep 60' & wait",
        "(setsid sleep 60 &); sleep 60",
    ],
    ids=["plain", "ignores SIGTERM", "double fork", "nohup", "a grandchild holds stdout"],
)
def test_killing_the_execution_ends_all_processes(engine: Engine, last: str) -> None:
    flow = engine.parse(FLOW.format(more="retry: null", last=f'"{last}"'), file="script.yaml")
    execution = engine.submit(flow)
    wait_until(lambda: "INFO ready" in lines_of(engine, execution))
    engine.kill(execution.id)
    assert engine.follow(execution.id, timeout=30).state is State.KILLED
    assert left_over() == set()


def test_a_timeout_ends_all_processes(engine: Engine) -> None:
    execution = run(engine, "sleep 60", "timeout: PT0.5S")
    assert execution.state is State.FAILED
    assert "Timeout after PT0.5S" in str(next(iter(execution.in_order())).attempts[-1].error)
    assert left_over() == set()


def test_an_installation_may_refuse_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_SCRIPTS__DOCKER", "fail")
    with Engine(home=tmp_path / "home") as engine:
        execution = run(engine, "exit 0")
    assert execution.state is State.FAILED
    assert "would run in a container" in str(next(iter(execution.in_order())).attempts[-1].error)
