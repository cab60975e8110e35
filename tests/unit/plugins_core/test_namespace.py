"""The tasks about the files of a namespace."""

from __future__ import annotations

from typing import Any

import pytest

from engine.sdk.testing import TaskResult, run_task
from plugins.core.namespace import DeleteFiles, DownloadFiles, UploadFiles

RUN = "kestra:///test/flow/executions/execution/tasks/task/taskrun"
FILES = {"a.sql": "1", "sql/b.sql": "2", "sql/deep/c.py": "3", "nsfile://other/x.txt": "4", f"{RUN}/made": "5"}


def run(type_: type, **properties: Any) -> TaskResult:
    return run_task({"type": type_, **properties}, files=FILES)


def test_upload() -> None:
    result = run(UploadFiles, filesMap={"x/new": f"{RUN}/made", "a.sql": "sql/b.sql"}, destination="/d/")
    names = {"d/x/new": "kestra:///test/_files/d/x/new", "d/a.sql": "kestra:///test/_files/d/a.sql"}
    assert result.outputs == {"files": names}
    assert [result.files[uri] for uri in names.values()] == [b"5", b"2"]


@pytest.mark.parametrize(
    ("conflict", "content"), [("OVERWRITE", b"5"), ("SKIP", b"4"), ("ERROR", b"4")], ids=lambda value: str(value)
)
def test_upload_of_what_is_there(conflict: str, content: bytes) -> None:
    result = run(UploadFiles, namespace="other", filesMap={"x.txt": f"{RUN}/made"}, conflict=conflict)
    assert result.files["kestra:///other/_files/x.txt"] == content
    assert result.state == ("FAILED" if conflict == "ERROR" else "SUCCESS")
    assert bool(result.outputs.get("files")) == (conflict == "OVERWRITE")


@pytest.mark.parametrize(
    ("globs", "found"),
    [
        ("*.sql", ["a.sql"]),
        ("**/*.sql", ["a.sql", "sql/b.sql"]),
        ("sql/**", ["sql/b.sql", "sql/deep/c.py"]),
        (["a.sql", "**/c.{py,js}"], ["a.sql", "sql/deep/c.py"]),
        ("/sql/?.sql", ["sql/b.sql"]),
        ("sql/[!a].sql", ["sql/b.sql"]),
        ("../**", []),
    ],
)
def test_download_and_delete(globs: Any, found: list[str]) -> None:
    result = run(DownloadFiles, namespace="test", files=globs, destination="in")
    assert result.outputs == {"files": {f"in/{path}": f"{RUN}/in/{path}" for path in found}}
    assert all(result.files[f"{RUN}/in/{path}"] for path in found)
    deleted = run(DeleteFiles, namespace="test", files=globs)
    assert deleted.outputs == {"files": found}
    assert set(FILES) - {uri.removeprefix("kestra:///test/_files/") for uri in deleted.files} >= set(found)
    assert len(deleted.files) == len(FILES) - len(found)


def test_what_cannot_be_done_is_told() -> None:
    assert run(DownloadFiles, namespace="../x", files="*").error == "`../x` is not a namespace"
    assert run(DeleteFiles, namespace="test", files="[").outputs == {"files": []}
    assert run(DeleteFiles, namespace="test", files="{a").error == "`{a` is not a glob"
    assert "cannot name a file" in str(run(UploadFiles, filesMap={"../../x": f"{RUN}/made"}).error)
    assert run(UploadFiles, files="*").outputs == {"files": {}}
