"""All checks of an installation, from the owner of its database to the last row: what `penstock doctor` shows.

Each check is told as soon as it is made. What keeps the others from being made is the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from engine.errors import NotFound, PenstockError, StoreBusy, StoreError
from engine.files.local import LocalFiles
from engine.ports import Store
from engine.runtime.clock import SystemClock
from engine.runtime.diagnosis import machine
from engine.runtime.diagnosis.examination import Examination, Subject
from engine.runtime.diagnosis.finding import Check, Finding
from engine.runtime.library import Library
from engine.runtime.peer import Away, Peer
from engine.store import db_check, open_as_it_is
from engine.store.integrity import DatabaseReport
from engine.store.owner import last_owner, owner_of

OnProgress = Callable[[int, int], None]


class Installation(Struct, frozen=True, kw_only=True):
    """What is examined: a state folder, the URL of its database, and the file if it is one."""

    home: Path
    url: str
    file: Path | None
    library: Callable[[Callable[[], Store]], Library]  #: the flows of a store


def examine(installation: Installation, on_progress: OnProgress) -> Iterator[Check]:
    """Every check there is. Nothing is changed."""
    file, home = installation.file, installation.home
    if home.is_dir():
        yield _made("disk", machine.disk_space(home, file))
        yield _made("permissions", machine.permissions(_private(home, file)))
    if file is not None:
        yield _made("sqlite", machine.sqlite_version())
        yield _owner(file)
    try:
        report = db_check(installation.url, contents=False)
    except NotFound:
        yield Check(name="database", told="there is none yet: the first `penstock run` makes it")
        return
    except StoreError as error:
        yield Check(name="database", findings=(_failure(error),))
        return
    yield _schema(report)
    yield _integrity(report)
    if report.version == report.expected:
        yield from _contents(installation, on_progress)


def _contents(installation: Installation, on_progress: OnProgress) -> Iterator[Check]:
    store = open_as_it_is(installation.url)
    if store is None:
        return
    try:
        subject = Subject(
            store=store,
            files=LocalFiles(installation.home / "storage"),
            clock=SystemClock(),
            find_flow=installation.library(lambda: store).find,
            mover=_mover(store, installation.file),
            marked=machine.marked_processes(),
        )
        yield from Examination(subject, on_progress).checks()
    except StoreError as error:
        yield Check(name="rows", findings=(_failure(error),))
    finally:
        store.close()


def _mover(store: Store, file: Path | None) -> Callable[[str], str | None]:
    """Tells which engine moves an execution, if any does."""
    if (sharing := store.sharing) is not None:

        def of_shared(execution_id: str) -> str | None:
            return "an engine" if sharing.owner(execution_id) is not None else None

        return of_shared
    peer = Peer(file) if file is not None else None

    def of_file(execution_id: str) -> str | None:
        try:
            return "an engine" if peer is not None and peer.runs(execution_id) else None
        except Away:
            return None
        except PenstockError:
            return "an engine that does not answer"

    return of_file


def _owner(file: Path) -> Check:
    owner = owner_of(file) if file.exists() else None
    if owner is None:
        last = last_owner(file)
        return Check(name="owner", told=f"none; {last} was the last, and died" if last else "none")
    try:
        answer = Peer(file).ping()
    except StoreBusy as error:
        hint = error.hint or f"See to process {owner.pid}."
        return Check(name="owner", told=str(owner), findings=(Finding(what=error.message, hint=hint),))
    return Check(name="owner", told=f"{owner}, and answers (Penstock {answer['version']})")


def _schema(report: DatabaseReport) -> Check:
    told = f"version {report.version or 'none'}"
    if report.version in (None, report.expected):
        return Check(name="schema", told=told)
    what = f"the schema is {report.version}, and {report.expected} is expected"
    hint = "`penstock db upgrade` brings it up to date, after a backup; then look again for the rest."
    return Check(name="schema", told=told, findings=(Finding(what=what, hint=hint),))


def _integrity(report: DatabaseReport) -> Check:
    hint = "Restore a backup: `penstock db restore FILE`."
    findings = tuple(Finding(what=damage, hint=hint) for damage in report.damage)
    rows = f", {sum(report.counts.values()):,} rows" if report.counts else ""
    return Check(name="database", told=report.name + rows, findings=findings)


def _made(name: str, findings: Iterator[Finding]) -> Check:
    return Check(name=name, findings=tuple(findings))


def _failure(error: StoreError) -> Finding:
    return Finding(what=error.message, hint=error.hint or "Look at the database's own log.")


def _private(home: Path, file: Path | None) -> list[Path]:
    """What only its owner may read."""
    beside = [] if file is None else [file.with_name(file.name + suffix) for suffix in ("", "-wal", "-shm", ".lock")]
    own = [home] if home.name.startswith(".") else []  # somebody's own folder is his business
    return [*own, *beside, home / "encryption.key", home / "storage", home / "engine.sock", *_backups(file)]


def _backups(file: Path | None) -> list[Path]:
    return sorted(file.parent.glob(f"{file.name}.*backup*")) if file is not None else []
