"""Loads the plugins in a project's own folder by their location.

They live in a private package named after the folder's path, so that a file there is never mistaken for another
module of the same name, nor the other way round; among themselves they import each other with a leading dot.
Always true: a file that fails is reported, and the others are loaded all the same.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from msgspec import Struct

from engine.sdk.faults import told
from engine.sdk.task import Task


class Found(Struct, frozen=True):
    """A task class in a file, or the reason why the file has none to give."""

    path: Path
    task_class: type[Task] | None = None
    error: str | None = None


def load_folder(folder: Path) -> Iterator[Found]:
    """Import every module and package of a folder, afresh, and yield what they define.

    Names that begin with `_` or `.` are left to be imported by others; tests (`test_*`, `conftest`) are left alone.
    """
    package = _private_package(folder)
    for path in modules_in(folder):
        yield from _load(f"{package}.{path.stem}", path)


def modules_in(folder: Path) -> Iterator[Path]:
    """The modules and packages of a folder that may define task types."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        is_module = path.suffix == ".py" if path.is_file() else (path / "__init__.py").is_file()
        if is_module and not path.name.startswith(("_", ".", "test_")) and path.stem != "conftest":
            yield path


def mentions(module: Path, text: str) -> bool:
    """Whether a text stands in the source of a module or package."""
    try:
        return any(text.encode() in file.read_bytes() for file in _files_of(module))
    except OSError:
        return False


def changed_at(module: Path) -> int:
    """Another number after each change of a module or package; -1 if it cannot be read."""
    try:
        return max((file.stat().st_mtime_ns for file in _files_of(module)), default=0)
    except OSError:
        return -1


def _files_of(module: Path) -> list[Path]:
    return [module] if module.is_file() else sorted(module.rglob("*.py"))


def _private_package(folder: Path) -> str:
    where = folder.resolve()
    name = "penstock_project_plugins_" + hashlib.sha256(str(where).encode()).hexdigest()[:12]
    for known in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
        del sys.modules[known]
    importlib.invalidate_caches()
    package = ModuleType(name, f"The plugins of {where}")
    package.__path__ = [str(where)]
    sys.modules[name] = package
    return name


def _load(module_name: str, path: Path) -> Iterator[Found]:
    try:
        module = importlib.import_module(module_name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  somebody else's code may raise anything
        yield Found(path, error=_story(error, path))
        return
    for value in list(vars(module).values()):
        if (
            isinstance(value, type)
            and issubclass(value, Task)
            and vars(value).get("TYPE")  # its own, not an ancestor's
            and f"{value.__module__}.".startswith(f"{module_name}.")  # defined here, not imported from elsewhere
        ):
            yield Found(path, value)


def _story(error: BaseException, path: Path) -> str:
    """What went wrong, and in which line of the plugin."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(path)]
    file, line = (frames[-1].filename, frames[-1].lineno) if frames else (str(path), None)
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno
    where = Path(file).name if line is None else f"{Path(file).name}, line {line}"
    return f"{where}: {told(error)}"
