"""Random expressions on random data, looking for one that breaks the promises of docs/expressions.md#limits.

    .venv/bin/python bench/expressions_fuzz.py --count 100000 --jobs 2 [--language jinja2] [--seed 1]

Every template is checked, analysed, rendered and evaluated, in processes of their own. Nothing but an ExpressionError
may come out, none may take more than a second of processor time or 256 MB above what the process had, and none may end
the process. Prints figures and the worst cases; what broke a promise is printed with its seed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from engine.errors import NotFound
from engine.expressions import ExpressionError, Functions, language, references

SECONDS = 1.0
MEMORY = 256 * 1024 * 1024
#: Beyond these the system itself ends the process.
DEADLY_SECONDS = 20.0
DEADLY_MEMORY = 4 * MEMORY
BATCH = 5_000


def _missing(*_: Any, **__: Any) -> Any:
    raise NotFound("there is no such thing")


FUNCTIONS = Functions(
    now=lambda: datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
    seed="fuzz",
    secret=lambda key, **_: key if isinstance(key, str) else _missing(),
    kv=lambda key, **_: {"key": key},
    read=lambda path, **_: '{"a": [1, 2]}',
    env=_missing,
)


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Child:
    """Tries one batch, and writes down what it is at, so that its parent can tell what ended it."""

    def __init__(self, spoken: str, diary: Path, patience: float) -> None:
        self.patience = patience
        self.language = language(spoken)
        self.diary = diary.open("w", encoding="utf-8", errors="backslashreplace")
        self.outcomes: Counter[str] = Counter()
        self.broken: list[dict[str, Any]] = []
        self.worst: list[tuple[float, str, str]] = []
        self.baseline = self.peak = peak()
        self.grown: tuple[int, str] = (0, "")

    def attempt(self, template: str, context: Mapping[str, Any]) -> None:
        self.diary.seek(0)
        self.diary.truncate()
        self.diary.write(f"{template!r} with {sorted(context)}")
        self.diary.flush()
        steps = [
            ("check", lambda: self.language.check_syntax(template)),
            ("is_pure", lambda: self.language.is_pure(template)),
            ("render", lambda: self.language.render(template, context, FUNCTIONS)),
            ("evaluate", lambda: self.language.evaluate(template, context, FUNCTIONS)),
        ]
        if self.language.name == "kestra":
            steps.insert(2, ("references", lambda: references(template)))
        for name, step in steps:
            self.measure(name, step, template, context)

    def measure(self, name: str, step: Any, template: str, context: Mapping[str, Any]) -> None:
        signal.setitimer(signal.ITIMER_PROF, DEADLY_SECONDS)
        start, outcome, wrong = time.thread_time(), "value", ""
        try:
            step()
        except ExpressionError as error:
            outcome = error.code
            if not error.template:
                wrong = f"an error without its template: {error.message[:200]}"
        except BaseException as error:  # noqa: BLE001  # finding those is what this is for
            outcome = wrong = f"{type(error).__name__}: {str(error)[:300]}"
        seconds = time.thread_time() - start
        signal.setitimer(signal.ITIMER_PROF, 0)
        self.outcomes[outcome[:60]] += name == "render"
        if seconds > self.patience:
            wrong = f"{seconds:.2f} s"
        if len(self.worst) < 3 or seconds > self.worst[-1][0]:
            self.worst = sorted([*self.worst, (seconds, name, template[:300])], reverse=True)[:3]
        now = peak()
        if now > self.peak:
            grown, self.peak = now - self.baseline, now
            self.grown = (grown, template[:300])
            if grown > MEMORY:
                wrong = f"{grown >> 20} MB"
                self.baseline = now
        if wrong:
            shown = {
                key: repr(value)[:80] if key not in ("a", "m") else type(value).__name__
                for key, value in context.items()
            }
            self.broken.append({"step": name, "wrong": wrong, "template": template, "context": shown})

    def report(self) -> dict[str, Any]:
        return {"outcomes": self.outcomes, "broken": self.broken, "worst": self.worst, "grown": self.grown}


def run_batch(spoken: str, number: int, count: int, diary: Path, patience: float) -> None:
    """What a child process does."""
    import expressions_grammar as grammar

    templates = grammar.templates(grammar.kestra() if spoken == "kestra" else grammar.jinja2())
    language(spoken).render("{{ [1] | length }}", {})  # what is imported once is not the template's doing
    gc.collect()
    child = Child(spoken, diary, patience)
    if sys.platform != "darwin":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + DEADLY_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(templates, grammar.contexts)
    def each(template: str, context: dict[str, Any]) -> None:
        child.attempt(template, context)

    each()
    json.dump(child.report(), sys.stdout)


def fuzz(arguments: argparse.Namespace, folder: str) -> list[dict[str, Any]]:
    """All batches, some at a time. What broke a promise."""
    batches = [(arguments.seed + at, min(BATCH, arguments.count - at)) for at in range(0, arguments.count, BATCH)]
    outcomes: Counter[str] = Counter()
    broken: list[dict[str, Any]] = []
    worst: list[Any] = []
    grown: list[Any] = []
    start = time.monotonic()
    for at in range(0, len(batches), arguments.jobs):
        running = []
        for number, count in batches[at : at + arguments.jobs]:
            diary = Path(folder) / f"{number}.txt"
            command = [sys.executable, __file__, "--child", str(diary), "--seed", str(number), "--count", str(count)]
            command += ["--language", arguments.language, "--seconds", str(arguments.seconds)]
            running.append((number, diary, subprocess.Popen(command, stdout=subprocess.PIPE)))
        for number, diary, process in running:
            told = process.communicate()[0]
            if process.returncode:
                last = diary.read_text(encoding="utf-8")
                broken.append(
                    {"seed": number, "wrong": f"the process ended with {process.returncode}", "template": last}
                )
            else:
                found = json.loads(told)
                outcomes.update(found["outcomes"])
                broken += [{"seed": number, **one} for one in found["broken"]]
                worst = sorted([*worst, *found["worst"]], reverse=True)[:5]
                grown = sorted([*grown, found["grown"]], reverse=True)[:3]
    print(f"{sum(outcomes.values())} templates in {time.monotonic() - start:.0f} s, seeds {arguments.seed} and on")
    print("outcomes:", ", ".join(f"{name} {count}" for name, count in outcomes.most_common()))
    for seconds, step, template in worst:
        print(f"  {seconds:.3f} s to {step} {template!r}")
    for size, template in grown:
        print(f"  {size >> 20} MB grown at {template!r}")
    return broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--language", choices=("kestra", "jinja2"), default="kestra")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="more than a second on a machine that is busy")
    parser.add_argument("--child", metavar="FILE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        run_batch(arguments.language, arguments.seed, arguments.count, Path(arguments.child), arguments.seconds)
        return 0
    with TemporaryDirectory() as folder:
        broken = fuzz(arguments, folder)
    for one in broken[:20]:
        print("BROKEN", json.dumps(one, ensure_ascii=True)[:2000])
    print(f"{len(broken)} promises broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
