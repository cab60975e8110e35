"""How many small mistakes in the core does the simulator see? Makes them one at a time, and plays seeds until one is.

    .venv/bin/python bench/core_mutations.py [--seeds 150] [--only settle] [--also tests/unit/core tests/golden]

A mutant is a function of `engine/core` with one thing wrong: a comparison or a condition turned round, `and` for `or`,
a number one off, another state, a statement left out. Each is tried in a process of its own with a time limit. A
mutant is killed when a seed breaks a sentence or when the time is over.
Those that live are printed with their place: either a sentence is missing, or the mutant means the same.

`--also` names tests that judge those that live, `--limit` how many of these at most, taken evenly. They are collected
once, and stop at the first failure.
"""

from __future__ import annotations

import argparse
import ast
import copy
import inspect
import os
import pkgutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import engine.core
from tests.simulation.found import FOUND
from tests.simulation.planting import compiled, planted, source_of
from tests.simulation.seeds import world

#: Of one mutant, in seconds.
LIMIT = 30
#: Of one mutant and the other tests, in seconds.
LIMIT_ALSO = 60
#: What the simulator does not play: values and contexts, other executions, promises about time, and when flows start.
ELSEWHERE = (
    "admission", "calling", "checks", "coercion", "conditions", "context", "inputs", "labels", "renewal", "rendering",
    "replaying", "rounds", "schedule", "sla", "topology",
)  # fmt: skip
KILLED, LIVES, TIMED_OUT = range(3)
OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
#: A state that is easily taken for another.
TAKEN_FOR = {
    "FAILED": "KILLED", "KILLED": "FAILED", "SUCCESS": "WARNING", "WARNING": "SUCCESS", "RUNNING": "CREATED",
    "CREATED": "RUNNING", "PAUSED": "RETRYING", "RETRYING": "PAUSED", "KILLING": "RUNNING", "CANCELLED": "SUCCESS",
}  # fmt: skip


class Mutant(NamedTuple):
    function: Callable[..., Any]
    tree: ast.Module
    what: str  #: file, line and change


def functions(only: str | None) -> Iterator[Callable[..., Any]]:
    """All functions of the core that the simulator plays."""
    for found in pkgutil.walk_packages(engine.core.__path__, "engine.core."):
        name = found.name.removeprefix("engine.core.")
        if name.startswith(ELSEWHERE) or (only is not None and only not in name):
            continue
        yield from functions_of(import_module(found.name))


def functions_of(module: ModuleType) -> Iterator[Callable[..., Any]]:
    holders = [module, *(each for each in vars(module).values() if inspect.isclass(each))]
    for holder in holders:
        if getattr(holder, "__module__", module.__name__) != module.__name__:
            continue
        for each in vars(holder).values():
            function = each.fget if isinstance(each, property) else each
            own = isinstance(function, FunctionType) and function.__module__ == module.__name__
            if own and not function.__name__.startswith("__") and not function.__code__.co_freevars:
                yield function


def mutants(function: Callable[..., Any]) -> Iterator[Mutant]:
    """A function with one thing wrong, for each thing."""
    tree = ast.parse(source_of(function))
    for index, node in enumerate(ast.walk(tree)):
        for number, _ in enumerate(changes(node)):
            other = copy.deepcopy(tree)
            there = next(each for position, each in enumerate(ast.walk(other)) if position == index)
            before = text(there)
            change = list(changes(there))[number]
            change()
            after = text(there)
            line = function.__code__.co_firstlineno + getattr(node, "lineno", 1) - 1
            place = f"{Path(function.__code__.co_filename).relative_to(Path.cwd())}:{line} {function.__qualname__}"
            yield Mutant(function, other, f"{place}: {before}  ->  {after}")


def text(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:110]


def changes(node: ast.AST) -> Iterator[Callable[[], None]]:
    """What can be made wrong at a node, in place."""
    match node:
        case ast.Compare(ops=[only]) if type(only) in OPPOSITE:
            yield lambda: node.ops.__setitem__(0, OPPOSITE[type(only)]())
        case ast.BoolOp():
            yield lambda: setattr(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
            if len(node.values) > 1:
                for index in range(len(node.values)):
                    yield lambda index=index: node.values.__delitem__(index)  # type: ignore[misc]
        case ast.Constant(value=bool()):
            yield lambda: setattr(node, "value", not node.value)
        case ast.Constant(value=int()):
            yield lambda: setattr(node, "value", node.value + 1)  # type: ignore[operator]
        case ast.Attribute(value=ast.Name(id="State"), attr=attr) if attr in TAKEN_FOR:
            yield lambda: setattr(node, "attr", TAKEN_FOR[attr])
        case ast.If() | ast.IfExp():
            yield lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))
        case ast.BinOp(op=ast.Add()):
            yield lambda: setattr(node, "op", ast.Sub())
        case ast.BinOp(op=ast.Sub()):
            yield lambda: setattr(node, "op", ast.Add())
    for name in ("body", "orelse"):
        body = getattr(node, name, None)
        for index, statement in enumerate(body) if isinstance(body, list) else ():
            if is_droppable(statement):
                yield lambda body=body, index=index: body.__setitem__(index, ast.Pass())  # type: ignore[misc]


