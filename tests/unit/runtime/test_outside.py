"""What expressions may call out to, each through an expression, as flows call it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.errors import ExpressionError, TaskFailed
from engine.expressions import evaluate
from engine.model.execution import Execution, StateChange
from engine.model.state import State
from engine.ports import ExecutionChange, LogLine
from engine.runtime.clock import SystemClock
from engine.runtime.outside import Asker, Outside
from engine.runtime.secrets import Secrets
from engine.sdk import RunContext
from engine.sdk.memory_files import MemoryFiles
from engine.store import MemoryStore
from tests.unit.runtime.conftest import Bench
from tests.unit.web import Reply, serving

AT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def asked(expression: str, variables: dict[str, Any] | None = None, **adapters: Any) -> Any:
    """The value of an expression of the execution `e`."""
    outside = Outside(clock=SystemClock(), envs={}, files=MemoryFiles(), secrets=Secrets({}), **adapters)
    asker = Asker(seed="e", namespace="n", flow_id="f", execution_id="e")
    return evaluate(expression, variables or {}, outside.functions(asker))


# -- ION


def test_ion_is_read_row_by_row() -> None:
    rows = {"rows": '{id: 1, at: 2024-05-06T07:08:09Z}\n{"id": 2}\n'}
    assert asked("{{ fromIon(rows) }}", rows) == {"id": 1, "at": AT}
    assert asked("{{ fromIon(rows).at | date('yyyy') }}", rows) == "2024"
    assert asked("{{ fromIon(rows, allRows=true) | length }}", rows) == 2
    assert asked("{{ fromIon(rows) }}", {"rows": b"\xe0\x01\x00\xea\x21\x05"}) == 5
    assert asked("{{ fromIon('') }}") is None


def test_ion_is_written() -> None:
    assert asked("{{ {'a': [1, 1.5, null, 'x']} | toIon }}") == '{a:[1,1.5e+0,null,"x"]}'
    assert asked("{{ fromIon({'a': 1} | toIon).a }}") == 1


@pytest.mark.parametrize("expression", ["{{ fromIon('{a:') }}", "{{ fromIon(5) }}"])
def test_what_is_not_ion_is_told_with_its_place(expression: str) -> None:
    with pytest.raises(ExpressionError, match="ION") as caught:
        asked(expression)
    assert caught.value.offset == 3


# -- public holidays


@pytest.mark.parametrize(
    ("expression", "holiday"),
    [
        ("{{ isPublicHoliday('2024-07-04', 'US') }}", True),
        ("{{ isPublicHoliday('2024-07-05', 'US') }}", False),
        ("{{ isPublicHoliday('2024-07-04T12:00:00Z', 'usa') }}", True),
        ("{{ isPublicHoliday('2024-05-30', 'DE') }}", False),
        ("{{ isPublicHoliday('2024-05-30', 'DE', 'BY') }}", True),
        ("{{ isPublicHoliday('2024-05-30', country='de', subDivision='Bayern') }}", True),
    ],
)
def test_public_holidays(expression: str, holiday: bool) -> None:
    assert asked(expression) is holiday


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("'Germany'", "no country `Germany`", "Did you mean `DE`?"),
        ("'USS'", "no country `USS`", "Did you mean `US`?"),
        ("'??'", "no country", "Write its ISO code"),
        ("'DE', 'Bayrn'", "in DE no part `Bayrn`", "Did you mean `BY`?"),
        ("'US', '?'", "in US no part", "CA, CO, CT"),
        ("null", "needs a country", "'US', 'CA'"),
    ],
)
def test_a_country_that_is_not_known(arguments: str, message: str, hint: str) -> None:
    with pytest.raises(ExpressionError, match=message) as caught:
        asked("{{ isPublicHoliday('2024-07-04', " + arguments + ") }}")
    assert hint in str(caught.value.hint)


# -- ports


def test_a_random_port_is_free() -> None:
    with socket.create_server(("127.0.0.1", asked("{{ randomPort() }}"))) as server:
        assert server.getsockname()[1] >= 1024


# -- the execution's own log


def store_with_errors(count: int) -> MemoryStore:
    store = MemoryStore()
    execution = Execution(
        id="e",
        namespace="n",
        flow_id="f",
        flow_revision=1,
        state=State.RUNNING,
        history=(StateChange(State.CREATED, AT),),
    )
    lines = [LogLine(execution_id="e", at=AT, level="INFO", message="fine")]
    for number in range(count):
        place = {"task_id": "t", "task_run_id": "r", "attempt": 1}
        lines.append(LogLine(execution_id="e", at=AT, level="ERROR", message=f"broken {number}", **place))  # type: ignore[arg-type]
    store.commit([ExecutionChange(before=None, after=execution, logs=lines)])
    return store


def test_error_logs_are_all_error_lines_of_this_execution() -> None:
    store = store_with_errors(1200)
    found = asked("{{ errorLogs() }}", store=lambda: store)
    assert [line["message"] for line in found] == [f"broken {number}" for number in range(1200)]
    assert found[0] == {
        "executionId": "e",
        "taskId": "t",
        "taskRunId": "r",
        "attemptNumber": 1,
        "timestamp": AT,
        "level": "ERROR",
        "message": "broken 0",
    }


def test_who_has_no_execution_has_no_error_logs() -> None:
    outside = Outside(clock=SystemClock(), envs={}, files=MemoryFiles(), secrets=Secrets({}), store=MemoryStore)
    functions = outside.functions(Asker(seed="s", namespace="n", flow_id="f"))
    with pytest.raises(ExpressionError, match="`errorLogs` is not available here"):
        evaluate("{{ errorLogs() }}", {}, functions)


def test_a_task_in_errors_sees_why_the_task_before_it_failed(
    bench: Bench, actions: dict[str, Callable[[RunContext], Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Outside(
        clock=SystemClock(),
        envs={},
        files=MemoryFiles(),
        secrets=Secrets({"SECRET_KEY": "hunter22"}),
        store=lambda: bench.store,
    )
    monkeypatch.setattr(bench, "functions", outside.functions)
    bench.loop.stop(grace=0.0)
    bench.loop = bench.new_loop()

    def fail(ctx: RunContext) -> None:
        raise TaskFailed(f"no luck with {ctx.render('{{ secret(`KEY`) }}'.replace('`', chr(39)))}")

    actions["fail"] = fail
    tasks = """\
  - {id: fails, type: t.Work, what: fail}
errors:
  - {id: tells, type: t.Say, text: "{{ errorLogs() }}"}
"""
    execution = bench.run(tasks)
    (tells,) = [run for run in execution.in_order() if run.task_id == "tells"]
    assert tells.outputs is not None
    (line,) = tells.outputs["value"]
    assert (line["taskId"], line["level"]) == ("fails", "ERROR")
    assert line["message"].startswith("no luck with ***")


# -- the web


def test_http_is_wired() -> None:
    with serving() as web:
        web.pages["/n"] = Reply("[1, 2]", headers={"Content-Type": "application/json"})
        assert asked("{{ http(at ~ '/n') | last }}", {"at": web.at}) == 2
