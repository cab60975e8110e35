"""`penstock server`: all in one process, for as long as it is wanted: workers, triggers, the flows folders, the API.

Always true: it owns the database before it touches anything in it; what is wrong with one flow is told and keeps
nothing else from running; it ends within its grace, and what has not finished by then goes on when it starts again.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from engine.cli.commands import Command, current_home, current_project
from engine.cli.terminal import dim, printable, relative_time, tell

if TYPE_CHECKING:
    from engine.api.service import Service
    from engine.app import Engine
    from engine.runtime.scheduler import Scheduler

#: Seconds in which tasks may finish that run when the server is to end.
GRACE = 10.0
#: Who has many flows is told how far they have been read.
_TOLD_EVERY = 200


@click.command(cls=Command)
@click.option(
    "--flows",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="A folder of flows; by default the setting.",
)
@click.option("--host", help="Where to listen; by default 127.0.0.1, which only this machine reaches.")
@click.option("--port", type=click.IntRange(0, 65535), help="By default 8080; 0 takes any that is free.")
@click.option("--no-scheduler", is_flag=True, help="Start no flow by its triggers.")
@click.option(
    "--grace", type=click.FloatRange(0, 3600), default=GRACE, show_default=True, help="Seconds to finish in at the end."
)
@click.option("--systemd", is_flag=True, help="Print a unit file for systemd, and nothing else.")
def server(
    folders: tuple[str, ...], host: str | None, port: int | None, no_scheduler: bool, grace: float, systemd: bool
) -> None:
    """Run flows, by their triggers and for clients, until Ctrl-C or SIGTERM.

    Serves Kestra's REST API. Exits 0 when it was told to end, 2 when it cannot listen, 4 when another engine holds the
    database.
    """
    from engine.cli.systemd import notify, unit_file

    if systemd:
        click.echo(unit_file(folders, host, port, grace), nl=False)
        return
    from engine.api.access import Access
    from engine.api.app import create_api
    from engine.api.server import listen, serve, url_of
    from engine.api.service import Service
    from engine.app import Engine
    from engine.cli.logs import show_server_logs

    _, settings = current_project()
    wanted = settings.server
    access = Access(host=host or wanted.host, token=wanted.token, names=wanted.names)
    door = listen(access.host, wanted.port if port is None else port)
    show_server_logs()
    for folder in folders:
        if not os.path.isdir(folder):
            tell(f"There is no folder {folder} yet; its flows are deployed as soon as there is.")
    with door, Engine(current_home(), settings=settings) as engine:
        flows = [os.path.abspath(folder) for folder in folders] or settings.flows
        service = Service(engine, flows, schedules=not no_scheduler, on_progress=_progress)
        service.begin()

        def greet() -> None:
            _banner(engine, url_of(door), service)
            notify("READY=1")
            service.go_on()

        def end() -> None:
            notify("STOPPING=1")
            tell("Ending: nothing new is begun. A second Ctrl-C leaves at once.")
            service.end(grace)

        serve(create_api(engine, access, is_ready=service.is_ready), door, greet, end)


def _progress(done: int, all_: int) -> None:
    if done % _TOLD_EVERY == 0:
        tell(f"Reading flows: {done} of {all_}")


def _banner(engine: Engine, url: str, service: Service) -> None:
    from engine import __version__

    on, broken = len(engine.store.deployments()), len(service.deployments.broken)
    lines = [
        ("API", f"{url}/api/v1/main"),
        ("State", str(engine.home)),
        ("Flows", f"{on} on" + (f", {broken} broken, see above" if broken else "")),
        ("Recovered", _left_behind(len(service.recovered))),
        ("Next", _next(service.scheduler)),
    ]
    click.echo(f"Penstock {__version__} serves at {url}")
    for head, line in lines:
        if line:
            click.echo(f"  {dim(f'{head:<9}')}  {printable(line)}")


def _left_behind(count: int) -> str:
    if count == 0:
        return ""
    return "1 execution that was left behind" if count == 1 else f"{count} executions that were left behind"


def _next(scheduler: Scheduler | None) -> str:
    if scheduler is None:
        return "nothing: the scheduler is off"
    upcoming = scheduler.upcoming()
    if not upcoming:
        return "nothing is scheduled"
    due, key = upcoming[0]
    return f"{key} {relative_time(due, datetime.now(UTC))}"
