"""Row 21: the same delivery of a webhook, many times at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.trust.matrix import BOTH, Result, not_built, passed, require, row
from bench.trust.world import World

FLOW = """\
id: hooked
namespace: trust
tasks:
  - {id: first, type: trust.Step}
triggers:
  - {id: hook, type: io.kestra.plugin.core.trigger.Webhook, key: a-key-of-sixteen-and-more-characters}
"""
PATH = "/api/v1/main/executions/webhook/trust/hooked/a-key-of-sixteen-and-more-characters"
TIMES = 50


@row(21, "The same delivery 50 times at once; kill -9 in the middle", "one execution, and always its id", on=BOTH)
def row_21(world: World) -> Result:
    from tests.acceptance.serving import Server

    (world.folder / "flows").mkdir()
    (world.folder / "flows" / "hooked.yaml").write_text(FLOW)
    server = Server(world.folder, "--flows", "flows").ready()
    try:
        if server.ask("POST", PATH, b"{}", content_type="application/json")[0] == 404:
            return not_built("the server takes no webhooks yet; " + world.tests("tests/unit/triggering/test_calls.py"))

        def deliver(name: str) -> tuple[int, Any]:
            return server.ask("POST", PATH, b"{}", content_type="application/json", idempotency_key=name)

        with ThreadPoolExecutor(TIMES) as pool:
            answers = list(pool.map(deliver, ["one"] * TIMES))
        codes = sorted({code for code, _ in answers})
        require(codes == [200], f"the answers were {codes}")
        require(len({answer["id"] for _, answer in answers}) == 1, "one delivery began several executions")
        with ThreadPoolExecutor(8) as pool:
            pending = [pool.submit(deliver, f"d{number}") for number in range(40)]
            world.until(lambda: sum(one.done() for one in pending) >= 12, "some are answered")
            server.process.kill()
            told = {f"d{number}": one.result()[1]["id"] for number, one in enumerate(pending) if not one.exception()}
        server.process.communicate()
        server = Server(world.folder, "--flows", "flows").ready()
        again = {f"d{number}": deliver(f"d{number}")[1]["id"] for number in range(40)}
    finally:
        server.process.kill()
        server.process.communicate()
    require(all(again[name] == id_ for name, id_ in told.items()), "a delivery that was acknowledged got another id")
    number = len(world.executions())
    require(number == 1 + 1 + 40, f"there are {number} executions, not 42")
    return passed(f"{TIMES} at once began one; of 40 under a kill {len(told)} were acknowledged, and each began one")
