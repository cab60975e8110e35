"""The tasks about stored files, each run by the testing kit."""

from __future__ import annotations

from typing import Any

import pytest

from engine.sdk.testing import TaskResult, run_task
from plugins.core.storage import Concat, LocalFiles, Reverse, Split, Write
from plugins.core.storage_entries import Delete, PurgeCurrentExecutionFiles, Size

RUN = "kestra:///test/flow/executions/execution/tasks/task/taskrun"
FILES = {"a.txt": "a1\na2\n", "b.txt": "b1", f"{RUN}/old": "x"}


def run(type_: type, *, given: dict[str, str | bytes] | None = None, **properties: Any) -> TaskResult:
    inputs = {"uris": ["a.txt", "nsfile:///b.txt"], "a": "a.txt"}
    return run_task({"type": type_, **properties}, inputs=inputs, files=FILES if given is None else given)


def stored(result: TaskResult) -> list[bytes]:
    """What the task gave, in order."""
    assert result.state == "SUCCESS", result.error
    uris = result.outputs["uris"] if "uris" in result.outputs else [result.outputs["uri"]]
    return [result.files[uri] for uri in uris]


def test_write() -> None:
    result = run(Write, content="né {{ inputs.a }}", extension=".txt")
    assert result.outputs == {"uri": f"{RUN}/task.txt"}
    assert stored(result) == ["né a.txt".encode()]
    assert run(Write, content="{{ inputs.uris }}").files[f"{RUN}/task"] == b'["a.txt","nsfile:///b.txt"]'


@pytest.mark.parametrize("files", ["{{ inputs.uris }}", ["{{ inputs.a }}", "b.txt"], '["a.txt", "b.txt"]'])
def test_concat(files: Any) -> None:
    assert stored(run(Concat, files=files)) == [b"a1\na2\nb1"]
    result = run(Concat, files=files, separator="|", extension=".csv")
    assert stored(result) == [b"a1\na2\n|b1|"]
    assert result.outputs["uri"].endswith("/task.csv")


def test_concat_says_which_file_is_missing() -> None:
    assert run(Concat, files=["a.txt", "nowhere.txt"]).error == "there is no file `kestra:///test/_files/nowhere.txt`"


@pytest.mark.parametrize(
    ("how", "parts"),
    [
        ({"rows": 2}, ["1\n22\n", "333\n4444\n", "5\n"]),
        ({"rows": "{{ 4 + 1 }}"}, ["1\n22\n333\n4444\n5\n"]),
        ({"bytes": 5}, ["1\n22\n", "333\n", "4444\n", "5\n"]),
        ({"bytes": 3}, ["1\n", "22\n", "333\n", "4444\n", "5\n"]),
        ({"bytes": "1KB"}, ["1\n22\n333\n4444\n5\n"]),
        ({"partitions": 2}, ["1\n333\n5\n", "22\n4444\n"]),
        ({"partitions": 7}, ["1\n", "22\n", "333\n", "4444\n", "5\n"]),
        ({"rows": 1, "separator": "333"}, ["1\n22\n333", "\n4444\n5333"]),
    ],
)
def test_split(how: dict[str, Any], parts: list[str]) -> None:
    result = run(Split, given={"x.csv": "1\n22\n333\n4444\n5"}, **{"from": "x.csv"}, **how)
    assert stored(result) == [part.encode() for part in parts]
    assert all(uri.endswith(".csv") for uri in result.outputs["uris"])


def test_split_wants_to_know_how() -> None:
    assert stored(run(Split, given={"x": ""}, **{"from": "x"}, rows=1)) == []
    assert "nothing says how to split" in str(run(Split, **{"from": "a.txt"}).error)
    for wrong in ({"bytes": "10 lines"}, {"rows": 0}, {"partitions": -1}, {"bytes": 0}):
        assert run(Split, **{"from": "a.txt"}, **wrong).state == "FAILED"


def test_rows_may_be_longer_than_what_is_read_at_once() -> None:
    long = "x" * 1_500_000
    result = run(Split, given={"x": f"{long}--{long}--y"}, **{"from": "x"}, rows=1, separator="--")
    assert [len(part) for part in stored(result)] == [1_500_002, 1_500_002, 3]


@pytest.mark.parametrize(
    ("content", "properties", "turned"),
    [
        ("1\n2\n3", {}, b"3\n2\n1\n"),
        ("1\n2\n", {}, b"2\n1\n"),
        ("1||2", {"separator": "||"}, b"2||1||"),
        ("", {}, b""),
    ],
)
def test_reverse(content: str, properties: dict[str, Any], turned: bytes) -> None:
    assert stored(run(Reverse, given={"x": content}, **{"from": "x"}, **properties)) == [turned]


def test_reverse_reads_other_encodings() -> None:
    given: dict[str, str | bytes] = {"x": "é\nö".encode("utf-16-le")}
    result = run(Reverse, given=given, **{"from": "x"}, charset="utf-16-le")
    assert stored(result)[0].decode("utf-16-le") == "ö\né\n"
    assert run(Reverse, **{"from": "a.txt"}, charset="klingon").error == "there is no encoding `klingon`"


def test_size_and_delete() -> None:
    assert run(Size, uri="{{ inputs.a }}").outputs == {"size": 6}
    result = run(Delete, uri="a.txt")
    assert result.outputs == {"uri": "a.txt", "deleted": True}
    assert "kestra:///test/_files/a.txt" not in result.files
    assert run(Delete, uri="nowhere").outputs == {"uri": "nowhere", "deleted": False}
    assert run(Delete, uri="nowhere", errorOnMissing=True).error == "there is no file `nowhere`"
    assert "files.allowedPaths" in str(run(Delete, uri="file:///etc/passwd").exception.hint)  # type: ignore[union-attr]


def test_purge_leaves_the_files_of_the_namespace() -> None:
    result = run(PurgeCurrentExecutionFiles)
    assert result.outputs == {"uris": [f"{RUN}/old"]}
    assert sorted(result.files) == ["kestra:///test/_files/a.txt", "kestra:///test/_files/b.txt"]


def test_local_files() -> None:
    inputs = {"in/x.txt": "{{ inputs.a }}", "in/a.csv": "nsfile:///a.txt", "empty": None}
    result = run(LocalFiles, inputs=inputs, outputs=["in/*", "nothing*"])
    assert result.outputs == {"uris": {"in/a.csv": f"{RUN}/in/a.csv", "in/x.txt": f"{RUN}/in/x.txt"}}
    assert (result.files[f"{RUN}/in/x.txt"], result.files[f"{RUN}/in/a.csv"]) == (b"a.txt", b"a1\na2\n")
    for name in ("../x", "/x", "a/../../x"):
        assert "cannot name a file here" in str(run(LocalFiles, inputs={name: "x"}).error)
