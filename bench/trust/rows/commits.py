"""Rows 1 to 4, 6 and 7: a process dies by SIGKILL around one commit, before it, within it, or right after it."""

from __future__ import annotations

from bench.trust.api import create, serve
from bench.trust.matrix import BOTH, Result, not_built, passed, require, row
from bench.trust.postgres import is_alive
from bench.trust.world import DIED, World
from engine.model.execution import Execution
from engine.model.state import AttemptState, State

STEP = "  - {id: first, type: trust.Step%s}\n  - {id: second, type: trust.Step}"
SHELL = "  - id: first\n    type: io.kestra.plugin.scripts.shell.Commands\n    commands: ['%s']%s"
FAIL = ", onLost: FAIL"
UNSEEN = ("before", "within")  #: the moments at which nothing is committed yet


def states_of_attempts(execution: Execution) -> list[list[AttemptState]]:
    return [[attempt.state for attempt in run.attempts] for run in execution.in_order()]


def effects(world: World, task_id: str = "first") -> int:
    return sum(line.task_id == task_id for line in world.ledger())


def recovered(world: World, flow: str, state: State = State.SUCCESS) -> Execution:
    """The one execution of a flow, seen to its end."""
    typed = world.recover()
    ended = world.only(flow)
    require(ended.state is state, f"{flow} was to end {state} and is {ended.state}: {ended.error} {typed.err[-200:]}")
    return ended


@row(
    1,
    "kill -9 before the COMMIT that creates",
    "no row; nothing is acknowledged; asked again, there is one",
    on=BOTH,
)
def row_01(world: World) -> Result:
    for moment in UNSEEN:
        name = f"made_{moment}"
        flow = world.flow(name, STEP % "")
        world.dies(f"create:1:{moment}", "run", flow)
        require(not world.executions(flow_id=name), f"killed {moment} the COMMIT there is an execution")
        require(not world.ledger(), "a task had its effect before anything was committed")
        world.type("run", flow).well()
        require(world.only(name).state is State.SUCCESS, "asked again, it did not end well")
        world.ledger_file.unlink()
    _asked_again(world, "within")
    world.sound()
    return passed(
        "killed before and within the COMMIT: no row, no effect; asked again, one execution. A client of the API heard "
        "nothing, asked again with its key, and there is one"
    )


def _asked_again(world: World, moment: str) -> None:
    """A client whose server dies around the COMMIT asks the next server once more, with the same Idempotency-Key."""
    (world.folder / "flows").mkdir()
    (world.folder / "flows" / "asked.yaml").write_text(f"id: asked\nnamespace: trust\ntasks:\n{STEP % ''}\n")
    server, url = serve(world, die=f"create:1:{moment}")
    require(create(url, "trust/asked", "a key") is None, "it was answered though its server died")
    require(server.wait(60) == DIED, f"the server ended with {server.returncode}")
    stored = list(world.executions(flow_id="asked"))
    require(len(stored) == (moment == "after"), f"killed {moment} the COMMIT there are {len(stored)} executions")
    server, url = serve(world)
    answers = [create(url, "trust/asked", "a key") for _ in range(2)]
    server.terminate()
    world.end(server)
    ids = {answer and answer["id"] for answer in answers}
    require(ids == {world.only("asked").id}, f"asked again with the same key the answers were {ids}")
    require(not stored or ids == set(stored), "the key was given another execution")


@row(
    2,
    "kill -9 after the COMMIT that creates, before the reply",
    "the row is there; asked again with its key, the same",
    on=BOTH,
)
def row_02(world: World) -> Result:
    world.dies("create:1:after", "run", world.flow("made", STEP % ""))
    stored = world.only("made")
    require(not stored.is_terminal, f"it is {stored.state}")
    require(not world.ledger(), "a task had its effect before its claim")
    recovered(world, "made")
    require(effects(world) == 1, f"the first task had its effect {effects(world)} times")
    _asked_again(world, "after")
    world.sound()
    return passed(
        "the execution was there, unfinished, and recovery ended it; each effect once. A client of the API that asked "
        "again with its key was given the same execution"
    )


@row(
    3,
    "kill -9 before and after the COMMIT of a claim",
    "before: claimed once; after: LOST, run again as its kind says",
    on=BOTH,
)
def row_03(world: World) -> Result:
    """The claim of the second task is the second one; it is in one commit with the result of the first."""
    for moment in UNSEEN:
        world.dies(f"claim:2:{moment}", "run", world.flow(f"claimed_{moment}", STEP % ""))
        require(len(list(world.only(f"claimed_{moment}").in_order())) == 1, "half of the commit is stored")
        ended = recovered(world, f"claimed_{moment}")
        require(states_of_attempts(ended)[1] == [AttemptState.SUCCEEDED], "a claim that was not committed left a trace")
        require(effects(world, "second") == 1, f"the effect came {effects(world, 'second')} times")
        world.ledger_file.unlink()
    world.dies("claim:2:after", "run", world.flow("claimed_after", STEP % ""))
    require(not effects(world, "second"), "the effect began although its engine died right after the claim")
    ended = recovered(world, "claimed_after")
    require(states_of_attempts(ended)[1] == [AttemptState.LOST, AttemptState.SUCCEEDED], "the attempt was not LOST")
    require(effects(world, "second") == 1, f"the effect came {effects(world, 'second')} times")
    world.dies("claim:1:after", "run", world.flow("claimed_fail", STEP % FAIL))
    recovered(world, "claimed_fail", State.FAILED)
    require(effects(world) == 1, "`onLost: FAIL` ran again")
    world.sound()
    return passed("before and within: one attempt; after: LOST and run again; with `onLost: FAIL` FAILED, never run")


