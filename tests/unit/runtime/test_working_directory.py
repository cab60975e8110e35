"""WorkingDirectory: one folder for all tasks in it, what is put there, what is stored from it, and when it goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.errors import FlowInvalid, TaskFailed
from engine.model.events import KillRequested
from engine.model.execution import Execution
from engine.model.state import State
from engine.runtime.folders import Folders
from engine.sdk import FileAccess, RunContext
from engine.store.owner import Owner
from tests.unit.runtime.conftest import Bench

Actions = dict[str, Callable[[RunContext], Any]]
WD = "io.kestra.plugin.core.flow.WorkingDirectory"


def directory(tasks: str, **properties: str) -> str:
    more = "".join(f"    {name}: {value}\n" for name, value in properties.items())
    return f"  - id: wd\n    type: {WD}\n{more}    tasks:\n{tasks}"


def work(*names: str) -> str:
    return "".join(f"      - {{id: {name}, type: t.Work, what: {name}}}\n" for name in names)


def outputs(execution: Execution, task_id: str) -> Any:
    (run,) = (run for run in execution.task_runs.values() if run.task_id == task_id)
    return run.outputs if run.error is None else run.error


@pytest.fixture
def listing(actions: Actions) -> Actions:
    def show(ctx: RunContext) -> dict[str, Any]:
        folder = ctx.working_dir
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {"files": {path.relative_to(folder).as_posix(): path.read_text() for path in files}, "at": str(folder)}

    actions["show"] = show
    return actions


def settled() -> None:
    """Wait for the threads that remove folders."""
    for thread in threading.enumerate():
        if thread.name == "penstock-folders":
            thread.join(10)


def test_all_tasks_share_one_folder_and_it_goes_with_the_last(bench: Bench, listing: Actions) -> None:
    listing["write"] = lambda ctx: (ctx.working_dir / "a.txt").write_text("A") and None
    done = bench.run(directory(work("write", "show")))
    shown = outputs(done, "show")
    assert (done.state, shown["files"]) == (State.SUCCESS, {"a.txt": "A"})
    settled()
    assert not Path(shown["at"]).exists()
    assert outputs(done, "wd") is None


def test_files_are_put_into_it(bench: Bench, listing: Actions) -> None:
    access = FileAccess(bench.storage, namespace="n")
    access.put_namespace_file(b"stored", "data/x.csv")
    files = "{a.txt: \"{{ 1 + 1 }}\", 'sub/{{ 2 }}.csv': 'nsfile:///data/x.csv', none: null, n.json: [1, {k: v}]}"
    done = bench.run(directory(work("show"), inputFiles=files))
    assert outputs(done, "show")["files"] == {"a.txt": "2", "sub/2.csv": "stored", "n.json": '[1, {"k": "v"}]'}


def test_files_as_json_text_with_a_secret(bench: Bench, listing: Actions) -> None:
    done = bench.run(directory(work("show"), inputFiles="'{\"a\": \"{{ secret(''KEY'') | length }}\"}'"))
    assert outputs(done, "show")["files"] == {"a": "12"}


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ("{../a: x}", "`../a` cannot name a file here"),
        ("{/a: x}", "`/a` cannot name a file here"),
        ("{a/../../b: x}", "`a/../../b` cannot name a file here"),
        ("'[1]'", "`inputFiles` must be a map of names and contents"),
        ("'x'", "`inputFiles` is neither a map nor JSON text of one: "),
        ("{a: '{{ nope }}'}", "Unable to find `nope`"),
        ("{a: 'nsfile:///none'}", "there is no file `kestra:///n/_files/none`"),
    ],
)
def test_what_cannot_be_put_there_fails_before_any_task(bench: Bench, listing: Actions, files: str, error: str) -> None:
    done = bench.run(directory(work("show"), inputFiles=files))
    assert done.state is State.FAILED
    (run,) = done.task_runs.values()
    assert str(run.error).startswith(error)


@pytest.mark.parametrize(
    ("given", "there"),
    [
        ("{enabled: true}", {"a.py", "b/c.sql", "b/d.py"}),
        ("{include: ['**/*.py']}", {"a.py", "b/d.py"}),
        ("{exclude: b/**}", {"a.py"}),
        ("{namespaces: [n, other]}", {"a.py", "b/c.sql", "b/d.py", "o"}),
        ("{enabled: false}", set()),
    ],
)
def test_the_files_of_namespaces(bench: Bench, listing: Actions, given: str, there: set[str]) -> None:
    access = FileAccess(bench.storage, namespace="n")
    for path in ("a.py", "b/c.sql", "b/d.py"):
        access.put_namespace_file(b"x", path)
    access.put_namespace_file(b"x", "o", "other")
    done = bench.run(directory(work("show"), namespaceFiles=given))
    assert set(outputs(done, "show")["files"]) == there


@pytest.mark.parametrize("fails", [False, True])
def test_files_are_stored_from_it_also_after_a_failure(bench: Bench, actions: Actions, fails: bool) -> None:
    def write(ctx: RunContext) -> None:
        (ctx.working_dir / "sub").mkdir()
        (ctx.working_dir / "sub" / "out.txt").write_text("result")
        (ctx.working_dir / "other").write_text("x")
        if fails:
            raise TaskFailed("no")

    actions["write"] = write
    done = bench.run(directory(work("write"), outputFiles="['**/*.txt']"))
    assert done.state is (State.FAILED if fails else State.SUCCESS)
    (name, uri), *none = outputs(done, "wd")["outputFiles"].items()
    assert (name, none) == ("sub/out.txt", [])
    assert bench.storage.open(uri).read() == b"result"


def test_errors_and_finally_work_in_the_folder_too(bench: Bench, listing: Actions) -> None:
    def fail(ctx: RunContext) -> None:
        (ctx.working_dir / "left").write_text("x")
        raise TaskFailed("no")

    listing["fail"] = fail
    done = bench.run(directory(work("fail")) + "    finally:\n" + work("show"))
    assert outputs(done, "show")["files"] == {"left": "x"}


def test_the_cache_is_found_again_until_it_changes_or_its_time_is_over(bench: Bench, actions: Actions) -> None:
    found: list[str | None] = []
    content = "one"

    def use(ctx: RunContext) -> None:
        kept = ctx.working_dir / "deps" / "lib"
        found.append(kept.read_text() if kept.exists() else None)
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(content)

    actions["use"] = use
    cached = directory(work("use"), cache="{patterns: ['deps/**'], ttl: PT1H}")
    for _ in range(2):
        assert bench.run(cached).state is State.SUCCESS
    (uri,) = bench.storage.list("kestra:///n/f/_kept")
    before = bench.storage.open(uri).read()
    bench.run(cached)
    assert bench.storage.open(uri).read() == before, "what has not changed is not stored again"
    content = "two"
    for _ in range(2):
        bench.run(cached)
    assert found == [None, "one", "one", "one", "two"]
    bench.run(directory(work("use"), cache="{patterns: ['deps/**'], ttl: PT0.000001S}"))
    assert found[-1] is None


def test_each_value_of_a_loop_has_a_cache_of_its_own(bench: Bench, actions: Actions) -> None:
    actions["use"] = lambda ctx: (ctx.working_dir / "x").write_text("x") and None
    inside = directory(work("use"), cache="{patterns: [x]}").replace("\n", "\n    ").strip()
    bench.run(
        f"  - id: each\n    type: io.kestra.plugin.core.flow.ForEach\n    values: [a, b]\n    tasks:\n      {inside}\n"
    )
    assert len(bench.storage.list("kestra:///n/f/_kept")) == 2


def test_killed_in_the_middle_its_folder_goes(bench: Bench, actions: Actions) -> None:
    begun: list[Path] = []

    def wait(ctx: RunContext) -> None:
        begun.append(ctx.working_dir)
        bench.loop.post(ctx.execution_id, KillRequested(at=datetime.now(UTC)))
        ctx.sleep(30)

    actions["wait"] = wait
    assert bench.run(directory(work("wait"), outputFiles="[x]")).state is State.KILLED
    settled()
    assert not begun[0].exists()


def test_it_runs_only_tasks_that_hold_no_others(bench: Bench) -> None:
    inner = (
        "      - id: p\n        type: io.kestra.plugin.core.flow.Sequential\n        tasks: [{id: x, type: t.Say}]\n"
    )
    with pytest.raises(FlowInvalid, match='a WorkingDirectory runs tasks that hold no others, and "p" holds some'):
        bench.flow(directory(inner))


class TestFolders:
    """What engines leave behind, and what they do not."""

    @pytest.fixture
    def run(self, bench: Bench, actions: Actions) -> Any:
        actions["nothing"] = lambda ctx: None
        done = bench.run(directory(work("nothing")))
        return next(run for run in done.task_runs.values() if run.task_id == "wd")

    def test_those_of_the_living_stay_and_those_of_the_dead_go(self, tmp_path: Path, run: Any) -> None:
        living = Folders(tmp_path)
        folder = living.of(run)
        dead = tmp_path / "dead"
        dead.mkdir()
        Owner.acquire(dead).release()
        Folders(tmp_path).sweep()
        assert folder.exists()
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            [folder.parent.name, f"{folder.parent.name}.lock"]
        )

    def test_another_epoch_is_another_folder(self, tmp_path: Path, run: Any) -> None:
        from msgspec.structs import replace

        folders = Folders(tmp_path)
        first = folders.of(run)
        assert folders.of(run) is first
        assert folders.of(replace(run, epoch=run.epoch + 1)) != first
        assert not first.exists()
