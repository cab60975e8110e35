"""Who may do what with which file, by every kind of URI."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from engine.errors import ExpressionError, FileRefused, IllegalState, NotFound, UsageError
from engine.model import file_uri
from engine.sdk.files import FileAccess
from engine.sdk.memory_files import MemoryFiles

FOLDER = file_uri.task_run_folder("company.team", "f", "mine", "t", "r")
OTHER = file_uri.execution_folder("company.team", "f", "other")


@pytest.fixture
def storage() -> MemoryFiles:
    return MemoryFiles()


@pytest.fixture
def files(storage: MemoryFiles, tmp_path: Path) -> FileAccess:
    return FileAccess(
        storage,
        namespace="company.team",
        folder=FOLDER,
        related=lambda execution_id: execution_id in ("mine", "caller"),
        allowed_paths=[str(tmp_path / "allowed")],
    )


def text(files: FileAccess, uri: str) -> str:
    with files.open(uri) as file:
        return file.read().decode()


def test_a_task_stores_paths_bytes_and_streams(files: FileAccess, tmp_path: Path) -> None:
    path = tmp_path / "a b.csv"
    path.write_text("path")
    uris = [
        files.put(path),
        files.put(path, "sub/c.csv"),
        files.put(b"bytes", "d"),
        files.put(io.BytesIO(b"stream"), "e"),
    ]
    assert uris == [f"{FOLDER}/{name}" for name in ("a%20b.csv", "sub/c.csv", "d", "e")]
    assert [text(files, uri) for uri in uris] == ["path", "path", "bytes", "stream"]
    assert files.put(b"1") != files.put(b"1")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", ""])
def test_a_task_stores_below_its_own_folder(files: FileAccess, storage: MemoryFiles, name: str) -> None:
    with pytest.raises(FileRefused):
        files.put(b"1", name)
    assert storage.contents == {}


@pytest.mark.parametrize(
    "uri",
    [
        "data/x.csv",
        "/data/x.csv",
        "nsfile:///data/x.csv",
        "nsfile://company.team/data/x.csv",
        "nsfile:///data/%78.csv",
        "kestra:///company/team/_files/data/x.csv",
    ],
)
def test_a_namespace_file_has_many_names(files: FileAccess, uri: str) -> None:
    stored = files.put_namespace_file(b"1,2", "data/x.csv")
    assert text(files, uri) == "1,2"
    assert files.uri(uri) == stored
    assert (files.size(uri), files.exists(uri), files.is_empty(uri)) == (3, True, False)
    assert files.delete(uri) is True
    assert files.exists(uri) is False


def test_namespaces_are_apart(files: FileAccess) -> None:
    files.put_namespace_file(b"1", "x.csv", "company")
    files.put_namespace_file(b"", "y z.csv")
    assert (files.namespace_files("company"), files.namespace_files()) == (["x.csv"], ["y z.csv"])
    assert text(files, "nsfile://company/x.csv") == "1"
    assert not files.exists("nsfile:///x.csv")
    assert files.is_empty("y z.csv")


def test_files_of_the_family_are_open(files: FileAccess, storage: MemoryFiles) -> None:
    handed = file_uri.join(file_uri.execution_folder("n", "parent", "caller"), "tasks/t/r/x")
    storage.put(handed, io.BytesIO(b"from the caller"))
    assert text(files, handed) == "from the caller"


@pytest.mark.parametrize(
    "uri",
    [
        f"{OTHER}/tasks/t/r/x",
        f"{OTHER}/tasks/t/r/_files/x",
        f"{OTHER}/tasks/t/r/executions/mine/x",
        "kestra:///company/team/f/executions/mine/../other/tasks/t/r/x",
        "kestra:///company/team/f/executions/m%69ne%2F..%2Fother/x",
        "kestra:///company/team/f/x",
        "kestra:///.incoming/x",
        "kestra://host/company/team/_files/x",
        "nsfile:///../x",
        "nsfile:///%2e%2e/x",
        "nsfile://../x",
        "nsfile://Company/x",
        "nsfile:///",
        "../_files/x",
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "file:/etc/passwd",
        "http://example.com/x",
        "s3://bucket/x",
    ],
)
def test_anything_else_is_refused_before_it_is_looked_for(files: FileAccess, storage: MemoryFiles, uri: str) -> None:
    storage.put(f"{OTHER}/tasks/t/r/x", io.BytesIO(b"secret"))
    for verb in (files.open, files.size, files.exists, files.is_empty, files.uri, files.read_text, files.delete):
        with pytest.raises(FileRefused):
            verb(uri)
    assert len(storage.contents) == 1


def test_the_refusal_says_why(files: FileAccess) -> None:
    with pytest.raises(FileRefused, match="does not belong to this execution") as refused:
        files.open(f"{OTHER}/tasks/t/r/x")
    assert "namespace file" in (refused.value.hint or "")
    with pytest.raises(UsageError, match="by a text, not by NoneType"):
        files.size(None)  # type: ignore[arg-type]


def test_files_of_the_machine_are_read_below_allowed_paths_only(files: FileAccess, tmp_path: Path) -> None:
    allowed, outside = tmp_path / "allowed", tmp_path / "outside.csv"
    allowed.mkdir()
    outside.write_text("secret")
    (allowed / "x y.csv").write_text("1")
    (allowed / "link").symlink_to(outside)
    uri = f"{allowed.as_uri()}/x%20y.csv"
    assert (text(files, uri), files.size(uri), files.uri(uri)) == ("1", 1, uri)
    assert not files.exists(f"{allowed.as_uri()}/nowhere")
    for ask in (files.open, files.size):
        with pytest.raises(NotFound):
            ask(f"{allowed.as_uri()}/nowhere")
    with pytest.raises(FileRefused, match="only read"):
        files.delete(uri)
    for beyond in (outside.as_uri(), f"{allowed.as_uri()}/link", f"{allowed.as_uri()}/../outside.csv"):
        with pytest.raises(FileRefused):
            files.open(beyond)


def test_text_is_utf_8_and_of_a_size_that_expressions_bear(files: FileAccess) -> None:
    assert files.read_text(files.put("né".encode(), "a")) == "né"
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        files.read_text(files.put(b"\xff\xfe", "b"))
    with pytest.raises(ExpressionError, match="larger than the 10,485,760 bytes"):
        files.read_text(files.put(b"x" * (10 * 1024 * 1024 + 1), "c"))
    with pytest.raises(UsageError, match="version"):
        files.read_text("a", version=2)


def test_purge_removes_the_execution_s_files_alone(files: FileAccess, storage: MemoryFiles) -> None:
    files.put_namespace_file(b"1", "kept")
    storage.put(f"{OTHER}/x", io.BytesIO(b"1"))
    mine = files.put(b"1", "a")
    assert files.purge() == [mine]
    assert len(storage.contents) == 2


def test_who_is_no_task_stores_nothing(storage: MemoryFiles) -> None:
    files = FileAccess(storage, namespace="n")
    with pytest.raises(IllegalState):
        files.put(b"1", "a")
    assert files.purge() == []
    with pytest.raises(FileRefused):
        files.open(f"{FOLDER}/a")
