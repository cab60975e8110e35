"""`penstock triggers`: the dates ahead of a flow's triggers, and the triggers of all stored flows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.cli.terminal import as_json
from tests.unit.cli.typed import Penstock

CORE = "io.kestra.plugin.core"
FLOW = f"""\
id: timed
namespace: acme.team
tasks:
  - {{id: say, type: {CORE}.log.Log, message: hi}}
triggers:
  - {{id: daily, type: {CORE}.trigger.Schedule, cron: "30 2 * * *", timezone: America/New_York}}
  - {{id: broken, type: {CORE}.trigger.Schedule, cron: "@daily", when: "{{{{ kv('nothing') }}}}"}}
  - id: holidays
    type: {CORE}.trigger.Schedule
    cron: "@daily"
    when: "{{{{ isPublicHoliday(trigger.date, 'US') }}}}"
  - {{id: past, type: {CORE}.trigger.ScheduleOnDates, dates: [2020-01-01]}}
  - {{id: wrong, type: {CORE}.trigger.ScheduleOnDates, dates: "{{{{ flow.id }}}}"}}
  - {{id: hook, type: {CORE}.trigger.Webhook, key: k, disabled: true}}
"""


@pytest.fixture
def timed(project: Path) -> str:
    (project / "timed.yaml").write_text(FLOW, encoding="utf-8")
    return "timed.yaml"


def test_a_preview_shows_dates_and_the_next_change_of_the_clocks(penstock: Penstock, timed: str) -> None:
    answer = penstock("triggers", "preview", timed, "--from", "2027-03-13", "--count", "2")
    assert (answer.code, answer.err) == (0, "")
    daily, broken, holidays, past, wrong, hook = answer.out.strip().split("\n\n")
    assert daily.startswith("daily  Schedule  30 2 * * *  America/New_York\n  2027-03-13T02:30:00-05:00")
    assert "2027-03-14T03:00:00-04:00" in daily
    assert daily.endswith(
        "On 2027-03-14 clocks go forward from 02:00 to 03:00: 02:30 is left out, and due once, when the gap ends."
    )
    assert "fails: there is no key `nothing`" in broken
    assert [line[2:12] for line in holidays.splitlines()[1:]] == ["2027-05-31", "2027-06-18"]
    assert "No date is ahead" in past
    assert "`dates` gives no list" in wrong
    assert "disabled" in hook
    assert "not about dates" in hook


def test_a_preview_as_json(penstock: Penstock, timed: str) -> None:
    daily, broken, *_, hook = penstock(
        "triggers", "preview", timed, "--from", "2026-10-31", "--json", "--count", "1"
    ).json
    assert (daily["flow"], daily["id"], daily["cron"]) == ("acme.team/timed", "daily", "30 2 * * *")
    assert daily["dates"] == [{"date": "2026-10-31T02:30:00-04:00", "problem": None}]
    assert daily["clockChange"] == {
        "date": "2026-11-01T01:00:00-05:00",
        "before": "2026-11-01T02:00:00",
        "after": "2026-11-01T01:00:00",
        "effect": "none",
        "times": [],
        "count": 0,
    }
    assert "nothing" in broken["dates"][0]["problem"]
    assert hook == {"flow": "acme.team/timed", "id": "hook", "type": f"{CORE}.trigger.Webhook", "disabled": True}


def test_what_cannot_be_previewed(penstock: Penstock, timed: str) -> None:
    assert "has no triggers" in penstock("triggers", "preview", "hello.yaml").out
    for start in ("soon", "0001-01-01", "9999-12-31"):
        refused = penstock("triggers", "preview", timed, "--from", start)
        assert (refused.code, f"--from {start} is not a date" in refused.err) == (2, True)
    assert "No date is ahead" in penstock("triggers", "preview", timed, "--from", "9998-12-31").out
    assert penstock("triggers", "preview", "nothing.yaml").code == 2
    assert penstock("triggers", "preview", timed, "--count", "0").code == 2


def test_the_triggers_of_the_stored_flows(penstock: Penstock, timed: str) -> None:
    assert "No triggers" in penstock("triggers", "list").out
    assert penstock("flows", "push", timed).code == 0
    assert penstock("run", "hello.yaml", "--quiet").code == 0
    lines = penstock("triggers", "list").out.splitlines()
    assert lines[0].split() == ["FLOW", "TRIGGER", "TYPE", "NEXT", "LAST"]
    assert [line.split()[1:3] for line in lines[1:4]] == [
        [name, "Schedule"] for name in ("daily", "broken", "holidays")
    ]
    assert lines[4].split()[-1] == "never"
    assert lines[6].split()[-1] == "disabled"
    assert [one["id"] for one in penstock("triggers", "list", "--json", "-n", "acme").json][::5] == ["daily", "hook"]
    assert penstock("triggers", "list", "--json", "-n", "acme.te").json == []


def test_a_flow_that_was_only_run_is_not_deployed(penstock: Penstock, timed: str) -> None:
    assert penstock("run", timed, "--quiet").code == 0
    assert "not deployed" in penstock("triggers", "list").out
    assert penstock("triggers", "list", "--json").json[0]["deployed"] is False
    refused = penstock("triggers", "disable", "acme.team/timed/daily")
    assert (refused.code, "is not deployed" in refused.err, "flows push" in refused.err) == (2, True, True)


def test_a_trigger_is_switched_off_and_on(penstock: Penstock, timed: str) -> None:
    penstock("flows", "push", timed)
    assert penstock("triggers", "disable", "acme.team/timed/daily").code == 0
    assert penstock("triggers", "list", "--json").json[0]["disabled"] is True
    assert penstock("triggers", "list").out.splitlines()[1].split()[-1] == "disabled"
    assert penstock("triggers", "enable", "acme.team/timed/daily").code == 0
    assert penstock("triggers", "list", "--json").json[0]["disabled"] is False
    refused = penstock("triggers", "enable", "acme.team/timed/hook")
    assert (refused.code, "remove `disabled: true`" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acme.team/timed/dayly", 'did you mean "daily"?'),
        ("acme.team/timed", "names no trigger"),
        ("acme.team/other/daily", "is not deployed"),
    ],
)
def test_a_trigger_that_is_not_there(penstock: Penstock, timed: str, name: str, message: str) -> None:
    penstock("flows", "push", timed)
    for act in (["disable"], ["enable"], ["backfill", "--from", "2026-01-01"]):
        refused = penstock("triggers", *act[:1], name, *act[1:])
        assert (refused.code, message in refused.err) == (2, True), refused.err


def test_a_backfill_is_asked_for_paused_and_given_up(penstock: Penstock, timed: str) -> None:
    penstock("flows", "push", timed)
    trigger = "acme.team/timed/daily"
    begun = penstock("triggers", "backfill", trigger, "--from", "2026-01-01", "--to", "2026-02-01", "--input", "a=b")
    assert begun.code == 0, begun.err
    told = penstock("triggers", "list", "--json").json[0]["backfill"]
    assert (told["start"], told["inputs"], told["paused"]) == ("2026-01-01T00:00:00Z", {"a": "b"}, False)
    assert "is not finished" in penstock("triggers", "backfill", trigger, "--from", "2026-01-01").err
    assert penstock("triggers", "backfill", trigger, "--pause").code == 0
    assert "paused" in penstock("triggers", "list").out
    assert penstock("triggers", "backfill", trigger, "--resume").code == 0
    assert penstock("triggers", "list", "--json").json[0]["backfill"]["paused"] is False
    assert penstock("triggers", "backfill", trigger, "--delete").code == 0
    refused = penstock("triggers", "backfill", trigger, "--pause")
    assert (refused.code, "there is no backfill" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["daily"], "say from when on"),
        (["daily", "--from", "2026-01-01", "--pause"], "say from when on"),
        (["daily", "--from", "soon"], "--from soon is not a date"),
        (["daily", "--from", "2026-02-01", "--to", "2026-01-01"], "from a start to an end"),
        (["daily", "--from", "2026-02-01", "--to", "9000-01-01"], "not ahead"),
        (["past", "--from", "2026-01-01"], "is no Schedule"),
    ],
)
def test_a_backfill_that_makes_no_sense(penstock: Penstock, timed: str, words: list[str], message: str) -> None:
    penstock("flows", "push", timed)
    refused = penstock("triggers", "backfill", f"acme.team/timed/{words[0]}", *words[1:])
    assert (refused.code, message in refused.err) == (2, True), refused.err


def test_a_trigger_that_is_not_run_says_so(penstock: Penstock, project: Path) -> None:
    flow = f"id: f\nnamespace: a\ntasks: [{{id: a, type: {CORE}.log.Log, message: x}}]\n"
    (project / "f.yaml").write_text(flow + "triggers: [{id: t, type: io.kestra.plugin.kafka.Trigger, topic: x}]\n")
    assert penstock("flows", "push", "f.yaml").code == 0
    assert "does not run triggers of this type" in penstock("triggers", "list").out
    assert "does not run triggers of this type" in penstock("triggers", "list", "--json").json[0]["problem"]


def test_instants_are_iso_8601_in_json() -> None:
    assert as_json({"next": datetime(2026, 5, 6, 7, tzinfo=UTC)}) == '{\n  "next": "2026-05-06T07:00:00Z"\n}'
