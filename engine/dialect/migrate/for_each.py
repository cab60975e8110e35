"""Loop -> ForEach, where a ForEach can do the same. The loops of a flow are rewritten together or not at all."""

from __future__ import annotations

from collections.abc import Mapping

from engine.dialect.migrate.draft import Draft
from engine.dialect.migrate.outside import by_value, given_by
from engine.dialect.migrate.scopes import Scope, Text, level_of_item, task_run
from engine.dialect.sites import FOR_EACH, LOOP, Site
from engine.dialect.types import TypeIndex
from engine.dialect.uses import Use

#: What a ForEach cannot do.
_NEW = {
    "outputs": "a ForEach has no outputs of its own",
    "fetchType": "a ForEach keeps no outputs in a file",
    "breakWhen": "a ForEach runs for all of its values",
    "errors": "it runs in every round of a Loop, and once after a ForEach",
    "finally": "it runs in every round of a Loop, and once after a ForEach",
}


def loop_to_for_each(draft: Draft, types: TypeIndex) -> None:
    """Every loop of a flow, and every expression that reads one."""
    scope = Scope(draft)
    loops = [site for site in scope.sites if site.type == LOOP]
    if not loops:
        return
    for loop in loops:
        _rewrite_loop(draft, loop)
    for text in scope.texts():
        _rewrite_text(draft, scope, text)
    if any(remark.left for remark in draft.remarks):
        draft.changes.clear()
        draft.remarks = [remark for remark in draft.remarks if remark.left]


def _rewrite_loop(draft: Draft, loop: Site) -> None:
    draft.respell((*loop.path, "type"), FOR_EACH)
    for name, reason in _NEW.items():
        if name == "outputs" and name in loop.data and given_by(loop) is not None:
            draft.remove((*loop.path, name))
        elif name in loop.data:
            draft.leave((*loop.path, name), reason, key=True)
    if loop.data.get("transmitFailed") is False:
        draft.leave(
            (*loop.path, "transmitFailed"), "a ForEach fails with its tasks", "allow its tasks to fail", key=True
        )
    elif "transmitFailed" in loop.data:
        draft.remove((*loop.path, "transmitFailed"))
    values = loop.data.get("values")
    if isinstance(values, Mapping):
        draft.leave((*loop.path, "values"), "a ForEach runs for the values of a list, not for those of a map", key=True)
    elif isinstance(values, str):
        draft.note((*loop.path, "values"), "a ForEach takes a list only, no map and no file")


def _rewrite_text(draft: Draft, scope: Scope, text: Text) -> None:
    for call in text.found.calls:
        if call.name == "loopOutputs":
            draft.leave(text.path, "a ForEach gives no list of outputs", at=call.start, key=text.is_key)
    for use in text.found.uses:
        site = scope.by_id.get(use.steps[0].key) if use.steps else None
        if use.root == "item" and text.loops:
            _rewrite_item(draft, text, use)
        elif use.root == "outputs" and site is not None and site.type == LOOP:
            _rewrite_outputs(draft, text, use, site)
        elif (task := scope.looped(use)) is not None and text.site is not None:
            _rewrite_read(draft, text, use, task)


def _rewrite_item(draft: Draft, text: Text, use: Use) -> None:
    found = level_of_item(use)
    written = task_run(text.site, found[0], found[1]) if found is not None and text.site is not None else None
    if found is None or written is None:
        draft.leave(text.path, "a ForEach has no name for this", at=use.start, key=text.is_key)
        return
    draft.edit(text.path, use.start, use.steps[found[2] - 1].end, written, key=text.is_key)


def _rewrite_outputs(draft: Draft, text: Text, use: Use, loop: Site) -> None:
    """`outputs.each.outputs[1].outputs.x` -> `outputs.t['b'].x`."""
    found = by_value(use, loop)
    if found is None:
        draft.leave(text.path, "a ForEach has no outputs of its own", at=use.start, key=text.is_key)
        return
    steps, written = found
    draft.edit(text.path, use.start, use.steps[steps - 1].end, written, key=text.is_key)


def _rewrite_read(draft: Draft, text: Text, use: Use, task: Site) -> None:
    """`outputs.t.x` -> `outputs.t[taskrun.value].x`."""
    assert text.site is not None
    if not all(loop in text.loops for loop in task.loops):
        return
    values = [task_run(text.site, text.loops.index(loop), "value") for loop in reversed(task.loops)]
    if None in values:
        draft.leave(text.path, "it is not certain how to read this in a ForEach", at=use.start, key=text.is_key)
        return
    end = use.steps[0].end
    draft.edit(text.path, end, end, "".join(f"[{value}]" for value in values), key=text.is_key)
