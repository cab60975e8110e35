"""What persons do to executions, typed at a shell: on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.store import open_store
from tests.contract.conftest import postgres_server, postgres_url  # noqa: F401 - fixtures

PENSTOCK = str(Path(sys.executable).parent / "penstock")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
PATIENCE = 60

PLUGIN = """\
from pathlib import Path

from engine.sdk import RunContext, Task, TaskFailed


def say(ctx: RunContext) -> None:
    with Path("effects").open("a") as file:
        file.write(f"{ctx.task_id}\\n")


class Step(Task, type="test.Step"):
    '''Leaves a line behind.'''

    def run(self, ctx: RunContext) -> dict[str, str]:
        say(ctx)
        return {"value": "first"}


class Mended(Step, type="test.Mended"):
    '''Fails until somebody has mended it.'''

    gives: str = ""

    def run(self, ctx: RunContext) -> dict[str, str]:
        say(ctx)
        if not Path("mended").exists():
            raise TaskFailed("it is broken")
        return {"value": self.gives}


class Hang(Task, type="test.Hang"):
    '''Waits to be stopped.'''

    def run(self, ctx: RunContext) -> None:
        say(ctx)
        ctx.sleep(600)
"""
BROKEN = """\
id: broken
namespace: test
inputs:
  - {id: name, type: STRING, defaults: Ada}
tasks:
  - {id: first, type: test.Step}
  - {id: second, type: test.Mended, gives: "{{ outputs.first.value }} for {{ inputs.name }}"}
  - {id: third, type: test.Step}
outputs:
  - {id: told, type: STRING, value: "{{ outputs.second.value }}"}
"""
ASKING = """\
id: asking
namespace: test
tasks:
  - id: ask
    type: io.kestra.plugin.core.flow.Pause
    onResume:
      - {id: reason, type: STRING}
  - {id: told, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.ask.onResume.reason }}"}
outputs:
  - {id: told, type: STRING, value: "{{ outputs.told.value }}"}
"""
HANGING = "id: hanging\nnamespace: test\ntasks:\n  - {id: hang, type: test.Hang}\n  - {id: after, type: test.Step}\n"
LIMITED = """\
id: limited
namespace: test
concurrency: {limit: 1}
tasks:
  - {id: ask, type: io.kestra.plugin.core.flow.Pause}
"""
LATER = "id: later\nnamespace: test\ntasks:\n  - {id: only, type: test.Step}\n"
SCHEDULING = """\
id: scheduling
namespace: test
tasks:
  - id: call
    type: io.kestra.plugin.core.flow.Subflow
    namespace: test
    flowId: later
    wait: false
    scheduleDate: "{{ now() | dateAdd(1, 'DAYS') }}"
