"""ForEach, EachSequential and EachParallel -> Loop.

The loops of a flow are rewritten together or not at all, because an expression of one may read tasks of another.
"""

from __future__ import annotations

from engine.dialect.migrate.draft import Draft
from engine.dialect.migrate.outside import Outside, written_values
from engine.dialect.migrate.scopes import Scope, Text, item, level_of
from engine.dialect.sites import AFTER_LOOP, EACH_PARALLEL, EACH_SEQUENTIAL, FOR_EACH, LOOP, OLD_LOOPS, PARALLEL, Site
from engine.dialect.types import TypeIndex
from engine.dialect.uses import Use

_ROUND = ("taskrun", "parent", "parents")


def for_each_to_loop(draft: Draft, types: TypeIndex) -> None:
    """Every loop of a flow, and every expression that reads one."""
    scope = Scope(draft)
    loops = [site for site in scope.sites if site.type in OLD_LOOPS]
    if not loops:
        return
    for loop in loops:
        _rewrite_loop(draft, scope, loop)
    outside = Outside(draft)
    for text in scope.texts():
        _rewrite_text(draft, scope, outside, text)
    outside.declare()
    if any(remark.left for remark in draft.remarks):
        draft.changes.clear()
        draft.remarks = [remark for remark in draft.remarks if remark.left]
        for loop in loops:
            draft.leave((*loop.path, "type"), f'the loop "{loop.id}" stays as it is', "see the other findings")


def _rewrite_loop(draft: Draft, scope: Scope, loop: Site) -> None:
    draft.respell((*loop.path, "type"), LOOP)
    for branch in AFTER_LOOP:
        if branch in loop.data:
            draft.leave(
                (*loop.path, branch),
                f'"{branch}" runs once after a {loop.type.rpartition(".")[2]}, and in every round of a Loop',
                "put the loop into a Sequential that has it",
                key=True,
            )
    if loop.type == FOR_EACH:
        if "concurrencyLimit" not in loop.data:
            draft.add(loop.path, "concurrencyLimit", 1, after="values")
        _note_duplicates(draft, loop, "values")
        return
    if "value" in loop.data:
        draft.rename((*loop.path, "value"), "values")
        _note_duplicates(draft, loop, "value")
    if loop.type in EACH_SEQUENTIAL:
        draft.add(loop.path, "concurrencyLimit", 1, after="value")
    elif "concurrent" in loop.data:
        draft.rename((*loop.path, "concurrent"), "concurrencyLimit")
    else:
        draft.add(loop.path, "concurrencyLimit", 0, after="value")
    tasks = loop.data.get("tasks")
    if loop.type in EACH_PARALLEL and isinstance(tasks, list) and len(tasks) > 1:
        _start_together(draft, scope, loop)


def _start_together(draft: Draft, scope: Scope, loop: Site) -> None:
    """An EachParallel starts all tasks of a value at once, a Loop one after the other: they go into a Parallel."""
    name = f"{loop.id}_parallel"
    if name in scope.by_id:
        draft.leave((*loop.path, "tasks"), f'its tasks need a Parallel around them, and "{name}" is taken', key=True)
    else:
        draft.wrap((*loop.path, "tasks"), {"id": name, "type": PARALLEL}, "tasks")


def _note_duplicates(draft: Draft, loop: Site, name: str) -> None:
    if written_values(loop) is not None:
        return
    draft.note(
        (*loop.path, name),
        f'"{loop.id}" ran once for a value that is listed twice; a Loop runs for each entry',
        "add `| distinct` to the list if it may hold a value twice",
    )


def _rewrite_text(draft: Draft, scope: Scope, outside: Outside, text: Text) -> None:
    done = [(0, 0)]
    for call in text.found.calls:
        if call.name == "iterationOutput" and text.loops:
            draft.leave(text.path, "a round of a Loop cannot read another round", at=call.start, key=text.is_key)
        if call.name != "currentEachOutput" or call.only is None:
            continue
        task = scope.looped(call.only)
        if task is not None and len(call.only.steps) == 1 and _is_around(task.loops, text.loops):
            draft.edit(text.path, call.start, call.closing, f"outputs.{task.id}", key=text.is_key)
            done.append((call.start, call.closing))
    for use in text.found.uses:
        if any(start <= use.start < end for start, end in done):
            continue
        if use.root in _ROUND:
            _rewrite_round(draft, text, use)
        elif (task := scope.looped(use)) is not None and not _is_around(task.loops, text.loops):
            if not outside.rewrite(text, use, task):
                _leave_outside(draft, text, use, task)
        elif task is not None:
            done += _rewrite_read(draft, text, use, task)


def _rewrite_round(draft: Draft, text: Text, use: Use) -> None:
    """`taskrun.value` and its like."""
    if not _is_about_a_round(use):
        return
    if text.site is None:
        message = "this is rendered somewhere else, so its loop is not known"
        draft.leave(text.path, message, at=use.start, key=text.is_key)
        return
    if not text.loops:
        return
    found = level_of(text.site, use)
    if found is None:
        message = "it is not certain which loop this is about"
        draft.leave(text.path, message, "write it with `item`", at=use.start, key=text.is_key)
        return
    level, field, steps = found
    if "item" in text.found.names or any(other.root == "item" for other in text.found.uses):
        draft.leave(text.path, "`item` has another meaning in this text", "rename it", at=use.start, key=text.is_key)
        return
    draft.edit(text.path, use.start, use.steps[steps - 1].end, item(level, field), key=text.is_key)


def _is_about_a_round(use: Use) -> bool:
    match use.root, use.keys:
        case ("taskrun", ("value" | "iteration", *_)) | ("parent", ("taskrun", *_)):
            return True
        case "parents", (int(), key, *_):
            return key == "taskrun"
    return use.root == "parents"


def _rewrite_read(draft: Draft, text: Text, use: Use, task: Site) -> list[tuple[int, int]]:
    """`outputs.t[taskrun.value].x`: the subscripts go. Gives the characters that are done with."""
    loops = task.loops
    subscripts = use.steps[1 : 1 + len(loops)]
    expected = [text.loops.index(loop) for loop in reversed(loops)]
    for step, level in zip(subscripts, expected, strict=False):
        named = level_of(text.site, step.inner) if step.inner is not None and text.site is not None else None
        if named is None or named[:2] != (level, "value") or named[2] != len(step.inner.steps if step.inner else ()):
            break
    else:
        if len(subscripts) == len(loops):
            start, end = subscripts[0].start, subscripts[-1].end
            draft.edit(text.path, start, end, "", key=text.is_key)
            return [(start, end)]
    draft.leave(text.path, f'a round of a Loop reads only its own run of "{task.id}"', at=use.start, key=text.is_key)
    return []


def _leave_outside(draft: Draft, text: Text, use: Use, task: Site) -> None:
    loop = task.loops[-1].id
    draft.leave(
        text.path,
        f'"{task.id}" cannot be read from outside its Loop by value',
        f'declare what is needed as an entry of "outputs" of "{loop}", and read it by its place: '
        f"outputs.{loop}.outputs[0].outputs.ID, or loopOutputs(outputs.{loop}.outputs, 'ID')",
        at=use.start,
        key=text.is_key,
    )


def _is_around(loops: list[Site], own: list[Site]) -> bool:
    """Whether all loops around a task are around the reader too."""
    return all(loop in own for loop in loops)
