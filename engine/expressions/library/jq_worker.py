"""The process behind jq_process: a line of JSON in, a line of JSON out, until there is no more.

Run as a file, with the folder of the jq library and the seconds that a program may take. Imports nothing of the
engine, so that it starts quickly and knows nothing.
"""

from __future__ import annotations

import json
import os
import sys
from functools import lru_cache
from typing import Any

MAX_MEMORY = 1 << 30


def main(folder: str, seconds: float) -> None:
    """Answer programs until standard input ends."""
    os.environ.clear()
    sys.path.append(folder)
    import jq

    compiled = lru_cache(maxsize=256)(jq.compile)
    for line in sys.stdin.buffer:
        program, value = json.loads(line)
        _limit_time(seconds)
        try:
            answer: list[Any] = [compiled(program).input_value(value).all(), None]
            text = json.dumps(answer)
        except (ValueError, RecursionError, MemoryError) as error:
            text = json.dumps([[], str(error) or type(error).__name__])
        _limit_time(0)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _limit_time(seconds: float) -> None:
    """Let the system end this process after so much processor time; 0 for never."""
    try:
        import signal

        signal.setitimer(signal.ITIMER_PROF, seconds)
    except (ImportError, AttributeError):
        return  # not on this system: whoever asks loses patience instead


def _limit_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    except (ImportError, ValueError, OSError):
        return  # not on this system


if __name__ == "__main__":
    _limit_memory()
    main(sys.argv[1], float(sys.argv[2]))
