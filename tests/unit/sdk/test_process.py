"""Real commands, well-behaved and not: what is heard of them, how they end, and that nothing of them is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from engine.errors import TaskCancelled, TaskFailed
from engine.model.execution import StartedProcess
from engine.sdk.process import supervisor
from engine.sdk.process.policy import MARKER, ProcessPolicy
from engine.sdk.process.running import Ended, Limits, Stream, run_process
from engine.sdk.testing import FakeContext

ENV = {"PATH": os.environ["PATH"]}
#: Of everything that a test has started.
MARKERS: list[str] = []


class Context(FakeContext):
    """Told to stop by setting `stop`."""

    stop = False

    def process_started(self, process: StartedProcess) -> None:
        MARKERS.append(process.marker)

    @property
    def cancelled(self) -> bool:
        return self.stop


@dataclass
class Heard:
    """What a command says; `stop_at` has the task stopped when such a line comes."""

    ctx: Context = field(default_factory=Context)
    stop_at: str | None = None
    lines: list[tuple[Stream, str]] = field(default_factory=list)

    def __call__(self, stream: Stream, line: str) -> None:
        self.lines.append((stream, line))
        if line == self.stop_at:
            self.ctx.stop = True

    def of(self, stream: Stream) -> list[str]:
        return [line for where, line in self.lines if where == stream]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert {pid for marker in MARKERS for pid in supervisor.marked(marker)} == set()
    MARKERS.clear()


def run(script: str, heard: Heard | None = None, *, tmp: Path = Path("/tmp"), **options: Any) -> Ended:
    heard = heard if heard is not None else Heard()
    return run_process(heard.ctx, ["/bin/sh", "-c", script], cwd=tmp, env=ENV, on_line=heard, **options)


def python(code: str, heard: Heard, **options: Any) -> Ended:
    return run_process(heard.ctx, [sys.executable, "-c", code], cwd=Path("/tmp"), env=ENV, on_line=heard, **options)


def test_both_streams_are_heard_and_the_exit_code_is_told(tmp_path: Path) -> None:
    heard = Heard()
    ended = run("pwd; echo wrong >&2; cat; exit 3", heard, tmp=tmp_path)
    assert (ended.code, ended.signal, str(ended)) == (3, None, "ended with exit code 3")
    assert heard.of("stdout") == [str(tmp_path)]
    assert heard.of("stderr") == ["wrong"]


def test_a_signal_is_told_by_its_name() -> None:
    assert run("kill -SEGV $$") == Ended(139, "SIGSEGV")
    assert str(run("kill -TERM $$")) == "was ended by SIGTERM"
    assert str(run("sh -c 'kill -KILL $$'; exit $?")) == "ended with exit code 137 (SIGKILL)"


def test_lines_are_heard_while_the_command_runs() -> None:
    heard = Heard(stop_at="ready")
    with pytest.raises(TaskCancelled):
        run("echo ready; exec sleep 60", heard)


def test_a_command_sees_what_it_is_given_and_the_marker() -> None:
    heard = Heard()
    run("env", heard)
    names = {line.partition("=")[0] for line in heard.of("stdout")} - {"PWD", "SHLVL", "_", "OLDPWD"}
    assert names == {"PATH", "LANG", MARKER}


def test_the_policy_lets_through_what_every_program_needs_and_what_is_named() -> None:
    environ = {"PATH": "/bin", "LC_ALL": "C", "SECRET_KEY": "x", "PENSTOCK_DATABASE__URL": "y", "AWS_REGION": "eu"}
    assert ProcessPolicy().environment(environ) == {"PATH": "/bin", "LC_ALL": "C"}
    assert ProcessPolicy(pass_env=("AWS_*",)).environment(environ).keys() == {"PATH", "LC_ALL", "AWS_REGION"}


def test_nothing_runs_before_the_process_is_recorded(tmp_path: Path) -> None:
    seen: list[StartedProcess] = []

    class Recording(Context):
        def process_started(self, process: StartedProcess) -> None:
            seen.append(process)
            assert process.started_at == supervisor.start_of(process.pid)
            assert supervisor.descendants(process.pid) == set()
            raise TaskFailed("the database is gone")

    with pytest.raises(TaskFailed, match="the database is gone"):
        run(f"touch {tmp_path}/ran", Heard(Recording()))
    assert [process.marker.rpartition("/")[0] for process in seen] == ["taskrun/1"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "script",
    [
        "echo ready; sleep 60",
        "trap '' TERM INT HUP; echo ready; while :; do sleep 60; done",
        "setsid sh -c 'trap \"\" TERM; sleep 60' & echo ready; wait",
        "(setsid sh -c '(trap \"\" TERM; exec sleep 60) & exit') ; echo ready; sleep 60",
        "for i in 1 2 3 4; do (for j in 1 2 3; do sleep 60 & done; wait) & done; echo ready; wait",
        "env -i setsid sh -c 'trap \"\" TERM; sleep 60' & echo ready; wait",
    ],
    ids=["plain", "ignores SIGTERM", "own session", "double fork", "many", "without the marker"],
)
def test_nothing_is_left_when_the_task_is_told_to_stop(script: str) -> None:
    heard = Heard(stop_at="ready")
    before = supervisor.descendants(os.getpid())
    with pytest.raises(TaskCancelled):
        run(script, heard, grace=0.2)
    assert supervisor.descendants(os.getpid()) == before


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere orphans are found by the marker alone")
def test_an_orphan_that_dropped_the_marker_is_found(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run("(env -i setsid sleep 60 3> held &); echo x > told", tmp=tmp_path) == Ended(0)
        assert os.read(held, 1) == b""  # nobody has it open any more
    finally:
        os.close(held)


def test_what_a_command_leaves_behind_ends_with_it() -> None:
    heard = Heard()
    assert run("nohup sleep 60 >/dev/null 2>&1 & setsid sleep 60 & echo done", heard) == Ended(0)
    assert heard.of("stdout") == ["done"]


@pytest.mark.parametrize("each", ["pass", "os.setpgid(0, 0)"])
def test_processes_that_replace_each_other_for_ever_are_caught(each: str) -> None:
    bomb = (
        "import os,time\nend = time.time() + 60\nif os.fork():\n print('ready', flush=True)\n time.sleep(60)\n"
        "for _ in range(3): os.fork()\n"
    )
    heard = Heard(stop_at="ready")
    with pytest.raises(TaskCancelled):
        python(f"{bomb}while time.time() < end:\n if os.fork(): os._exit(0)\n {each}", heard, grace=0.1)


def test_a_command_may_close_its_streams() -> None:
    assert run("exec >&- 2>&-; exit 4").code == 4


def test_a_command_reads_nothing() -> None:
    assert run("read line").code == 1


def test_text_without_a_last_line_end_is_heard() -> None:
    heard = Heard()
    run(r"printf 'a\r\nb\n\nc'", heard)
    assert heard.of("stdout") == ["a", "b", "", "c"]


def test_bytes_that_are_no_text_are_replaced() -> None:
    heard = Heard()
    run(r"printf 'a\377b\nk\303\n\303\244\nx\000y'", heard)
    assert heard.of("stdout") == ["a\ufffdb", "k\ufffd", "ä", "x\ufffdy"]


def test_a_character_that_comes_in_two_parts_is_one() -> None:
    heard = Heard()
    code = "import os,time\nos.write(1, b'\\xc3'); os.fsync; time.sleep(0.15); os.write(1, b'\\xa4\\n')"
    python(code, heard)
    assert heard.of("stdout") == ["ä"]


def test_a_long_line_is_cut() -> None:
    heard = Heard()
    python("print('x' * 3_000_000); print('y')", heard, limits=Limits(line=10))
    assert heard.of("stdout") == ["x" * 10 + " ... (2,999,990 more bytes)", "y"]


def test_much_output_is_heard_whole() -> None:
    heard = Heard()
    python("for i in range(200_000): print(i)", heard)
    assert heard.of("stdout") == [str(number) for number in range(200_000)]


def test_too_much_output_ends_the_command() -> None:
    with pytest.raises(TaskFailed, match="wrote more than 1,000,000 bytes to stdout"):
        run("yes", limits=Limits(stream=1_000_000))


def test_the_deadline_ends_the_command() -> None:
    with pytest.raises(TaskFailed, match="ran out of time"):
        run("sleep 60", Heard(Context(deadline=monotonic())))


def test_nothing_is_left_when_the_listener_breaks() -> None:
    def broken(stream: Stream, line: str) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match="ready"):
        run_process(
            Context(), ["sh", "-c", "echo ready; sleep 60"], cwd=Path("/tmp"), env=ENV, on_line=broken, grace=0.1
        )


def test_nothing_is_left_when_somebody_kills_the_supervisor() -> None:
    assert run("setsid sleep 60 & kill -KILL $PPID; sleep 60") == Ended(137, "SIGKILL")


def test_nothing_is_left_when_the_engine_is_killed(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from engine.sdk.process.running import run_process
from engine.sdk.testing import FakeContext

class Told(FakeContext):
    def process_started(self, process):
        print(process.marker, flush=True)

script = ["sh", "-c", "setsid sleep 60 & echo ready; sleep 60"]
killed = lambda stream, line: os.kill(os.getpid(), signal.SIGKILL)
run_process(Told(), script, cwd=Path({str(tmp_path)!r}), env={ENV!r}, on_line=killed, grace=0.1)
"""
    engine = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    assert engine.returncode == -signal.SIGKILL
    MARKERS.append(engine.stdout.strip())
    until = monotonic() + 30
    while supervisor.marked(MARKERS[-1]) and monotonic() < until:
        os.sched_yield()


