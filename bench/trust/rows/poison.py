"""Rows 33 to 35: a flow that is poison, and plugins that raise, crash, hang and return nonsense."""

from __future__ import annotations

import json
import sqlite3

from bench.trust.matrix import BOTH, Result, not_built, passed, require, row
from bench.trust.world import World
from engine.model.state import State

PLUGIN = '''\
import ctypes
import os
import signal
import sys
import time

from engine.sdk import RunContext, Task


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("cannot be told")


CYCLE: list[object] = []
CYCLE.append(CYCLE)


class Bad(Task, type="trust.Bad", effect="effect"):
    """Does what no task should."""

    what: str

    def run(self, ctx: RunContext) -> object:
        match self.what:
            case "BaseException":
                raise BaseException("no less")
            case "SystemExit":
                sys.exit(3)
            case "KeyboardInterrupt":
                raise KeyboardInterrupt
            case "MemoryError":
                raise MemoryError
            case "unspeakable":
                raise Unspeakable
            case "RecursionError":
                return self.run(ctx)
            case "exit":
                os._exit(7)
            case "segfault":
                ctypes.string_at(0)
            case "abort":
                os.abort()
            case "hang":
                while True:
                    time.sleep(0.05)
            case "spin":
                while True:
                    pass
            case "changes":
                os.chdir("/")
                print("words on stdout")
                signal.getsignal(signal.SIGTERM)
            case "NaN":
                return {"value": float("nan")}
            case "cyclic":
                return {"value": CYCLE}
            case "huge":
                return {"value": 2**80}
            case "object":
                return object()
'''
RAISING = ("BaseException", "SystemExit", "KeyboardInterrupt", "MemoryError", "unspeakable", "RecursionError")
CRASHING = ("exit", "segfault", "abort")
NONSENSE = ("cyclic", "object")


def _bad(world: World, what: str, more: str = "") -> str:
    name = f"bad_{what.lower()}"
    return world.flow(name, f"  - {{id: first, type: trust.Bad, what: {what}{more}}}")


@row(
    33,
    "Poison: a flow's row is garbled, its plugin removed, an expression too deep, a cron never due",
    "it fails alone, the others go on",
    on=BOTH,
)
def row_33(world: World) -> Result:
    step = "  - {id: first, type: trust.Step, gate: %s}" % (world.folder / "open")
    plain = "  - {id: first, type: trust.Step}"
    for name in ("garbled", "removed", "good"):
        run = world.start("run", world.flow(name, step))
        world.until(
            lambda name=name: any(one.flow_id == name and one.task_runs for one in world.executions().values()), name
        )
        run.kill()
        world.end(run)
    _spoil(world)
    (world.folder / "open").touch()
    typed = world.recover(patience=120)
    states = {one.flow_id: one.state for one in world.executions().values()}
    require(states["good"] is State.SUCCESS, f"the good one is {states['good']}: {typed.err[-300:]}")
    require("Traceback" not in typed.err, "a traceback")
    told = typed.err.count("cannot go on, and is left as it is")
    require(told == 2 and typed.code == 1, f"it is not told of both what is wrong: {typed.err[-300:]}")
    endless = '  - {id: first, type: io.kestra.plugin.core.debug.Return, format: "%s"}' % (
        "{{ " + "(" * 300 + "1" + ")" * 300 + " }}"
    )
    deep = world.type("run", world.flow("endless", endless))
    require(deep.code in (0, 1, 2), f"a deep expression ended with {deep.code}")
    require("Traceback" not in deep.err, "a traceback")
    never = world.flow(
        "never", plain, "triggers:\n  - {id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: '0 0 30 2 *'}"
    )
    require(world.type("validate", never).code in (0, 1, 2), "a cron that is never due is no reason to crash")
    world.type("run", world.flow("others", plain)).well()
    return passed(
        f"what cannot go on is told with its reason and left {states['garbled']}; the others ended well; a deep "
        f"expression: code {deep.code}, no traceback"
    )


