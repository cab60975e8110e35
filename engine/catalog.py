"""Which task types exist, and where each one's class is. Nothing in the engine finds a class in any other way.

Types come from three places, asked in this order: the containers of the dialect, the entry points of installed
distributions (this one first), and the folders of the project itself.
Always true: a lookup imports no more than it needs; a plugin that is broken says so when it is used or listed, and
takes no other down; a name that is taken stays with whoever came first.
"""

from __future__ import annotations

import importlib.metadata
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import EntryPoint
from itertools import groupby
from pathlib import Path

from msgspec import Struct, field

from engine.dialect.suggest import did_you_mean, nearest_type
from engine.errors import NotFound, PluginBroken
from engine.model.flow import CONTAINERS
from engine.sdk.faults import told
from engine.sdk.folder import changed_at, load_folder, mentions, modules_in
from engine.sdk.task import Effect, Task

GROUP = "penstock.plugins"
DISTRIBUTION = "penstock"
CHECKOUT = Path(__file__).resolve().parent.parent

_CONTAINERS = {name: container.TYPES for container in CONTAINERS for name in container.TYPES}


class Entry(Struct, frozen=True, kw_only=True):
    """A line of `plugins list`. `error` tells why the plugin can't be used, None as far as is known."""

    type: str
    aliases: tuple[str, ...]
    source: str  #: a distribution's name, or a file
    error: str | None = None


class _Plugin(Struct, kw_only=True, eq=False):
    """One class, under all its names, loaded when it is first needed. A failure is kept: it is not tried twice."""

    names: list[str]
    source: str
    load: Callable[[], type[Task]]
    shipped: bool = False
    task_class: type[Task] | None = None
    error: str | None = None

    def resolve(self) -> type[Task]:
        if self.task_class is None:
            if self.error is None:
                self._load()
            if self.error is not None:
                raise PluginBroken(self.error)
        assert self.task_class is not None
        return self.task_class

    def _load(self) -> None:
        about = f"plugin {self.names[0]} ({self.source})"
        try:
            loaded = self.load()
            if not (isinstance(loaded, type) and issubclass(loaded, Task)):
                self.error = f"{about} is broken: {loaded!r} is not a subclass of engine.sdk.Task"
            elif stray := [name for name in self.names if name not in (loaded.TYPE, *loaded.ALIASES)]:
                self.error = f'{about} is broken: {loaded.__qualname__} has the type "{loaded.TYPE}", not "{stray[0]}"'
            elif loaded.TYPE not in self.names:
                self.error = f'{about} is broken: its type "{loaded.TYPE}" itself is not registered'
            else:
                loaded.model_rebuild()  # a property whose type makes no sense is found here, not in somebody's run
                self.task_class = loaded
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  somebody else's code may raise anything
            self.error = f"{about} is broken: {told(error)}"


class _Registry(Struct):
    """What has been found so far."""

    plugins: dict[str, _Plugin] = field(default_factory=dict)  #: by type or alias
    rejected: list[Entry] = field(default_factory=list)

    def add(self, plugin: _Plugin) -> None:
        """Register a plugin under those of its names that are free."""
        for name in list(plugin.names):
            owner = self.plugins.get(name)
            taken_by = owner.source if owner else "the engine" if name in _CONTAINERS else None
            if taken_by is None:
                self.plugins[name] = plugin
            else:
                plugin.names.remove(name)
                error = f"the type is already provided by {taken_by}; choose another name"
                self.rejected.append(Entry(type=name, aliases=(), source=plugin.source, error=error))


