"""A server of a world, which may have to die at a commit, and what a client is told by it."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.request
from typing import Any

from bench.trust.matrix import Broken
from bench.trust.world import World


def serve(world: World, die: str = "") -> tuple[subprocess.Popen[str], str]:
    """A server of the flows in `flows/`, and where it serves."""
    process = world.start(
        "server", "--flows", "flows", "--port", "0", die=die, stderr=(world.folder / "server.log").open("a")
    )
    for line in process.stdout:
        if found := re.search(r"serves at (http://\S+)", line):
            return process, found[1]
    raise Broken(f"the server never served: {(world.folder / 'server.log').read_text()[-300:]}")


def ask(url: str, method: str, path: str, **headers: str) -> tuple[int, Any]:
    """The status of an answer, and its JSON; 0 when none came. Headers are written with _ for -."""
    named = {"Content-Type": "multipart/form-data; boundary=x"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    body = b"--x--\r\n" if method == "POST" else None
    request = urllib.request.Request(f"{url}{path}", data=body, method=method, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode(errors="replace")
    except OSError:
        return 0, None


def create(url: str, flow: str, key: str) -> Any | None:
    """Create an execution under an Idempotency-Key; None when no answer came."""
    status, answer = ask(url, "POST", f"/api/v1/main/executions/{flow}", idempotency_key=key)
    if status not in (0, 200):
        raise Broken(f"creating an execution was answered with {status}: {answer[:200]}")
    return answer
