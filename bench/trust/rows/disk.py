"""Rows 10 and 25 to 27: the power goes, the disk is full, files are damaged or may not be written."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from bench.trust import judging
from bench.trust.api import ask, create, serve
from bench.trust.matrix import Result, not_possible, passed, require, row
from bench.trust.power import Disk, operations, traced
from bench.trust.world import PENSTOCK, World
from engine.model.state import State
from engine.store import db_check, open_store

STEPS = "\n".join(
    f"  - {{id: p{number}, type: io.kestra.plugin.core.debug.Return, format: x}}\n"
    f"  - {{id: s{number}, type: trust.Step}}"
    for number in range(5)
)
CUTS = 60  #: moments at which the power goes


@row(
    10,
    "The power goes: writes up to the last flush are there, of later ones any part",
    "nothing acknowledged is lost, the file is whole",
)
def row_10(world: World) -> Result:
    """What a disk holds after a power cut is made from a trace of all writes and flushes. A line in the ledger tells
    that the claim of its task was acknowledged before."""
    if shutil.which("strace") is None:
        return not_possible("strace, which traces the writes, is not installed")
    world.type("run", world.flow("first", STEPS)).well()
    names = {name: world.database.with_name(name) for name in ("penstock.db", "penstock.db-wal")}
    names["ledger"] = world.ledger_file
    before = {name: path.read_bytes() if path.exists() else b"" for name, path in names.items()}
    trace = world.folder / "trace"
    typed = world.type("run", world.flow("cut", STEPS), program=traced(trace, *PENSTOCK), patience=180)
    disk = Disk(before, list(operations(trace, {name: len(content) for name, content in before.items()})))
    if typed.code != 0 or not disk.operations:
        return not_possible(f"strace may not trace here: {typed.err[-100:]}")
    ends = len(disk.operations)
    promised = 0
    for number in range(CUTS):
        at = world.chance.randrange(ends + 1) if number else ends
        promised += _survives(world, disk, at, None if number % 4 == 0 else world.chance)
    require(promised, "no cut had anything to keep")
    flushes = sum(operation.offset is None for operation in disk.operations)
    return passed(
        f"{CUTS} cuts in {ends} operations, {flushes} of them flushes: the file was always whole, and all {promised} "
        "claims that tasks had told of were there"
    )


def _survives(world: World, disk: Disk, at: int, chance: Random | None) -> int:
    """How many acknowledged claims are still there after a cut. One that is not is a broken promise."""
    folder = world.folder / "after"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in disk.cut(at, chance).items():
        if content and name != "ledger":
            (folder / name).write_bytes(content)
    url = f"sqlite:///{folder}/penstock.db"
    report = db_check(url)
    require(report.is_sound, f"cut at operation {at} the file is damaged: {report.problems[:2]}")
    told = [line.split() for line in disk.written("ledger", at).decode().splitlines()]
    store = open_store(url)
    try:
        stored = {id_: store.execution(id_) for id_ in {line[0] for line in told}}
    finally:
        store.close()
    for id_, run_id, _ in told:
        execution = stored[id_]
        require(execution is not None and run_id in execution.task_runs, f"cut at operation {at} {run_id} is lost")
        require(not list(judging.problems(execution)), f"cut at operation {at} {id_} is not in order")
    return len(told)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[bool]:
    """A file system of its own in a folder; False where this user may not make one."""
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        yield made.returncode == 0
    finally:
        if made.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


def fill(folder: Path, spare: int = 0) -> Path:
    """Fill a file system up."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    if spare:
        os.truncate(ballast, max(0, ballast.stat().st_size - spare))
    return ballast


