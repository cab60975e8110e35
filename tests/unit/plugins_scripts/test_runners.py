"""What becomes of tasks that want a container, by what they say and by what the installation says."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import TaskFailed
from engine.sdk.process.policy import ProcessPolicy
from engine.sdk.testing import FakeContext, Log, run_task
from plugins.scripts.runners import DOCKER, PROCESS, TaskRunner, choose_process
from plugins.scripts.shell import Commands

WARNING = Log("WARN", "there are no containers here: commands run as processes of this machine")
NAMED: list[dict[str, Any]] = [
    {"runner": "DOCKER"},
    {"names_image": True},
    {"task_runner": TaskRunner(type=DOCKER, image="alpine", pullPolicy="NEVER")},
    {"task_runner": TaskRunner(type=DOCKER), "runner": "PROCESS"},
]
PROCESSES: list[dict[str, Any]] = [
    {"runner": "PROCESS", "names_image": True},
    {"task_runner": TaskRunner(type=PROCESS), "runner": "DOCKER", "names_image": True},
]


def choose(ctx: FakeContext, *, names_image: bool = False, **said: Any) -> list[Log]:
    choose_process(ctx, said.get("task_runner"), said.get("runner"), names_image=names_image)
    return ctx.logs


@pytest.mark.parametrize("said", NAMED)
def test_a_container_is_told_of_once_for_each_execution(said: dict[str, Any]) -> None:
    first = f"{said}"
    assert choose(FakeContext(execution_id=first), **said) == [WARNING]
    assert choose(FakeContext(execution_id=first), **said) == []
    assert choose(FakeContext(execution_id=f"{first}/2"), **said) == [WARNING]


@pytest.mark.parametrize("said", [*PROCESSES, {}])
def test_a_process_needs_no_word(said: dict[str, Any]) -> None:
    assert choose(FakeContext(execution_id=f"{said}"), **said) == []


@pytest.mark.parametrize("said", [*NAMED, {}])
def test_an_installation_may_refuse_containers(said: dict[str, Any]) -> None:
    with pytest.raises(TaskFailed, match="would run in a container"):
        choose(FakeContext(process_policy=ProcessPolicy(docker="fail")), **said)


@pytest.mark.parametrize("said", PROCESSES)
def test_what_asks_for_a_process_is_never_refused(said: dict[str, Any]) -> None:
    assert choose(FakeContext(process_policy=ProcessPolicy(docker="fail")), **said) == []


def test_all_spellings_are_taken() -> None:
    said = {"containerImage": "alpine", "docker": {"image": "alpine"}, "runner": "PROCESS", "warningOnStdErr": False}
    result = run_task({"type": Commands, "commands": ["true"], **said, "targetOS": "LINUX", "outputDirectory": True})
    assert (result.state, result.logs) == ("SUCCESS", [])


def test_another_runner_is_refused() -> None:
    said = {"type": "io.kestra.plugin.ee.kubernetes.runner.Kubernetes"}
    result = run_task({"type": Commands, "commands": ["true"], "taskRunner": said})
    assert f"use {PROCESS}" in str(result.error)
