"""`logLevel`: which lines of a task are kept."""

from __future__ import annotations

from typing import Any

import pytest

from engine.sdk import RunContext


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("", ["DEBUG low", "INFO middle", "WARN high", "ERROR top"]),
        (", logLevel: WARN", ["WARN high", "ERROR top"]),
        (", logLevel: TRACE", ["DEBUG low", "INFO middle", "WARN high", "ERROR top"]),
        (", logLevel: ERROR", ["ERROR top"]),
    ],
)
def test_lines_below_the_level_of_a_task_are_not_kept(bench: Any, actions: Any, written: str, kept: list[str]) -> None:
    def talk(ctx: RunContext) -> None:
        ctx.logger.debug("low")
        ctx.logger.info("middle")
        ctx.logger.warning("high")
        ctx.logger.error("top")

    actions["w"] = talk
    execution = bench.run(f"  - {{id: w, type: t.Work, what: w{written}}}\n")
    assert bench.lines(execution) == kept
