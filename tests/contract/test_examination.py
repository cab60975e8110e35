"""All that is stored is looked at, on every store: each kind of mistake is planted and found, and nothing else is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from engine.catalog import Catalog
from engine.files.local import LocalFiles
from engine.model.scheduling import Deployment, TriggerState
from engine.model.state import State
from engine.ports import Store
from engine.runtime.diagnosis import examination
from engine.runtime.diagnosis.doctor import Installation, examine
from engine.runtime.diagnosis.examination import Examination, Subject
from engine.runtime.diagnosis.finding import Check
from engine.runtime.library import Library
from engine.store import open_store
from engine.store.tables import executions
from tests.contract.builders import a_task_run, an_execution, at, created, history

S = State
ENDED = (S.CREATED, S.RUNNING, S.SUCCESS)
FOLDER = "kestra:///acme/team/hello/executions"
SOURCE = """
id: hello
namespace: acme.team
concurrency: {limit: 2}
tasks:
  - {id: one, type: io.kestra.plugin.core.log.Log, message: x}
  - {id: two, type: io.kestra.plugin.core.log.Log, message: x}
"""


class Clock:
    def now(self) -> Any:
        return at(1000)

    def monotonic(self) -> float:
        return 0.0


class Examined:
    """A store with one flow, and what an examination of it tells."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.files = LocalFiles(folder / "storage")
        self.mover: Callable[[str], str | None] = lambda id_: None
        self.marked: dict[int, str] = {}
        self.progress: list[tuple[int, int]] = []
        self.revision = store.save_flow("acme.team", "hello", SOURCE, at=at(0), disabled=False).revision
        self.library = Library(lambda: store, Catalog(folders=()), (), Clock())

    def add(self, id_: str, *states: State, run: dict[str, Any] | None = None, **fields: Any) -> None:
        states = states or ENDED
        runs: tuple[Any, ...] = ()
        if run is not None:
            made = a_task_run(f"{id_}-0", *states, execution_id=id_, task_id="one")
            runs = (replace(made, **run),)
        self.store.commit([created(an_execution(id_, *states, **fields), *runs)])

    def checks(self) -> dict[str, Check]:
        subject = Subject(
            store=self.store,
            files=self.files,
            clock=Clock(),
            find_flow=self.library.find,
            mover=lambda id_: self.mover(id_),
            marked=self.marked,
        )
        looked = Examination(subject, lambda part, whole: self.progress.append((part, whole)))
        return {check.name: check for check in looked.checks()}

    def found(self) -> dict[str, list[str]]:
        """What is wrong, by the names of the checks."""
        checks = self.checks()
        return {name: [each.what for each in check.findings] for name, check in checks.items() if check.findings}


@pytest.fixture
def examined(store: Store, tmp_path: Path) -> Examined:
    return Examined(store, tmp_path)


def put(examined: Examined, id_: str, name: str) -> str:
    uri = f"{FOLDER}/{id_}/tasks/one/{id_}-0/{name}"
    examined.files.put(uri, io.BytesIO(b"x"))
    return uri


def test_a_sound_store_has_no_findings(examined: Examined) -> None:
    file = put(examined, "a", "a.csv")
    elsewhere = f"{FOLDER}/other/tasks/one/r/b.csv"
    outputs = {"uri": file, "more": [{"uri": elsewhere}, "kestra:///../x"]}
    examined.add("a", run={"outputs": outputs})
    examined.add("b", S.CREATED, S.RUNNING, S.PAUSED)
    examined.add("c", S.CREATED, S.QUEUED)
    checks = examined.checks()
    assert [name for name, check in checks.items() if check.findings] == []
    assert checks["rows"].told == "3 looked at"
    assert checks["executions"].told == "2 have not ended: 1 with a person to decide, 1 with others in its place"
    assert checks["places"].told == "1 flows with a limit have some at work"


def test_it_goes_a_page_at_a_time(examined: Examined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "_PAGE", 2)
    for id_ in "abcde":
        examined.add(id_)
    assert examined.checks()["rows"].told == "5 looked at"
    assert examined.progress == [(2, 5), (4, 5), (5, 5)]


def test_a_store_without_executions(examined: Examined) -> None:
    assert examined.checks()["rows"].told == "0 looked at"


def test_each_mistake_is_found_by_its_own_check(examined: Examined) -> None:
    examined.add("state", run={"state": S.FAILED})
    examined.add("open", run={"state": S.RUNNING, "history": history(S.CREATED, S.RUNNING)})
    runs = [
        a_task_run("early-0", S.CREATED, S.RUNNING, S.SUCCESS, execution_id="early", task_id="one"),
        a_task_run("early-1", S.CREATED, S.RUNNING, S.SUCCESS, execution_id="early", task_id="two", seq=1),
    ]
    examined.store.commit([created(an_execution("early", *ENDED), *runs)])
    found = examined.found()
    assert list(found) == ["histories", "order"]
    assert [what.partition(" of ")[0] for what in found["histories"]] == [
        "execution open is over as SUCCESS, and its task run open-0 (one) is RUNNING",
        "task run state-0 (one)",
    ]
    assert found["order"] == ["in execution early, two began before one had ended"]


