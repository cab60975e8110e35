"""Many real `kill -9` of the commands that run and recover flows, and what must hold after each.

Half of the kills are spread evenly over the time that a run takes; the others are aimed at each of its commits in
turn: before it, within it, right after it. One command in eight is a recovery. A ledger outside the database, which
the tasks write to, tells what they did; what is final never changes; and in the end every execution has ended.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, product
from typing import Any

from bench.trust import judging
from bench.trust.report import KEPT
from bench.trust.world import MORTAL, World
from engine.model.execution import Execution
from engine.model.state import State

CHILD = "  - {id: own, type: trust.Step}"
TASKS = """\
  - {id: first, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.id }}"}
  - id: shell
    type: io.kestra.plugin.scripts.shell.Commands
    commands: ["echo {{ execution.id }} {{ taskrun.id }} shell >> @ledger@"]
  - {id: once, type: trust.Step, onLost: FAIL, allowFailure: true}
  - {id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: trust, flowId: child}
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b, c, d]
    concurrencyLimit: 2
    tasks:
      - {id: round, type: trust.Step}
      - {id: told, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}
  - {id: rest, type: io.kestra.plugin.core.flow.Pause, delay: PT0.15S}
  - {id: flaky, type: trust.Step, fails: 1, retry: {type: constant, interval: PT0.15S, maxAttempts: 5}}
  - id: all
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {id: left, type: trust.Step}
      - {id: middle, type: trust.Step}
      - {id: right, type: trust.Step}
  - {id: last, type: trust.Step}
