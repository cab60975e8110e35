"""The flows that are on follow the files in the flows folders, whatever people do to those."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.app import Engine
from engine.errors import StoreError
from engine.runtime.deployments import Deployments

FLOW = "id: {id}\nnamespace: acme\ntasks: [{{id: a, type: io.kestra.plugin.core.log.Log, message: {message}}}]\n"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "home") as engine:
        yield engine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flows" / "below").mkdir(parents=True)
    return tmp_path / "flows"


def deployments(engine: Engine, folder: Path, on_change: Callable[[], None] = lambda: None) -> Deployments:
    return Deployments(engine.store, engine.load, engine.deploy, [str(folder)], on_change)


def write(file: Path, id_: str = "a", message: str = "hi") -> None:
    file.write_text(FLOW.format(id=id_, message=message), encoding="utf-8")


def on(engine: Engine) -> dict[str, tuple[int, str]]:
    """The flows that are on: their revisions, and the names of their files."""
    return {one.flow_id: (one.revision, os.path.basename(one.origin)) for one in engine.store.deployments()}


def test_every_flow_below_the_folder_is_on(engine: Engine, folder: Path) -> None:
    write(folder / "a.yaml")
    write(folder / "below" / "b.yml", "b")
    write(folder / ".hidden.yaml", "c")
    (folder / "notes.txt").write_text("nothing")
    look = deployments(engine, folder)
    look.look()
    assert on(engine) == {"a": (1, "a.yaml"), "b": (1, "b.yml")}
    assert not look.broken


def test_a_change_is_a_revision_and_no_change_is_nothing(engine: Engine, folder: Path) -> None:
    changes: list[None] = []
    write(folder / "a.yaml")
    look = deployments(engine, folder, lambda: changes.append(None))
    look.look()
    look.look()
    os.utime(folder / "a.yaml", ns=(1, 1))
    look.look()
    assert (on(engine), len(changes)) == ({"a": (1, "a.yaml")}, 1)
    write(folder / "a.yaml", message="changed")
    look.look()
    assert (on(engine), len(changes)) == ({"a": (2, "a.yaml")}, 2)
    again = deployments(engine, folder, lambda: changes.append(None))
    again.look()
    assert (on(engine), len(changes)) == ({"a": (2, "a.yaml")}, 2)


def test_a_broken_file_is_told_once_and_the_last_good_one_stays_on(
    engine: Engine, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = folder / "a.yaml"
    write(file)
    look = deployments(engine, folder)
    look.look()
    file.write_text("id: a\nnamespace: acme\ntasks: [{id: a, type: no.such}]\n")
    look.look()
    look.look()
    assert on(engine) == {"a": (1, "a.yaml")}
    assert list(look.broken) == [str(file)]
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1
    assert "a.yaml:3:23" in told[0]
    write(file, message="mended")
    look.look()
    assert (on(engine), dict(look.broken)) == ({"a": (2, "a.yaml")}, {})


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"id: [", b"- 1", b"a" * 2_000_000])
def test_whatever_is_in_a_file_the_others_are_on(engine: Engine, folder: Path, content: bytes) -> None:
    write(folder / "a.yaml")
    (folder / "b.yaml").write_bytes(content)
    look = deployments(engine, folder)
    look.look()
    assert on(engine) == {"a": (1, "a.yaml")}
    assert [os.path.basename(file) for file in look.broken] == ["b.yaml"]


def test_a_removed_file_is_off(engine: Engine, folder: Path) -> None:
    write(folder / "a.yaml")
    look = deployments(engine, folder)
    look.look()
    (folder / "a.yaml").unlink()
    look.look()
    assert on(engine) == {}
    assert engine.store.flow("acme", "a") is not None


def test_a_file_that_was_removed_while_nobody_looked_is_off(engine: Engine, folder: Path) -> None:
    write(folder / "a.yaml")
    deployments(engine, folder).look()
    (folder / "a.yaml").unlink()
    deployments(engine, folder).look()
    assert on(engine) == {}


def test_a_flow_that_gets_another_id_is_another_flow(engine: Engine, folder: Path) -> None:
    write(folder / "a.yaml")
    look = deployments(engine, folder)
    look.look()
    write(folder / "a.yaml", "b")
    look.look()
    assert on(engine) == {"b": (1, "a.yaml")}


def test_a_file_that_moves_takes_its_flow_along(engine: Engine, folder: Path) -> None:
    write(folder / "a.yaml")
    look = deployments(engine, folder)
    look.look()
    (folder / "a.yaml").rename(folder / "below" / "moved.yaml")
    look.look()
    assert on(engine) == {"a": (1, "moved.yaml")}


def test_two_files_with_one_flow_are_told_and_the_first_one_stays_on(engine: Engine, folder: Path) -> None:
    write(folder / "b.yaml")
    look = deployments(engine, folder)
    look.look()
    write(folder / "a.yaml", message="another")
    look.look()
    assert on(engine) == {"a": (1, "b.yaml")}
    assert sorted(os.path.basename(file) for file in look.broken) == ["a.yaml", "b.yaml"]
    message = look.broken[str(folder / "a.yaml")].message
    assert str(folder / "a.yaml") in message
    assert str(folder / "b.yaml") in message
    (folder / "b.yaml").unlink()
    look.look()
    assert (on(engine), dict(look.broken)) == ({"a": (2, "a.yaml")}, {})


def test_two_new_files_with_one_flow_are_both_off(engine: Engine, folder: Path) -> None:
    write(folder / "a.yaml")
    write(folder / "b.yaml")
    look = deployments(engine, folder)
    look.look()
    assert (on(engine), len(look.broken)) == ({}, 2)


def test_what_was_pushed_stays_on(engine: Engine, folder: Path) -> None:
    engine.push(engine.parse(FLOW.format(id="pushed", message="hi"), file="test"))
    deployments(engine, folder).look()
    assert on(engine) == {"pushed": (1, "push")}


def test_a_folder_that_is_not_there_is_an_empty_one(engine: Engine, folder: Path) -> None:
    deployments(engine, folder / "nothing").look()
    assert on(engine) == {}


def test_a_change_is_seen_by_itself_until_it_is_stopped(engine: Engine, folder: Path) -> None:
    seen = threading.Event()
    look = deployments(engine, folder, seen.set)
    look.start()
    write(folder / "a.yaml")
    assert seen.wait(60)
    look.stop()
    assert on(engine) == {"a": (1, "a.yaml")}


def test_a_folder_that_comes_later_is_seen(engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.runtime.deployments.LOOK_EVERY", 10)
    seen = threading.Event()
    look = deployments(engine, folder / "later", seen.set)
    look.start()
    (folder / "later").mkdir()
    write(folder / "later" / "a.yaml")
    assert seen.wait(60)
    look.stop()
    assert on(engine) == {"a": (1, "a.yaml")}


def test_a_database_that_fails_does_not_end_the_watch(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing, seen = threading.Event(), threading.Event()

    def fails() -> None:
        failing.set()
        raise StoreError("the disk is full")

    look = deployments(engine, folder, seen.set)
    monkeypatch.setattr(engine.store, "deployments", fails)
    look.start()
    assert failing.wait(60)
    monkeypatch.undo()
    write(folder / "a.yaml")
    assert seen.wait(60)
    look.stop()
    assert "the disk is full" in caplog.text
