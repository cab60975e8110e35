"""Rows 28, 31 and 46: the database moves to a newer schema, is cleaned up, is backed up and restored."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing

from bench.trust import judging
from bench.trust.matrix import BOTH, Result, not_possible, passed, require, row
from bench.trust.world import ROOT, World
from engine.model.state import State
from engine.store import schema
from engine.store.opening import open_database

SCHEMA = "tests/contract/test_schema.py"
STEP = "  - {id: first, type: io.kestra.plugin.core.debug.Return, format: x}\n  - {id: second, type: trust.Step}"


@row(
    28,
    "kill -9 at writes all along every migration; a newer schema",
    "run again, it succeeds; a newer one is refused",
    on=BOTH,
)
def row_28(world: World) -> Result:
    proven = world.tests(SCHEMA, select="postgres" if world.on_postgres else "not postgres")
    if world.on_postgres:
        return passed(f"each migration is one transaction; {proven}")
    if shutil.which("strace") is None:
        return not_possible(f"strace, which kills at a write, is not installed; {proven}")
    versions = sorted(path.stem.partition("_")[0] for path in (ROOT / "migrations" / "versions").glob("0*.py"))
    killed = sum(_migrated_under_kills(world, version) for version in versions[:-1])
    return passed(
        f"killed at {killed} writes of the way from {', '.join(versions[:-1])}: each goes through again; {proven}"
    )


def _migrated_under_kills(world: World, version: str) -> int:
    """How many kills there were, at writes further and further into the migrations from a version."""
    opens = (
        sys.executable,
        "-c",
        f"from engine.store import open_store; open_store({world.url!r}, owner=True).close()",
    )
    number, kills = 1, 0
    while True:
        _make_old(world, version)
        kill = f"inject=pwrite64:signal=SIGKILL:when={number}"
        typed = world.type(program=("strace", "-f", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", kill, *opens))
        if typed.code == 0:
            require(kills, "no kill came before the end")
            return kills
        kills, number = kills + 1, number + 1 + number // 6
        again = world.type(program=opens)
        require(again.code == 0, f"killed at write {number} on the way from {version}: {again.err[-300:]}")
        world.sound()
        require(
            _kept(world) == [("1",)], f"killed at write {number} on the way from {version}: what was stored is gone"
        )


def _kept(world: World) -> list[tuple[str]]:
    with closing(sqlite3.connect(world.database)) as connection:
        return connection.execute("SELECT value FROM meta WHERE key = 'kept'").fetchall()


def _make_old(world: World, version: str) -> None:
    """A database as that version made it, with a row in it."""
    shutil.rmtree(world.folder / ".penstock", ignore_errors=True)
    database = open_database(world.url, owner=True)
    with database.migrating() as connection:
        schema.upgrade(connection, schema.migrations_folder(), version)
        with connection.begin():
            connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('kept', '1')")
    database.close()


@row(
    31,
    "Many executions, then the limits of retention",
    "short transactions; the file stops growing; nothing unfinished goes",
)
def row_31(world: World) -> Result:
    return passed(
        world.tests(
            "tests/unit/runtime/test_retention.py", "tests/contract/test_upkeep.py", "tests/contract/test_removing.py"
        )
    )


@row(46, "A backup under load, restored", "all holds at its instant; nothing that was due since is fired")
def row_46(world: World) -> Result:
    world.type("run", world.flow("steps", STEP)).well()
    gate = world.folder / "open"
    steps = [f"  - {{id: s{number}, type: trust.Step}}" for number in range(60)]
    flow = world.flow("loaded", "\n".join([*steps, f"  - {{id: last, type: trust.Step, gate: {gate}}}"]))
    run = world.start("run", flow)
    world.until(lambda: len(world.ledger()) > 5, "it is under load")
    backup = world.folder / "copy.backup"
    world.type("db", "backup", str(backup)).well()
    gate.touch()
    world.end(run).well()
    after = world.executions()
    world.type("db", "restore", str(backup)).well()
    world.sound()
    restored = world.executions()
    require(restored.keys() <= after.keys(), "an execution is there that never was")
    for execution in restored.values():
        require(not list(judging.problems(execution)), f"{execution.id} is not in order")
        require(
            all(
                after[execution.id].task_runs[id_] == one for id_, one in execution.task_runs.items() if one.is_terminal
            ),
            "what was final at that instant is not as it was",
        )
    left = [execution for execution in restored.values() if not execution.is_over]
    require(left, "nothing was under way in the copy")
    world.recover().well()
    require(all(execution.state is State.SUCCESS for execution in world.executions().values()), "it did not go on")
    fires_nothing = "tests/unit/runtime/test_scheduler.py::test_a_restored_database_makes_up_for_nothing"
    proven = world.tests("tests/contract/test_backup.py", fires_nothing)
    return passed(f"a copy of one moment with {len(left)} unfinished, which went on after the restore; {proven}")
