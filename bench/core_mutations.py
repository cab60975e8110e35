"""How many small mistakes in the core does the simulator see? Makes them one at a time, and plays seeds until one is.

    .venv/bin/python bench/core_mutations.py [--seeds 150] [--only settle] [--also tests/unit/core tests/golden]
                                             [--again]

A mutant is a function of `engine/core` with one thing wrong: a comparison or a condition turned round, `and` for `or`,
a number one off, another state, a statement left out. Each is tried in a process of its own with a time limit. A
mutant is killed when a seed breaks a sentence or when the time is over.
Those that live are printed with their place: either a sentence is missing, or the mutant means the same.

`--also` names tests that judge those that live, `--limit` how many of these at most, taken evenly. They are collected
once; of them only those are run that call the mutant's function, up to the first failure.

What is known to mean the same stands in `core_mutations_equivalent.toml`, with the reason. It is left out; with
`--again` it is tried too, and what dies of it does not belong there.
"""

from __future__ import annotations

import argparse
import ast
import copy
import inspect
import json
import os
import pkgutil
import signal
import sys
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from importlib import import_module
from itertools import pairwise, takewhile
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import engine.core
from tests.simulation.found import FOUND
from tests.simulation.planting import compiled, planted, source_of
from tests.simulation.seeds import world

ROOT = Path(__file__).resolve().parent.parent
#: Of one mutant, in seconds.
LIMIT = 30
#: Of one mutant and the other tests, in seconds.
LIMIT_ALSO = 60
EQUIVALENT = Path(__file__).with_name("core_mutations_equivalent.toml")
#: What the simulator does not play: values and contexts, other executions, promises about time, and when flows start.
ELSEWHERE = (
    "admission", "calling", "checks", "coercion", "conditions", "context", "idempotency", "inputs", "labels", "renewal",
    "rendering", "replaying", "rounds", "schedule", "sla", "topology", "triggering",
)  # fmt: skip
KILLED, LIVES, TIMED_OUT = range(3)
#: So many words of the source before and after a change are told with it.
AROUND = 5
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
    line: int
    change: str

    @property
    def name(self) -> str:
        """The same wherever in its file the function stands."""
        return f"{key_of(self.function.__code__)}: {self.change}"

    def __str__(self) -> str:
        return f"{Path(self.function.__code__.co_filename).relative_to(ROOT)}:{self.line} {self.name}"


def key_of(code: CodeType) -> str:
    """The name of a function of the core, such as `flowable.dag.nexts`."""
    module = Path(code.co_filename).relative_to(Path(engine.core.__file__ or "").parent).with_suffix("")
    return ".".join((*module.parts, code.co_qualname))


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
    tree, told = ast.parse(source_of(function)), Counter[str]()
    before = ast.unparse(tree).split()
    for index, node in enumerate(ast.walk(tree)):
        for number, _ in enumerate(changes(node)):
            other = copy.deepcopy(tree)
            there = next(each for position, each in enumerate(ast.walk(other)) if position == index)
            list(changes(there))[number]()
            change = difference(before, ast.unparse(other).split())
            told[change] += 1
            line = function.__code__.co_firstlineno + getattr(node, "lineno", 1) - 1
            yield Mutant(function, other, line, change if told[change] == 1 else f"{change} ({told[change]})")


