"""Names and globs in a folder that a task works in."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import TaskFailed
from engine.sdk.workspace import inside, matching


def test_a_name_makes_its_folders(tmp_path: Path) -> None:
    assert inside(tmp_path, "a/b/c.txt") == tmp_path / "a" / "b" / "c.txt"
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("name", ["", "/x", "./x", "../x", "a/../../x", "a\\x", "a\0"])
def test_a_name_never_leads_out(tmp_path: Path, name: str) -> None:
    with pytest.raises(TaskFailed, match="cannot name a file here"):
        inside(tmp_path, name)


def test_links_are_left_alone(tmp_path: Path) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside"
    work.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("x")
    (work / "folder").symlink_to(outside)
    (work / "file").symlink_to(outside / "secret")
    (work / "own").write_text("x")
    for name in ("folder/secret", "folder/new", "file"):
        with pytest.raises(TaskFailed, match="symbolic link"):
            inside(work, name)
    assert matching(work, ["**"]) == ["own"]


def test_globs_choose_among_all_files_below(tmp_path: Path) -> None:
    for name in ("x.csv", "d/y.csv", "d/e/z.txt"):
        inside(tmp_path, name).write_text("")
    assert matching(tmp_path, ["*.csv"]) == ["x.csv"]
    assert matching(tmp_path, ["**/*.csv", "d/e/*"]) == ["d/e/z.txt", "d/y.csv", "x.csv"]
    assert matching(tmp_path, []) == []
