"""Words that became other words: properties, types of inputs, states, types of tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.dialect.document import Path
from engine.dialect.migrate.draft import Draft
from engine.dialect.sites import entries, sites, triggers, typed_maps
from engine.dialect.types import TypeIndex

INPUT_TYPES = {"BOOLEAN": "BOOL", "ENUM": "SELECT"}
STATE_KEYS = ("state", "states", "stopAfter", "in", "notIn", "errorStates", "value", "values")
_NOTIFICATION = re.compile(r"io\.kestra\.plugin\.notifications\.([a-z0-9]+)\.(\w+)")
_DELETE = "io.kestra.plugin.fs.local.Delete"
_LOG = "io.kestra.plugin.core.log.Log"
_ECHO = ("io.kestra.plugin.core.debug.Echo", "io.kestra.core.tasks.debugs.Echo")
_PURGE = ("io.kestra.plugin.core.storage.Purge", "io.kestra.core.tasks.storages.Purge")
_PURGE_EXECUTIONS = "io.kestra.plugin.core.execution.PurgeExecutions"
_SCRIPTS = "io.kestra.plugin.scripts."
_RUNNERS = {
    "PROCESS": "io.kestra.plugin.core.runner.Process",
    "DOCKER": "io.kestra.plugin.scripts.runner.docker.Docker",
}


def run_if_to_when(draft: Draft, types: TypeIndex) -> None:
    """`runIf` of every task."""
    for site in sites(draft.data):
        _rename(draft, site.path, site.data, "runIf", "when")


def when_to_run_if(draft: Draft, types: TypeIndex) -> None:
    """`when` of every task."""
    for site in sites(draft.data):
        _rename(draft, site.path, site.data, "when", "runIf")


def condition_of_checks(draft: Draft, types: TypeIndex) -> None:
    """`condition` of a check."""
    for path, check in entries(draft.data, "checks"):
        _rename(draft, path, check, "condition", "when")


def when_of_checks(draft: Draft, types: TypeIndex) -> None:
    """`when` of a check."""
    for path, check in entries(draft.data, "checks"):
        _rename(draft, path, check, "when", "condition")


def _rename(draft: Draft, path: Path, data: Mapping[str, Any], old: str, new: str) -> None:
    if old not in data:
        return
    if new in data:
        draft.leave((*path, old), f'"{old}" and "{new}" mean the same', "keep one of them", key=True)
    else:
        draft.rename((*path, old), new)


def types_of_inputs(draft: Draft, types: TypeIndex) -> None:
    """BOOLEAN and ENUM, of inputs and outputs, wherever a flow declares some."""
    for path, declared in _declarations(draft.data):
        for name in ("type", "itemType"):
            if declared.get(name) in INPUT_TYPES:
                draft.respell((*path, name), INPUT_TYPES[declared[name]])


def optional_with_default(draft: Draft, types: TypeIndex) -> None:
    """`required: false` beside `defaults`: the default is always taken, so the input never was without a value."""
    for path, declared in _declarations(draft.data):
        if declared.get("required") is False and declared.get("defaults") is not None:
            draft.remove((*path, "required"))


def _declarations(data: Any) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    yield from entries(data, "inputs")
    yield from entries(data, "outputs")
    for site in sites(data):
        below = site.data.get("onResume")
        for index, declared in enumerate(below if isinstance(below, list) else ()):
            if isinstance(declared, Mapping):
                yield (*site.path, "onResume", index), declared


def canceled(draft: Draft, types: TypeIndex) -> None:
    """The misspelt state, where states are written."""
    for site in sites(draft.data):
        if "state" in site.data or "states" in site.data:
            _canceled_in(draft, site.data, site.path)
    for path, trigger in triggers(draft.data):
        _canceled_in(draft, trigger, path)


def _canceled_in(draft: Draft, data: Any, path: Path, name: str = "") -> None:
    if data == "CANCELED" and name in STATE_KEYS:
        draft.respell(path, "CANCELLED")
    elif isinstance(data, Mapping):
        for key, value in data.items():
            _canceled_in(draft, value, (*path, key), key)
    elif isinstance(data, Sequence) and not isinstance(data, str):
        for index, item in enumerate(data):
            _canceled_in(draft, item, (*path, index), name)


def notifications(draft: Draft, types: TypeIndex) -> None:
    """Types that moved out of the plugin for notifications, each into the plugin of its service."""
    for path, typed in typed_maps(draft.data):
        if match := _NOTIFICATION.fullmatch(typed["type"]):
            draft.respell((*path, "type"), f"io.kestra.plugin.{match[1]}.notifications.{match[2]}")


def echo(draft: Draft, types: TypeIndex) -> None:
    """Echo, which Log replaced."""
    for site in sites(draft.data):
        if site.type in _ECHO:
            draft.respell((*site.path, "type"), _LOG)
            _rename(draft, site.path, site.data, "format", "message")


def purge(draft: Draft, types: TypeIndex) -> None:
    """Purge, which PurgeExecutions replaced."""
    for site in sites(draft.data):
        if site.type in _PURGE:
            draft.respell((*site.path, "type"), _PURGE_EXECUTIONS)


def recursive_delete(draft: Draft, types: TypeIndex) -> None:
    """A Delete that took folders without being told to."""
    for site in sites(draft.data):
        if site.type == _DELETE and "recursive" not in site.data:
            draft.add(site.path, "recursive", True, after="type")


def runners(draft: Draft, types: TypeIndex) -> None:
    """`runner` and `docker` of scripts."""
    for site in sites(draft.data):
        if not site.type.startswith(_SCRIPTS):
            continue
        docker, runner = site.data.get("docker"), site.data.get("runner")
        only_image = isinstance(docker, Mapping) and list(docker) == ["image"] and "containerImage" not in site.data
        if docker is not None and not only_image:
            draft.leave(
                (*site.path, "docker"),
                '"docker" sets more than the image',
                "write taskRunner: with the properties of io.kestra.plugin.scripts.runner.docker.Docker",
                key=True,
            )
            continue
        if docker is not None:
            draft.replace((*site.path, "docker"), [("containerImage", docker["image"])])
        if runner in _RUNNERS and "taskRunner" not in site.data:
            draft.replace((*site.path, "runner"), [("taskRunner", {"type": _RUNNERS[runner]})])
        elif runner is not None:
            draft.leave(
                (*site.path, "runner"), '"runner" stands beside "taskRunner", or is none that is known', key=True
            )