@row(
    4,
    "kill -9 between the start of a process and the COMMIT of its pid",
    "the user's code has run 0 times",
    on=BOTH,
)
def row_04(world: World) -> Result:
    line = f"echo e r first >> {world.ledger_file}"
    for moment in UNSEEN:
        name = f"spawned_{moment}"
        world.dies(f"spawn:1:{moment}", "run", world.flow(name, SHELL % (line, "")))
        require(not effects(world), "the command ran though its process was not recorded")
        recovered(world, name)
        require(effects(world) == 1, f"the command ran {effects(world)} times")
        world.ledger_file.unlink()
    world.dies("spawn:1:after", "run", world.flow("spawned_fail", SHELL % (line, "\n    onLost: FAIL")))
    recovered(world, "spawned_fail", State.FAILED)
    require(effects(world) <= 1, "`onLost: FAIL` ran more than once")
    world.sound()
    return passed("killed before and within the COMMIT the command ran 0 times, and once after recovery")


@row(
    5,
    "kill -9 while a process runs",
    "it is proven dead before it runs again; `onLost: FAIL`: FAILED, ran once",
    on=BOTH,
)
def row_05(world: World) -> Result:
    lock, gate = world.folder / "lock", world.folder / "open"
    begin = (
        f"exec 9>{lock}; flock -n 9 && echo e r first >> {world.ledger_file} || echo e r overlap >> {world.ledger_file}"
    )
    script = f"{begin}; while [ ! -e {gate} ]; do sleep 0.02; done"
    for name, end in (("again", State.SUCCESS), ("never", State.FAILED)):
        policy = "\n    onLost: FAIL" if end is State.FAILED else ""
        run = world.start("run", world.flow(name, SHELL % (script, policy)))
        world.until(lambda: effects(world), "the command runs")
        (process,) = [attempt.process for attempt in next(world.only(name).in_order()).attempts]
        require(process is not None, "the process is not recorded while it runs")
        run.kill()
        world.end(run)
        recover = world.start("executions", "recover")
        if end is State.SUCCESS:
            world.until(lambda: len(world.ledger()) == 2, "it runs again")
            gate.touch()
        world.end(recover)
        require(world.only(name).state is end, f"{name} is {world.only(name).state}")
        require(effects(world) == (2 if end is State.SUCCESS else 1), f"it ran {effects(world)} times")
        require(not effects(world, "overlap"), "two processes of one task ran at once")
        require(process is None or not is_alive(process.pid), f"process {process and process.pid} is left")
        gate.unlink(missing_ok=True)
        world.ledger_file.unlink()
    world.sound()
    return passed("the old process was dead before the command ran again; with `onLost: FAIL` it ran once, FAILED")


@row(
    6,
    "kill -9 after the effect, before the COMMIT of the result",
    "run again with the same key; `onLost: FAIL`: once, FAILED",
    on=BOTH,
)
def row_06(world: World) -> Result:
    for moment in UNSEEN:
        world.dies(f"finish:1:{moment}", "run", world.flow(f"done_{moment}", STEP % ""))
        ended = recovered(world, f"done_{moment}")
        require(
            states_of_attempts(ended)[0] == [AttemptState.LOST, AttemptState.SUCCEEDED], "it was not LOST and repeated"
        )
        require(effects(world) == 2, f"the effect came {effects(world)} times")
        require(effects(world, "second") == 1, "what comes after it ran more than once")
        world.ledger_file.unlink()
    world.dies("finish:1:within", "run", world.flow("done_fail", STEP % FAIL))
    recovered(world, "done_fail", State.FAILED)
    require(effects(world) == 1, f"`onLost: FAIL` had its effect {effects(world)} times")
    keys = world.folder / "keys"
    world.dies(
        "finish:1:within", "run", world.flow("keyed", SHELL % (f'echo "$PENSTOCK_IDEMPOTENCY_KEY" >> {keys}', ""))
    )
    recovered(world, "keyed")
    written = keys.read_text().split()
    world.sound()
    if not written:
        return not_built(
            "run again once, and once at most with `onLost: FAIL`; but a command sees no idempotency key yet"
        )
    require(len(written) == 2, f"the command ran {len(written)} times")
    require(len(set(written)) == 1, "the second attempt has another key")
    return passed("run again once, with the same idempotency key; with `onLost: FAIL` one effect, and FAILED")


@row(
    7,
    "kill -9 inside and right after the COMMIT of a result",
    "result and next tasks together or not at all; downstream once",
    on=BOTH,
)
def row_07(world: World) -> Result:
    for moment in ("before", "within", "after"):
        name = f"half_{moment}"
        world.dies(f"finish:1:{moment}", "run", world.flow(name, STEP % ""))
        runs = list(world.only(name).in_order())
        states = [run.state for run in runs]
        whole = states == [State.RUNNING] if moment in UNSEEN else len(runs) == 2 and states[0] is State.SUCCESS
        require(whole, f"killed {moment} the COMMIT half of it is stored: {states}")
        ended = recovered(world, name)
        require([run.task_id for run in ended.in_order()] == ["first", "second"], "a task was scheduled twice")
        require(effects(world, "second") == 1, f"the next task ran {effects(world, 'second')} times")
        world.ledger_file.unlink()
    world.sound()
    return passed("before and within: neither; after: both; the next task ran once in each case")
