"""Whatever a person does to an execution is done or not done when the process that does it dies: never half.

The processes are killed (SIGKILL) around the very commit of the action: within it, when all is written and nothing is
committed; and right after it, before anything that follows from it.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from engine.model.execution import Execution
from engine.model.state import State
from engine.store import db_check, open_store
from tests.acceptance import dying
from tests.acceptance.dying import ACTIONS, AGAIN, PATIENCE, PLUGIN
from tests.contract.conftest import postgres_server, postgres_url  # noqa: F401 - fixtures

DIED = -signal.SIGKILL
#: Its server has loaded the engine, and each process is a fork of it.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.acceptance.dying"])


class Project:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def start(self, work: Callable[..., None], *arguments: Any) -> Any:
        process = PROCESSES.Process(target=work, args=(self.folder, *arguments))
        process.start()
        return process

    def run(self, work: Callable[..., None], *arguments: Any, expect: int = 0) -> None:
        process = self.start(work, *arguments)
        process.join(PATIENCE)
        assert process.exitcode == expect

    @property
    def id(self) -> str:
        return (self.folder / "ready").read_text()

    def stored(self, id_: str | None = None) -> Execution | None:
        store = open_store(self.url)
        try:
            return store.execution(id_ or self.id)
        finally:
            store.close()

    def after(self, name: str, before: Execution | None) -> bool:
        """Whether it was done. Half done is a failure, and so is a damaged database."""
        assert db_check(self.url).is_sound
        stored = self.stored(AGAIN if name == "replay" else None)
        if stored is None:
            return name == "delete"
        is_done = ACTIONS[name].is_done(stored)
        if before is not None and (name == "replay" or not is_done):
            assert self.stored() == before, "it is exactly as it was"
        if name in ("restart", "replay", "task state"):
            assert is_done == (dying.second(stored) is not State.FAILED)
        return is_done


@pytest.fixture(params=["sqlite", "postgresql"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    url = f"sqlite:///{tmp_path}/.penstock/penstock.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "gates.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "penstock.yaml").write_text(json.dumps({"database": {"url": url}}), encoding="utf-8")
    return Project(tmp_path, url)


@pytest.mark.parametrize("moment", ["within", "after"])
@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_is_done_or_not_done(project: Project, name: str, moment: str) -> None:
    before = None
    if not ACTIONS[name].running:
        project.run(dying.prepare, name)
        before = project.stored()
    project.run(dying.act_and_die, name, moment, expect=DIED)
    is_done = project.after(name, before)
    assert is_done == (moment == "after")
    project.run(dying.end, name, is_done)
    assert db_check(project.url).is_sound


LOST_ANSWERS = [(name, "after") for name in ACTIONS] + [(name, "within") for name in ("restart", "kill", "delete")]


@pytest.mark.parametrize("project", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("name", "moment"), LOST_ANSWERS)
def test_who_asked_an_owner_that_dies_is_not_refused(project: Project, name: str, moment: str) -> None:
    """The answer is lost, so it is asked again; what was done by then is not done twice."""
    if not ACTIONS[name].running:
        project.run(dying.prepare, name)
    owner = project.start(dying.own_and_die, name, moment)
    while not (project.folder / "owned").exists():
        owner.join(0.01)
        assert owner.exitcode is None
    project.run(dying.ask, name)
    owner.join(PATIENCE)
    assert owner.exitcode == DIED
    stored = project.stored()
    assert stored is None or [change.state for change in stored.history].count(State.RESTARTED) <= 1
    assert db_check(project.url).is_sound


@pytest.mark.parametrize("name", ["restart", "delete", "replay"])
def test_killed_at_any_time_it_is_done_or_not_done(project: Project, name: str) -> None:
    project.run(dying.prepare, name)
    before = project.stored()
    process = project.start(dying.act, name)
    process.join(random.Random(f"{name} {project.url[:6]}").uniform(0.02, 0.3))
    process.kill()
    process.join(PATIENCE)
    project.run(dying.end, name, project.after(name, before))


@pytest.mark.parametrize("project", ["sqlite"], indirect=True)
def test_what_is_left_behind_can_be_killed_through_another_owner(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run(dying.act_and_die, "kill", "within", expect=DIED)
    monkeypatch.chdir(project.folder)
    with Engine() as owner, Engine() as other:
        assert owner.left_behind == []
        assert owner.loop is not None
        assert owner.left_behind == [project.id]
        ended = other.follow(project.id, timeout=PATIENCE, first=lambda: other.kill(project.id))
    assert ended.state is State.KILLED
