"""Whatever is done to a flow, it is judged: no exception, and no flow without a reason."""

from __future__ import annotations

import random

import pytest

from engine.check import check
from engine.dialect import report, unsupported
from tests.unit.dialect.flows import Index, read_flow
from tests.unit.dialect.test_parse_valid import NESTED

PIECES = (
    "{{", "}}", '"', "'", ":", " ", "\n", "\t", "- ", "[", "]", "{", "}", "#", "&a ", "*a", "<<: ", "|", ">", "~", "\\",
    "\0", "\u00e9", "\u2028", "%", "@", "?", ",", "---\n", "!!str ", "1e999", ".nan", "null", "type: ", "id: ",
    "tasks:", "retry: ", "inputs:",
)  # fmt: skip
VALUES = ("", "[]", "{}", "5", "[1]", "{a: b}", "null", '"{{ x"', "true", "-1", "[[]]", "[{a: 1}]", "1.5", "|", "!x")

CONDITION = "io.kestra.plugin.core.condition"
#: What stands around the tasks of a flow.
AROUND = f"""\
id: demo
namespace: acme
concurrency:
  limit: 2
sla:
  - id: quick
    type: MAX_DURATION
    duration: PT5M
    behavior: FAIL
checks:
  - condition: "{{{{ vars.open }}}}"
    message: closed
tasks:
  - id: a
    type: io.kestra.plugin.core.debug.Return
listeners:
  - conditions:
      - type: {CONDITION}.Not
        conditions:
          - type: {CONDITION}.DateTimeBetween
            after: 2024-01-01T00:00:00Z
            before: "2025-01-01T00:00:00Z"
          - type: {CONDITION}.TimeBetween
            after: "08:00:00Z"
      - type: {CONDITION}.ExecutionStatus
        in:
          - FAILED
    tasks:
      - id: tell
        type: io.kestra.plugin.core.debug.Return
triggers:
  - id: t
    type: any
    conditions:
      - type: {CONDITION}.MultipleCondition
        id: m
        timeWindow:
          window: PT1H
        conditions:
          x:
            type: {CONDITION}.ExecutionFlow
            namespace: a
            flowId: b
"""


def changed(source: str, chance: random.Random) -> str:
    """The source with one thing inserted, removed, moved or given another value."""
    at = chance.randrange(len(source))
    lines = source.split("\n")
    row = chance.randrange(len(lines))
    match chance.randrange(5):
        case 0:
            return source[:at] + chance.choice(PIECES) + source[at:]
        case 1:
            return source[:at] + source[at + chance.randint(1, 8) :]
        case 2:
            lines.insert(row, lines[chance.randrange(len(lines))])
        case 3:
            del lines[row]
        case _:
            key, colon, _ = lines[row].partition(": ")
            lines[row] = key + colon + chance.choice(VALUES)
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("whole", [NESTED, AROUND], ids=["tasks", "around them"])
def test_a_flow_that_is_changed_anywhere_is_judged(whole: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsupported, "FLOW_PROPERTIES", {})
    chance = random.Random(seed)
    for _ in range(150):
        source = whole
        for _ in range(chance.randint(1, 4)):
            source = changed(source, chance)
        parsed = read_flow(source)
        assert parsed.flow is not None or parsed.errors, source
        assert report([*parsed.diagnostics, *check(parsed, Index())]) or parsed.flow is not None
