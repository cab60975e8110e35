"""`penstock server` as its users meet it: a process that serves, ends in order, and stands up again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.model.state import State
from engine.store import open_store
from tests.acceptance.serving import GATED, PATIENCE, PROGRAM, Server, make_project

Start = Callable[..., Server]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_project(tmp_path)
    return tmp_path


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    servers: list[Server] = []

    def started(*options: str, **environ: str) -> Server:
        servers.append(Server(project, *options, **environ))
        return servers[-1]

    yield started
    for server in servers:
        server.process.kill()
        server.process.communicate()


def penstock(project: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=project,
        env={**kept, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_COLOR": "1", **environ},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def state_of(project: Path, execution_id: str) -> State:
    store = open_store(f"sqlite:///{project / '.penstock' / 'penstock.db'}")
    try:
        execution = store.execution(execution_id)
        assert execution is not None
        return execution.state
    finally:
        store.close()


def test_it_says_where_it_is_and_what_is_on(project: Path, start: Start) -> None:
    (project / "flows" / "broken.yaml").write_text("id: broken\nnamespace: test\ntasks: [{id: a, type: no.such}]\n")
    server = start().ready()
    assert f"{server.url}/api/v1/main" in server.banner
    assert str(project / ".penstock") in server.banner
    assert "1 on, 1 broken" in server.banner
    assert server.ask("GET", "/health") == (200, {"status": "UP"})
    assert server.ask("GET", "/ready") == (200, {"status": "UP"})
    assert server.ask("GET", "/api/v1/main/flows/test/gated")[0] == 200
    server.signal()
    code, _, err = server.end()
    assert code == 0
    assert "broken.yaml:3:" in err
    assert "Traceback" not in err


def test_an_execution_is_created_and_followed_to_its_end(project: Path, start: Start) -> None:
    server, gate = start().ready(), project / "gate"
    execution = server.begin("test/gated", gate=str(gate))
    server.reached(gate)
    assert server.ask("GET", f"/api/v1/executions/{execution['id']}")[1]["state"]["current"] == "RUNNING"
    gate.touch()
    events = server.follow(execution["id"])
    assert [marker for marker, _ in events][-1] == "end"
    assert events[-1][1]["state"]["current"] == "SUCCESS"
    status, lines = server.ask("GET", f"/api/v1/logs/{execution['id']}")
    assert (status, [line["message"] for line in lines]) == (200, [f"passed {gate}"])


@pytest.mark.parametrize(("says", "state"), [("", State.SUCCESS), ("fail", State.FAILED)])
def test_a_task_that_ends_within_the_grace_is_finished(project: Path, start: Start, says: str, state: State) -> None:
    server, gate = start("--grace", "30").ready(), project / "gate"
    execution = server.begin("test/gated", gate=str(gate))
    server.reached(gate)
    server.signal()
    server.says("Ending")
    status, answer = server.ask("POST", f"/api/v1/executions/{execution['id']}/pause")
    assert (status, answer["message"]) == (503, "Service Unavailable: the server is ending")
    gate.write_text(says)
    assert server.end()[0] == 0
    # The failure is in the database; what would have come after a success may not have begun any more.
    assert state_of(project, execution["id"]) in ({state} if says else {State.SUCCESS, State.RUNNING})


def test_what_has_not_ended_goes_on_when_it_starts_again(project: Path, start: Start) -> None:
    server, gate = start("--grace", "0").ready(), project / "gate"
    execution = server.begin("test/gated", gate=str(gate))
    server.reached(gate)
    server.signal()
    assert server.end()[0] == 0
    assert state_of(project, execution["id"]) is State.RUNNING
    gate.touch()
    again = start().ready()
    assert "Recovered  1 execution that was left behind" in again.banner
    assert again.follow(execution["id"])[-1][1]["state"]["current"] == "SUCCESS"


def test_a_second_signal_ends_it_at_once(project: Path, start: Start) -> None:
    server, gate = start("--grace", "3600").ready(), project / "gate"
    server.begin("test/gated", gate=str(gate))
    server.reached(gate)
    server.signal(signal.SIGINT)
    server.says("Ending")
    server.signal(signal.SIGINT)
    assert server.end()[0] == 128 + signal.SIGINT


def test_a_second_engine_is_refused_and_names_the_first(project: Path, start: Start) -> None:
    first = start().ready()
    code, _, err = start().end()
    assert code == 4
    assert str(first.process.pid) in err
    assert "Two engines never share one SQLite file" in err


def test_a_port_that_is_taken_leaves_nothing_half_started(project: Path, start: Start) -> None:
    port = start().ready().url.rpartition(":")[2]
    refused = penstock(project, "server", "--port", port, "--home", str(project / "other"))
    assert refused.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in refused.stderr
    assert not (project / "other").exists()


def test_a_folder_of_flows_that_is_none_is_told(project: Path, start: Start) -> None:
    server = start("--flows", "flwos").ready()
    server.process.send_signal(signal.SIGTERM)
    told = "".join(server.process.communicate(timeout=PATIENCE))
    assert "There is no folder flwos yet" in told
    (project / "one.yaml").write_text("id: one")
    refused = penstock(project, "server", "--flows", "one.yaml", "--port", "0")
    assert (refused.returncode, "is a file" in refused.stderr) == (2, True), refused.stderr


def test_others_reach_it_only_with_a_token(project: Path, start: Start) -> None:
    refused = penstock(project, "server", "--port", "0", "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "PENSTOCK_SERVER__TOKEN" in refused.stderr
    server = start("--host", "0.0.0.0", PENSTOCK_SERVER__TOKEN="secret-word").ready()
    server.url = server.url.replace("0.0.0.0", "127.0.0.1")
    assert server.ask("GET", "/api/v1/main/flows/search")[0] == 401
    assert server.ask("GET", "/api/v1/main/flows/search", authorization="Bearer secret-word")[0] == 200


def test_a_run_beside_it_is_handed_over(project: Path, start: Start) -> None:
    server, gate = start().ready(), project / "gate"
    gate.touch()
    done = penstock(project, "run", "flows/gated.yaml", "-i", f"gate={gate}", "--json")
    assert done.returncode == 0, done.stderr
    execution = json.loads(done.stdout)
    status, seen = server.ask("GET", f"/api/v1/executions/{execution['id']}")
    assert (status, seen["state"]["current"]) == (200, "SUCCESS")


def test_a_flow_that_is_written_while_it_runs_is_deployed(project: Path, start: Start) -> None:
    server = start().ready()
    (project / "flows" / "later.yaml").write_text(GATED.replace("id: gated", "id: later"))
    server.says("test/later is on")
    assert server.ask("GET", "/api/v1/flows/test/later")[1]["revision"] == 1


def test_the_unit_file_has_absolute_paths(project: Path) -> None:
    unit = penstock(project, "server", "--systemd", "--flows", "flows", "--port", "81").stdout
    assert f"WorkingDirectory={project}\n" in unit
    assert f"Environment=PENSTOCK_HOME={project / '.penstock'}\n" in unit
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart=/"))
    assert command.endswith(f"server --grace 10 --flows {project / 'flows'} --port 81")
    assert "Restart=on-failure" in unit
