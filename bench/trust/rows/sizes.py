"""Rows 29, 30 and 32: much at once, and for long."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from bench.trust.api import ask, create, serve
from bench.trust.matrix import Result, passed, require, row
from bench.trust.world import PENSTOCK, World

SHELL = "  - id: first\n    type: io.kestra.plugin.scripts.shell.Commands\n    commands: ['%s']"
LOOP = """\
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{ range(1, 10000) }}"
    concurrencyLimit: 16
    tasks:
      - {id: say, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}"""


def peak(world: World, *arguments: str) -> tuple[int, float]:
    """The exit code of a command, and the most memory that it had, in MB."""
    program = (
        "import resource, subprocess, sys\n"
        "code = subprocess.call(sys.argv[1:])\n"
        "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = world.type(*PENSTOCK, *arguments, program=(sys.executable, "-c", program), patience=300)
    code, kilobytes = done.out.split()[-2:]
    return int(code), int(kilobytes) / 1024


@row(
    29,
    "100 MB on stdout; one line of 100 MB; bytes that are no text; an expression of 2,000,000 values",
    "told or cut; memory < +64 MB",
)
def row_29(world: World) -> Result:
    _, usual = peak(world, "run", "--quiet", world.flow("usual", SHELL % "echo hello"))
    told = []
    for name, command in (
        ("one line of 100 MB", 'head -c 100000000 /dev/zero | tr "\\0" x'),
        ("100 MB of random bytes", "head -c 100000000 /dev/urandom | base64 -w 0 | head -c 100000000 >&2"),
        ("bytes that are no text", "head -c 200000 /dev/urandom"),
    ):
        code, used = peak(world, "run", "--quiet", world.flow(f"f{len(told)}", SHELL % command))
        require(code in (0, 1), f"{name}: it ended with {code}")
        require(used - usual < 64, f"{name}: it took {used - usual:.0f} MB more than an echo")
        told.append(f"{name}: code {code}, +{max(0, used - usual):.0f} MB")
    output = (
        "  - {id: first, type: io.kestra.plugin.core.debug.Return, format: \"{{ 'x' * 1 }}{{ range(1, 2000000) }}\"}"
    )
    code, used = peak(world, "run", "--quiet", world.flow("output", output))
    require(code in (0, 1), f"a huge output ended with {code}")
    told.append(f"a list of 2,000,000 values: code {code}, +{used - usual:.0f} MB")
    world.sound()
    return passed("; ".join(told))


@row(
    30, "A ForEach of 10,000; a flow of 1,000 tasks; nested 33 deep", "bounded memory; a limit is an error, not a crash"
)
def row_30(world: World) -> Result:
    begun = time.monotonic()
    code, used = peak(world, "run", "--quiet", world.flow("loop", LOOP))
    took = time.monotonic() - begun
    require(code == 0, f"the loop ended with {code}")
    require(len(world.only("loop").task_runs) == 10_001, "rounds are missing")
    many = "\n".join(
        f"  - {{id: t{number}, type: io.kestra.plugin.core.debug.Return, format: x}}" for number in range(1000)
    )
    code, more = peak(world, "run", "--quiet", world.flow("many", many))
    require(code == 0, f"1,000 tasks ended with {code}")
    nested, indent = "", "  "
    for depth in range(33):
        nested += f"{indent}- id: d{depth}\n{indent}  type: io.kestra.plugin.core.flow.Sequential\n{indent}  tasks:\n"
        indent += "    "
    world.flow("deep", f"{nested}{indent}- {{id: last, type: io.kestra.plugin.core.debug.Return, format: x}}")
    deep = world.type("run", "deep.yaml")
    require(deep.code == 2, f"nested 33 deep it ended with {deep.code}")
    require("deep" in deep.err, "it is not told that it is too deep")
    world.sound()
    return passed(
        f"10,000 rounds: {took:.1f} s, {used:.0f} MB in all; 1,000 tasks: {more:.0f} MB; 33 deep: refused with code 2"
    )


@row(
    32,
    "10,000 queued executions, restarted on top; the server over 600 requests",
    "ready in 5 s; handles, threads and memory stay",
)
def row_32(world: World) -> Result:
    (world.folder / "flows").mkdir()
    task = "tasks:\n  - {id: first, type: io.kestra.plugin.core.flow.Sleep, duration: PT600S}\n"
    (world.folder / "flows" / "queue.yaml").write_text(
        f"id: queue\nnamespace: trust\n{task}concurrency: {{limit: 1}}\n"
    )
    quick = "tasks:\n  - {id: first, type: io.kestra.plugin.core.debug.Return, format: x}\n"
    (world.folder / "flows" / "quick.yaml").write_text(f"id: quick\nnamespace: trust\n{quick}")
    fill = (
        "from engine import Engine\n"
        "with Engine() as engine:\n"
        "    flow = engine.load('flows/queue.yaml')\n"
        "    loop, made = engine.loop, []\n"
        "    for _ in range(10_000):\n"
        "        made.append(engine.submit(flow).id)\n"
        "    import os; os._exit(0)\n"
    )
    world.type("-c", fill, program=(sys.executable,), patience=600).well()
    begun = time.monotonic()
    server, url = serve(world)
    ready = time.monotonic() - begun
    try:
        answers = []
        for number in range(600):
            before = time.monotonic()
            if number % 2:
                require(create(url, "trust/quick", f"k{number}"), "an execution was not created")
            else:
                require(ask(url, "GET", "/api/v1/main/executions/search?size=25")[0] == 200, "no list was shown")
            answers.append(time.monotonic() - before)
            if number == 200:
                early = _held(server.pid)
        late = _held(server.pid)
    finally:
        server.kill()
        server.communicate()
    p99 = sorted(answers)[int(len(answers) * 0.99)]
    require(ready <= 5, f"with 10,000 in the queue it was ready after {ready:.1f} s")
    require(late[1] <= early[1] + 8, f"file handles grow: {early[1]}, then {late[1]}")
    require(late[2] <= early[2] + 8, f"threads grow: {early[2]}, then {late[2]}")
    require(late[0] - early[0] < 32, f"memory grows: {early[0]:.0f} MB, then {late[0]:.0f} MB")
    return passed(
        f"ready after {ready:.1f} s; p99 of 600 requests {p99 * 1000:.0f} ms on this machine; memory {early[0]:.0f} -> "
        f"{late[0]:.0f} MB, handles {early[1]} -> {late[1]}, threads {early[2]} -> {late[2]} over 400 requests"
    )


def _held(pid: int) -> tuple[float, int, int]:
    """Memory in MB, open files and threads of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) / 1024, len(os.listdir(f"/proc/{pid}/fd")), int(fields["Threads"])
