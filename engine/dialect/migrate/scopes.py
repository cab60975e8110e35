"""What stands where a text stands: the loops around it, and the names that each dialect has for their values.

1.x reads the value of a loop from the task run that has it (`taskrun`, `parent.taskrun`, `parents[n].taskrun`), 2.0
by how many loops further out it is (`item`, `item.parent`, `item.parents[n]`). A level counts loops from 0, nearest
first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from engine.dialect.document import Path
from engine.dialect.migrate.draft import Draft
from engine.dialect.migrate.expressions import templates
from engine.dialect.sites import PERHAPS_WITH_OUTPUTS, WITH_OUTPUTS, Site, sites
from engine.dialect.uses import Read, Use

#: The fields of a round: 1.x -> 2.0.
FIELDS = {"value": "value", "iteration": "index"}


class Text(NamedTuple):
    """One text with expressions. `site` is the task it belongs to; None for what is no task's."""

    path: Path
    text: str
    is_key: bool
    found: Read
    site: Site | None

    @property
    def loops(self) -> list[Site]:
        return self.site.loops if self.site is not None else []


class Scope:
    """All tasks of a flow, and all texts in it."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.sites = sites(draft.data)
        self._by_path = {site.path: site for site in self.sites}
        self.by_id: Mapping[Any, Site] = {site.id: site for site in self.sites}

    def texts(self) -> Iterator[Text]:
        for path, text, is_key, found in templates(self._draft):
            yield Text(path, text, is_key, found, self._at(path))

    def looped(self, use: Use) -> Site | None:
        """The task in a loop whose outputs, or state, a path reads."""
        if use.root not in ("outputs", "tasks") or not use.steps:
            return None
        site = self.by_id.get(use.steps[0].key)
        return site if site is not None and site.loops else None

    def _at(self, path: Path) -> Site | None:
        found = (self._by_path.get(path[:cut]) for cut in range(len(path), 0, -1))
        return next((site for site in found if site is not None), None)


def level_of(site: Site, use: Use) -> tuple[int, str, int] | None:
    """Of a 1.x path to the value of a loop: the level, the field of 2.0, how many steps are used up."""
    match use.root, use.keys:
        case "taskrun", ("value" | "iteration" as field, *_) if site.loops:
            return 0, FIELDS[field], 1
        case "parent", ("taskrun", "value" | "iteration" as field, *_):
            index, steps = 0, 2
        case "parents", (int(index), "taskrun", "value" | "iteration" as field, *_):
            steps = 3
        case _:
            return None
    levels = {_level_at(site, index, perhaps=perhaps) for perhaps in (False, True)}
    level = levels.pop()
    return (level, FIELDS[field], steps) if not levels and level is not None else None


def item(level: int, field: str) -> str:
    """The 2.0 path to a value of a loop."""
    return f"item{'' if level == 0 else '.parent' if level == 1 else f'.parents[{level - 1}]'}.{field}"


def level_of_item(use: Use) -> tuple[int, str, int] | None:
    """Of a 2.0 path to the value of a loop: the level, the field, how many steps are used up."""
    match use.keys:
        case (str(field), *_) if field not in ("parent", "parents"):
            return 0, field, 1
        case ("parent", str(field), *_):
            return 1, field, 2
        case ("parents", int(index), str(field), *_):
            return index + 1, field, 3
    return None


def task_run(site: Site, level: int, field: str) -> str | None:
    """The 1.x path to a value of a loop; None where there is none that is sure to be right."""
    if field not in FIELDS.values() or level >= len(site.loops):
        return None
    if site.laned and level == 0:
        return "taskrun.value" if field == "value" else "taskrun.iteration"
    if field != "value":
        return None
    indexes = {_index_of(site, site.loops[level], perhaps=perhaps) for perhaps in (False, True)}
    index = indexes.pop()
    if indexes or index is None:
        return None
    return "parent.taskrun.value" if index == 0 else f"parents[{index}].taskrun.value"


def _known(site: Site, *, perhaps: bool) -> list[Site]:
    """What 1.x has in `parents`: the containers with a value or outputs, nearest first."""
    kinds = (*WITH_OUTPUTS, *(PERHAPS_WITH_OUTPUTS if perhaps else ()))
    return [above for above in site.around if above.laned or above.type.rpartition(".")[2] in kinds]


def _level_at(site: Site, index: int, *, perhaps: bool) -> int | None:
    known = _known(site, perhaps=perhaps)
    if index >= len(known) or not known[index].laned:
        return None
    loop = known[index].parent
    return site.loops.index(loop) if loop is not None else None


def _index_of(site: Site, loop: Site, *, perhaps: bool) -> int | None:
    known = _known(site, perhaps=perhaps)
    return next((index for index, above in enumerate(known) if above.laned and above.parent is loop), None)
