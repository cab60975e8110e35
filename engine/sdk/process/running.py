"""Runs a command as part of an attempt, from its start to the proof that nothing of it is left."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import IO, Literal
from uuid import uuid4

from msgspec import Struct

from engine.errors import ProcessesLeft, TaskFailed, TaskTimedOut
from engine.model.execution import StartedProcess
from engine.sdk.context import RunContext
from engine.sdk.process import supervisor
from engine.sdk.process.policy import MARKER
from engine.sdk.process.spool import Spool

Stream = Literal["stdout", "stderr"]
OnLine = Callable[[Stream, str], None]

_TICK = 0.05  #: seconds between two looks at what was written, and at whether to stop
_UTF_8 = {"LANG": "C.UTF-8"}
_PATIENCE = 2.5  #: seconds beyond the grace that a supervisor has to end
_KILLING = 2.0  #: seconds that it takes at most to kill what a supervisor has not ended


class Limits(Struct, frozen=True, kw_only=True):
    """How much a command may write, in bytes: a longer line is cut, a longer stream fails the task."""

    line: int = 1024 * 1024
    stream: int = 256 * 1024 * 1024


class Ended(Struct, frozen=True):
    """How a command ended. As in a shell, the code of one that a signal has ended is 128 and its number."""

    code: int
    signal: str | None = None

    def __str__(self) -> str:
        if self.signal is not None:
            return f"was ended by {self.signal}"
        named = _signal_name(self.code - 128) if self.code > 128 else None  # a shell tells of its children so
        return f"ended with exit code {self.code}" + (f" ({named})" if named else "")


def run_process(
    ctx: RunContext,
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    on_line: OnLine,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    grace: float = 5.0,
) -> Ended:
    """Run a command to its end. `env` is all that it sees of variables, but for MARKER and a LANG if it has none;
    `on_line` hears each line as soon as it is ended.

    When the task is told to stop, or its time is up, so is the command: SIGTERM, and SIGKILL after `grace` seconds.
    What it leaves behind when it ends is ended, too. Raises TaskCancelled and TaskTimedOut once nothing is left of it;
    ProcessesLeft when something cannot be ended; TaskFailed when it cannot be started, or writes too much. In any case
    it returns within some five seconds after the grace.
    """
    if sys.platform == "win32":
        raise TaskFailed("commands cannot be run on Windows", hint="use Linux, macOS or WSL")
    _check(command, cwd, env)
    marker = f"{ctx.task_run_id}/{ctx.attempt}/{uuid4().hex[:8]}"  # one of its own for each command
    with ExitStack() as opened:
        spools: dict[Stream, Spool] = {
            "stdout": opened.enter_context(Spool(limits.line)),
            "stderr": opened.enter_context(Spool(limits.line)),
        }
        process = opened.enter_context(
            _supervised(command, cwd, {**_UTF_8, **env, MARKER: marker}, spools, grace, marker)
        )
        started_at = supervisor.start_of(process.pid) or ""
        ctx.process_started(StartedProcess(pid=process.pid, started_at=started_at, marker=marker))
        _say(process, b"g")
        problem = _follow(ctx, process, spools, on_line, limits, grace)
        ended, left = _told(process, marker)
        if left:
            raise ProcessesLeft(left)
        ctx.check_cancelled()
        if problem is not None:
            raise problem
        for stream, spool in spools.items():
            _drain(ctx, stream, spool, on_line)
        return ended


def _check(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
    if not command:
        raise TaskFailed("there is no command to run")
    program = command[0]
    if "/" not in program and shutil.which(program, path=env.get("PATH", os.defpath)) is None:
        raise TaskFailed(f"there is no program `{program}`", hint="install it, or put its folder into PATH")
    if not cwd.is_dir():
        raise TaskFailed(f"there is no folder `{cwd}` to run in")
    for name, value in env.items():
        if not name or "=" in name or "\0" in name + value:
            raise TaskFailed(f"`{name}` cannot be an environment variable")


@contextmanager
def _supervised(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], spools: Mapping[Stream, Spool], grace: float, marker: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor that has not started the command yet. It is gone in the end, and so is all that it supervises."""
    out, err = (spool.file.fileno() for spool in spools.values())
    script = [sys.executable, "-I", "-S", supervisor.__file__, str(out), str(err), str(grace), *command]
    try:
        process = subprocess.Popen(  # noqa: S603  # to run what a flow says is what this is for
            script,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(out, err),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        hint = "a long script belongs into a file: see `inputFiles`" if "too long" in str(error) else None
        raise TaskFailed(f"cannot start `{command[0]}`: {getattr(error, 'strerror', error)}", hint=hint) from None
    try:
        yield process
    finally:
        with suppress(BrokenPipeError):
            _pipe(process.stdin).close()  # a supervisor that hears nothing more ends
        try:
            process.wait(grace + _PATIENCE)
        except subprocess.TimeoutExpired:
            if left := supervisor.kill_marked(marker, _KILLING):
                raise ProcessesLeft(left) from None
            process.wait()
        finally:
            _pipe(process.stdout).close()


def _follow(
    ctx: RunContext,
    process: subprocess.Popen[bytes],
    spools: Mapping[Stream, Spool],
    on_line: OnLine,
    limits: Limits,
    grace: float,
) -> TaskFailed | None:
    """Hand on lines until the supervisor has ended. Returns why the command had to be stopped, if it had."""
    problem: TaskFailed | None = None
    given_up_at: float | None = None
    busy = False
    while not select.select([_pipe(process.stdout)], [], [], 0 if busy else _TICK)[0]:
        busy = False
        if given_up_at is None:
            problem = _reason_to_stop(ctx, spools, limits)
            if problem is not None:
                _say(process, b"s")
                given_up_at = monotonic() + grace + _PATIENCE
        elif monotonic() > given_up_at:
            break
        if problem is None:
            for stream, spool in spools.items():
                for line in spool.lines():
                    on_line(stream, line)
                busy = busy or not spool.is_read
    return problem


def _reason_to_stop(ctx: RunContext, spools: Mapping[Stream, Spool], limits: Limits) -> TaskFailed | None:
    if ctx.cancelled:
        return TaskFailed("the task was told to stop")
    if ctx.deadline is not None and monotonic() >= ctx.deadline:
        return TaskTimedOut("the task ran out of time")
    for stream, spool in spools.items():
        if spool.size > limits.stream:
            return TaskFailed(f"the command wrote more than {limits.stream:,} bytes to {stream}")
    return None


def _drain(ctx: RunContext, stream: Stream, spool: Spool, on_line: OnLine) -> None:
    """What was written up to the end."""
    while not spool.is_read:
        ctx.check_cancelled()
        for line in spool.lines():
            on_line(stream, line)
    for line in spool.last_line():
        on_line(stream, line)


def _told(process: subprocess.Popen[bytes], marker: str) -> tuple[Ended, set[int]]:
    """How the command ended, and what is left of it."""
    ready, _, _ = select.select([_pipe(process.stdout)], [], [], 0)
    words = _pipe(process.stdout).readline().split() if ready else []
    if not words:  # somebody has killed the supervisor, or it hangs
        return Ended(128 + signal.SIGKILL, "SIGKILL"), supervisor.kill_marked(marker, _KILLING)
    status, *left = map(int, words)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return Ended(128 + number, _signal_name(number) or f"signal {number}"), set(left)
    return Ended(os.waitstatus_to_exitcode(status)), set(left)


def _signal_name(number: int) -> str | None:
    try:
        return signal.Signals(number).name
    except ValueError:
        return None


def _say(process: subprocess.Popen[bytes], word: bytes) -> None:
    with suppress(BrokenPipeError):  # it has just ended, and that will be seen
        _pipe(process.stdin).write(word)
        _pipe(process.stdin).flush()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
