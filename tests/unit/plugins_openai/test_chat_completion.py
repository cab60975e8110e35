"""The task as a whole: what a flow sees of it, and what the machine it runs on may not change."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from engine.catalog import Catalog
from engine.dialect import load
from engine.errors import FlowInvalid
from engine.model.state import State
from engine.sdk.conformance import problems_of
from engine.sdk.testing import TaskResult, run_task
from plugins.openai import transport
from plugins.openai.chat_completion import ChatCompletion
from tests.unit.plugins_openai.double import KEY, Service, completion

ROOT = Path(__file__).parents[3]


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        yield service


def ask(service: Service, **properties: Any) -> TaskResult:
    task = {"type": ChatCompletion, "apiKey": "{{ secret('KEY') }}", "model": "gpt-4o", "baseUrl": service.url}
    return run_task({**task, "prompt": "hello", **properties}, secrets={"KEY": KEY})


def test_it_is_known_by_its_name_in_flows() -> None:
    assert ChatCompletion.TYPE == "io.kestra.plugin.openai.ChatCompletion"
    assert ChatCompletion.EFFECT == "idempotent"


def test_it_has_all_that_its_users_need() -> None:
    assert problems_of(ChatCompletion) == []


def test_an_answer_and_what_it_used(service: Service) -> None:
    result = ask(service)

    assert result.state is State.SUCCESS, result.error
    assert result.outputs["choices"][0]["message"]["content"] == "You said: hello"
    assert ("usage.total_tokens", 12) in [(metric.name, metric.value) for metric in result.metrics]
    assert ("usage.total.tokens", 12) in [(metric.name, metric.value) for metric in result.metrics]


def test_arguments_of_a_call_can_be_reached_by_name(service: Service) -> None:
    parameter = {"name": "urgency", "type": "string", "description": "d", "enumValues": ["now", "later"]}

    result = ask(service, functions=[{"name": "triage", "parameters": [parameter]}], functionCall="triage")

    call = result.outputs["choices"][0]["message"]["function_call"]
    assert call == {"name": "triage", "arguments": {"urgency": "now"}}


def test_a_failed_check_keeps_the_answer_and_its_cost(service: Service) -> None:
    service.script(completion(content=None))

    result = ask(service)

    assert result.state is State.FAILED
    assert result.outputs["id"] == "chatcmpl-1"
    assert "usage.total_tokens" in [metric.name for metric in result.metrics]


def test_a_wait_that_is_too_long_is_left_to_the_engine(service: Service) -> None:
    service.script({}, status=429, retry_after="120")

    assert ask(service).retry_after == 120


def test_who_pays_is_said_by_the_flow_alone(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "OPENAI_API_KEY": "sk-of-the-host",
        "OPENAI_ADMIN_KEY": "sk-admin-of-the-host",
        "OPENAI_ORG_ID": "org-of-the-host",
        "OPENAI_PROJECT_ID": "proj-of-the-host",
        "OPENAI_BASE_URL": "http://127.0.0.1:1",
        "OPENAI_CUSTOM_HEADERS": "X-Host: of-the-host\nAuthorization: Bearer of-the-host\nopenai-project: of-the-host",
    }.items():
        monkeypatch.setenv(name, value)

    assert ask(service).state is State.SUCCESS
    assert "of-the-host" not in str(service.headers[-1])
    assert "openai-organization" not in {name.lower() for name in service.headers[-1]}

    assert ask(service, organization="org-1", project="proj-1").state is State.SUCCESS
    sent = {name.lower(): value for name, value in service.headers[-1].items()}
    assert (sent["authorization"], sent["openai-organization"], sent["openai-project"]) == (
        f"Bearer {KEY}",
        "org-1",
        "proj-1",
    )


def test_the_key_shows_nowhere(service: Service) -> None:
    service.script({"error": {"message": f"bad key {KEY}"}}, status=503, times=2)
    service.script(completion(content=f"your key is {KEY}"))

    result = ask(service)

    assert result.state is State.SUCCESS
    assert KEY not in repr(result)
    assert KEY not in repr(ask(service, apiKey=f"{KEY}x"))


def test_cookies_do_not_pass_from_one_key_to_another(service: Service) -> None:
    service.script(completion(), set_cookie="who=ada; Path=/")

    ask(service)
    ask(service)

    assert "cookie" not in {name.lower() for name in service.headers[-1]}


def test_the_proxy_of_the_environment_is_used(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", service.url.removesuffix("/v1"))

    assert ask(service, baseUrl="http://nowhere.invalid/v1").state is State.SUCCESS
    assert service.headers[-1]["Host"] == "nowhere.invalid"

    monkeypatch.setenv("no_proxy", "nowhere.invalid")
    assert transport._proxy_for(httpx2.URL("http://nowhere.invalid/v1")) is None


def test_threads_share_connections(service: Service) -> None:
    results: list[TaskResult] = []
    threads = [threading.Thread(target=lambda: results.extend([ask(service) for _ in range(5)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [result.state for result in results] == [State.SUCCESS] * 20
    assert service.connections <= 4


VALID = {"type": ChatCompletion.TYPE, "id": "ask", "apiKey": "{{ secret('KEY') }}", "model": "gpt-4o"}
FUNCTION = {"name": "f", "description": "d"}


def loaded(properties: dict[str, Any]) -> None:
    source = yaml.safe_dump({"id": "flow", "namespace": "company.team", "tasks": [{**VALID, **properties}]})
    load(source, file="flow.yaml", types=Catalog())


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({}, "nothing to ask"),
        ({"prompt": "x", "functions": [FUNCTION], "functionCall": "g"}, r"does not declare g \(declared: f\)"),
        ({"prompt": "x", "functionCall": "g"}, r"does not declare g \(declared: none\)"),
    ],
)
def test_a_mistake_is_told_before_the_run(properties: dict[str, Any], told: str) -> None:
    with pytest.raises(FlowInvalid, match=told):
        loaded(properties)


@pytest.mark.parametrize(
    "properties",
    [
        {"prompt": "{{ flow.id }}", "n": "{{ vars.n }}"},
        {"messages": "{{ outputs.ask.choices }}", "functions": "{{ vars.f }}", "functionCall": "g"},
        {"prompt": "x", "functions": [{"name": "{{ vars.f }}"}], "functionCall": "g"},
        {"prompt": "x", "functions": [FUNCTION], "functionCall": "{{ vars.f }}"},
    ],
)
def test_what_only_a_run_can_know_is_no_mistake(properties: dict[str, Any]) -> None:
    loaded(properties)


def test_knowing_the_type_loads_no_sdk() -> None:
    code = "import sys, plugins.openai.chat_completion; sys.exit(bool({'openai', 'httpx2'} & sys.modules.keys()))"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("example", ChatCompletion.EXAMPLES, ids=lambda example: example.title)
def test_the_examples_run(service: Service, example: Any) -> None:
    task = yaml.safe_load(example.yaml)["tasks"][0]

    result = run_task(
        {**task, "type": ChatCompletion, "baseUrl": service.url},
        inputs={"prompt": "hello"},
        secrets={"OPENAI_API_KEY": KEY},
    )

    assert result.state is State.SUCCESS, result.error
