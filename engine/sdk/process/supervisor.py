"""The process between the engine and a command: it starts the command, and ends when nothing is left of it.

It is run as a file, by an interpreter that sees the standard library only, so it imports nothing else; the engine
imports it too, to end what a dead supervisor has left.

    supervisor.py OUT ERR GRACE COMMAND...

OUT and ERR are the file descriptors that the command writes to. On standard input the engine says `g` when the command
may start and `s` when it shall stop; the end of the input means that the engine is gone, and counts as `s`. On standard
output goes one line, at the end: the wait status of the command, and the pids of what could not be ended.

On Linux it is the reaper of all its descendants, so "no child is left" proves that no process is, even after a double
fork, in another session or with another environment. Elsewhere strays are found by the variable that they carry.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

TYPE_CHECKING = False  # as type checkers know it; importing `typing`, `contextlib` or `pathlib` would double the start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Find = Callable[[], set[int]]

_HAS_PROC = sys.platform == "linux"
_PR_SET_CHILD_SUBREAPER = 36
_DEAD = (b"Z", b"X")  #: the states of a process that only waits to be buried
_TICK = 0.02  #: seconds between two looks at what is still there
_LOOKS = 100  #: at the table of processes, until what is not in it counts as hidden from this user
_LINGER = 1.0  #: seconds that what a command leaves behind has to end by itself, once told to
_PATIENCE = 5.0  #: seconds until what cannot be killed is given up
_MARKER = "PENSTOCK_ATTEMPT"
_HEARD = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# -- what is running


def _table() -> Iterator[tuple[int, int]]:
    """The pid of every living process and that of its parent."""
    if not _HAS_PROC:
        for line in _ps("ppid=,stat="):
            of_ps = line.split()
            if not of_ps[2].startswith("Z"):
                yield int(of_ps[0]), int(of_ps[1])
        return
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                state, parent, *_ = _read(f"/proc/{entry}/stat").rpartition(b")")[2].split()
            except (OSError, ValueError):
                continue  # it has just ended
            if state not in _DEAD:
                yield int(entry), int(parent)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _ps(columns: str, *options: str) -> list[str]:
    """What `ps` tells of all processes but itself, a line each; the pid comes first."""
    import subprocess  # lazy: not needed where there is /proc

    command = ["ps", "-axww", *options, "-o", f"pid=,{columns}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as ps:  # noqa: S603  # nothing in it is anybody's text
        told = ps.communicate()[0].decode(errors="replace")
    return [line for line in told.splitlines() if line.split(None, 1)[:1] != [str(ps.pid)]]


def descendants(of: int) -> set[int]:
    """All living processes below a process."""
    below: dict[int, list[int]] = {}
    for pid, parent in _table():
        below.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = [of]
    while waiting:
        children = [pid for pid in below.get(waiting.pop(), ()) if pid not in found]
        found.update(children)
        waiting.extend(children)
    return found


def marked(marker: str) -> set[int]:
    """All living processes of this user whose environment had a marker that begins so, except this one."""
    wanted = f"{_MARKER}={marker}"
    if not _HAS_PROC:
        words = (line.split() for line in _ps("command=", "-E"))
        found = {int(pid) for pid, *rest in words if any(word.startswith(wanted) for word in rest)}
    else:
        begin = wanted.encode()
        found = {pid for pid, _ in _table() if any(entry.startswith(begin) for entry in _environment(pid))}
    return found - {os.getpid()}


def _environment(pid: int) -> list[bytes]:
    try:
        return _read(f"/proc/{pid}/environ").split(b"\0")
    except OSError:
        return []  # it has just ended, or is somebody else's


def start_of(pid: int) -> str | None:
    """When a process was started, in the terms of the system; None when there is none that lives."""
    if not _HAS_PROC:
        lines = (line.split(None, 2) for line in _ps("stat=,lstart="))
        return next((rest for found, state, rest in lines if found == str(pid) and state[0] != "Z"), None)
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        boot = _read("/proc/sys/kernel/random/boot_id").decode().strip()
    except OSError:
        return None
    return f"{boot}/{fields[19].decode()}" if fields[0] not in _DEAD else None


# -- ending it


def _tell(pids: set[int], what: int) -> None:
    """Signal processes and all of their groups: no member of a group slips through by forking and ending."""
    groups: set[int] = set()
    for pid in pids:
        try:
            groups.add(os.getpgid(pid))
            os.kill(pid, what)
        except (ProcessLookupError, PermissionError):
            continue  # the next look tells
    for group in groups - {os.getpgrp()}:
        try:
            os.killpg(group, what)
        except (ProcessLookupError, PermissionError):
            continue


def kill_all(find: Find, patience: float = _PATIENCE) -> set[int]:
    """Kill whatever `find` finds until it finds nothing. Returns what is still there when patience ends.

    All are frozen before any is killed: what is frozen starts nothing new.
    """
    until = time.monotonic() + patience
    while found := find():
        frozen: set[int] = set()
        while (fresh := found - frozen) and time.monotonic() < until:
            _tell(fresh, signal.SIGSTOP)
            frozen |= fresh
            found = find()
        _tell(frozen | found, signal.SIGKILL)
        if time.monotonic() >= until:
            return find()
        time.sleep(_TICK)
    return set()


def kill_marked(marker: str, patience: float = _PATIENCE) -> set[int]:
    """Kill everything that carries a marker that begins so. Returns the pids of what cannot be killed."""
    return kill_all(lambda: marked(marker), patience)


# -- the supervisor itself


class Supervisor:
    """Watches one command."""

    def __init__(self, out: int, err: int, grace: float, command: list[str]) -> None:
        self.status: int | None = None
        self._out, self._err = out, err
        self._grace = grace
        self._command = command
        self._child = 0
        self._stopping_at: float | None = None
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in _HEARD:
            signal.signal(number, self._noticed)
        self._is_reaper = _become_reaper()

    def _noticed(self, number: int, frame: object) -> None:
        if number != signal.SIGCHLD:
            self._stop()

    def _stop(self) -> None:
        if self._stopping_at is None:
            self._stopping_at = time.monotonic() + self._grace

    def run(self) -> set[int]:
        """Start the command when told to, and see it to its end. Returns what could not be ended."""
        if os.read(0, 1) != b"g":
            return set()  # the engine is gone, and nothing has happened yet
        self._start()
        self._watch()
        if self.status is not None:
            self._settle()
        left = kill_all(self._find)
        self._reap()
        return left

    def _start(self) -> None:
        for file in (self._out, self._err):
            os.set_inheritable(file, False)
        self._child = os.fork()
        if self._child:
            os.close(self._out)
            os.close(self._err)
            return
        try:
            os.setsid()
            for number in (
                signal.SIGCHLD,
                signal.SIGTERM,
                signal.SIGINT,
                signal.SIGHUP,
                signal.SIGPIPE,
                signal.SIGXFSZ,
            ):
                signal.signal(number, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(self._out, 1)
            os.dup2(self._err, 2)
            os.execvp(self._command[0], self._command)  # noqa: S606
        except OSError as error:
            os.write(2, f"cannot start `{self._command[0]}`: {error.strerror}\n".encode())
        finally:
            os._exit(127)

    def _watch(self) -> None:
        """Until the command has ended, or has been given its grace."""
        told = False
        while True:
            self._reap()
            if self.status is not None:
                return
            if self._stopping_at is not None and not told:
                told = True
                _tell(self._find(), signal.SIGTERM)
            left = None if self._stopping_at is None else self._stopping_at - time.monotonic()
            if left is not None and left <= 0:
                return
            self._wait(left)

    def _settle(self) -> None:
        """What the command left behind ends now: asked first."""
        until = self._stopping_at or time.monotonic() + _LINGER
        found = self._find()
        _tell(found, signal.SIGTERM)
        while found and time.monotonic() < until:
            self._wait(_TICK)
            found = self._find()

    def _wait(self, seconds: float | None) -> None:
        """Until a child ends, a signal comes, or the engine says something."""
        listening = [self._woken] if self._stopping_at is not None else [self._woken, 0]
        ready, _, _ = select.select(listening, [], [], seconds)
        if self._woken in ready:
            os.read(self._woken, 4096)
        if 0 in ready:
            os.read(0, 1)
            self._stop()

    def _reap(self) -> bool:
        """Bury the dead. Returns whether a child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._child:
                self.status = status

    def _find(self) -> set[int]:
        """All that came of the command. Who has a child but sees none looks again: they may replace each other."""
        if not self._is_reaper:
            self._reap()
            return descendants(os.getpid()) | marked(os.environ.get(_MARKER, ""))
        for _ in range(_LOOKS):
            if not self._reap():
                break
            if found := descendants(os.getpid()):
                return found
        return set()


def _become_reaper() -> bool:
    """Have orphans among the descendants become children of this process. Returns whether they do."""
    if sys.platform != "linux":
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def main() -> None:
    out, err, grace, *command = sys.argv[1:]
    supervisor = Supervisor(int(out), int(err), float(grace), command)
    left = supervisor.run()
    status = supervisor.status if supervisor.status is not None else signal.SIGKILL
    try:
        os.write(1, " ".join(map(str, (int(status), *sorted(left)))).encode() + b"\n")
    except BrokenPipeError:
        os._exit(1)  # the engine is gone


if __name__ == "__main__":
    main()
