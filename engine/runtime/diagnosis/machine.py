"""What can be seen of the machine: its disk, the permissions of our files, processes that should have ended."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.runtime.diagnosis.finding import Finding
from engine.sdk.process.policy import MARKER
from engine.store.sqlite import FIXED_IN

#: Bytes that should be free.
LITTLE = 200 * 1000 * 1000


def sqlite_version() -> Iterator[Finding]:
    """Old versions of SQLite have a bug that one engine for one file keeps away."""
    if sqlite3.sqlite_version_info < FIXED_IN:
        fixed = ".".join(map(str, FIXED_IN))
        yield Finding(
            what=f"SQLite {sqlite3.sqlite_version} can damage a database that two processes write at once",
            hint=f"One engine owns the file, so it is safe; write to it with nothing else. Fixed in {fixed}.",
            grave=False,
        )


def disk_space(folder: Path, database: Path | None) -> Iterator[Finding]:
    """Is there room to go on, and for a backup?"""
    free = shutil.disk_usage(folder).free
    size = database.stat().st_size if database is not None and database.exists() else 0
    if free < LITTLE:
        hint = "Free some space; `penstock executions purge --older-than P30D` and `penstock db compact` help."
        yield Finding(what=f"{free // 1_000_000:,} MB are free on the disk of {folder}", hint=hint)
    elif free < 2 * size:
        hint = "Back up to another disk: `penstock db backup FOLDER`."
        what = f"{free // 1_000_000:,} MB are free on the disk of {folder}: too few for a copy of the database"
        yield Finding(what=what, hint=hint, grave=False)


def permissions(paths: list[Path]) -> Iterator[Finding]:
    """What others of this machine could read or change."""
    if os.name == "nt":
        return
    for path in paths:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & 0o077:
            yield Finding(what=f"{path} is open to other users (mode {mode:04o})", hint=f"chmod go-rwx {path}")


def marked_processes() -> dict[int, str]:
    """The living processes of this user that began for a task run: pid -> the task run's id."""
    found: dict[int, str] = {}
    for pid, variables in _environments():
        marker = next((each for each in variables if each.startswith(f"{MARKER}=")), None)
        if marker is not None:
            found[pid] = marker.removeprefix(f"{MARKER}=").split("/")[0]
    return found


def _environments() -> Iterator[tuple[int, list[str]]]:
    if sys.platform == "linux":
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    yield int(entry.name), (entry / "environ").read_text(errors="replace").split("\0")
                except OSError:
                    continue  # it has just ended, or is somebody else's
    elif os.name != "nt":
        command = ["ps", "-axwwE", "-o", "pid=,command="]
        listed = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
        for line in listed.stdout.splitlines():
            pid, *words = line.split()
            yield int(pid), words
