"""What came of the rows: as data for machines, and as the page `docs/trust.md` for people."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from bench.trust.matrix import ROWS, Outcome, Result
from bench.trust.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "build" / "trust.json"
_TEMPLATE = Path(__file__).with_name("page.md")


#: Of a campaign: whether all of it was as promised, `yes` or `no`.
KEPT = "promises kept"


class Played(Struct, frozen=True, kw_only=True):
    """A row on one kind of database."""

    row: int
    database: str
    result: Result
    seconds: float


class Report(Struct, kw_only=True):
    """All that is known: the newest result of each row, and the campaigns of kills."""

    machine: dict[str, Any] = field(default_factory=dict)
    played: dict[str, Played] = field(default_factory=dict)  #: by row and database, as `07 sqlite`
    campaigns: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> Report:
        """What was kept; an empty one where nothing was, or where it cannot be read any more."""
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.MsgspecError):
            return cls()

    def write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    def add(self, played: Played) -> None:
        self.played[f"{played.row:02} {played.database}"] = played

    def note_machine(self, server: Postgres | None) -> None:
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        self.machine |= {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit.stdout.strip() or None,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "system": f"{platform.system()} {platform.release()}",
            "processors": os.cpu_count(),
        }
        if server is not None:
            self.machine["postgresql"] = server.version

    @property
    def has_failed(self) -> bool:
        """Whether a row or a campaign has found a promise that was not kept."""
        outcomes = {played.result.outcome for played in self.played.values()}
        return Outcome.FAILED in outcomes or "no" in {figures.get(KEPT) for figures in self.campaigns.values()}

    def summary(self) -> str:
        counts = dict.fromkeys(Outcome, 0)
        for played in self.played.values():
            counts[played.result.outcome] += 1
        return ", ".join(f"{number} {outcome}" for outcome, number in counts.items() if number)


def write_page(report: Report, file: Path) -> None:
    """The page: its frame is beside this module, and the figures are of the report."""
    machine = report.machine
    versions = f"Python {machine.get('python')}, SQLite {machine.get('sqlite')}"
    if "postgresql" in machine:
        versions += f", PostgreSQL {machine['postgresql']}"
    versions += f" on {machine.get('system')} with {machine.get('processors')} processors"
    text = _TEMPLATE.read_text(encoding="utf-8")
    for name, value in {
        "at": str(machine.get("at", ""))[:10],
        "versions": versions,
        "summary": report.summary(),
        "campaigns": "\n".join(_campaigns(report)) or "None was run yet.",
        "rows": "\n".join(_rows(report)),
    }.items():
        text = text.replace(f"@{name}@", value)
    file.write_text(text, encoding="utf-8")


def _rows(report: Report) -> list[str]:
    lines = [
        "| T | What happens | What must hold | Database | Result | In words | s |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, row in sorted(ROWS.items()):
        for kind in row.databases:
            played = report.played.get(f"{number:02} {kind}")
            result = f"{played.result.outcome}" if played else "not played"
            detail = played.result.detail.replace("|", "/").replace("\n", " ") if played else ""
            cells = [number, row.fault, row.expected, kind, result, detail, played.seconds if played else ""]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _campaigns(report: Report) -> list[str]:
    lines = []
    for title, figures in sorted(report.campaigns.items()):
        lines += [f"### {title}", "", "| | |", "|---|---|"]
        lines += [f"| {name.replace('_', ' ')} | {_cell(value)} |" for name, value in figures.items()]
        lines.append("")
    return lines


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items()) or "none"
    return str(value).replace("|", "/")