def is_droppable(statement: ast.stmt) -> bool:
    """Whether a function without the statement is still one. What is only told in the log is left alone."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return not (isinstance(statement.value.func, ast.Attribute) and statement.value.func.attr == "log")
    return isinstance(statement, (ast.AugAssign, ast.Continue)) or (
        isinstance(statement, ast.Return) and statement.value is None
    )


def trial(survives: Callable[[], bool], limit: int) -> int:
    """What becomes of a mutant, found out in another process."""
    child = os.fork()
    if child == 0:
        signal.alarm(limit)
        os._exit(LIVES if survives() else KILLED)
    _, status = os.waitpid(child, 0)
    return TIMED_OUT if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def survives(mutant: Mutant, seeds: int) -> bool:
    try:
        with planted(mutant.function, compiled(mutant.function, mutant.tree)):
            for seed in (*range(seeds), *FOUND):
                world(seed).live()
    except BaseException:  # noqa: BLE001  # whatever it makes of the core, it shows
        return False
    return True


class OtherTests:
    """A plugin of pytest that runs what was collected once for each mutant, each time in a process of its own."""

    def __init__(self, judged: list[Mutant]) -> None:
        self.judged = judged
        self.told = Counter[int]()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if trial(lambda: passes(session), LIMIT_ALSO) != LIVES:
            return True
        for mutant in self.judged:
            end = trial(lambda mutant=mutant: passes(session, mutant), LIMIT_ALSO)  # type: ignore[misc]
            self.told[end] += 1
            if end == LIVES:
                print(f"lives on  {mutant.what}", flush=True)
        return True


def passes(session: pytest.Session, mutant: Mutant | None = None) -> bool:
    """Whether all collected tests pass, with a mutant in place."""
    run = session.config.hook.pytest_runtest_protocol
    with planted(mutant.function, compiled(mutant.function, mutant.tree)) if mutant else nullcontext():
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            run(item=item, nextitem=following)
            if session.testsfailed:
                return False
    return True


def judge_also(survivors: list[Mutant], targets: list[str], limit: int | None) -> None:
    """Tells how many of those that the simulation leaves alive other tests kill."""
    count = min(limit or len(survivors), len(survivors))
    chosen = [survivors[number * len(survivors) // count] for number in range(count)]
    others, start = OtherTests(chosen), time.monotonic()
    quiet = ("-x", "-p", "no:terminal", "-p", "no:cacheprovider")
    if pytest.main([*targets, *quiet], plugins=[others]) != pytest.ExitCode.OK or others.told.total() != count:
        raise SystemExit(f"{' '.join(targets)}: these tests must pass without a mutant")
    dead = others.told[KILLED] + others.told[TIMED_OUT]
    print(
        f"{count} of {len(survivors)} that live, against {' '.join(targets)}: {dead} killed "
        f"({others.told[TIMED_OUT]} by the time limit), {others.told[LIVES]} live on; "
        f"{time.monotonic() - start:.0f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=150)
    parser.add_argument("--only", help="a part of a module's name")
    parser.add_argument("--also", nargs="+", metavar="PYTEST_TARGET", help="tests that judge what lives")
    parser.add_argument("--limit", type=int, help="how many of what lives `--also` judges at most")
    options = parser.parse_args()
    for seed in range(20):
        world(seed).live()  # what is loaded now is loaded once
    start, told, survivors = time.monotonic(), Counter[int](), list[Mutant]()
    for function in functions(options.only):
        for mutant in mutants(function):
            end = trial(lambda mutant=mutant: survives(mutant, options.seeds), LIMIT)  # type: ignore[misc]
            told[end] += 1
            if end == LIVES:
                survivors.append(mutant)
                print(f"lives  {mutant.what}", flush=True)
    dead = told[KILLED] + told[TIMED_OUT]
    share = dead / max(told.total(), 1)
    print(
        f"{told.total()} mutants: {dead} killed ({told[TIMED_OUT]} by the time limit), {told[LIVES]} live; "
        f"{share:.1%} in {time.monotonic() - start:.0f} s, at most {options.seeds} seeds each",
        flush=True,
    )
    if options.also and survivors:
        judge_also(survivors, options.also, options.limit)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