@row(
    25,
    "The database is on a full disk; then there is room again",
    "refused with words, reads work, no loss, recovers alone",
)
def row_25(world: World) -> Result:
    with small_disk(world.folder / ".penstock", "4m") as is_small:
        if not is_small:
            return passed(
                "by a limit on file sizes: " + world.tests("tests/contract/test_sqlite_file.py", select="full_disk")
            )
        (world.folder / "flows").mkdir()
        (world.folder / "flows" / "steps.yaml").write_text(f"id: steps\nnamespace: trust\ntasks:\n{STEPS}\n")
        server, url = serve(world)
        first = create(url, "trust/steps", "first")
        world.until(lambda: world.executions()[first["id"]].is_over, "the first one ends")
        ballast = fill(world.folder / ".penstock")
        refused = [ask(url, "POST", "/api/v1/main/executions/trust/steps") for _ in range(5)]
        listed, _ = ask(url, "GET", "/api/v1/main/executions/search?size=5")
        ballast.unlink()
        freed = time.monotonic()
        world.until(lambda: ask(url, "POST", "/api/v1/main/executions/trust/steps")[0] == 200, "it writes again", 10)
        took = time.monotonic() - freed
        server.terminate()
        world.end(server)
        world.recover().well()
        codes = sorted({code for code, _ in refused})
        require(not set(codes) - {200, 503, 507}, f"on a full disk it answered {codes}: {refused[-1][1]}")
        require(codes != [200], "the disk was not full")
        require(listed == 200, f"a list on a full disk was answered with {listed}")
        acknowledged = [answer["id"] for code, answer in refused if code == 200]
        states = {id_: execution.state for id_, execution in world.executions().items()}
        require(all(states.get(id_) is State.SUCCESS for id_ in [first["id"], *acknowledged]), f"lost: {states}")
        world.sound()
        return passed(f"answers {codes} while it was full, lists went on; {took:.1f} s later it wrote again, no loss")


@row(
    26,
    "Only the disk of files is full; 64 file handles",
    "that task FAILED with the reason; the engine lives",
)
def row_26(world: World) -> Result:
    told = []
    with small_disk(world.folder / ".penstock" / "storage", "256k") as is_small:
        if is_small:
            write = "  - {id: first, type: io.kestra.plugin.core.storage.Write, content: '{{ range(1, 90000) }}'}"
            done = world.type("run", world.flow("writes", write))
            run = next(world.only("writes").in_order())
            require(run.state is State.FAILED, f"the task is {run.state} on a full disk of files")
            require("Traceback" not in done.err, "a traceback")
            error = run.error or ""
            require("space" in error.lower(), f"not told why: {error}")
            told.append(f"full: FAILED, {error.splitlines()[0][:90]!r}")
    world.type("run", world.flow("after_all", STEPS)).well()
    typed = world.type("run", world.flow("few_handles", STEPS), preexec_fn=_few_handles)
    require(typed.code in (0, 1, 4), f"with few file handles it ended with {typed.code}: {typed.err[-200:]}")
    require("Traceback" not in typed.err, "a traceback")
    told.append(f"64 file handles: code {typed.code}")
    world.recover()
    world.sound()
    return passed("; ".join(told))


def _few_handles() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


@row(
    27,
    "chmod 0444; a read-only folder; truncated; a flipped page; zero bytes; not SQLite; the log or the file gone",
    "refused with a hint; never made anew over it",
)
def row_27(world: World) -> Result:
    proven = world.tests("tests/contract/test_sqlite_file.py")
    world.type("run", world.flow("first", STEPS)).well()
    whole = world.database.read_bytes()
    for name, content in (
        ("truncated", whole[: len(whole) // 2]),
        ("not SQLite", b"no database at all" * 100),
        ("a flipped header", b"\0" * 100 + whole[100:]),
    ):
        world.database.write_bytes(content)
        for suffix in ("-wal", "-shm"):
            world.database.with_name(world.database.name + suffix).unlink(missing_ok=True)
        typed = world.type("run", "first.yaml")
        require(typed.code > 0, f"{name}: it ended with {typed.code}")
        require("Traceback" not in typed.err, f"{name}: a traceback")
        require("Hint" in typed.err, f"{name}: nothing tells what to do: {typed.err}")
        require(world.database.read_bytes() == content, f"{name}: the file has been changed")
    return passed(f"truncated, not SQLite, header gone: refused, told, left as they are; {proven}")
