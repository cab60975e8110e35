"""The trust harness itself: its rows are the 46 of the matrix, its page agrees with them, and what it finds is real.

A few rows are played here as they are by `make trust`, which plays all of them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

import pytest

from bench.trust import judging, rows  # noqa: F401 - registers all rows
from bench.trust.command import main, play
from bench.trust.kills import Campaign
from bench.trust.matrix import NUMBERS, ROWS, Outcome, Row, not_built, require
from bench.trust.mortal import kinds_of
from bench.trust.power import Disk, Operation
from bench.trust.report import KEPT, Played, Report, write_page
from bench.trust.world import Line, new_world
from engine.model.state import AttemptState, State
from tests.contract.builders import a_task_run, an_execution, claimed, created, moved, with_runs

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "trust.md"


def test_there_is_a_row_for_each_number() -> None:
    assert sorted(ROWS) == list(NUMBERS) == list(range(1, 47))


def test_the_page_was_written_from_these_rows() -> None:
    """All of them, each on each database that it is for, in the words of the registry, and all were played."""
    lines = [
        line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| \d+ \|", line)
    ]
    found = [(int(cells[0].lstrip("| ")), *cells[1:5]) for cells in lines]
    told = [(number, fault, expected, kind) for number, fault, expected, kind, _ in found]
    assert told == [
        (number, row.fault, row.expected, kind) for number, row in sorted(ROWS.items()) for kind in row.databases
    ]
    assert {result for *_, result in found} <= set(Outcome)


def test_a_row() -> None:
    played = play(ROWS[7], "sqlite", seed=1, server=None)
    assert played.result.outcome is Outcome.PASSED, played.result.detail


def test_some_kills_lose_nothing() -> None:
    with new_world("sqlite", 7, None) as world:
        figures = Campaign(world).run(4)
    assert (figures["found"], figures[KEPT]) == ("nothing", "yes")
    assert figures["of them while it lived"] >= 2
    assert figures["effects"] > 0


def test_a_broken_promise_and_a_broken_row_are_failures(capsys: pytest.CaptureFixture[str]) -> None:
    def breaks(world: object) -> object:
        require(not world, "it was not kept")
        return not_built("never")

    def raises(world: object) -> object:
        raise ZeroDivisionError("oops")

    for function, words in ((breaks, "it was not kept"), (raises, "ZeroDivisionError: oops")):
        row = Row(number=1, fault="f", expected="e", play=function, databases=("sqlite",))  # type: ignore[arg-type]
        played = play(row, "sqlite", seed=1, server=None)
        assert (played.result.outcome, played.result.detail) == (Outcome.FAILED, words)
    assert "FAIL  1" in capsys.readouterr().out


def test_what_came_of_earlier_rows_is_kept(tmp_path: Path) -> None:
    file, page = tmp_path / "trust.json", tmp_path / "trust.md"
    report = Report()
    report.add(Played(row=2, database="sqlite", result=not_built("a | b"), seconds=1.5))
    report.write(file)
    with pytest.raises(SystemExit) as ended:
        main(["--rows", "none", "--database", "sqlite", "--json", str(file), "--write", str(page)])
    assert ended.value.code == 0
    assert json.loads(file.read_text())["played"]["02 sqlite"]["result"]["outcome"] == "not built"
    assert "| not built | a / b | 1.5 |" in page.read_text()
    assert not report.has_failed
    report.campaigns["kills"] = {KEPT: "no"}
    assert report.has_failed
    write_page(Report(), page)
    assert page.read_text().count("not played") == sum(len(row.databases) for row in ROWS.values())


class TestJudging:
    def test_a_sound_execution(self) -> None:
        run = moved(claimed(a_task_run()), State.SUCCESS)
        assert list(judging.problems(with_runs(an_execution(), run))) == []

    def test_two_results(self) -> None:
        run = claimed(claimed(a_task_run()))
        attempts = tuple(
            type(one)(epoch=1, state=AttemptState.SUCCEEDED, started_at=one.started_at) for one in run.attempts
        )
        execution = with_runs(an_execution(), moved(run, State.SUCCESS, attempts=attempts))
        told = " ".join(judging.problems(execution))
        assert "more than one attempt succeeded" in told
        assert "epochs of its attempts are [1, 1]" in told

    def test_a_task_begun_twice_and_a_change_of_what_is_final(self) -> None:
        run = moved(a_task_run(), State.SUCCESS)
        execution = with_runs(an_execution(), run, a_task_run("t2"))
        assert any("was begun 2 times" in words for words in judging.problems(execution))
        after = with_runs(an_execution(), moved(a_task_run(), State.FAILED))
        assert list(judging.changed(execution, after)) == ["t1 was SUCCESS and has changed"]

    def test_an_effect_that_never_came(self) -> None:
        attempt = claimed(a_task_run()).attempts[0]
        ended = type(attempt)(epoch=1, state=AttemptState.SUCCEEDED, started_at=attempt.started_at)
        execution = with_runs(an_execution(), moved(a_task_run(), State.SUCCESS, attempts=(ended,)))
        assert list(judging.effects_missing(execution, {}, ["say"])) == ["t1 succeeded without its effect"]
        ledger = judging.effects_of([Line("e1", "t1", "say")])
        assert list(judging.effects_missing(execution, ledger, ["say"])) == []


def test_the_kinds_of_a_commit() -> None:
    run = a_task_run()
    assert kinds_of([created(an_execution(), claimed(run))]) == {"create", "claim", "begin-say"}


def test_a_power_cut_keeps_what_was_flushed_and_perhaps_more() -> None:
    done = [
        Operation("db", b"AA", 0),
        Operation("db"),
        Operation("db", b"BB", 2),
        Operation("db", None, 1),
    ]
    disk = Disk({"db": b""}, done)
    assert disk.cut(1, None) == {"db": b""}
    assert disk.cut(4, None) == {"db": b"AA"}
    assert {disk.cut(4, Random(seed))["db"] for seed in range(50)} == {b"AA", b"AABB", b"A"}
    assert disk.written("db", 3) == b"AABB"
