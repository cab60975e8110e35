"""Rows 15, 16, 20 and 22: several at once; places that are limited, instants that are shared, files that are owned."""

from __future__ import annotations

from bench.trust.matrix import BOTH, Result, passed, require, row
from bench.trust.world import World
from engine.model.state import State

ROUNDS = 10


@row(
    15,
    "Limit 1; whoever has the place is killed by -9 again and again",
    "the queue always advances; never two at once",
    on=BOTH,
)
def row_15(world: World) -> Result:
    lock = world.folder / "lock"
    ledger = world.ledger_file
    alone = f"exec 9>{lock}; flock -n 9 || echo e r overlap >> {ledger}"
    script = f"{alone}; echo e r work >> {ledger}; sleep 0.05"
    tasks = f"  - {{id: first, type: io.kestra.plugin.scripts.shell.Commands, commands: ['{script}']}}"
    flow = world.flow("limited", tasks, "concurrency: {limit: 1, behavior: QUEUE}")
    rounds, deaths = ROUNDS if not world.on_postgres else ROUNDS // 2, 0
    for number in range(rounds):
        known = set(world.executions())
        world.dies(world.chance.choice(["claim:1:after", "spawn:1:after", "finish:1:within"]), "run", flow)
        second = world.start("run", flow)
        world.until(lambda known=known: _are_queued(world, known), "the second one waits for the place")
        second.kill()
        world.end(second)
        deaths += 2
        if number % 3 == 2:
            world.type("executions", "recover", die=world.chance.choice(["any:1:after", "begin-first:1:within"]))
            deaths += 1
        world.recover(patience=180)
        left = [execution.state for execution in world.executions(known=known).values() if not execution.is_over]
        require(not left, f"the queue stands still: {left}")
    states = [execution.state for execution in world.executions().values()]
    require(set(states) == {State.SUCCESS}, f"they ended as {sorted(set(states))}")
    require(not any(line.task_id == "overlap" for line in world.ledger()), "two had the only place at once")
    world.sound()
    return passed(
        f"{deaths} engines died with the place or in the queue, {len(states)} executions ended well, never two at once"
    )


def _are_queued(world: World, known: set[str]) -> bool:
    return any(execution.state is State.QUEUED for execution in world.executions(known=known).values())


@row(
    16,
    "16 processes write and a long reader reads",
    "no `database is locked` reaches anybody; p99 of a write at the server < 2 s; the log is bounded",
)
def row_16(world: World) -> Result:
    from bench.contention import contend

    figures = contend(world.folder, seconds=20, processes=16)
    require(not figures.locked, f"`database is locked` reached somebody: {figures.errors}")
    require(not figures.errors, f"errors: {figures.errors}")
    require(figures.p99("API create") < 2, f"p99 of a write is {figures.p99('API create'):.1f} s")
    require(figures.largest_wal < 256 * 2**20, f"the log grew to {figures.largest_wal / 2**20:.0f} MB")
    require(figures.wal_at_end <= 64 * 2**20, f"the log is {figures.wal_at_end / 2**20:.0f} MB in the end")
    return passed(str(figures))


@row(20, "Two schedulers, many due fires", "exactly one execution for each", on=BOTH)
def row_20(world: World) -> Result:
    tests = [
        "tests/contract/test_scheduling.py::test_a_reason_begins_one_execution",
        "tests/unit/runtime/test_watched.py",
    ]
    proven = world.tests(*tests)
    import threading

    from engine.errors import Fenced
    from engine.model.scheduling import Fire
    from engine.store import open_store
    from tests.contract.builders import NOON, an_execution, created

    stores = [open_store(world.url) for _ in range(2 if world.on_postgres else 1)]
    instants, refused = 2000 if world.on_postgres else 1000, []

    def schedule(store: object, name: str) -> None:
        for number in range(instants):
            change = created(an_execution(f"{name}-{number}"))
            change.fire = Fire(scope="trigger/n/f/t", key=str(number), execution_id=f"{name}-{number}", at=NOON)
            try:
                store.commit([change])  # type: ignore[attr-defined]
            except Fenced:
                refused.append(number)

    threads = [threading.Thread(target=schedule, args=(stores[place % len(stores)], f"s{place}")) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    number = len(world.executions())
    require(number == instants, f"{instants} instants began {number} executions")
    require(len(refused) == instants, f"{len(refused)} were refused")
    return passed(f"2 schedulers, {instants:,} instants, {number:,} executions; {proven}")


@row(
    22,
    "Two engines, one of them stands still beyond its lease; a second engine on a SQLite file",
    "fenced; SQLite: it ends with code 4",
    on=BOTH,
)
def row_22(world: World) -> Result:
    if world.on_postgres:
        return passed(world.tests("tests/contract/test_sharing.py", "tests/acceptance/test_sharing.py"))
    ids = [
        "tests/contract/test_owner.py",
        "tests/acceptance/test_handover.py::test_an_owner_that_does_not_answer_is_named",
    ]
    more = world.tests("tests/acceptance/test_server.py::test_a_second_engine_is_refused_and_names_the_first")
    return passed(f"{world.tests(*ids)}; {more}")
