"""Rows 17 to 19: PostgreSQL ends sessions, is gone for a while, or loses the link in the middle of a COMMIT."""

from __future__ import annotations

import time

from bench.trust import judging
from bench.trust.kills import CHILD, EFFECTS, TASKS
from bench.trust.matrix import POSTGRES, Result, not_built, not_possible, passed, require, row
from bench.trust.world import World
from engine.model.state import State

RUNS = 12
OUTAGE = 8.0  #: seconds without a server


@row(
    17,
    "All sessions are ended by an administrator, again and again",
    "all executions end; nothing twice",
    on=POSTGRES,
)
def row_17(world: World) -> Result:
    assert world.server is not None
    world.flow("child", CHILD, push=True)
    flow = world.flow("runs", TASKS.replace("@ledger@", str(world.ledger_file)))
    ended, codes = 0, []
    for _ in range(RUNS):
        run = world.start("run", flow)
        while run.poll() is None:
            time.sleep(world.chance.uniform(0.05, 0.5))
            ended += world.server.end_sessions()
        typed = world.end(run)
        codes.append(typed.code)
        require("Traceback" not in typed.err, f"a traceback: {typed.err[-300:]}")
    world.recover(patience=180).well()
    _judge(world)
    codes_told = ", ".join(f"{codes.count(code)} ended with {code}" for code in sorted(set(codes)))
    return passed(
        f"{ended} sessions ended under {RUNS} runs ({codes_told}); after one recovery all are SUCCESS, nothing twice"
    )


def _judge(world: World) -> None:
    effects = judging.effects_of(world.ledger())
    for execution in world.executions().values():
        wrong = [*judging.problems(execution), *judging.effects_missing(execution, effects, EFFECTS)]
        require(not wrong, f"{wrong[:3]}")
        require(execution.state in (State.SUCCESS, State.WARNING), f"{execution.id} is {execution.state}")
    world.sound()


@row(
    18,
    "PostgreSQL crashes, and is gone for a while",
    "503 meanwhile; goes on in 10 s once it is back, without a restart of ours",
    on=POSTGRES,
)
def row_18(world: World) -> Result:
    if world.server is None or not world.server.is_ours:
        return not_possible("the PostgreSQL of PENSTOCK_TEST_POSTGRES is not ours to end")
    from tests.acceptance.serving import Server

    (world.folder / "flows").mkdir()
    (world.folder / "flows" / "steps.yaml").write_text(
        "id: steps\nnamespace: trust\ntasks:\n"
        + "".join(
            f"  - {{id: s{number}, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.5S}}\n" for number in range(8)
        )
    )
    server = Server(world.folder, "--flows", "flows").ready()
    try:
        begun = server.begin("trust/steps")
        require(server.ask("GET", "/ready")[0] == 200, "it is not ready to begin with")
        world.server.stop()
        down = [server.ask("GET", "/ready")[0] for _ in range(3)]
        refused = server.ask(
            "POST", "/api/v1/main/executions/trust/steps", b"", content_type="multipart/form-data; boundary=x"
        )
        time.sleep(OUTAGE)
        alive = server.process.poll() is None
        world.server.start()
        back = time.monotonic()
        if alive:
            world.until(lambda: server.ask("GET", "/ready")[0] == 200, "it is ready again", 20)
        took = time.monotonic() - back
        if alive:
            world.until(lambda: world.executions()[begun["id"]].is_over, "what ran goes on and ends", 30)
    finally:
        world.server.start()
        server.process.kill()
        _, err = server.process.communicate()
    if not alive:
        world.recover().well()
        require(world.executions()[begun["id"]].state is State.SUCCESS, "it was not recovered")
        return not_built(f"the server ends when the database is gone ({err[-150:].strip()!r}); recovery ended what ran")
    require(set(down) == {503}, f"/ready was {down} without a database")
    require(refused[0] == 503, f"a new execution was answered with {refused[0]}: {refused[1]}")
    require(took <= 10, f"it took {took:.1f} s to be ready again")
    require(world.executions()[begun["id"]].state is State.SUCCESS, "what ran did not end well")
    return passed(f"503 while it was gone, ready {took:.1f} s after it was back, and what ran ended SUCCESS")


@row(
    19,
    "The link breaks after COMMIT was sent",
    "it is found out what became of it: no duplicate, no loss",
    on=POSTGRES,
)
def row_19(world: World) -> Result:
    return passed(world.tests("tests/contract/test_postgres_link.py"))
