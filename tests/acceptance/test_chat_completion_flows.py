"""The two flows that ask a language model, run as they stand in flows/, against a stand-in for the service.

Only the instance's plugin defaults differ from a real run: they say where the service is and who pays.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from engine import Engine
from engine.errors import FlowInvalid
from engine.model.execution import Execution, TaskRun
from engine.model.state import State
from tests.unit.plugins_openai.double import KEY, Service, completion, wait_for_hang_up

FLOWS = Path(__file__).parents[2] / "flows"
DEFAULTS = """\
pluginDefaults:
  - type: io.kestra.plugin.openai
    forced: true
    values:
      baseUrl: {url}
      apiKey: {key}
"""


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        yield service


@pytest.fixture
def engine(service: Service, tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "penstock.yaml").write_text(DEFAULTS.format(url=service.url, key=KEY))
    with Engine(home=tmp_path) as engine:
        yield engine


def values(execution: Execution) -> dict[str, object]:
    return {run.task_id: (run.outputs or {}).get("value") for run in execution.in_order()}


def task_run(execution: Execution, task_id: str) -> TaskRun:
    return next(run for run in execution.in_order() if run.task_id == task_id)


def logged(engine: Engine, execution: Execution) -> str:
    return "\n".join(f"{line.level} {line.message}" for line in engine.store.logs(execution.id))


def test_a_prompt_is_answered_and_passed_on(engine: Engine, service: Service) -> None:
    execution = engine.run(FLOWS / "openai_completion.yaml", inputs={"prompt": "Why?"})

    assert execution.state is State.SUCCESS, execution.error
    assert values(execution)["response"] == "You said: Why?"
    assert service.bodies == [{"model": "gpt-4o", "messages": [{"role": "user", "content": "Why?"}]}]


def test_the_default_prompt(engine: Engine) -> None:
    execution = engine.run(FLOWS / "openai_completion.yaml")

    assert values(execution)["response"] == "You said: What is data orchestration?"


def test_a_function_call_is_read_field_by_field(engine: Engine, service: Service) -> None:
    execution = engine.run(FLOWS / "openai_function_call.yaml")

    assert execution.state is State.SUCCESS, execution.error
    assert values(execution)["response_urgency"] == "reply_immediately"
    assert values(execution)["response_text"] == "some text"
    parameters = service.bodies[0]["tools"][0]["function"]["parameters"]
    assert parameters["required"] == ["response_urgency", "response_text"]
    assert parameters["properties"]["response_urgency"]["description"] == (
        "How urgently this customer review needs a reply. Bad reviews must be addressed immediately before anyone "
        "sees them. Good reviews can wait until later."
    )


def test_tokens_are_counted_for_the_task(engine: Engine) -> None:
    execution = engine.run(FLOWS / "openai_completion.yaml")

    counted = {metric.name: metric.value for metric in engine.store.metrics(execution.id)}
    assert counted["usage.total_tokens"] == counted["usage.total.tokens"] == 12


def test_words_instead_of_a_call_fail_the_reader_and_say_what_to_set(engine: Engine, service: Service) -> None:
    service.script(completion(content="How kind!"))

    execution = engine.run(FLOWS / "openai_function_call.yaml")

    assert execution.state is State.FAILED
    assert task_run(execution, "prioritize_response").state is State.SUCCESS
    assert "set `functionCall` to that function's name" in logged(engine, execution)


def test_a_refused_key_is_told_and_never_shown(engine: Engine, service: Service) -> None:
    service.script({"error": {"message": f"Incorrect key: {KEY}", "code": "invalid_api_key"}}, status=401)

    execution = engine.run(FLOWS / "openai_completion.yaml")

    assert execution.state is State.FAILED
    told = task_run(execution, "completion").error or ""
    assert "the service answered 401 (invalid_api_key): Incorrect key: ******" in told
    assert "Check `apiKey`" in told
    assert KEY not in told + logged(engine, execution)


def test_a_run_that_is_killed_hangs_up(engine: Engine, service: Service) -> None:
    asked, gone = threading.Event(), threading.Event()

    def silence(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        wait_for_hang_up(handler)
        gone.set()

    def kill_when_asked() -> None:
        asked.wait(30)
        engine.kill(engine.unfinished()[0].id)

    service.script(raw=silence)
    killer = threading.Thread(target=kill_when_asked)
    killer.start()

    execution = engine.run(FLOWS / "openai_completion.yaml")
    killer.join()

    assert execution.state is State.KILLED
    assert gone.wait(5)
    assert len(service.bodies) == 1


def test_an_unquoted_expression_is_told_at_its_line(engine: Engine) -> None:
    source = (FLOWS / "openai_completion.yaml").read_text()
    line = 'format: "{{ outputs.completion.choices[0].message.content }}"'
    assert line in source

    with pytest.raises(FlowInvalid) as caught:
        engine.parse(source.replace(line, line.replace('format: "', "format: ")), file="mistake.yaml")

    (finding,) = caught.value.diagnostics
    assert finding.source_line.strip().startswith("format: {{")
    assert finding.line == source[: source.index(line)].count("\n") + 1
