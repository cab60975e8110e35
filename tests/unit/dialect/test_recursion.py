"""A flow that runs itself is refused; one that runs another, or what an expression names, is not."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import BaseModel, ConfigDict

from engine.dialect import parse
from tests.unit.dialect.flows import Index, tasks_flow

CODE = "recursive-call"
SUBFLOW = "io.kestra.plugin.core.flow.Subflow"
FOR_EACH_ITEM = "io.kestra.plugin.core.flow.ForEachItem"


class AnyProperties(BaseModel):
    model_config = ConfigDict(extra="allow")


class Calling(Index):
    models: ClassVar[dict[str, type[BaseModel] | None]] = {**Index.models, SUBFLOW: AnyProperties}


def codes(target: str, type_: str = SUBFLOW) -> list[tuple[str, int, int]]:
    parsed = parse(tasks_flow(f"  - {{id: a, type: {type_}, {target}}}\n"), file="flow.yaml", types=Calling())
    return [(finding.code, finding.line, finding.column) for finding in parsed.diagnostics]


def test_a_flow_that_runs_itself() -> None:
    assert codes("namespace: acme, flowId: demo") == [(CODE, 4, 80)]
    assert codes("items: x, namespace: acme, flowId: demo", FOR_EACH_ITEM) == [(CODE, 4, 94)]


@pytest.mark.parametrize(
    "target",
    ["namespace: acme, flowId: other", "namespace: other, flowId: demo", "namespace: acme, flowId: '{{ inputs.x }}'"],
)
def test_a_flow_that_runs_another(target: str) -> None:
    assert CODE not in [code for code, _, _ in codes(target)]
