"""A run may die at any instant, and everything it had acknowledged is there.

`penstock run` is killed (SIGKILL, SIGINT, SIGTERM) at moments drawn from a seed. The flow's own tasks write to a pipe
that this test holds the other end of: whatever they said before the death is the evidence that the database is judged
by. TEST_KILLS=1000 makes the long version; a failure names its kill, and the seed makes it come again.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.model.execution import Execution
from engine.model.state import AttemptState, State
from engine.ports import ExecutionFilter
from engine.store import open_store

PENSTOCK = str(Path(sys.executable).parent / "penstock")
KILLS = int(os.environ.get("TEST_KILLS", "15"))
SEED = 20260117
#: A developer's own settings are not for the projects of this test.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
PATIENCE = 60  #: seconds after which a command that should have ended is killed, and fails its test

PAGE = 1000  #: the longest list that the command gives

PLUGIN = """\
import os
from engine.sdk import RunContext, Task


class Step(Task, type="test.Step", effect="effect"):
    '''Says that its effect has happened.'''

    def run(self, ctx: RunContext) -> None:
        os.write(int(os.environ["EVIDENCE"]), f"{ctx.execution_id} {ctx.task_run_id} {ctx.task_id}\\n".encode())


class Hang(Step, type="test.Hang", effect="effect"):
    '''Says that it has started, and waits to be stopped.'''

    def run(self, ctx: RunContext) -> None:
        super().run(ctx)
        ctx.sleep(600)
