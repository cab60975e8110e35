"""Row 45: a flow is edited or deleted while it runs."""

from __future__ import annotations

from datetime import UTC, datetime

from bench.trust.matrix import Result, passed, require, row
from bench.trust.world import World
from engine.model.state import State
from engine.store import open_store


@row(
    45,
    "A flow is edited, then deleted, while it runs; its plugin changes",
    "the execution keeps its revision, also over a crash",
)
def row_45(world: World) -> Result:
    gate = world.folder / "open"
    tasks = f"  - {{id: first, type: trust.Step, gate: {gate}}}\n  - {{id: %s, type: trust.Step}}"
    run = world.start("run", world.flow("edited", tasks % "second"))
    world.until(world.ledger, "it runs")
    world.flow("edited", tasks % "other")
    world.type("flows", "push", "edited.yaml").well()
    run.kill()
    world.end(run)
    store = open_store(world.url)
    require(store.delete_flow("trust", "edited", at=datetime.now(UTC)), "it could not be deleted")
    store.close()
    plugin = world.folder / "plugins" / "steps.py"
    plugin.write_text(plugin.read_text().replace("Has its effect", "Has, as ever, its effect"))
    gate.touch()
    world.recover().well()
    ended = world.only("edited")
    require(ended.state is State.SUCCESS, f"it is {ended.state}: {ended.error}")
    require([run.task_id for run in ended.in_order()] == ["first", "second"], "it went on with another revision")
    require(ended.flow_revision == 1, f"it says that it is of revision {ended.flow_revision}")
    world.sound()
    return passed("edited, killed and deleted, its plugin changed: it went on with revision 1 to SUCCESS")
