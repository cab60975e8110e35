"""Rows 11 to 14: what is written when an engine dies, and what persons and systems stop."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from pathlib import Path

from bench.trust.matrix import BOTH, Result, not_built, passed, require, row
from bench.trust.rows.commits import recovered
from bench.trust.world import World
from engine.model.state import TERMINAL, State
from engine.store import open_store

LINES = 100_000
COMMANDS = "  - id: first\n    type: io.kestra.plugin.scripts.shell.Commands\n    commands:\n      - |\n%s\n"
RACES = 24  #: kills that race with the end of a task


def _commands(*lines: str) -> str:
    return COMMANDS % "\n".join(f"        {line}" for line in lines)


@row(11, "kill -9 while a command writes many log lines", "0 of its lines lost, 0 repeated")
def row_11(world: World) -> Result:
    flow = world.flow("writes", _commands(f"seq 1 {LINES}", "sleep 0.3"))
    run = world.start("run", "--quiet", flow)

    def has_lines() -> bool:
        return any(len(_logged(world, id_, at_most=1)) for id_ in world.executions())

    world.until(has_lines, "lines are stored")
    run.kill()
    world.end(run)
    (id_,) = world.executions()
    before = [(attempt, number) for attempt, number in _logged(world, id_)]
    recovered(world, "writes")
    after = _logged(world, id_)
    require(after[: len(before)] == before, "lines that were stored are gone or have changed")
    require(all(number == 1 for number in Counter(after).values()), "a line is stored twice")
    last = max(attempt for attempt, _ in after)
    numbers = [number for attempt, number in after if attempt == last]
    require(numbers == list(range(1, LINES + 1)), f"the log of the attempt that ended has {len(numbers)} lines")
    lost = [number for attempt, number in before if attempt == 1]
    require(lost == list(range(1, len(lost) + 1)), "there are holes in the log of the lost attempt")
    return passed(
        f"{LINES:,} lines: {len(lost):,} without a hole of the attempt that was lost, all of the next, none twice"
    )


def _logged(world: World, id_: str, at_most: int | None = None) -> list[tuple[int, int]]:
    """The numbers that a command wrote, each with its attempt."""
    store = open_store(world.url)
    try:
        found, after = [], 0
        while page := store.logs(id_, after=after, limit=10_000):
            after = page[-1].id or after
            found += [(line.attempt or 0, int(line.message)) for line in page if line.message.isdigit()]
            if at_most is not None and len(found) >= at_most:
                break
        return found
    finally:
        store.close()


@row(
    12,
    "SIGTERM with short, long and failing tasks; a second one; SIGINT",
    "drained and committed; ends in its grace",
    on=BOTH,
)
def row_12(world: World) -> Result:
    proven = world.tests("tests/acceptance/test_kill.py", select="told_to_stop")
    if not world.has("server"):
        return not_built(f"there is no server yet; {proven}")
    if not world.on_postgres:
        proven += "; " + world.tests("tests/acceptance/test_server.py", select="grace or starts_again or second_signal")
    from tests.acceptance.serving import Server

    tasks = {
        "short": "{id: first, type: io.kestra.plugin.core.flow.Sleep, duration: PT1.5S}",
        "long": "{id: first, type: io.kestra.plugin.core.flow.Sleep, duration: PT600S}",
        "failing": "{id: first, type: io.kestra.plugin.scripts.shell.Commands, commands: ['sleep 1; exit 3']}",
    }
    (world.folder / "flows").mkdir()
    for name, task in tasks.items():
        (world.folder / "flows" / f"{name}.yaml").write_text(f"id: {name}\nnamespace: trust\ntasks:\n  - {task}\n")
    server = Server(world.folder, "--flows", "flows", "--grace", "5").ready()
    try:
        for name in tasks:
            server.begin(f"trust/{name}")
        world.until(lambda: _states(world) == dict.fromkeys(tasks, State.RUNNING), "all run")
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
        took = time.monotonic() - begun
    finally:
        server.process.kill()
        server.process.communicate()
    states = _states(world)
    require(server.process.returncode == 0, f"it ended with {server.process.returncode}")
    require(took <= 10 + 5, f"it took {took:.1f} s to end")
    require(states["short"] is State.SUCCESS, f"what ended within the grace is {states['short']}")
    require(states["failing"] is State.FAILED, f"what failed within the grace is {states['failing']}")
    require(states["long"] in (State.RUNNING, State.KILLED), f"what did not end is {states['long']}")
    return passed(
        f"ended with 0 after {took:.1f} s: SUCCESS, FAILED, and {states['long']} for what was too long; {proven}"
    )


def _states(world: World) -> dict[str, State]:
    return {execution.flow_id: execution.state for execution in world.executions().values()}


@row(
    13,
    "Kill by a person: setsid, double fork, nohup, TERM ignored, a grandchild that holds stdout",
    "KILLED in 15 s, nothing left",
)
def row_13(world: World) -> Result:
    ways = {
        "setsid": "setsid sleep 987 &",
        "double_fork": "( ( sleep 987 & ) & )",
        "nohup": "nohup sleep 987 &",
        "deaf": "trap '' TERM INT HUP; while true; do sleep 987; done",
        "holds_stdout": "sleep 987 & echo on",
    }
    slowest = 0.0
    for name, way in ways.items():
        run = world.start(
            "run", world.flow(name, _commands(way, "touch reached", f"touch {world.folder}/{name}", "sleep 986"))
        )
        if name == "deaf":  # it never comes to the line after it
            world.until(lambda: _sleepers(world), "the command runs")
        else:
            world.until((world.folder / name).exists, f"{name} runs")
        (id_,) = world.executions(flow_id=name)
        world.type("executions", "kill", id_)
        world.end(run)
        ended = world.only(name)
        require(ended.state is State.KILLED, f"{name} is {ended.state}")
        wish = next(change.at for change in ended.history if change.state is State.KILLING)
        slowest = max(slowest, (ended.history[-1].at - wish).total_seconds())
        require(not _sleepers(world), f"{name} has left {_sleepers(world)}")
    require(slowest <= 15, f"the slowest took {slowest:.1f} s")
    return passed(f"all five KILLED, the slowest in {slowest:.1f} s, and no process is left")


def _sleepers(world: World) -> list[str]:
    """Processes that carry the marker of an execution of this world."""
    ids = tuple(world.executions())
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            marker = re.search(rb"PENSTOCK_ATTEMPT=([^\0]+)", (process / "environ").read_bytes())
            alive = (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            continue
        if marker and alive and marker[1].decode().startswith(ids):
            found.append(process.name)
    return found


@row(14, "A kill in each unfinished state; one that races with the end", "ended in 15 s, never revived", on=BOTH)
def row_14(world: World) -> Result:
    world.flow("child", "  - {id: slow, type: io.kestra.plugin.core.flow.Sleep, duration: PT600S}", push=True)
    waits = {
        "running": "{id: first, type: io.kestra.plugin.core.flow.Sleep, duration: PT600S}",
        "paused": "{id: first, type: io.kestra.plugin.core.flow.Pause}",
        "retrying": "{id: first, type: trust.Step, fails: 9, retry: {type: constant, interval: PT600S}}",
        "calling": "{id: first, type: io.kestra.plugin.core.flow.Subflow, namespace: trust, flowId: child}",
    }
    for name, task in waits.items():
        run = world.start("run", world.flow(f"is_{name}", f"  - {task}\n  - {{id: after, type: trust.Step}}"))
        id_ = world.until(lambda name=name: _waiting(world, f"is_{name}"), f"it is {name}")
        begun = time.monotonic()
        world.type("executions", "kill", id_)
        ended = world.until(lambda id_=id_: _ended(world, id_), f"{name} has ended", 15)
        require(ended is State.KILLED, f"killed while {name} it is {ended} after {time.monotonic() - begun:.1f} s")
        if run.poll() is None:
            run.kill()
        world.end(run)
        world.recover()
        require(_ended(world, id_) is State.KILLED, f"recovery has revived what was killed while {name}")
    require(not any(line.task_id == "after" for line in world.ledger()), "a task ran after the kill")
    ends = Counter(_raced(world) for _ in range(RACES if not world.on_postgres else RACES // 3))
    world.sound()
    return passed(f"KILLED in {', '.join(waits)}, and recovery revived none; {sum(ends.values())} races: {_told(ends)}")


def _waiting(world: World, flow: str) -> str | None:
    for id_, execution in world.executions(flow_id=flow).items():
        run = next(execution.in_order(), None)
        if run is not None and run.attempts + (run.calls or ()) and (run.calls or flow != "is_calling"):
            return (
                id_
                if run.state is not State.CREATED and (flow != "is_retrying" or run.state is State.RETRYING)
                else None
            )
        if run is not None and run.state is State.PAUSED:
            return id_
    return None


def _ended(world: World, id_: str) -> State | None:
    state = world.executions()[id_].state
    return state if state in TERMINAL else None


def _raced(world: World) -> str:
    """SIGTERM, which kills the execution, at about the moment at which its task ends."""
    known = set(world.executions())
    run = world.start(
        "run", world.flow("races", "  - {id: first, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.15S}")
    )
    world.until(lambda: [one for one in world.executions(known=known).values() if one.task_runs], "it runs")
    time.sleep(world.chance.uniform(0, 0.15))
    run.send_signal(signal.SIGTERM)
    world.end(run)
    (execution,) = world.executions(known=known).values()
    require(execution.is_over, f"a kill left {execution.state}")
    finals = [change.state for change in execution.history if change.state in TERMINAL]
    require(len(finals) == 1, f"it ended more than once: {finals}")
    return str(execution.state)


def _told(ends: Counter[str]) -> str:
    return ", ".join(f"{number} {state}" for state, number in ends.most_common())
