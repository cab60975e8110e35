"""The shape of the code base, kept by a test: who may import whom, how long things get, what is never used.

Everything here is read from the source with `ast`; only the last two tests run code. A rule that fails names the
file, the line and the rule, so the message is enough to mend it.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parent.parent
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

#: From the top down. A unit may import its own layer and those below, never one above; within a layer, no cycles.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"cli", "api", "web"}),
    frozenset({"app", "parts", "present", "check"}),
    frozenset({"runtime", "store", "files", "settings", "sources"}),
    frozenset({"core", "ports", "sdk", "catalog"}),
    frozenset({"dialect", "expressions"}),
    frozenset({"model"}),
    frozenset({"errors"}),
)
RANK = {unit: len(LAYERS) - level for level, layer in enumerate(LAYERS) for unit in layer}

#: Slow to import: only functions import these, ...
LAZY_ONLY = {
    "networkx",
    "openai",
    "alembic",
    "fastapi",
    "rich",
    "cryptography",
    "jq",
    "psycopg",
    "jsonschema",
    "amazon",
    "holidays",
}
#: ... and `penstock --help` loads none of these either.
HEAVY = LAZY_ONLY | {"sqlalchemy", "pydantic", "jinja2", "httpx2"}

#: The core and the nouns decide; they never look at the world.
PURE_UNITS = {"core", "model", "errors"}
WORLD = {
    "asyncio",
    "http",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "secrets",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "sqlalchemy",
    "requests",
    "httpx2",
}
#: Only text, in spite of where it lives.
TEXT_MODULE = "urllib.parse"
WORKER_CLASSES = {"Thread", "Timer", "ThreadPoolExecutor", "ProcessPoolExecutor", "Process", "Pool"}
#: Outside the runtime there is one thread: the watchdog of the process that runs jq programs.
WATCHDOG = ("engine/expressions/library/jq_process.py", "Timer")
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill"}
#: The one place that reads code: compiled expressions, from a folder that nobody else can write to.
COMPILED = "engine/expressions/cache.py"
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
SQL = re.compile(
    r"\b(select\s.+\sfrom|insert\s+(or\s+\w+\s+)?into|update\s+\S+\s+set|delete\s+from|(create|drop|alter)\s+(table|index)"
    r"|truncate\s+table)\b",
    re.IGNORECASE | re.DOTALL,
)
SQL_CALLS = {"execute", "executemany", "executescript", "exec_driver_sql", "text"}


@dataclass(frozen=True)
class Module:
    name: str  #: dotted, as it is imported
    path: Path
    text: str
    tree: ast.Module

    @property
    def where(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def unit(self) -> str:
        """The part of the engine that it belongs to: `engine.core.draft` is of `core`."""
        return self.name.split(".")[1] if "." in self.name else ""


@dataclass(frozen=True)
class Import:
    target: str  #: dotted; a module, or a name in one
    line: int
    lazy: bool  #: inside a function


@cache
def modules(package: str) -> tuple[Module, ...]:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        found.append(Module(name, path, text, ast.parse(text, str(path))))
    return tuple(found)


def imports(module: Module) -> Iterator[Import]:
    """All imports that can happen at run time, wherever they stand."""
    yield from _imports(module, module.tree, lazy=False)


def _imports(module: Module, node: ast.AST, *, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            for other in child.orelse:
                yield from _imports(module, other, lazy=lazy)
        elif isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, lazy) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            source = child.module or ""
            if child.level:
                package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
                source = importlib.util.resolve_name("." * child.level + source, package)
            yield from (Import(f"{source}.{alias.name}", child.lineno, lazy) for alias in child.names)
        else:
            inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(module, child, lazy=inside)


def resolve(target: str, known: set[str]) -> str | None:
    """The module of this project that an import loads: `engine.errors.NotFound` loads `engine.errors`."""
    while target:
        if target in known:
            return target
        target = target.rpartition(".")[0]
    return None


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def report(findings: list[str]) -> None:
    assert not findings, "\n" + "\n".join(findings)


def test_every_part_of_the_engine_has_a_place_in_the_layers() -> None:
    units = {module.unit for module in modules("engine")} - {"", "_migrations"}
    assert units <= RANK.keys(), f"name a layer for {sorted(units - RANK.keys())} in LAYERS"


def test_imports_point_downward() -> None:
    findings = []
    for module in modules("engine"):
        for item in imports(module):
            parts = item.target.split(".")
            if parts[0] != "engine" or len(parts) == 1 or not module.unit or parts[1] not in RANK:
                continue  # `engine` itself is the facade: lazy, and above everything
            if RANK[parts[1]] > RANK[module.unit]:
                findings.append(f"{module.where}:{item.line}: {module.unit} must not import {item.target}")
    report(findings)


def test_parts_of_one_layer_do_not_import_each_other_in_a_circle() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph()
    for module in modules("engine"):
        for item in imports(module):
            parts = item.target.split(".")
            if parts[0] == "engine" and len(parts) > 1 and parts[1] in RANK and module.unit not in {"", parts[1]}:
                graph.add_edge(module.unit, parts[1])
    report([" -> ".join([*circle, circle[0]]) for circle in nx.simple_cycles(graph)])


def test_no_import_cycle_between_modules() -> None:
    known = {module.name for package in ("engine", "plugins") for module in modules(package)}
    graph: nx.DiGraph[str] = nx.DiGraph()
    for module in (*modules("engine"), *modules("plugins")):
        targets = {resolve(item.target, known) for item in imports(module) if not item.lazy}
        graph.add_edges_from((module.name, target) for target in targets if target and target != module.name)
    report([" <-> ".join(sorted(ring)) for ring in nx.strongly_connected_components(graph) if len(ring) > 1])


def test_the_expression_language_has_no_cycle_through_functions_either() -> None:
    known = {module.name for module in modules("engine")}
    graph: nx.DiGraph[str] = nx.DiGraph()
    for module in modules("engine"):
        if module.name.startswith("engine.expressions."):
            targets = {resolve(item.target, known) for item in imports(module)}
            graph.add_edges_from((module.name, target) for target in targets if target and target != module.name)
    report([" <-> ".join(sorted(ring)) for ring in nx.strongly_connected_components(graph) if len(ring) > 1])


def test_the_engine_never_imports_plugins_and_a_plugin_only_the_sdk() -> None:
    findings = []
    for module in modules("engine"):
        findings += [
            f"{module.where}:{item.line}: imports {item.target}; plugins come in through the catalog"
            for item in imports(module)
            if item.target.split(".")[0] == "plugins"
        ]
    for module in modules("plugins"):
        findings += [
            f"{module.where}:{item.line}: imports {item.target}; a plugin sees engine.sdk and nothing else"
            for item in imports(module)
            if item.target.split(".")[0] == "engine" and item.target.split(".")[1:2] != ["sdk"]
        ]
    report(findings)


def test_heavy_libraries_are_imported_inside_functions() -> None:
    report(
        [
            f"{module.where}:{item.line}: import {item.target} inside the function that needs it"
            for module in (*modules("engine"), *modules("plugins"))
            for item in imports(module)
            if not item.lazy and item.target.split(".")[0] in LAZY_ONLY
        ]
    )


def _looks_outside(function: str, *, seeded: bool) -> bool:
    module, _, name = function.rpartition(".")
    if module == "random":
        return not (name == "Random" and seeded)
    return name in {"now", "utcnow", "today", "uuid1", "uuid4", "open"}


def test_the_core_and_the_model_never_look_at_the_world() -> None:
    findings = []
    for module in modules("engine"):
        if module.unit not in PURE_UNITS:
            continue
        findings += [
            f"{module.where}:{item.line}: imports {item.target}"
            for item in imports(module)
            if item.target.split(".")[0] in WORLD and resolve(item.target, {TEXT_MODULE}) is None
        ]
        findings += [
            f"{module.where}:{node.lineno}: {ast.unparse(node.func)}(): time comes as event.at, chance from a seed"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call) and _looks_outside(ast.unparse(node.func), seeded=bool(node.args))
        ]
    report(findings)


def test_threads_and_processes_are_started_in_the_runtime_only() -> None:
    findings = []
    for module in (*modules("engine"), *modules("plugins")):
        if module.unit == "runtime" and module.name.startswith("engine."):
            continue
        for node in ast.walk(module.tree):
            name = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
            if name in WORKER_CLASSES and (module.where, name) != WATCHDOG:
                findings.append(f"{module.where}:{node.lineno}: {name}() outside engine/runtime")
    report(findings)


def _is_glued(node: ast.AST) -> bool:
    """Text put together from pieces: an f-string with anything but CONSTANTS in it, `%`, or `.format()`."""
    if isinstance(node, ast.JoinedStr):
        parts = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        return not all(isinstance(part, ast.Name) and part.id.isupper() for part in parts)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "format"
        and isinstance(node.func.value, ast.Constant)
    )


def test_sql_is_never_glued_together() -> None:
    findings = []
    for module in (*modules("engine"), *modules("plugins"), *modules("migrations")):
        for node in ast.walk(module.tree):
            words = [
                part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            if _is_glued(node) and SQL.search(" x ".join(words)):
                findings.append(f"{module.where}:{node.lineno}: SQL takes its values as bound parameters")
            called = isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in SQL_CALLS
            if called and any(_is_glued(argument) for argument in node.args):
                findings.append(f"{module.where}:{node.lineno}: SQL takes its values as bound parameters")
    report(findings)


def test_nothing_turns_data_into_code() -> None:
    findings = []
    for module in (*modules("engine"), *modules("plugins")):
        findings += [
            f"{module.where}:{node.lineno}: {node.func.id}()"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}
        ]
        findings += [
            f"{module.where}:{item.line}: imports {item.target}"
            for item in imports(module)
            if item.target.split(".")[0] in FORBIDDEN_MODULES and module.where != COMPILED
        ]
    report(findings)


def test_files_and_functions_stay_short_enough_to_read() -> None:
    findings = []
    for module in (*modules("engine"), *modules("plugins"), *modules("tests")):
        lines = module.text.count("\n")
        if lines > MAX_FILE_LINES:
            findings.append(f"{module.where}: {lines} lines, at most {MAX_FILE_LINES}")
    for module in (*modules("engine"), *modules("plugins")):
        for function in functions(module):
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            if length > MAX_FUNCTION_LINES:
                findings.append(f"{module.where}:{function.lineno}: {function.name} has {length} lines")
    report(findings)


def test_every_module_says_why_it_is_there_and_has_a_telling_name() -> None:
    findings = []
    for module in (*modules("engine"), *modules("plugins")):
        if module.tree.body and not ast.get_docstring(module.tree):
            findings.append(f"{module.where}: no docstring at its head")
        if module.path.stem in FORBIDDEN_NAMES:
            findings.append(f"{module.where}: the name says nothing about what is in it")
    report(findings)


@pytest.mark.parametrize("package", ["engine", "plugins"])
def test_exported_names_exist(package: str) -> None:
    for module in modules(package):
        if "__all__" in module.text:
            loaded = importlib.import_module(module.name)
            missing = [name for name in loaded.__all__ if not hasattr(loaded, name)]
            assert not missing, f"{module.where}: __all__ names {missing}"
            assert len(set(loaded.__all__)) == len(loaded.__all__), f"{module.where}: __all__ repeats itself"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from engine.cli import main\n"
        "sys.argv = ['penstock', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('LOADED', *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    assert not HEAVY & set(done.stdout.rpartition("LOADED")[2].split())