def test_what_nobody_moves_is_found(examined: Examined) -> None:
    examined.add("a", S.CREATED, S.RUNNING)
    (what,) = examined.found()["executions"]
    assert "execution a (acme.team/hello) is RUNNING, has not moved for 0:16:39, and no engine moves it" in what
    examined.mover = lambda id_: "an engine"
    assert examined.found() == {}


@pytest.mark.parametrize("later", [ENDED, (S.CREATED, S.RUNNING, S.KILLING)])
def test_what_moved_while_it_was_looked_at_is_not_told(examined: Examined, later: tuple[State, ...]) -> None:
    """Its row is read, then its engine moves it, and only then is that engine asked."""
    examined.add("a", S.CREATED, S.RUNNING)

    def moves(id_: str) -> None:
        examined.store.delete(id_)
        examined.add(id_, *later)

    examined.mover = moves  # type: ignore[assignment]
    assert examined.found() == {}


def test_a_flow_that_is_gone_stops_what_has_not_ended(examined: Examined) -> None:
    examined.add("a", S.CREATED, S.RUNNING, flow_revision=9)
    examined.add("b", flow_revision=9)
    (what,) = examined.found()["executions"]
    assert "execution a cannot go on: its flow cannot be read" in what


def test_more_at_work_than_may_be_is_found(examined: Examined) -> None:
    examined.mover = lambda id_: "an engine"
    for id_ in "ab":
        examined.add(id_, S.CREATED, S.RUNNING)
    assert examined.found() == {}
    examined.add("c", S.CREATED, S.RUNNING, S.PAUSED)
    assert examined.found()["places"] == ["3 executions of acme.team/hello have begun, and 2 may at once"]


def test_files_that_are_gone_are_found(examined: Examined) -> None:
    examined.mover = lambda id_: "an engine"
    for id_, states in {"a": (S.CREATED, S.RUNNING), "b": ENDED}.items():
        examined.add(id_, *states, run={"outputs": {"files": [put(examined, id_, "x.csv")]}})
        examined.files.delete(f"{FOLDER}/{id_}/tasks/one/{id_}-0/x.csv")
    check = examined.checks()["files"]
    assert [(each.execution_id, each.grave) for each in check.findings] == [("a", True), ("b", False)]


def test_a_process_that_outlives_its_execution_is_found(examined: Examined) -> None:
    examined.add("a", run={})
    examined.mover = lambda id_: "an engine"
    examined.add("b", S.CREATED, S.RUNNING, run={})
    examined.marked = {71: "a-0", 72: "b-0", 73: "of another database"}
    (what,) = examined.found()["processes"]
    assert what == "process 71 was begun by one of execution a, which is over, and still runs"


def test_a_trigger_that_cannot_be_dealt_with_is_found(examined: Examined) -> None:
    state = TriggerState(
        namespace="acme.team", flow_id="hello", trigger_id="daily", failures=3, problem="no such zone", updated_at=at(0)
    )
    examined.store.move_trigger(state, ["failures", "problem"])
    assert examined.found() == {}  # nothing is deployed
    on = Deployment(namespace="acme.team", flow_id="hello", revision=1, origin="push", at=at(0))
    examined.store.deploy(on)
    examined.store.move_trigger(state, ["failures", "problem"])
    (what,) = examined.found()["triggers"]
    assert "acme.team/hello/daily could not be dealt with 3 times in a row: no such zone" in what


def test_a_row_that_cannot_be_read_hides_no_other(url: str, tmp_path: Path) -> None:
    store = open_store(url, owner=True)
    examined = Examined(store, tmp_path)
    for id_ in "abc":
        examined.add(id_, S.CREATED, S.RUNNING)
    with store.database.writing() as connection:
        connection.execute(update(executions).where(executions.c.id == "b").values(history="nonsense"))
    found = examined.found()
    store.close()
    assert [("b" in what, "damaged" in what) for what in found["rows"]] == [(True, True)]
    assert len(found["executions"]) == 2


def test_a_whole_installation_is_examined(url: str, tmp_path: Path) -> None:
    """On PostgreSQL, too, where what a file has (an owner, permissions) is not looked at."""
    store = open_store(url, owner=True)
    examined = Examined(store, tmp_path)
    examined.add("a")
    examined.add("b", S.CREATED, S.RUNNING)
    store.close()
    home, file = tmp_path / "home", url.removeprefix("sqlite:///") if url.startswith("sqlite") else None
    home.mkdir(mode=0o700)
    installation = Installation(
        home=home,
        url=url,
        file=Path(file) if file is not None else None,
        library=lambda opened: Library(opened, Catalog(folders=()), (), Clock()),
    )
    checks = {check.name: check for check in examine(installation, lambda part, whole: None)}
    bad = [name for name, check in checks.items() if not check.is_sound]
    assert bad == ["executions"]
    assert "execution b" in checks["executions"].findings[0].what
    assert ("owner" in checks) is (file is not None)
    assert checks["rows"].told == "2 looked at"