"""
FLOWS = {
    "broken": BROKEN,
    "asking": ASKING,
    "hanging": HANGING,
    "limited": LIMITED,
    "later": LATER,
    "scheduling": SCHEDULING,
}


class Project:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PENSTOCK, *arguments],
            cwd=self.folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == expect, f"{arguments}: {out}{err}"
        assert "Traceback" not in err
        return out if expect == 0 or not err else err

    def shown(self, execution_id: str = "latest") -> Any:
        return json.loads(self("executions", "show", execution_id, "--json"))

    def broken(self) -> str:
        """The id of an execution that failed, of a flow that is mended now."""
        self("run", "broken.yaml", expect=1)
        self.mend()
        return str(self.shown()["id"])

    def listed(self, *options: str) -> list[Any]:
        return list(json.loads(self("executions", "list", "--json", *options)))

    def mend(self) -> None:
        (self.folder / "mended").touch()

    def effects(self) -> Counter[str]:
        return Counter((self.folder / "effects").read_text().split())

    def states(self, execution_id: str = "latest") -> dict[str, str]:
        return {run["taskId"]: run["state"]["current"] for run in self.shown(execution_id)["taskRunList"]}


@pytest.fixture(params=["sqlite", "postgresql"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    url = f"sqlite:///{tmp_path}/.penstock/penstock.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "steps.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "penstock.yaml").write_text(json.dumps({"database": {"url": url}}), encoding="utf-8")
    for name, text in FLOWS.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return Project(tmp_path, url)


def test_a_restart_runs_what_failed_in_the_same_execution(project: Project) -> None:
    id_ = project.broken()
    assert "SUCCESS" in project("executions", "restart", id_)
    assert project.shown()["id"] == id_
    assert project.effects() == {"first": 1, "second": 2, "third": 1}
    assert "SUCCESS and has no task that failed" in project("executions", "restart", id_, expect=1)


def test_a_restart_on_another_revision_is_a_new_execution(project: Project) -> None:
    id_ = project.broken()
    flow = project.folder / "broken.yaml"
    flow.write_text(BROKEN.replace("id: third", "id: last"), encoding="utf-8")
    project("run", "broken.yaml")
    project("executions", "restart", id_, "--revision", "latest")
    new = project.shown()
    assert (new["parentId"], new["flowRevision"]) == (id_, 2)
    assert project.states() == {"first": "SUCCESS", "second": "SUCCESS", "last": "SUCCESS"}
    assert "has no revision 7" in project("executions", "restart", id_, "--revision", "7", expect=2)


def test_a_replay_keeps_what_came_before(project: Project) -> None:
    id_ = project.broken()
    edits = ["-i", "name=Eva", "--output", "first.value=mine"]
    project("executions", "replay", id_, "--from", "second", *edits)
    new = project.shown()
    assert new["outputs"] == {"told": "mine for Eva"}
    assert new["parentId"] == new["originalId"] == id_
    assert project.effects() == {"first": 1, "second": 2, "third": 1}
    assert project.shown(id_)["state"]["current"] == "FAILED"
    assert json.loads(project("executions", "replay", id_, "--json"))["outputs"] == {"told": "first for Ada"}
    assert "did you mean second?" in project("executions", "replay", id_, "--from", "secnd", expect=2)
    assert "did you mean `name`?" in project("executions", "replay", id_, "-i", "nmae=x", expect=2)
    assert "runs again" in project(
        "executions", "replay", id_, "--from", "second", "--output", "second.value=x", expect=2
    )


def test_a_pause_goes_on_with_what_it_asked_for(project: Project) -> None:
    assert "executions resume" in project("run", "asking.yaml", expect=3)
    assert "missing required input" in project("executions", "resume", "latest", expect=2)
    project("executions", "resume", "latest", "-i", "reason=why not")
    assert project.shown()["outputs"] == {"told": "why not"}
    assert "only a paused one" in project("executions", "resume", "latest", "-i", "reason=x", expect=1)


def test_what_nobody_waits_for_is_said_and_recovered(project: Project) -> None:
    id_ = project.broken()
    project.start("executions", "restart", id_, "--detach").communicate(timeout=PATIENCE)
    project("executions", "recover")
    assert project.shown(id_)["state"]["current"] == "SUCCESS"


def test_states_and_labels_are_changed(project: Project) -> None:
    id_ = project.broken()
    project("executions", "label", id_, "why=test")
    assert {"key": "why", "value": "test"} in project.shown()["labels"]
    assert "belong to the engine" in project("executions", "label", id_, "system.x=y", expect=2)
    project("executions", "status", id_, "WARNING")
    assert project.shown()["state"]["current"] == "WARNING"
    assert "is WARNING already" in project("executions", "status", id_, "WARNING", expect=1)
    project("executions", "status", id_, "SUCCESS", "--task", "second", expect=1)  # it gave no outputs
    assert project.states() == {"first": "SUCCESS", "second": "SUCCESS", "third": "SUCCESS"}
    assert project.effects() == {"first": 1, "second": 1, "third": 1}
    for action in (["pause"], ["kill"], ["force-run"], ["unqueue"]):
        refused = project("executions", *action, id_, expect=1)
        assert "FAILED" in refused
        assert "executions show" in refused or "QUEUED" in refused


def test_what_is_not_there_is_a_mistake_of_typing(project: Project) -> None:
    project.broken()
    for action in ("restart", "replay", "resume", "pause", "kill", "force-run", "unqueue", "delete"):
        assert "no execution nothing" in project("executions", action, "nothing", expect=2)


def test_a_deleted_execution_leaves_nothing(project: Project) -> None:
    id_ = project.broken()
    storage = project.folder / ".penstock" / "storage" / "test" / "broken" / "executions" / id_
    storage.mkdir(parents=True)
    (storage / "file").touch()
    project("executions", "delete", id_)
    assert "no execution" in project("executions", "show", id_, expect=2)
    assert not storage.exists()
    store = open_store(project.url)
    try:
        assert (store.logs(id_), store.metrics(id_)) == ([], [])
    finally:
        store.close()


@pytest.mark.parametrize("project", ["sqlite"], indirect=True)
def test_one_that_runs_elsewhere_is_paused_killed_and_deleted(project: Project) -> None:
    run = project.start("run", "hanging.yaml")
    while not (project.folder / "effects").exists():
        assert run.poll() is None
    assert "PAUSED" in project("executions", "pause", "latest")
    assert "is paused already" in project("executions", "pause", "latest", expect=1)
    assert "cannot be deleted" in project("executions", "delete", "latest", expect=1)
    project("executions", "resume", "latest", "--detach")
    assert project.shown()["state"]["current"] == "RUNNING"
    assert "cannot be restarted" in project("executions", "restart", "latest", expect=1)
    assert "KILLED" in project("executions", "kill", "latest")
    out, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1, out + err
    assert project.effects() == {"hang": 1}
    again = project.start("executions", "restart", "latest")
    while project.effects()["hang"] < 2:
        assert again.poll() is None
    project("executions", "delete", "latest", "--force")
    again.communicate(timeout=PATIENCE)
    assert json.loads(project("executions", "list", "--json")) == []


def test_what_waits_for_its_time_is_begun_by_hand(project: Project) -> None:
    project("flows", "push", "later.yaml")
    project("run", "scheduling.yaml")
    (waiting,) = project.listed("--flow", "later")
    assert waiting["state"]["current"] == "CREATED"
    assert "only one that is QUEUED" in project("executions", "unqueue", waiting["id"], expect=1)
    assert "SUCCESS" in project("executions", "force-run", waiting["id"])
    assert project.effects() == {"only": 1}
    assert "only one that waits to begin" in project("executions", "force-run", waiting["id"], expect=1)


@pytest.mark.parametrize("project", ["sqlite"], indirect=True)
@pytest.mark.parametrize("action", ["unqueue", "force-run"])
def test_what_waits_for_a_place_is_begun_by_hand(project: Project, action: str) -> None:
    project("run", "limited.yaml", expect=3)
    run = project.start("run", "limited.yaml")
    while not (waiting := project.listed("--state", "QUEUED")):
        assert run.poll() is None
    project("executions", action, waiting[0]["id"], expect=3)
    out, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 3, out + err
    assert [row["state"]["current"] for row in project.listed()] == ["PAUSED", "PAUSED"]
    project("executions", "force-run", waiting[0]["id"])  # what is paused is resumed
    assert [row["state"]["current"] for row in project.listed()] == ["SUCCESS", "PAUSED"]
