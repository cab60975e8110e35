"""The folders that the tasks of a WorkingDirectory share: one for each of its task runs, until that has ended.

Each engine keeps its folders in one of its own, with a lock beside it that dies with the engine: what a dead engine
left behind is removed by the next one. Always true: nobody removes a folder that a living engine works in.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from engine.model.execution import TaskRun
from engine.ports import ExecutionChange
from engine.store.owner import Owner, lock_path, owner_of


class Folders:
    """Safe from any thread. `root` is made when the first folder is; None is a temporary folder."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._own: Path | None = None  #: where the folders of this engine are
        self._owner: Owner | None = None
        self._open: dict[str, Path] = {}
        self._lock = threading.Lock()

    def of(self, run: TaskRun) -> Path:
        """The folder of a WorkingDirectory's task run, made when first asked for."""
        with self._lock:
            folder, name = self._open.get(run.id), f"{run.id}-{run.epoch}"
            if folder is None or folder.name != name:
                if folder is not None:
                    shutil.rmtree(folder, ignore_errors=True)  # it began anew, under another epoch
                folder = self._open[run.id] = self._home() / name
                folder.mkdir(mode=0o700)
            return folder

    def _home(self) -> Path:
        if self._own is None:
            root = self._root or Path(tempfile.mkdtemp(prefix="penstock-"))
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            own = root / uuid4().hex
            self._owner = Owner.acquire(own)
            own.mkdir(mode=0o700)
            self._own = own
        return self._own

    def sweep(self) -> None:
        """Remove what dead engines have left behind."""
        for lock in self._root.glob("*.lock") if self._root is not None else ():
            folder = lock.with_suffix("")
            if folder != self._own and owner_of(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)
                lock.unlink(missing_ok=True)

    def committed(self, changes: Iterable[ExecutionChange]) -> None:
        """Remove the folders of task runs that have ended, or are gone, in a thread of its own."""
        if not self._open:
            return
        done = [run.id for change in changes for run in change.task_runs.values() if run.is_terminal]
        done += [run_id for change in changes for run_id in change.removed_task_runs]
        with self._lock:
            folders = [self._open.pop(run_id) for run_id in done if run_id in self._open]
        if folders:
            threading.Thread(target=self._remove, args=(folders,), name="penstock-folders").start()

    def _remove(self, folders: list[Path]) -> None:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        with self._lock:
            if self._open or self._own is None or self._owner is None:
                return
            with suppress(OSError):
                self._own.rmdir()
            self._owner.release()
            lock_path(self._own).unlink(missing_ok=True)
            self._own = self._owner = None