class Catalog:
    """The task types that flows may use. Safe to share between threads."""

    def __init__(self, folders: Sequence[str | Path] = ()) -> None:
        """`folders` hold a project's own plugins; one that does not exist counts as empty."""
        self._folders = tuple(Path(folder) for folder in folders)
        self._lock = threading.RLock()
        self._registry = _Registry()
        self._modules: dict[Path, int] = {}  #: of the folders, as they were when they were loaded
        self._complete = False
        for plugin in _plugins_of(DISTRIBUTION, _own_entry_points()):
            self._registry.add(plugin)

    def canonical(self, type_: str) -> str | None:
        """The canonical name of a type or alias; None when there is no such type."""
        if type_ in _CONTAINERS:
            return _CONTAINERS[type_][0]
        with self._lock:
            plugin = self._find(type_)
            return _type_of(plugin) if plugin else None

    def names(self) -> Iterable[str]:
        """Every known type string and alias."""
        with self._lock:
            self._discover()
            return [*_CONTAINERS, *self._registry.plugins]

    def missing(self, type_: str) -> str | None:
        """Why a type is not there though a file of the project has it; None when none has."""
        with self._lock:
            self._discover()
            broken = {entry.source: entry.error for entry in self._registry.rejected}
            for module in (module for folder in self._folders for module in modules_in(folder)):
                if not mentions(module, type_):
                    continue
                if self._modules.get(module) != changed_at(module):
                    return f"{module} has changed since process {os.getpid()} loaded it: start that process anew"
                if str(module) in broken:
                    return f"{module} cannot be loaded: {broken[str(module)]}"
        return None

    def task_class(self, type_: str) -> type[Task]:
        """The class of a runnable type. Raises NotFound (with a did-you-mean) or PluginBroken."""
        with self._lock:
            plugin = self._find(type_)
            if plugin is None:
                hint = did_you_mean(nearest_type(type_, self.names()))
                raise NotFound(f'there is no task type "{type_}"', hint=hint)
            return plugin.resolve()

    def properties(self, type_: str) -> type[Task]:
        """The model of a runnable type's own properties: the class itself."""
        return self.task_class(type_)

    def effect(self, type_: str) -> Effect:
        """What repeating the task does. Nobody's code but the engine's own is trusted to be `pure`."""
        declared = self.task_class(type_).EFFECT
        return "idempotent" if declared == "pure" and not self._registry.plugins[type_].shipped else declared

    def entries(self) -> list[Entry]:
        """All types by name, containers and broken plugins included. Imports only what tells a type from its alias."""
        with self._lock:
            self._discover()
            entries = [Entry(type=c.TYPES[0], aliases=c.TYPES[1:], source=DISTRIBUTION) for c in CONTAINERS]
            for plugin in dict.fromkeys(self._registry.plugins.values()):
                type_ = _type_of(plugin)
                aliases = tuple(name for name in plugin.names if name != type_)
                entries.append(Entry(type=type_, aliases=aliases, source=plugin.source, error=plugin.error))
            return sorted([*entries, *self._registry.rejected], key=lambda entry: (entry.type, entry.source))

    def _find(self, type_: str) -> _Plugin | None:
        if type_ not in self._registry.plugins:
            self._discover()
            _check_freshness(type_, self._registry.plugins)
        return self._registry.plugins.get(type_)

    def _discover(self) -> None:
        """Ask everybody. Not done for a flow of built-in types: reading all distributions takes milliseconds."""
        if self._complete:
            return
        for distribution, points in groupby(importlib.metadata.entry_points(group=GROUP), key=_distribution_of):
            if distribution != DISTRIBUTION:
                for plugin in _plugins_of(distribution, points):
                    self._registry.add(plugin)
        for folder in self._folders:
            self._modules |= {module: changed_at(module) for module in modules_in(folder)}
            for found in load_folder(folder):
                if found.task_class is None:
                    entry = Entry(type=found.path.stem, aliases=(), source=str(found.path), error=found.error)
                    self._registry.rejected.append(entry)
                else:
                    self._registry.add(_from_folder(found.task_class, found.path))
        self._complete = True


def _type_of(plugin: _Plugin) -> str:
    """Which of a plugin's names is the type is known to its class alone; a broken one goes by its first name."""
    if len(plugin.names) > 1:
        try:
            return plugin.resolve().TYPE
        except PluginBroken:
            pass
    return plugin.task_class.TYPE if plugin.task_class else plugin.names[0]


def _from_folder(task_class: type[Task], path: Path) -> _Plugin:
    names = [task_class.TYPE, *task_class.ALIASES]
    return _Plugin(names=names, source=str(path), load=lambda: task_class)


def _plugins_of(distribution: str, points: Iterable[EntryPoint]) -> Iterator[_Plugin]:
    """What a distribution's entry points register. Those with the same value are one class's type and aliases."""
    classes: dict[str, list[EntryPoint]] = {}
    for point in points:
        classes.setdefault(point.value, []).append(point)
    for same in classes.values():
        names = [point.name for point in same]
        yield _Plugin(names=names, source=distribution, load=same[0].load, shipped=distribution == DISTRIBUTION)


def _distribution_of(point: EntryPoint) -> str:
    """Slow: to know a distribution's name, all of its metadata is parsed."""
    return point.dist.name if point.dist else "unknown"


def _own_entry_points() -> Iterable[EntryPoint]:
    try:
        return importlib.metadata.distribution(DISTRIBUTION).entry_points.select(group=GROUP)
    except importlib.metadata.PackageNotFoundError:
        raise PluginBroken(
            "the built-in task types are not registered: this copy of Penstock is not installed",
            hint=f"run `pip install -e {CHECKOUT}`",
        ) from None


def _check_freshness(type_: str, known: Iterable[str]) -> None:
    """In a checkout, a type that pyproject.toml declares and the installed metadata lacks is no typing error."""
    project = CHECKOUT / "pyproject.toml"
    if type_ in known or not project.exists():
        return
    import tomllib

    declared = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("entry-points", {})
    if type_ in declared.get(GROUP, {}):
        raise PluginBroken(
            f"{type_} is declared in {project}, but the installed metadata is older",
            hint=f"run `pip install -e {CHECKOUT}`",
        )