"""
#: The chain is pure and threaded tasks in turn, so that each threaded one proves all those before it.
CHAIN = [f"{kind}_{number}" for number in range(8) for kind in ("pure", "step")]
SIDES = [f"side_{number}" for number in range(6)]
EFFECTS = {*CHAIN[1::2], *SIDES, "round_step"}
PURE = "{ id: %s, type: io.kestra.plugin.core.debug.Return, format: '{{ taskrun.id }}' }"
STEP = "{ id: %s, type: test.Step }"
FLOW = "\n".join(
    [
        "id: killed",
        "namespace: test",
        "tasks:",
        *(f"  - {(PURE if name.startswith('pure') else STEP) % name}" for name in CHAIN),
        "  - id: all",
        "    type: io.kestra.plugin.core.flow.Parallel",
        "    tasks:",
        *(f"      - {STEP % name}" for name in SIDES),
        "  - id: each",
        "    type: io.kestra.plugin.core.flow.ForEach",
        "    values: [a, b, c, d]",
        "    concurrencyLimit: 2",
        "    tasks:",
        f"      - {STEP % 'round_step'}",
        f"      - {PURE % 'round_pure'}",
    ]
)
STEPS = len(CHAIN) // 2 + len(SIDES) + 4


@dataclass(frozen=True)
class Line:
    """One line of evidence."""

    execution_id: str
    task_run_id: str
    task_id: str


class Run:
    """A command that runs tasks, with its end of the pipe. The pipe ends when the process does."""

    def __init__(self, project: Path, *command: str) -> None:
        read, write = os.pipe()
        self.process = subprocess.Popen(
            [PENSTOCK, *command],
            cwd=project,
            env={**ENVIRONMENT, "EVIDENCE": str(write)},
            pass_fds=[write],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        os.close(write)
        self._lines = os.fdopen(read, encoding="ascii")
        self._patience = threading.Timer(PATIENCE, self.process.kill)
        self._patience.start()

    def lines(self) -> Iterator[Line]:
        for line in self._lines:
            yield Line(*line.split())

    def wait_a_little(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def end(self, how: signal.Signals | None = signal.SIGKILL) -> tuple[list[Line], str]:
        """The rest of the evidence, and what was printed. None lets the run end by itself."""
        if how is not None:
            self.process.send_signal(how)
        rest = list(self.lines())
        printed, _ = self.process.communicate()
        self._patience.cancel()
        self._lines.close()
        return rest, printed


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "steps.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "penstock.yaml").write_text("plugins: plugins\n", encoding="utf-8")
    (tmp_path / "killed.yaml").write_text(FLOW + "\n", encoding="utf-8")
    hang = (
        "id: hanging\nnamespace: test\ntasks:\n  - { id: hang, type: test.Hang }\n  - { id: after, type: test.Step }\n"
    )
    (tmp_path / "hanging.yaml").write_text(hang, encoding="utf-8")
    return tmp_path


def penstock(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PENSTOCK, *arguments],
        cwd=project,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def history(project: Path, scratch: Path) -> dict[str, Execution]:
    """Every execution, read from a copy: the crash image itself is left to the next engine, as it would be."""
    shutil.rmtree(scratch, ignore_errors=True)
    if not (project / ".penstock" / "penstock.db").exists():
        return {}
    shutil.copytree(project / ".penstock", scratch, ignore=shutil.ignore_patterns("*.sock"))
    connection = sqlite3.connect(scratch / "penstock.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    store = open_store(f"sqlite:///{scratch}/penstock.db")
    try:
        summaries, _ = store.executions(ExecutionFilter(limit=100_000))
        found = [store.execution(summary.id) for summary in summaries]
        return {execution.id: execution for execution in found if execution}
    finally:
        store.close()


def proven_by(task_id: str) -> list[str]:
    """The tasks that must have ended, and be committed, before a task of the flow starts."""
    if task_id in CHAIN:
        return CHAIN[: CHAIN.index(task_id)]
    return CHAIN if task_id in SIDES else [*CHAIN, *SIDES, "all"]


def judge(execution: Execution, evidence: list[Line]) -> None:
    """What must hold for an execution, given what its tasks said before its engine died."""
    runs = execution.task_runs
    assert all(count == 1 for count in Counter(line.task_run_id for line in evidence).values()), "an effect came twice"
    for line in evidence:
        run = runs.get(line.task_run_id)
        assert run is not None, f"{line.task_id} had its effect before its claim was committed"
        assert run.epoch == 1
        assert run.state in {State.RUNNING, State.SUCCESS}
    ended = {run.task_id for run in runs.values() if run.state is State.SUCCESS}
    missing = {task_id for line in evidence for task_id in proven_by(line.task_id)} - ended
    assert not missing, f"{sorted(missing)} were not committed when the tasks after them started"
    for run in runs.values():
        assert sum(attempt.state is AttemptState.SUCCEEDED for attempt in run.attempts) <= 1
        assert [attempt.epoch for attempt in run.attempts] == sorted({attempt.epoch for attempt in run.attempts})
        assert run.is_terminal or not execution.is_terminal


def strike(run: Run, number: int, chance: random.Random) -> list[Line]:
    """Kill the run: one time in three while it starts, else soon after some task has spoken."""
    if number % 3 == 0:
        run.wait_a_little(chance.uniform(0, 0.8))
        return after_the_kill(run)
    target = chance.randint(1, STEPS)
    heard = []
    for line in run.lines():
        heard.append(line)
        if len(heard) == target:
            break
    run.wait_a_little(chance.choice([0, 0, 0.001, 0.003, 0.01]))
    return heard + after_the_kill(run)


def after_the_kill(run: Run) -> list[Line]:
    """The rest of a killed run's evidence. It died of the kill, or had just ended well."""
    rest, printed = run.end()
    assert run.process.returncode in {0, -signal.SIGKILL}, printed
    return rest


