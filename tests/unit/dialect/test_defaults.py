"""Plugin defaults: who gets them, who wins, how they are merged."""

from __future__ import annotations

from typing import Any

import pytest

from engine.model.flow import Parallel, PluginDefault, RunnableTask
from engine.model.triggers import Schedule
from tests.unit.dialect.flows import CHAT, LOG, RETURN, read_flow, tasks_flow

LEGACY_LOG = "io.kestra.core.tasks.log.Log"


def properties(task: str, defaults: str, instance: list[PluginDefault] | None = None) -> dict[str, Any]:
    parsed = read_flow(tasks_flow(f"  - {task}\n", pluginDefaults=defaults), instance or [])
    assert [finding.message for finding in parsed.diagnostics] == []
    assert parsed.flow is not None
    (first,) = parsed.flow.tasks
    assert isinstance(first, RunnableTask)
    return dict(first.properties)


@pytest.mark.parametrize("type_", [LOG, LEGACY_LOG, "io.kestra.plugin.core.log", "io.kestra"])
@pytest.mark.parametrize("written", [LOG, LEGACY_LOG])
def test_a_type_matches_itself_its_aliases_and_its_prefixes(type_: str, written: str) -> None:
    defaults = f"[{{type: {type_}, values: {{level: WARN}}}}]"
    assert properties(f"{{id: a, type: {written}, message: hi}}", defaults) == {"message": "hi", "level": "WARN"}


def test_other_types_get_nothing() -> None:
    defaults = f"[{{type: {RETURN}, values: {{format: x}}}}, {{type: acme, values: {{apiKey: k}}}}]"
    assert properties(f"{{id: a, type: {LOG}, message: hi}}", defaults) == {"message": "hi"}


def test_the_task_wins_then_the_earlier_entry_then_the_instance() -> None:
    defaults = f"[{{type: {LOG}, values: {{message: first}}}}, {{type: {LOG}, values: {{message: 2nd, level: WARN}}}}]"
    instance = [PluginDefault(type=LOG, values={"message": "instance", "level": "INFO"})]
    assert properties(f"{{id: a, type: {LOG}}}", defaults, instance) == {"message": "first", "level": "WARN"}
    assert properties(f"{{id: a, type: {LOG}, message: own}}", defaults, instance)["message"] == "own"
    assert properties(f"{{id: a, type: {LOG}}}", "[]", instance) == {"message": "instance", "level": "INFO"}


def test_a_forced_entry_wins_over_the_task_and_the_first_of_several_over_the_rest() -> None:
    defaults = (
        f"[{{type: {LOG}, forced: true, values: {{level: WARN}}}},"
        f" {{type: {LOG}, forced: true, values: {{level: INFO, message: forced}}}}]"
    )
    assert properties(f"{{id: a, type: {LOG}, message: own}}", defaults) == {"level": "WARN", "message": "forced"}


def test_lists_become_one_and_maps_are_merged_in_depth() -> None:
    defaults = f"""
  - type: {CHAT}
    values: {{apiKey: k, messages: [{{role: system, content: be short}}]}}
  - type: {LOG}
    values: {{message: [one]}}
"""
    chat = f"{{id: a, type: {CHAT}, messages: [{{role: user, content: hi}}]}}"
    assert [message["content"] for message in properties(chat, defaults)["messages"]] == ["be short", "hi"]
    assert properties(f"{{id: a, type: {LOG}, message: [two]}}", defaults) == {"message": ["one", "two"]}
    retry = f"{{id: a, type: {RETURN}, retry: {{type: constant, interval: PT1S}}}}"
    flow = read_flow(
        tasks_flow(f"  - {retry}\n", pluginDefaults=f"[{{type: {RETURN}, values: {{retry: {{maxAttempt: 3}}}}}}]")
    ).flow
    assert flow is not None
    assert flow.tasks[0].retry is not None
    assert (flow.tasks[0].retry.interval, flow.tasks[0].retry.max_attempt) == ("PT1S", 3)


def test_every_map_with_a_type_gets_them_and_the_older_name_still_works() -> None:
    source = f"""
id: demo
namespace: acme
taskDefaults:
  - {{type: {RETURN}, values: {{format: inside}}}}
  - {{type: io.kestra.plugin.core.flow.Parallel, values: {{concurrent: 3}}}}
  - {{type: io.kestra.plugin.core.trigger.Schedule, values: {{cron: "@daily"}}}}
tasks:
  - id: p
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {{id: a, type: {RETURN}}}
triggers:
  - {{id: t, type: io.kestra.core.models.triggers.types.Schedule}}
"""
    flow = read_flow(source).flow
    assert flow is not None
    (parallel,) = flow.tasks
    assert isinstance(parallel, Parallel)
    assert parallel.concurrent == 3
    assert isinstance(parallel.tasks[0], RunnableTask)
    assert parallel.tasks[0].properties == {"format": "inside"}
    assert isinstance(flow.triggers[0], Schedule)
    assert flow.triggers[0].cron == "@daily"
    assert flow.plugin_defaults[0].values == {"format": "inside"}


def test_a_wrong_default_is_reported_at_the_task_that_gets_it() -> None:
    source = tasks_flow(f"  - {{id: a, type: {CHAT}}}\n", pluginDefaults="[{type: acme, values: {apiKey: k, n: 3}}]")
    (finding,) = read_flow(source).diagnostics
    assert (finding.code, finding.line) == ("unknown-property", 5)
    assert finding.message == f'{CHAT} has no property "n" (the value comes from plugin defaults)'


def test_what_a_default_gives_is_judged_as_if_it_were_written() -> None:
    defaults = f"[{{type: {RETURN}, values: {{retry: {{type: constant, interval: soon}}, timeout: never}}}}]"
    parsed = read_flow(tasks_flow(f"  - {{id: a, type: {RETURN}}}\n", pluginDefaults=defaults))
    assert {(finding.code, finding.line) for finding in parsed.diagnostics} == {("invalid-duration", 5)}
    assert len(parsed.diagnostics) == 2
