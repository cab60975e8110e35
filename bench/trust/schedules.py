"""A flow that is due every second, while the server that runs it is killed again and again.

Every instant between the first and the last begins exactly one execution, also the instants at which no server lived:
that is what `recoverMissedSchedules: ALL` promises.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.trust import judging
from bench.trust.matrix import require
from bench.trust.report import KEPT
from bench.trust.world import World
from engine.store import owner_of

FLOW = """\
id: tick
namespace: trust
tasks:
  - {id: say, type: trust.Step}
triggers:
  - id: each_second
    type: io.kestra.plugin.core.trigger.Schedule
    cron: "* * * * * *"
    withSeconds: true
    recoverMissedSchedules: ALL
"""
SECOND = timedelta(seconds=1)


def restarts(world: World, kills: int) -> dict[str, Any]:
    """Kill and restart the server at random moments; what came of all instants."""
    begun = time.monotonic()
    flows = world.folder / "flows"
    flows.mkdir()
    (flows / "tick.yaml").write_text(FLOW, encoding="utf-8")
    for number in range(kills):
        _serve_and_die(world)
        if number % 10 == 9:
            print(f"    {number + 1} of {kills} restarts", flush=True)
        time.sleep(world.chance.choice([0, 0, 0.5, 1.5]))
    return {"restarts": kills, **_judged(world), "seed": world.seed, "seconds": round(time.monotonic() - begun)}


def _serve_and_die(world: World) -> None:
    server = _serve(world)
    world.until(lambda: server.poll() is not None or _is_owned(world), "the server owns the database", 30)
    time.sleep(world.chance.uniform(0, 2.5))
    require(server.poll() is None, f"the server ended by itself with {server.poll()}")
    server.kill()
    server.wait()


def _serve(world: World) -> Any:
    log = (world.folder / "server.log").open("a")
    return world.start("server", "--flows", "flows", "--port", "0", stdout=log, stderr=log)


def _is_owned(world: World) -> bool:
    return owner_of(world.database) is not None


def _judged(world: World) -> dict[str, Any]:
    """A last server, which nobody kills, ends everything; then the fires are compared with the clock."""
    stop_at = datetime.now(UTC)
    server = _serve(world)
    try:
        world.until(lambda: _last(world) > stop_at, "the last server has caught up", 120)
    finally:
        server.terminate()
        server.wait(60)
    world.recover()
    fired = _fires(world)
    instants = Counter(fired.values())
    executions = world.executions()
    expected = [
        min(instants) + number * SECOND for number in range(round((max(instants) - min(instants)) / SECOND) + 1)
    ]
    wrong = [words for execution in executions.values() for words in judging.problems(execution)]
    effects = judging.effects_of(world.ledger())
    wrong += [words for one in executions.values() for words in judging.effects_missing(one, effects, ("say",))]
    world.sound()
    figures = {
        "instants": len(expected),
        "executions": len(executions),
        "instants twice": sum(number > 1 for number in instants.values()) + len(executions) - len(fired),
        "gaps": len(set(expected) - set(instants)),
        "beside the second": len(set(instants) - set(expected)),
        "stuck": sum(not execution.is_over for execution in executions.values()),
        "other problems": " / ".join(wrong[:5]) or "none",
    }
    broken = wrong or any(figures[name] for name in ("instants twice", "gaps", "beside the second", "stuck"))
    return figures | {KEPT: "no" if broken else "yes"}


def _fires(world: World) -> dict[str, datetime]:
    """The instant of each execution that a trigger began."""
    with sqlite3.connect(f"file:{world.database}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT key, execution_id FROM fires WHERE scope LIKE 'trigger/%'").fetchall()
    connection.close()
    return {execution_id: datetime.fromisoformat(key.replace("Z", "+00:00")) for key, execution_id in rows}


def _last(world: World) -> datetime:
    """The last instant whose execution is over."""
    fired = _fires(world)
    done = [fired[id_] for id_, execution in world.executions().items() if execution.is_over and id_ in fired]
    return max(done, default=datetime.min.replace(tzinfo=UTC))