def _spoil(world: World) -> None:
    """Garble one flow's source, and take away what another one's task is made of."""
    change = "UPDATE flows SET source = '{{ not: [yaml' WHERE flow_id = 'garbled'"
    other = "UPDATE flows SET source = replace(source, 'trust.Step', 'trust.Gone') WHERE flow_id = 'removed'"
    if world.on_postgres and world.server is not None:
        path = world.url.rpartition("search_path%3D")[2] or world.url.rpartition("search_path=")[2]
        for statement in (change, other):
            world.server.execute(
                statement.replace("UPDATE flows", f"UPDATE {path}.flows").replace("flow_id", _column(world))
            )
        return
    with sqlite3.connect(world.database) as connection:
        for statement in (change, other):
            connection.execute(statement.replace("flow_id", _column(world)))
    connection.close()


def _column(world: World) -> str:
    from engine.store.tables import flows

    return "flow_id" if "flow_id" in flows.c else "id"


@row(
    34,
    "A plugin raises BaseException, SystemExit, ..., crashes by signal",
    "the task FAILED, the engine lives; a crash: counted, and FAILED at last",
)
def row_34(world: World) -> Result:
    world.write("plugins/bad.py", PLUGIN)
    for what in RAISING:
        typed = world.type("run", _bad(world, what))
        run = next(world.only(f"bad_{what.lower()}").in_order())
        require(typed.code == 1, f"{what}: it ended with {typed.code}: {typed.err[-200:]}")
        require(run.state is State.FAILED, f"{what}: the task is {run.state}")
        require(run.error, f"{what}: nothing tells why")
    deaths = []
    for what in CRASHING:
        typed = world.type("run", _bad(world, what))
        require(typed.code not in (0, 1), f"{what} did not crash the engine, but it is not isolated: {typed.code}")
        number = 1
        while not world.only(f"bad_{what}").is_over:
            require(number < 6, f"{what} takes engine after engine down")
            world.recover()
            number += 1
        run = next(world.only(f"bad_{what}").in_order())
        require(run.state is State.FAILED, f"{what}: the task is {run.state} in the end")
        deaths.append(number)
    world.type("run", world.flow("good", "  - {id: first, type: trust.Step}")).well()
    world.sound()
    return passed(
        f"{', '.join(RAISING)}: FAILED, the engine lives. Tasks share its process, so {', '.join(CRASHING)} ends it; "
        f"after at most {max(deaths)} deaths the task is FAILED, and others run"
    )


@row(
    35,
    "A plugin hangs, spins, changes the folder, writes to stdout, returns NaN, a cycle, 2**80",
    "timeout honoured, a place given back; a bad value: FAILED",
)
def row_35(world: World) -> Result:
    world.write("plugins/bad.py", PLUGIN)
    for what in ("hang", "spin"):
        typed = world.type("run", _bad(world, what, ", timeout: PT0.5S"), patience=60)
        run = next(world.only(f"bad_{what}").in_order())
        require(run.state is State.FAILED, f"{what}: the task is {run.state} after its timeout")
        require("imeout" in (run.error or ""), f"{what}: not told that its time was up: {run.error}")
        require(typed.code == 1, f"{what}: it ended with {typed.code}")
    told = {}
    for what in (*NONSENSE, "NaN", "huge", "changes"):
        typed = world.type("run", "--json", _bad(world, what))
        require("Traceback" not in typed.err, f"{what}: a traceback")
        json.loads(typed.out)
        told[what] = world.only(f"bad_{what.lower()}").state
    require(all(told[what] is State.FAILED for what in NONSENSE), f"nonsense was taken: {told}")
    world.sound()
    if told["changes"] is not State.SUCCESS:
        return not_built(f"a task that writes to stdout is {told['changes']}")
    return passed(
        f"hang and spin FAILED at their timeout; {', '.join(f'{name} {state}' for name, state in told.items())}"
    )
