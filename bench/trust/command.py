"""`python -m bench.trust`: plays rows of the fault matrix, kills, prints what came of it all, and keeps it."""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from bench.trust import rows  # noqa: F401 - registers all rows
from bench.trust.kills import Campaign
from bench.trust.matrix import NUMBERS, ROWS, Broken, Outcome, Result, Row
from bench.trust.postgres import Postgres, postgres
from bench.trust.report import REPORT, Played, Report, write_page
from bench.trust.schedules import restarts
from bench.trust.world import World, new_world

SEED = 20261123
KILLS, RESTARTS = 200, 50
KINDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_MARKS = {Outcome.PASSED: "ok  ", Outcome.FAILED: "FAIL", Outcome.NOT_BUILT: "todo", Outcome.NOT_POSSIBLE: "n/a "}


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    kinds = [options.database] if options.database else list(KINDS)
    report = Report.read(options.json)
    with _server(needed="postgresql" in kinds) as server:
        report.note_machine(server)
        for number in options.rows:
            for kind in (kind for kind in ROWS[number].databases if kind in kinds):
                report.add(play(ROWS[number], kind, options.seed, server))
                report.write(options.json)
        for title, figures in campaigns(options, kinds, server):
            report.campaigns[title] = figures
            report.write(options.json)
    if options.write is not None:
        write_page(report, options.write)
    print(f"\n{report.summary()}. Written to {options.json}")
    sys.exit(1 if report.has_failed else 0)


def play(row: Row, kind: str, seed: int, server: Postgres | None) -> Played:
    """Play one row on one kind of database, in a new world that is gone afterwards."""
    begun = time.monotonic()
    own_seed = random.Random(f"{seed} {row.number} {kind}").randrange(2**31)
    with new_world(kind, own_seed, server) as world:
        try:
            result = row.play(world)
        except Broken as broken:
            result = Result(outcome=Outcome.FAILED, detail=str(broken))
        except Exception as error:  # noqa: BLE001 - one row takes no other down
            traceback.print_exc()
            result = Result(outcome=Outcome.FAILED, detail=f"{type(error).__name__}: {error}")
    seconds = round(time.monotonic() - begun, 1)
    where = f" on {KINDS[kind]}" if len(row.databases) > 1 else ""
    print(
        f"{_MARKS[result.outcome]} {row.number:2}{where}  {row.fault}  ({seconds} s)\n        {result.detail}",
        flush=True,
    )
    return Played(row=row.number, database=kind, result=replace(result, seed=own_seed), seconds=seconds)


def campaigns(
    options: argparse.Namespace, kinds: list[str], server: Postgres | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What takes long: the title and the figures of each."""
    work: list[tuple[str, str, Callable[[World], dict[str, Any]]]] = []
    if options.kills:
        shares = {"sqlite": options.kills, "postgresql": max(1, options.kills // 2)}
        work += [("kill -9", kind, lambda world, kind=kind: Campaign(world).run(shares[kind])) for kind in kinds]
    if options.restarts:
        work += [("A flow that is due every second", "sqlite", lambda world: restarts(world, options.restarts))]
    for title, kind, campaign in work:
        print(f"     {title} on {KINDS[kind]}", flush=True)
        with new_world(kind, options.seed, server) as world:
            figures = campaign(world)
        print("".join(f"        {name}: {value}\n" for name, value in figures.items()), flush=True)
        yield f"{title} on {KINDS[kind]}", figures


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.trust", description=__doc__)
    parser.add_argument("--rows", type=_numbers, metavar="1,4,7-9", help="these only, or `none`")
    parser.add_argument(
        "--kills", type=int, metavar="N", help=f"kills on SQLite, half on PostgreSQL (default: {KILLS})"
    )
    parser.add_argument("--restarts", type=int, metavar="N", help=f"kills of a server (default: {RESTARTS})")
    parser.add_argument("--database", choices=tuple(KINDS), help="on this kind of database only")
    parser.add_argument("--seed", type=int, default=SEED, help="where all chances come from (default: %(default)s)")
    parser.add_argument(
        "--json", type=Path, default=REPORT, metavar="FILE", help="what came of all, also of earlier runs"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page about it, in Markdown")
    options = parser.parse_args(arguments)
    chosen = any(wish is not None for wish in (options.rows, options.kills, options.restarts))
    options.rows = options.rows if chosen else list(NUMBERS)
    options.rows = options.rows or []
    options.kills = (options.kills or 0) if chosen else KILLS
    options.restarts = (options.restarts or 0) if chosen else RESTARTS
    return options


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.split(",") if text != "none" else []:
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    if unknown := set(numbers) - set(NUMBERS):
        raise argparse.ArgumentTypeError(f"there are rows 1 to {NUMBERS[-1]}, and no {min(unknown)}")
    return numbers


@contextmanager
def _server(*, needed: bool) -> Iterator[Postgres | None]:
    if not needed:
        yield None
        return
    with postgres() as server:
        yield server
