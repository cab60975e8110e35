"""What every internal storage keeps to: the one in a folder, and the one that tests of tasks use."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.errors import FileRefused, NotFound
from engine.files.local import LocalFiles
from engine.ports import Files
from engine.sdk.memory_files import MemoryFiles

FOLDER = "kestra:///company/team/flow/executions/e1/tasks/t/r1"


@pytest.fixture(params=["memory", "local"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return MemoryFiles() if request.param == "memory" else LocalFiles(tmp_path / "storage")


def put(files: Files, uri: str, content: bytes = b"text") -> str:
    files.put(uri, io.BytesIO(content))
    return uri


def content(files: Files, uri: str) -> bytes:
    with files.open(uri) as file:
        return file.read()


def test_what_is_put_can_be_opened(files: Files) -> None:
    uri = put(files, f"{FOLDER}/a.csv", b"a,b\n")
    assert content(files, uri) == b"a,b\n"
    assert (files.size(uri), files.exists(uri)) == (4, True)


def test_a_later_put_takes_the_place_of_the_first(files: Files) -> None:
    uri = put(files, f"{FOLDER}/a.csv", b"long content")
    put(files, uri, b"")
    assert (content(files, uri), files.size(uri)) == (b"", 0)


def test_whoever_reads_keeps_what_was_there_when_it_was_opened(files: Files) -> None:
    uri = put(files, f"{FOLDER}/a.csv", b"old")
    with files.open(uri) as file:
        put(files, uri, b"new")
        assert file.read() == b"old"
    assert content(files, uri) == b"new"


def test_what_is_not_there_is_told(files: Files) -> None:
    put(files, f"{FOLDER}/a.csv")
    for missing in (f"{FOLDER}/b.csv", FOLDER):
        assert not files.exists(missing)
        assert files.delete(missing) is False
        for ask in (files.open, files.size):
            with pytest.raises(NotFound, match="there is no file"):
                ask(missing)


def test_delete_removes_one_file(files: Files) -> None:
    first, second = put(files, f"{FOLDER}/a.csv"), put(files, f"{FOLDER}/b.csv")
    assert files.delete(first) is True
    assert (files.exists(first), files.exists(second)) == (False, True)


def test_list_finds_all_files_below_a_folder_in_order(files: Files) -> None:
    uris = [put(files, f"{FOLDER}/{name}") for name in ("sub/deep/c", "a%20b%23%25.csv", "b", "sub/a")]
    put(files, FOLDER.replace("r1", "r11") + "/x")
    assert files.list(FOLDER) == sorted(uris)
    assert files.list(f"{FOLDER}/nowhere") == []


def test_delete_tree_removes_an_execution_and_nothing_else(files: Files) -> None:
    other = put(files, "kestra:///company/team/flow/executions/e11/tasks/t/r1/a")
    uris = [put(files, f"{FOLDER}/{name}") for name in ("a", "sub/b")]
    execution = "kestra:///company/team/flow/executions/e1"
    assert files.delete_tree(execution) == uris
    assert (files.list(execution), files.exists(other)) == ([], True)
    assert files.delete_tree(execution) == []


def test_one_name_has_one_place_however_it_is_spelled(files: Files) -> None:
    put(files, f"{FOLDER}/%61%20%C3%A9.csv", b"1")
    assert content(files, f"{FOLDER}/a é.csv") == b"1"
    assert files.list(FOLDER) == [f"{FOLDER}/a%20%C3%A9.csv"]


def test_a_broken_source_leaves_nothing(files: Files) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ValueError("gone")

    uri = put(files, f"{FOLDER}/a", b"kept")
    with pytest.raises(ValueError, match="gone"):
        files.put(uri, Broken())
    assert content(files, uri) == b"kept"
    assert files.list(FOLDER) == [uri]


ATTACKS = [
    "",
    "kestra://",
    "kestra:///",
    "kestra:////etc/passwd",
    "kestra://host/a",
    "kestra:///a//b",
    "kestra:///a/",
    "kestra:///../../etc/passwd",
    "kestra:///a/../../b",
    "kestra:///a/./b",
    "kestra:///a/%2e%2e/b",
    "kestra:///a/.%2E/b",
    "kestra:///a/..%2f..%2fetc%2fpasswd",
    "kestra:///a/%2Fetc%2Fpasswd",
    "kestra:///a/..\\..\\b",
    "kestra:///a/%5c..%5cb",
    "kestra:///a/b%00.csv",
    "kestra:///a/b\0.csv",
    "kestra:///a/b%0Ac",
    "kestra:///a/%ff%fe",
    "kestra:///a/" + "n" * 256,
    "kestra:///a/" + "é" * 128,
    "kestra:///" + "/".join(["abc"] * 2000),
    "kestra:///a/\ud800",
    "/etc/passwd",
    "../a",
    "file:///etc/passwd",
    "KESTRA:///a/b",
]


@pytest.mark.parametrize("uri", ATTACKS, ids=range(len(ATTACKS)))
def test_what_cannot_name_a_file_is_refused_by_every_verb(files: Files, uri: str) -> None:
    verbs = (files.open, files.size, files.exists, files.delete, files.list, files.delete_tree)
    for verb in (*verbs, lambda uri: files.put(uri, io.BytesIO(b""))):
        with pytest.raises(FileRefused) as refused:
            verb(uri)
        assert len(refused.value.message) < 400
        assert refused.value.message.isprintable()


def test_twice_encoded_is_a_name_like_any_other(files: Files) -> None:
    uri = put(files, f"{FOLDER}/%252e%252e")
    assert files.list(FOLDER) == [uri]


def test_the_folders_of_executions_are_found_and_no_others(files: Files) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    one, other = "kestra:///a/b/flow/executions/e1", "kestra:///a/=executions/executions/e2"
    for uri in (
        f"{one}/tasks/t/r/x",
        f"{one}/inputs/i/y",
        f"{other}/inputs/i/z",
        "kestra:///a/b/_files/executions.csv",
    ):
        put(files, uri)
    put(files, "kestra:///a/b/flow/_kept/t/cache.zip")
    found = dict(files.executions())
    assert found.keys() == {one, other}
    assert all(before < at < before + timedelta(minutes=10) for at in found.values())