"""
EFFECTS = ("shell", "once", "round", "flaky", "left", "middle", "right", "last", "own")
TASK_RUNS = 20  #: of an execution that has ended
BATCH = 8  #: kills between two recoveries that nobody disturbs, the last of them of a recovery
CONTAINERS = ("each", "all")
MOMENTS = ("before", "within", "after")


class Campaign:
    """Kills, and what was found. One world is used up by one campaign."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.before: dict[str, Execution] = {}  #: all that was ever stored, as it was last seen
        self.over: set[str] = set()
        self.wrong: list[str] = []
        self.states: Counter[str] = Counter()  #: what was stored when death came
        self.points: Counter[str] = Counter()  #: the commits that death came at
        self.struck = 0

    def run(self, kills: int) -> dict[str, Any]:
        world, begun = self.world, time.monotonic()
        world.flow("child", CHILD, push=True)
        world.flow("killed", TASKS.replace("@ledger@", str(world.ledger_file)))
        commits, self.duration = self._measured()
        points = [f"any:{number + 1}:{moment}" for number, moment in product(range(commits), MOMENTS)]
        world.chance.shuffle(points)
        aims = cycle(points)
        for number in range(kills):
            recovers = number % BATCH == BATCH - 1
            self._strike(next(aims) if number % 2 else "", recovers, world.chance)
            self._look(number)
            if recovers or number == kills - 1:
                self._recover(number)
            if number % 10 == 9:
                _tell(f"{number + 1} of {kills} kills, {len(self.before)} executions, {len(self.wrong)} problems")
        self._judge_all()
        world.sound()
        return self._figures(kills, commits, len(points), time.monotonic() - begun)

    def _measured(self) -> tuple[int, float]:
        """How many commits a run has that nobody kills, and how long it takes from the first on."""
        process = self.world.start("run", "killed.yaml", program=MORTAL)
        self.world.until(self._has_begun, "the first commit")
        begun = time.monotonic()
        self.world.end(process).well()
        return len(self.world.note_file.read_text().splitlines()), time.monotonic() - begun

    def _has_begun(self) -> bool:
        note = self.world.note_file
        return note.exists() and note.stat().st_size > 0

    def _strike(self, aim: str, recovers: bool, chance: random.Random) -> None:
        self.world.note_file.unlink(missing_ok=True)
        command = ("executions", "recover") if recovers else ("run", "killed.yaml")
        process = self.world.start(
            *command, die=aim, program=MORTAL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if not aim and chance.random() < 0.8:  # the others may die while they load
            self.world.until(lambda: process.poll() is not None or self._has_begun(), "a commit, or the end")
        try:
            process.wait(60 if aim else chance.uniform(0, self.duration))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.returncode == -9:
            self.struck += 1
            commits = self.world.note_file.read_text().splitlines() if self.world.note_file.exists() else []
            kind = commits[-1].replace(" ", "+") if commits else "no commit yet"
            self.points[f"{aim.rpartition(':')[2]} {_plain(kind)}" if aim else "at any time"] += 1
        elif process.returncode not in (0, 1):
            self.wrong.append(f"a command ended with {process.returncode}")

    def _look(self, number: int) -> None:
        """What is stored now, compared with what was."""
        after = self.world.executions(known=self.over, image=True)
        for id_, execution in self.before.items():
            if id_ not in self.over and id_ not in after:
                self.wrong.append(f"kill {number}: execution {id_} is gone")
            elif id_ in after:
                self.wrong += [f"kill {number}: {words}" for words in judging.changed(execution, after[id_])]
        for line in self.world.ledger():
            if line.execution_id not in after and line.execution_id not in self.over:
                self.wrong.append(f"kill {number}: {line} has no execution")
        for execution in after.values():
            self.wrong += [f"kill {number}: {words}" for words in judging.problems(execution)]
        new = [execution for id_, execution in after.items() if id_ not in self.before]
        self.states.update(_states(new) if new else ["nothing was stored yet"])
        self.before |= after

    def _recover(self, number: int) -> None:
        typed = self.world.recover(patience=180)
        if typed.code not in (0, 1):
            self.wrong.append(f"kill {number}: recovery ended with {typed.code}: {typed.err[-200:]}")
        self._look(number)
        for id_, execution in self.before.items():
            if id_ not in self.over and not execution.is_over:
                self.wrong.append(f"kill {number}: {id_} is stuck in {execution.state}")
        self.over |= {id_ for id_, execution in self.before.items() if execution.is_over}

    def _judge_all(self) -> None:
        """All of them, once more, and what only the end tells."""
        effects = judging.effects_of(self.world.ledger())
        final = self.world.executions()
        self.wrong += [f"{id_} is gone in the end" for id_ in self.before.keys() - final.keys()]
        for id_, execution in final.items():
            self.wrong += judging.changed(self.before.get(id_, execution), execution)
            self.wrong += judging.problems(execution)
            self.wrong += judging.effects_missing(execution, effects, EFFECTS)
            self.wrong += [
                f"{run.id} had its effect {effects[run.id]} times in spite of `onLost: FAIL`"
                for run in execution.task_runs.values()
                if run.task_id == "once" and effects.get(run.id, 0) > 1
            ]
            if execution.state not in (State.SUCCESS, State.WARNING):
                self.wrong.append(f"{id_} ended {execution.state}: {execution.error}")
            elif execution.flow_id == "killed" and len(execution.task_runs) != TASK_RUNS:
                self.wrong.append(f"{id_} has {len(execution.task_runs)} task runs, not {TASK_RUNS}")

    def _figures(self, kills: int, commits: int, points: int, seconds: float) -> dict[str, Any]:
        return {
            "kills": kills,
            "of them while it lived": self.struck,
            "executions": len(self.before),
            "task runs": sum(len(execution.task_runs) for execution in self.before.values()),
            "effects": len(self.world.ledger()),
            "commits of a run, each aimed at three times": f"{commits} ({min(kills // 2, points)} of {points} points)",
            "problems (lost, done twice, stuck, changed, without effect)": len(self.wrong),
            "found": " / ".join(self.wrong[:5]) or "nothing",
            KEPT: "no" if self.wrong else "yes",
            "stored at death": dict(self.states.most_common()),
            "death came": dict(self.points.most_common()),
            "seed": self.world.seed,
            "seconds": round(seconds),
        }


def _plain(kinds: str) -> str:
    """The kinds without the names of tasks."""
    return "+".join(kind for kind in kinds.split("+") if not kind.startswith("begin-")) or "begin"


def _states(new: list[Execution]) -> Iterator[str]:
    """For each execution what it was about: its unfinished tasks, or its own state."""
    for execution in new:
        if execution.is_over:
            yield f"{execution.flow_id} {execution.state}"
            continue
        open_ = [run for run in execution.task_runs.values() if not run.is_terminal and run.task_id not in CONTAINERS]
        yield from {f"{run.task_id} {run.state}" for run in open_} or {f"{execution.flow_id} {execution.state}"}


def _tell(words: str) -> None:
    print(f"\r    {words}", end="" if sys.stdout.isatty() else "\n", flush=True)
