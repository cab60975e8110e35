"""Flow triggers at work: what one flow announces starts another, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from engine import Engine
from engine.core.triggering import judgement
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.scheduling import TriggerKey, TriggerState
from engine.model.state import State
from engine.model.triggers import FlowTrigger
from engine.ports import ExecutionFilter
from engine.runtime import listening
from engine.runtime.clock import SystemClock
from engine.runtime.listening import Listening

RETURN = "io.kestra.plugin.core.debug.Return"


class Bench:
    """An engine without a scheduler, whose announcements a test works off."""

    def __init__(self, home: Path) -> None:
        self.engine = Engine(home)
        self.listening = Listening(
            self.engine.store,
            self.engine.firing,
            self.engine.facts,
            self.engine.library.flow_of,
            self.engine._trigger_functions,
            lambda *_: None,
        )

    def flow(self, id_: str, **fields: Any) -> Flow:
        task = {"id": "give", "type": RETURN, "format": id_}
        written = {"id": id_, "namespace": "acme", "tasks": [task], **fields}
        return self.engine.parse(yaml.safe_dump(written, sort_keys=False), file="flow.yaml")

    def listen(self, trigger: dict[str, Any], **fields: Any) -> None:
        """Deploy the flow `down` with a Flow trigger."""
        flow = self.flow(
            "down", triggers=[{"id": "t", "type": "io.kestra.plugin.core.trigger.Flow", **trigger}], **fields
        )
        self.engine.push(flow)
        self.key = TriggerKey("acme", "down", "t")
        self.engine.store.move_trigger(TriggerState(**self.key._asdict(), updated_at=SystemClock().now()), [])
        heard = cast("FlowTrigger", flow.triggers[0])
        self.engine._heralds.listen_for(heard.states)
        self.listening.attend({self.key: (flow, heard)})

    def run(self, id_: str, **fields: Any) -> Execution:
        return self.engine.run(self.flow(id_, **fields))

    def started(self) -> list[Execution]:
        """What `down` has come to, the oldest first."""
        found, _ = self.engine.store.executions(ExecutionFilter(flow_id="down", oldest_first=True))
        return [self.engine.follow(one.id) for one in found]

    @property
    def state(self) -> TriggerState:
        (state,) = self.engine.store.trigger_states()
        return state


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    held = Bench(tmp_path)
    yield held
    held.engine.close()


def test_a_flow_starts_another_with_what_it_gave(bench: Bench) -> None:
    given = {"inputs": {"said": "{{ outputs.give.value }}"}, "labels": {"by": "{{ trigger.flowId }}"}}
    bench.listen(given, inputs=[{"id": "said", "type": "STRING"}])
    upstream = bench.run("up")
    bench.listening.work_off()
    (down,) = bench.started()
    assert (down.state, down.inputs, down.labels["by"]) == (State.SUCCESS, {"said": "up"}, "up")
    assert down.trigger is not None
    assert down.trigger["variables"]["executionId"] == upstream.id
    assert down.labels["system.correlationId"] == upstream.labels["system.correlationId"]


def die(_: object) -> None:
    raise KeyboardInterrupt


def test_what_is_heard_again_after_a_crash_starts_nothing_twice(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.listen({"dependsOn": [{"flowId": "a"}, {"flowId": "b"}]})
    bench.run("a")
    bench.run("b")
    with monkeypatch.context() as crash:
        crash.setattr(bench.engine.store, "heard", die)
        with pytest.raises(KeyboardInterrupt):
            bench.listening.work_off()
    bench.listening.work_off()
    assert len(bench.started()) == 1
    bench.run("b")
    bench.listening.work_off()
    assert len(bench.started()) == 1
    bench.run("a")
    bench.listening.work_off()
    assert len(bench.started()) == 2


def test_no_more_is_heard_again_than_a_trigger_knows() -> None:
    assert listening._PAGE <= judgement._KNOWN


def test_what_cannot_be_told_of_a_named_flow_is_an_execution_that_failed(bench: Bench) -> None:
    bench.listen({"dependsOn": [{"flowId": "up", "when": "{{ outputs.nothing }}"}]})
    bench.run("up")
    bench.listening.work_off()
    (down,) = bench.started()
    assert down.state is State.FAILED
    assert "nothing" in (down.error or "")


def test_inputs_that_the_flow_does_not_take_start_nothing(bench: Bench) -> None:
    bench.listen({"inputs": {"n": "{{ trigger.flowId }}"}}, inputs=[{"id": "n", "type": "INT"}])
    bench.run("up")
    bench.listening.work_off()
    assert bench.started() == []
    assert "n" in (bench.state.problem or "")
