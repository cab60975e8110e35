"""Asking the web for a trigger, against a real server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from engine.catalog import Catalog
from engine.core import Facts
from engine.core.triggering import Verdict
from engine.dialect import load
from engine.expressions import Functions
from engine.model.flow import Flow
from engine.model.triggers import HttpTrigger
from engine.runtime.cipher import InstanceCipher
from engine.runtime.clock import SystemClock
from engine.runtime.outside import Asker
from engine.runtime.polling import Polling
from engine.runtime.world import World
from engine.sdk import FileAccess
from engine.sdk.memory_files import MemoryFiles
from engine.store.memory import MemoryStore
from tests.unit.web import Asked, Reply, Web, serving

RETURN = {"id": "a", "type": "io.kestra.plugin.core.debug.Return", "format": "x"}


class Outside:
    """One secret, and no files."""

    def functions(self, asker: Asker) -> Functions:
        def secret(key: str, **_: object) -> str:
            asker.mask("s3cr3t-value")
            return "s3cr3t-value"

        return Functions(secret=secret)

    def files(self, asker: Asker) -> FileAccess:
        return FileAccess(MemoryFiles(), namespace=asker.namespace)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


def asking(web: Web, **written: Any) -> tuple[Flow, HttpTrigger]:
    trigger = {"id": "h", "type": "io.kestra.plugin.core.http.Trigger", "uri": f"{web.at}/page", **written}
    source = {"id": "f", "namespace": "n", "tasks": [RETURN], "triggers": [trigger], "variables": {"v": "w"}}
    flow = load(yaml.safe_dump(source), file="f.yaml", types=Catalog())
    return flow, cast("HttpTrigger", flow.triggers[0])


def asked(web: Web, patience: float = 30.0, **written: Any) -> Verdict:
    unused = cast("Any", None)
    world = World(
        store=MemoryStore(),
        types=Catalog(),
        clock=SystemClock(),
        facts=Facts(),
        cipher=InstanceCipher(base64.b64encode(bytes(32)).decode(), Path("unused")),
        flows=unused,
        creator=unused,
        resume=lambda execution_id, inputs: None,
        outside=Outside(),
    )
    return Polling(world, patience)(*asking(web, **written), Functions())


def test_an_answer_that_starts_the_flow(web: Web) -> None:
    web.pages["/page"] = Reply('{"n": 1}', headers={"X-Kind": "json"})
    verdict = asked(web, responseCondition="{{ fromJson(response.body).n == 1 }}", inputs={"x": "{{ trigger.code }}"})
    assert (verdict.fires, verdict.problem, verdict.inputs) == (True, None, {"x": 200})
    assert verdict.variables["body"] == '{"n": 1}'
    assert verdict.variables["headers"]["x-kind"] == ["json"]
    assert verdict.variables["uri"] == f"{web.at}/page"


def test_an_answer_of_any_code_is_for_the_condition(web: Web) -> None:
    assert asked(web) == Verdict()
    assert asked(web, responseCondition="{{ response.statusCode == 404 }}").fires


def test_the_request_is_rendered_and_what_is_secret_is_masked(web: Web) -> None:
    def repeat(asked: Asked) -> Reply:
        return Reply(f"{asked.method} {asked.path} {asked.headers['X']} {asked.body.decode()}")

    web.pages["/page"] = repeat
    verdict = asked(
        web,
        method="POST",
        params={"q": "{{ vars.v }}"},
        headers={"X": "{{ trigger.id }}"},
        body="{{ secret('KEY') }}",
    )
    assert web.asked[0].body == b"s3cr3t-value"
    assert "s3cr3t" not in str(verdict)
    assert verdict.variables["body"].startswith("POST /page?q=w h ")


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"uri": "{{ nothing }}"}, "nothing"),
        ({"uri": "http://127.0.0.1:1/"}, "127.0.0.1:1"),
        ({"uri": "ftp://x"}, "ftp"),
        ({"responseCondition": "{{ response.nothing }}"}, "nothing"),
        ({"when": "{{ kv('x') }}"}, "kv"),
    ],
)
def test_what_goes_wrong_is_told_and_never_raised(web: Web, written: dict[str, Any], problem: str) -> None:
    web.pages["/page"] = Reply("x")
    verdict = asked(web, **written)
    assert not verdict.fires
    assert problem in (verdict.problem or "")


def test_an_answer_that_never_ends_is_given_up(web: Web) -> None:
    def never(_: Asked) -> Reply:
        web.closing.wait(30)
        return Reply("late")

    web.pages["/page"] = never
    verdict = asked(web, patience=0.05, options={"readTimeout": "PT30S"})
    assert (verdict.fires, verdict.problem) == (False, "there is no whole answer after 0.05 s")
