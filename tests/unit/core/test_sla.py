"""Promises of an execution that is restarted, or done again by another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from engine.catalog import Catalog
from engine.core import decide
from engine.core.labels import BROKEN_SLA, RETRIED_SINCE
from engine.core.replaying import replay
from engine.dialect import load
from engine.model.commands import SetDeadline
from engine.model.events import DeadlinePassed, RestartRequested
from engine.model.execution import Execution, TaskRun
from engine.model.state import State
from tests.simulation.play import START, Play

FLOW = """\
id: f
namespace: n
tasks: [{id: t, type: io.kestra.plugin.core.debug.Return}]
sla: [{id: quick, type: MAX_DURATION, duration: PT10S, behavior: FAIL}]
"""


def fail(run: TaskRun) -> dict[str, Any]:
    return {"state": State.FAILED}


def restarted() -> tuple[Play, Any]:
    """An execution that failed at once and was restarted after five seconds, and the command that set its deadline."""
    play = Play(load(FLOW, types=Catalog()), fail)
    play.run()
    at = START + timedelta(seconds=5)
    decision = decide(play.flow, play.execution, RestartRequested(at=at), play.facts)
    play.execution = decision.execution
    return play, next(each for each in decision.commands if isinstance(each, SetDeadline))


def test_a_restart_counts_anew() -> None:
    assert restarted()[1].due == START + timedelta(seconds=15)


def test_the_deadline_from_before_a_restart_means_nothing() -> None:
    play, _ = restarted()
    early, late = (DeadlinePassed(at=START + timedelta(seconds=after), sla_id="quick") for after in (10, 15))
    assert decide(play.flow, play.execution, early, play.facts).execution is play.execution
    broken = decide(play.flow, play.execution, late, play.facts).execution
    assert (broken.ending, broken.labels[BROKEN_SLA]) == (State.FAILED, "quick")


def test_what_does_it_again_has_broken_no_promise() -> None:
    flow = load(FLOW, types=Catalog())
    own = {BROKEN_SLA: "quick", RETRIED_SINCE: START.isoformat(), "team": "a"}
    execution = replace(Play(flow).execution, state=State.FAILED, labels=own)
    again: Execution = replay(flow, execution, "again", START)
    assert again.labels == {"team": "a"}
