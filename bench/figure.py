"""One measured figure, and how it is shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`ratio` is what this costs where the floor costs 1; the floor was measured in the same run."""

    name: str
    title: str
    seconds: float
    floor_seconds: float
    task_runs: int | None = None
    peak_mb: float | None = None

    @property
    def ratio(self) -> float:
        return self.seconds / self.floor_seconds

    def as_json(self) -> dict[str, Any]:
        rate = self.task_runs / self.seconds if self.task_runs else None
        return {**asdict(self), "ratio": self.ratio, "task_runs_per_second": rate}

    def cells(self) -> tuple[str, ...]:
        if self.task_runs is None:
            return (
                self.title,
                f"{self.seconds * 1e3:,.0f} ms",
                f"{self.floor_seconds * 1e3:,.0f} ms",
                "",
                self._times(),
                "",
            )
        each, floor = (value / self.task_runs * 1e6 for value in (self.seconds, self.floor_seconds))
        rate = f"{self.task_runs / self.seconds:,.0f} /s"
        return self.title, f"{each:,.0f} us", f"{floor:,.0f} us", rate, self._times(), f"{self.peak_mb:,.0f} MB"

    def _times(self) -> str:
        return f"{self.ratio:.1f}x"


HEAD = ("", "each", "floor", "task runs", "ratio", "memory")


def table(figures: list[Figure]) -> str:
    rows = [HEAD, *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = []
    for row in rows:
        first, *rest = row
        lines.append("  ".join([first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))]))
    return "\n".join(line.rstrip() for line in lines)
