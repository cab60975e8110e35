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


def create(url: str, flow: str, key: str) -> Any | None:
    """Create an execution under an Idempotency-Key; None when no answer came."""
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Idempotency-Key": key}
    path = f"{url}/api/v1/main/executions/{flow}"
    request = urllib.request.Request(path, data=b"--x--\r\n", method="POST", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            raise Broken(f"creating an execution was answered with {refused.code}: {refused.read()[:200]!r}") from None
    except OSError:
        return None
