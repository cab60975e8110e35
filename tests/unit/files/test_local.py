"""What only storage in a folder can get wrong: links, rights, crashes, and the ends of a disk."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

import pytest

from engine.errors import FileRefused, NotFound, StoreError
from engine.files.local import LocalFiles

URI = "kestra:///company/team/_files/a.csv"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home" / "storage"


@pytest.fixture
def files(root: Path) -> LocalFiles:
    return LocalFiles(root)


def test_a_path_is_a_uri(files: LocalFiles, root: Path) -> None:
    files.put("kestra:///company/team/_files/a%20b.csv", io.BytesIO(b"1"))
    assert (root / "company/team/_files/a b.csv").read_bytes() == b"1"


def test_everything_is_closed_to_other_users(files: LocalFiles, root: Path) -> None:
    files.put(URI, io.BytesIO(b"1"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*")) if path.is_dir()}
    assert modes == {0o700}
    assert stat.S_IMODE((root / "company/team/_files/a.csv").stat().st_mode) == 0o600


@pytest.mark.parametrize("link", ["company", "company/team/_files", "company/team/_files/a.csv"])
def test_no_link_is_followed(files: LocalFiles, root: Path, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    victim = outside / Path("company/team/_files/a.csv").relative_to(link) if not link.endswith(".csv") else outside
    victim.parent.mkdir(parents=True, exist_ok=True)
    victim.write_bytes(b"secret")
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside)
    for verb in (files.open, files.size, files.exists, files.delete):
        with pytest.raises(FileRefused, match="symbolic link"):
            verb(URI)
    with pytest.raises(FileRefused, match="symbolic link"):
        files.put(URI, io.BytesIO(b"overwritten"))
    if link != "company":
        assert files.delete_tree("kestra:///company") == []
    else:
        with pytest.raises(FileRefused, match="symbolic link"):
            files.delete_tree("kestra:///company")
    assert victim.read_bytes() == b"secret"


def test_only_regular_files_are_files(files: LocalFiles, root: Path) -> None:
    (root / "company").mkdir(parents=True)
    os.mkfifo(root / "company" / "pipe")
    assert not files.exists("kestra:///company/pipe")
    with pytest.raises(NotFound):
        files.open("kestra:///company/pipe")


def test_a_crash_while_writing_leaves_the_old_file(
    files: LocalFiles, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.put(URI, io.BytesIO(b"old"))

    def no_space(source: str, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(StoreError, match=r"cannot write .*a.csv`: No space left on device"):
        files.put(URI, io.BytesIO(b"new"))
    with files.open(URI) as file:
        assert file.read() == b"old"
    assert list((root / ".incoming").iterdir()) == []


def test_what_is_written_is_synced_before_it_has_its_name(files: LocalFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.put(URI, io.BytesIO(b"old"))
    steps: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append("sync"), sync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (steps.append("rename"), replace(a, b)))
    files.put(URI, io.BytesIO(b"new"))
    assert steps == ["sync", "rename", "sync"]


def test_what_a_crash_left_is_swept_after_a_day(root: Path) -> None:
    incoming = root / ".incoming"
    incoming.mkdir(parents=True)
    old, new = incoming / "old", incoming / "new"
    for left in (old, new):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    LocalFiles(root).put(URI, io.BytesIO(b"1"))
    assert list(incoming.iterdir()) == [new]


def test_a_folder_is_no_place_for_a_file(files: LocalFiles) -> None:
    files.put(URI, io.BytesIO(b"1"))
    for wrong in ("kestra:///company/team", f"{URI}/b.csv"):
        with pytest.raises(FileRefused, match="cannot write"):
            files.put(wrong, io.BytesIO(b"2"))
