"""jq programs that are more than a path, in a process of their own.

The C library cannot be interrupted and holds the interpreter's lock, and any program may run for ever. So one
process serves all of them, one at a time; it may spend JQ_SECONDS of processor time on a program, and is replaced
when it dies of that. It has no environment, so `env` and `$ENV` are empty.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from engine.errors import ExpressionError
from engine.expressions.faults import limit
from engine.expressions.limits import JQ_SECONDS, MAX_TEXT
from engine.expressions.values import json_text

#: Longest wait for an answer, by the clock on the wall: for systems that cannot limit processor time.
_PATIENCE = 10 * JQ_SECONDS


class _JqProcess:
    """The process that runs programs. Safe to use from all threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, request: bytes) -> bytes:
        """The answer to a request, one line each; empty when the program was stopped."""
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                self.stop()
                self.process = _start()
                atexit.register(self.stop)
            process = self.process
            patience = threading.Timer(_PATIENCE, process.kill)
            patience.start()
            try:
                _pipe(process.stdin).write(request)
                _pipe(process.stdin).flush()
                answer = _pipe(process.stdout).readline(4 * MAX_TEXT)
            except BrokenPipeError:
                answer = b""
            finally:
                patience.cancel()
            if not answer.endswith(b"\n"):
                self.stop()
                return b""
            return answer

    def stop(self) -> None:
        """End the process, if there is one."""
        atexit.unregister(self.stop)
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def _start() -> subprocess.Popen[bytes]:
    library = find_spec("jq")
    assert library is not None, "jq is a dependency of this package"
    assert library.origin is not None
    worker = Path(__file__).with_name("jq_worker.py")
    command = [sys.executable, "-I", "-S", str(worker), str(Path(library.origin).parent), str(JQ_SECONDS)]
    return subprocess.Popen(  # noqa: S603  # our own file, by our own interpreter
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


_PROCESS = _JqProcess()


def run(program: str, value: Any) -> list[Any]:
    """The results of a jq program."""
    answer = _PROCESS.ask(json_text([program, value], nulls=True).encode() + b"\n")
    if not answer:
        raise limit(f"The jq program `{program[:100]}` wants more than {JQ_SECONDS} s or too much memory,")
    results, error = json.loads(answer)
    if error is not None:
        raise ExpressionError(f"The jq program `{program[:100]}` fails ({' '.join(error.split())[:300]}),", code="jq")
    return list(results)