def test_killed_at_any_moment_everything_acknowledged_is_there(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(SEED)
    scratch = tmp_path_factory.mktemp("image") / "copy"
    evidence: dict[str, list[Line]] = {}
    left_behind: set[str] = set()
    before: dict[str, Execution] = {}
    for number in range(KILLS):
        for line in strike(Run(project, "run", "killed.yaml"), number, chance):
            evidence.setdefault(line.execution_id, []).append(line)
        after = history(project, scratch)
        assert before.keys() <= after.keys(), f"kill {number}: an execution is gone"
        assert evidence.keys() <= after.keys(), f"kill {number}: an execution that did something is not there"
        for execution_id in after.keys() - before.keys():
            judge(after[execution_id], evidence.get(execution_id, []))
        left_behind |= {execution.id for execution in after.values() if not execution.is_terminal}
        before = after

    assert left_behind, "no kill struck a running execution: the test is worth nothing"
    accounted_for(project, left_behind, before.keys() - left_behind)
    recovered(project, left_behind, before, evidence, scratch)


def accounted_for(project: Path, left_behind: set[str], ended: set[str]) -> None:
    """The commands know every execution, and a next run completes without touching those left behind."""
    listed = penstock(project, "executions", "list", "--json", "--limit", str(PAGE))
    assert listed.returncode == 0, listed.stderr
    rows, known = {row["id"] for row in json.loads(listed.stdout)}, left_behind | ended
    assert rows <= known
    assert len(rows) == min(len(known), PAGE)
    for execution_id in sorted(left_behind)[:2]:
        shown = penstock(project, "executions", "show", execution_id)
        assert shown.returncode == 0, shown.stderr
        assert "is gone" in shown.stdout + shown.stderr

    run = Run(project, "run", "killed.yaml")
    spoke, printed = run.end(None)
    assert run.process.returncode == 0, printed
    assert len(spoke) == STEPS
    assert not {line.execution_id for line in spoke} & left_behind, "a dead execution was resumed"
    assert str(len(left_behind)) in printed, "the run says how many executions were left behind"


def recovered(
    project: Path,
    left_behind: set[str],
    before: dict[str, Execution],
    evidence: dict[str, list[Line]],
    scratch: Path,
) -> None:
    """Recovery, itself killed once, brings every execution to its end, and repeats nothing that was committed."""
    done = {run.id for execution in before.values() for run in execution.task_runs.values() if run.is_terminal}
    struck = Run(project, "executions", "recover")
    heard = [next(struck.lines()), *after_the_kill(struck)]
    final = Run(project, "executions", "recover")
    spoke, printed = final.end(None)
    assert final.process.returncode == 0, printed

    again = [line.task_run_id for line in [*heard, *spoke]]
    assert not done & set(again), "a task that had ended ran again"
    said = {line.task_run_id for lines in evidence.values() for line in lines} | set(again)
    executions = history(project, scratch)
    for execution_id in left_behind:
        runs = list(executions[execution_id].task_runs.values())
        assert executions[execution_id].state is State.SUCCESS
        assert {run.state for run in runs} == {State.SUCCESS}
        effects = {run.id for run in runs if run.task_id in EFFECTS}
        assert len(effects) == STEPS
        assert effects <= said, "a task succeeded without its effect"
        for run in runs:
            assert [attempt.epoch for attempt in run.attempts] == list(range(1, run.epoch + 1))
            assert {attempt.state for attempt in run.attempts[:-1]} <= {AttemptState.LOST}


def test_killed_while_the_first_database_is_made(
    tmp_path: Path, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(SEED)
    for number in range(max(3, KILLS // 5)):
        shutil.rmtree(project / ".penstock", ignore_errors=True)
        run = Run(project, "run", "killed.yaml")
        run.wait_a_little(chance.uniform(0.2, 0.7))
        run.end()
        history(project, tmp_path_factory.mktemp("image") / "copy")

        following = Run(project, "run", "killed.yaml")
        spoke, printed = following.end(None)
        assert following.process.returncode == 0, f"kill {number}: {printed}"
        assert len(spoke) == STEPS
        checked = penstock(project, "db", "check")
        assert checked.returncode == 0, f"kill {number}: {checked.stdout}{checked.stderr}"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_a_run_kills_its_execution_and_says_so(
    project: Path, tmp_path_factory: pytest.TempPathFactory, how: signal.Signals
) -> None:
    run = Run(project, "run", "hanging.yaml")
    started = next(run.lines(), None)
    assert started is not None, run.end()[1]
    rest, printed = run.end(how)

    assert run.process.returncode == 1, printed
    assert rest == [], "nothing starts after the kill"
    execution = history(project, tmp_path_factory.mktemp("image") / "copy")[started.execution_id]
    assert execution.state is State.KILLED
    assert [task.state for task in execution.in_order()] == [State.KILLED]
    assert "KILLED" in printed
