"""Rows 8, 9, 43 and 44: engines die, or stand still, while something waits; and while they recover."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

from bench.trust.matrix import BOTH, Result, passed, require, row
from bench.trust.rows.commits import effects, recovered
from bench.trust.world import World
from engine.model.execution import Execution
from engine.model.state import AttemptState, State
from engine.store import open_store

RETRY = "  - {id: first, type: trust.Step, fails: 1, retry: {type: constant, interval: PT1.5S, maxAttempts: 3}}"
PAUSE = "  - {id: first, type: io.kestra.plugin.core.flow.Pause, delay: PT1.5S}"
CALL = "  - {id: first, type: io.kestra.plugin.core.flow.Subflow, namespace: trust, flowId: child}"
EACH = """\
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{ range(1, 1000) }}"
    concurrencyLimit: 8
    tasks:
      - {id: round, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}"""
JOIN = """\
  - id: all
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {id: a, type: trust.Step}
      - {id: b, type: trust.Step}
      - {id: c, type: trust.Step}
      - {id: d, type: trust.Step}"""
AFTER = "\n  - {id: after, type: trust.Step}"


def _killed_while(world: World, name: str, tasks: str, state: State) -> None:
    """Run a flow, and kill its engine as soon as its first task is in that state."""
    run = world.start("run", world.flow(name, tasks + AFTER))

    def waits() -> bool:
        runs = [next(each.in_order(), None) for each in world.executions(flow_id=name).values()]
        return any(first is not None and first.state is state and _is_waiting(first) for first in runs)

    world.until(waits, f"{name} waits")
    run.kill()
    world.end(run)


def _is_waiting(run: object) -> bool:
    return getattr(run, "state", None) is not State.RUNNING or getattr(run, "calls", None) is not None


@row(
    8,
    "kill -9 in a retry wait, a pause, a wait for a flow, a loop of 1,000, a join",
    "goes on; nothing twice",
    on=BOTH,
)
def row_08(world: World) -> Result:
    world.flow("child", "  - {id: slow, type: io.kestra.plugin.core.flow.Sleep, duration: PT1S}", push=True)
    for name, tasks, state in (
        ("waits_retry", RETRY, State.RETRYING),
        ("waits_pause", PAUSE, State.PAUSED),
        ("waits_call", CALL, State.RUNNING),
    ):
        _killed_while(world, name, tasks, state)
        require(not effects(world, "after"), "a task ran that was to wait")
        recovered(world, name)
        require(effects(world, "after") == 1, f"after the {name} the next task ran {effects(world, 'after')} times")
        world.ledger_file.unlink()
    require(len(world.executions(flow_id="child")) == 1, "the flow was called more than once")

    middle = world.chance.randrange(4, 12)
    world.dies(f"any:{middle}:{world.chance.choice(['within', 'after'])}", "run", world.flow("loop", EACH + AFTER))
    done = sum(run.task_id == "round" and run.is_terminal for run in world.only("loop").in_order())
    rounds = Counter(run.value for run in recovered(world, "loop").in_order() if run.task_id == "round")
    require(len(rounds) == 1000, f"{len(rounds)} values were gone over")
    require(set(rounds.values()) == {1}, "a value was gone over twice")
    require(effects(world, "after") == 1, "what comes after the loop ran more than once")
    world.ledger_file.unlink()

    for moment in ("within", "after"):
        world.dies(f"begin-after:1:{moment}", "run", world.flow(f"join_{moment}", JOIN + AFTER))
        ended = recovered(world, f"join_{moment}")
        require([run.task_id for run in ended.in_order()].count("after") == 1, "the join fired twice")
        require(effects(world, "after") == 1, "what comes after the join ran more than once")
        world.ledger_file.unlink()
    world.sound()
    return passed(f"each went on where it was (the loop with {done} of 1,000 values done), and nothing came twice")


@row(9, "SIGSTOP, then SIGCONT", "a peer takes over (P); a stale result is fenced; one SUCCEEDED", on=BOTH)
def row_09(world: World) -> Result:
    gate = world.folder / "open"
    run = world.start("run", world.flow("still", f"  - {{id: first, type: trust.Step, gate: {gate}}}" + AFTER))
    world.until(lambda: effects(world), "the first task works")
    os.kill(run.pid, signal.SIGSTOP)
    try:
        detail = _stands_still_on_postgres(world) if world.on_postgres else _stands_still(world)
        gate.touch()
    finally:
        os.kill(run.pid, signal.SIGCONT)
    world.end(run)
    if world.on_postgres:
        world.recover()
    ended = world.only("still")
    require(ended.state is State.SUCCESS, f"it is {ended.state}: {ended.error}")
    attempts = [attempt.state for attempt in next(ended.in_order()).attempts]
    require(attempts.count(AttemptState.SUCCEEDED) == 1, f"the attempts of the first task are {attempts}")
    require(effects(world, "after") == 1, f"the next task ran {effects(world, 'after')} times")
    world.sound()
    return passed(detail)


def _stands_still(world: World) -> str:
    typed = world.type("kv", "set", "trust", "key", "value")
    require(typed.code == 4, f"another command ended with {typed.code} while the owner stood still, not with 4")
    return "the owner stood still: another command ended with code 4; it went on, and each task ran once"


def _stands_still_on_postgres(world: World) -> str:
    """A peer waits for the lease to end, and goes on with what the other had."""
    (world.folder / "open").touch()
    begun = time.monotonic()
    while not world.only("still").is_terminal:
        require(time.monotonic() < begun + 90, "nobody has taken over in 90 s")
        world.recover()
        time.sleep(1)
    took = time.monotonic() - begun
    return f"a peer had taken over and ended it after {took:.0f} s; the late result of the first changed nothing"


@row(43, "kill -9 while waiting for the model", "run again; tokens counted once, the second call is attempt 2")
def row_43(world: World) -> Result:
    from tests.unit.plugins_openai.double import KEY, Service, wait_for_hang_up

    with Service() as model:
        model.script(raw=wait_for_hang_up)
        values = f"apiKey: {KEY}, baseUrl: '{model.url}', prompt: hello, model: gpt-4o"
        asks = f"  - {{id: first, type: io.kestra.plugin.openai.ChatCompletion, {values}}}"
        run = world.start("run", world.flow("asks", asks))
        world.until(lambda: model.bodies, "the model is asked")
        run.kill()
        world.end(run)
        ended = recovered(world, "asks")
        asked = len(model.bodies)
    attempts = [attempt.state for attempt in next(ended.in_order()).attempts]
    require(attempts == [AttemptState.LOST, AttemptState.SUCCEEDED], f"the attempts are {attempts}")
    require(asked == 2, f"the model was asked {asked} times")
    totals = _metrics(world, ended)
    counted = [value for name, value in totals if "total" in name.lower()]
    require(set(counted) == {12.0}, f"the tokens are counted as {totals}")
    require(len(totals) == len({name for name, _ in totals}), f"something is counted twice: {totals}")
    world.sound()
    return passed("asked again as attempt 2; the tokens of the answer that came are counted once")


def _metrics(world: World, execution: Execution) -> list[tuple[str, float]]:
    store = open_store(world.url)
    try:
        return [(metric.name, metric.value) for metric in store.metrics(execution.id)]
    finally:
        store.close()


@row(44, "Recovery itself is killed, 5 deep", "converges", on=BOTH)
def row_44(world: World) -> Result:
    tasks = "\n".join(f"  - {{id: step_{number}, type: trust.Step}}" for number in range(4))
    world.dies("claim:1:after", "run", world.flow("again", tasks))
    deaths = ["any:1:within", "any:1:before", "claim:1:within", "any:1:after", "finish:1:after"]
    for death in deaths:
        world.dies(death, "executions", "recover")
    ended = recovered(world, "again")
    done = Counter(line.task_id for line in world.ledger())
    require(all(done[f"step_{number}"] >= 1 for number in range(4)), f"effects are missing: {dict(done)}")
    for run in ended.in_order():
        states = [attempt.state for attempt in run.attempts]
        require(states.count(AttemptState.SUCCEEDED) == 1, f"{run.task_id} has the attempts {states}")
    world.sound()
    return passed(f"killed at {', '.join(deaths)}; the sixth recovery ended it, each task with one result")