@pytest.mark.parametrize(
    ("command", "cwd", "problem"),
    [
        (["no-such-program"], "/tmp", "there is no program `no-such-program`"),
        (["true"], "/no/such/folder", "there is no folder `/no/such/folder` to run in"),
        (["true", "a\0b"], "/tmp", "cannot start `true`"),
        (["true", "x" * 3_000_000], "/tmp", "cannot start `true`: Argument list too long"),
        ([], "/tmp", "there is no command to run"),
    ],
)
def test_what_cannot_be_started_is_told(command: list[str], cwd: str, problem: str) -> None:
    with pytest.raises(TaskFailed, match=problem):
        run_process(Context(), command, cwd=Path(cwd), env=ENV, on_line=Heard())


def test_a_file_that_is_no_program_is_told_on_stderr(tmp_path: Path) -> None:
    heard = Heard()
    (tmp_path / "data").write_text("x")
    command = [str(tmp_path / "data")]
    assert run_process(heard.ctx, command, cwd=tmp_path, env=ENV, on_line=heard).code == 127
    assert heard.of("stderr") == [f"cannot start `{command[0]}`: Permission denied"]


def test_without_proc_ps_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    others = supervisor.descendants(os.getpid())
    process = subprocess.Popen(["sleep", "60"])
    try:
        known = supervisor.descendants(os.getpid()), supervisor.start_of(process.pid) is not None
        monkeypatch.setattr(supervisor, "_HAS_PROC", False)
        assert (supervisor.descendants(os.getpid()), supervisor.start_of(process.pid) is not None) == known
        assert known == ({*others, process.pid}, True)
        assert supervisor.start_of(2**22 + 1) is None
    finally:
        process.kill()
        process.wait()
