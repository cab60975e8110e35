"""What Python callers may give `Engine.load`: the files that the command line takes, refused with the same words."""

from pathlib import Path

import pytest

from engine.app import Engine
from engine.errors import FlowInvalid, NotFound, UsageError
from engine.sources import MAX_FLOW_BYTES

FLOW = "id: hello\nnamespace: test\ntasks: [{id: a, type: io.kestra.plugin.core.debug.Return, format: x}]\n"


def refusal(home: Path, flow: str | Path) -> UsageError:
    with Engine(home) as engine, pytest.raises(UsageError) as refused:
        engine.load(flow)
    return refused.value


def test_a_path_and_its_name_are_the_same(tmp_path: Path) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(FLOW, encoding="utf-8")
    with Engine(tmp_path / "home") as engine:
        assert engine.load(file).id == engine.load(str(file)).id == "hello"
        assert engine.load(file).source == FLOW


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").mkdir()
    assert "is a folder" in refusal(tmp_path / "home", tmp_path / "flow.yaml").message


def test_a_device(tmp_path: Path) -> None:
    assert "not a regular file" in refusal(tmp_path / "home", "/dev/zero").message


def test_a_huge_file(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    with file.open("wb") as hole:
        hole.truncate(MAX_FLOW_BYTES * 1024)
    assert "the limit is" in refusal(tmp_path / "home", file).message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "hello.yaml").touch()
    refused = refusal(tmp_path / "home", tmp_path / "helo.yaml")
    assert "cannot find" in refused.message
    assert "hello.yaml" in (refused.hint or "")


def test_text_in_another_encoding(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(FLOW, encoding="utf-16")
    with Engine(tmp_path / "home") as engine, pytest.raises(FlowInvalid, match="UTF-16"):
        engine.load(file)


def test_neither_a_file_nor_a_stored_flow(tmp_path: Path) -> None:
    with Engine(tmp_path / "home") as engine, pytest.raises(NotFound, match="no flow"):
        engine.load("acme/hello")