def difference(before: list[str], after: list[str]) -> str:
    """The words that are others now, with a few around them."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    left, right = before[same:], after[same:]
    pairs = zip(reversed(left), reversed(right), strict=False)
    last = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    old, new = (" ".join(each[: len(each) - last]) for each in (left, right))
    start, end = before[max(same - AROUND, 0) : same], left[len(left) - last :][:AROUND]
    return " ".join((*start, f"[{old} -> {new}]", *end))


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
    """A plugin of pytest that runs what was collected once for each mutant, each time in a process of its own.

    Only the tests that call a mutant's function can tell it from the original, so only these are run.
    """

    def __init__(self, judged: list[Mutant]) -> None:
        self.judged = judged
        self.told = Counter[int]()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        callers = callers_of_functions(session)
        if callers is None:
            return True
        for mutant in self.judged:
            items = [session.items[number] for number in callers.get(key_of(mutant.function.__code__), ())]
            end = trial(lambda mutant=mutant, items=items: passes(session, items, mutant), LIMIT_ALSO)  # type: ignore[misc]
            self.told[end] += 1
            if end == LIVES:
                print(f"lives on  {mutant}", flush=True)
        return True


def callers_of_functions(session: pytest.Session) -> dict[str, list[int]] | None:
    """Of each function of the core, the numbers of the tests that call it; None when not all tests pass."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with open(writing, "w") as answer:
            json.dump(traced(session), answer)
            answer.flush()
            os._exit(0)
    os.close(writing)
    with open(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else None


def traced(session: pytest.Session) -> dict[str, list[int]] | None:
    folder = str(Path(engine.core.__file__ or "").parent)
    found: dict[str, list[int]] = {}
    for number, item in enumerate(session.items):
        called: set[CodeType] = set()

        def see(frame: FrameType, event: str, argument: object, called: set[CodeType] = called) -> None:
            if frame.f_code.co_filename.startswith(folder):
                called.add(frame.f_code)

        threading.settrace(see)
        sys.settrace(see)
        passed = passes(session, [item])
        sys.settrace(None)
        if not passed:
            print(f"fails without a mutant  {item.nodeid}", flush=True)
            return None
        for code in called:
            found.setdefault(key_of(code), []).append(number)
    return found


def passes(session: pytest.Session, items: list[pytest.Item], mutant: Mutant | None = None) -> bool:
    """Whether some tests pass, with a mutant in place."""
    run = session.config.hook.pytest_runtest_protocol
    with planted(mutant.function, compiled(mutant.function, mutant.tree)) if mutant else nullcontext():
        for item, following in pairwise([*items, None]):
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


def known_equivalent() -> set[str]:
    """The names of the mutants that mean the same."""
    groups = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    return {name for group in groups for name in group["mutants"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=150)
    parser.add_argument("--only", help="a part of a module's name")
    parser.add_argument("--also", nargs="+", metavar="PYTEST_TARGET", help="tests that judge what lives")
    parser.add_argument("--limit", type=int, help="how many of what lives `--also` judges at most")
    parser.add_argument("--again", action="store_true", help="try what is known to mean the same, too")
    options = parser.parse_args()
    for seed in range(20):
        world(seed).live()  # what is loaded now is loaded once
    same, start, told, survivors = known_equivalent(), time.monotonic(), Counter[int](), list[Mutant]()
    made = [mutant for function in functions(options.only) for mutant in mutants(function)]
    if options.only is None:
        for name in sorted(same - {mutant.name for mutant in made}):
            print(f"is no mutant any more  {name}")
    left_out = set() if options.again else same
    for mutant in made:
        if mutant.name in left_out:
            continue
        end = trial(lambda mutant=mutant: survives(mutant, options.seeds), LIMIT)  # type: ignore[misc]
        told[end] += 1
        if end == LIVES and mutant.name not in same:
            survivors.append(mutant)
            print(f"lives  {mutant}", flush=True)
        elif end != LIVES and mutant.name in same:
            print(f"does not mean the same  {mutant}", flush=True)
    dead = told[KILLED] + told[TIMED_OUT]
    print(
        f"{len(made)} mutants: {sum(mutant.name in same for mutant in made)} mean the same, {dead} killed "
        f"({told[TIMED_OUT]} by the time limit), {len(survivors)} live; "
        f"{time.monotonic() - start:.0f} s, at most {options.seeds} seeds each",
        flush=True,
    )
    if options.also and survivors:
        judge_also(survivors, options.also, options.limit)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
