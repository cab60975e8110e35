"""Keeps the flows that are on the same as those in the flows folders, while people edit them.

Always true: a file that cannot be read as a flow changes nothing but what is told of it, so the last good deployment
of it stays on; a flow that two files define is taken from the one that it came from; nothing that goes wrong here takes
anything else down.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from engine.errors import PenstockError, UsageError
from engine.model.flow import Flow
from engine.model.scheduling import Deployment
from engine.ports import FlowRecord, Store
from engine.sources import flows_below

#: How many flows one commit deploys.
AT_ONCE = 100
#: Milliseconds of silence after a change before a file is taken for written.
SETTLES = 100
#: Milliseconds after which it is looked whether the folders themselves have come or gone.
LOOK_EVERY = 2000

log = logging.getLogger(__name__)

FlowName = tuple[str, str]
#: What tells whether a file has changed.
_Mark = tuple[int, int, int]


class _Read(Struct, frozen=True):
    """A file as it was read last: the flow in it, or why there is none."""

    mark: _Mark
    flow: Flow | None
    problem: PenstockError | None


class Deployments:
    """`look` may be called before `start`; from then on a thread of its own does it at each change, until `stop`."""

    def __init__(
        self,
        store: Store,
        load: Callable[[str], Flow],
        deploy: Callable[[Mapping[str, Sequence[Flow]]], int],
        folders: Sequence[str],
        on_change: Callable[[], None] = lambda: None,
        on_progress: Callable[[int, int], None] = lambda done, all_: None,
        warnings: Callable[[str], Iterable[str]] = lambda file: (),
    ) -> None:
        """`deploy` deploys flows, by the files that they come from, all or none. `on_change` hears when others are on
        than before, `on_progress` of files that have been read: how many, and of how many. `warnings` is what is
        doubtful about a flow that is on all the same.
        """
        self._store = store
        self._load = load
        self._deploy = deploy
        self._folders = [os.path.abspath(folder) for folder in folders]
        self._on_change = on_change
        self._on_progress = on_progress
        self._warnings = warnings
        self._read: dict[str, _Read] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="penstock-flows", daemon=True)
        #: The files that are not deployed as they are now, with why; replaced as a whole.
        self.broken: Mapping[str, PenstockError] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when nothing is deployed any more by this."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Deploy what is new or has changed, and undeploy what is gone."""
        self._read = self._read_all()
        defined = _defined(self._read)
        on = {(one.namespace, one.flow_id): one for one in self._store.deployments()}
        problems = {path: read.problem for path, read in self._read.items() if read.problem is not None}
        gone = [name for name in on if name not in defined and self._is_gone(on[name].origin)]
        for name in gone:
            log.info("%s/%s is off: %s does not define it any more", *name, on[name].origin)
            self._store.undeploy(*name)
        stored = {(record.namespace, record.id): record for record in self._store.flows()}
        changed = bool(gone)
        wanted: list[str] = []
        for name, files in defined.items():
            deployment = on.get(name)
            if len(files) > 1:
                problems.update(_ambiguous(name, files))
            chosen = files[0] if len(files) == 1 else deployment.origin if deployment is not None else None
            if chosen in files and not self._is_on(chosen, deployment, stored.get(name)):
                wanted.append(chosen)
        changed |= self._put_on(wanted, problems)
        self._tell(problems)
        if changed:
            self._on_change()

    def _is_gone(self, origin: str) -> bool:
        """Whether what was deployed from there is not defined any more; of a broken file nobody knows."""
        return os.path.isabs(origin) and (origin not in self._read or self._read[origin].flow is not None)

    def _is_on(self, file: str, deployment: Deployment | None, stored: FlowRecord | None) -> bool:
        if deployment is None or stored is None or deployment.origin != file:
            return False
        flow = self._read[file].flow
        return flow is not None and (stored.revision, stored.source) == (deployment.revision, flow.source)

    def _read_all(self) -> dict[str, _Read]:
        files = [file for folder in self._folders for file in flows_below(folder)]
        files = list(dict.fromkeys(files))
        found = {}
        for count, file in enumerate(files, 1):
            mark = _mark(file)
            if mark is not None:
                known = self._read.get(file)
                found[file] = known if known is not None and known.mark == mark else self._read_one(file, mark)
            self._on_progress(count, len(files))
        return found

    def _read_one(self, file: str, mark: _Mark) -> _Read:
        try:
            return _Read(mark, self._load(file), None)
        except PenstockError as problem:
            return _Read(mark, None, problem)
        except Exception as bug:
            log.exception("%s cannot be read", file)
            return _Read(mark, None, UsageError(f"{file} cannot be read: {bug}"))

    def _put_on(self, files: Sequence[str], problems: dict[str, PenstockError]) -> bool:
        """Deploy what the files define: many in one commit, and one by one where that does not work."""
        done = False
        for start in range(0, len(files), AT_ONCE):
            batch = files[start : start + AT_ONCE]
            flows = {file: flow for file in batch if (flow := self._read[file].flow) is not None}
            try:
                self._deploy({file: [flow] for file, flow in flows.items()})
            except PenstockError as problem:
                if len(batch) == 1:
                    problems[batch[0]] = problem
                else:
                    done |= sum(self._put_on([file], problems) for file in batch) > 0
                continue
            done = True
            for file, flow in flows.items():
                log.info("%s/%s is on, from %s", flow.namespace, flow.id, file)
                for warning in self._warnings(file):
                    log.warning("%s", warning)
        return done

    def _tell(self, problems: Mapping[str, PenstockError]) -> None:
        """Log what is newly broken; the rest has been told."""
        for file, problem in problems.items():
            before = self.broken.get(file)
            if before is None or before.message != problem.message:
                hint = f"\n{problem.hint}" if problem.hint else ""
                log.error("%s is not deployed as it is now:\n%s%s", file, problem.message, hint)
        self.broken = problems

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch_folders([folder for folder in self._folders if os.path.isdir(folder)])
            except Exception as error:  # noqa: BLE001 - whatever happens to a folder, the others go on
                log.error("the flows folders cannot be watched, but are looked at now and then: %s", error)
                self._stop.wait(LOOK_EVERY / 1000)
                self._look_safely()

    def _watch_folders(self, folders: list[str]) -> None:
        """Look at each change, until it is another set of folders that is there."""
        from watchfiles import watch

        if not folders:
            self._stop.wait(LOOK_EVERY / 1000)
        changes: Iterable[object] = (
            watch(
                *folders,
                step=SETTLES,
                rust_timeout=LOOK_EVERY,
                yield_on_timeout=True,
                stop_event=self._stop,
                raise_interrupt=False,
            )
            if folders
            else [True]
        )
        is_first = True  # something may have changed since the last look and before this watch
        for change in changes:
            if change or is_first:
                self._look_safely()
            is_first = False
            if [folder for folder in self._folders if os.path.isdir(folder)] != folders:
                return

    def _look_safely(self) -> None:
        try:
            self.look()
        except Exception as error:  # noqa: BLE001 - the database may be away; the next change is another chance
            log.error("the flows folders could not be looked at: %s", error)


def _mark(file: str) -> _Mark | None:
    try:
        found = os.stat(file)
    except OSError:
        return None  # it is gone since it was listed
    return found.st_mtime_ns, found.st_size, found.st_ino


def _defined(read: Mapping[str, _Read]) -> dict[FlowName, list[str]]:
    """Which files define each flow."""
    defined: dict[FlowName, list[str]] = {}
    for file, one in read.items():
        if one.flow is not None:
            defined.setdefault((one.flow.namespace, one.flow.id), []).append(file)
    return defined


def _ambiguous(name: FlowName, files: Sequence[str]) -> dict[str, PenstockError]:
    problem = UsageError(
        f"{' and '.join(files)} define the same flow {'/'.join(name)}", hint="give one of them another id"
    )
    return dict.fromkeys(files, problem)
