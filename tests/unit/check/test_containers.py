"""What can be read of loops, pauses and folders: from inside, from outside, and at their end."""

from __future__ import annotations

import pytest

from tests.unit.check.judging import FLOW, HEAD, RETURN, judged, returning


def told(task: str) -> list[tuple[str, str]]:
    """Severity and code of the findings; `@one` is a task, `?(...)?` one that reads."""
    for name in ("ForEach", "LoopUntil", "Loop", "WorkingDirectory", "Pause", "EachSequential", "EachParallel"):
        task = task.replace(f" {name},", f" type: {FLOW}.{name},")
    task = task.replace("@one", f"{{id: one, type: {RETURN}, format: x}}")
    start = task.find("?(")
    if start >= 0:
        end = task.index(")?", start)
        task = task[:start] + returning("{{ " + task[start + 2 : end] + " }}") + task[end + 2 :]
    return [(str(finding.severity), finding.code) for finding in judged(f"{HEAD}tasks: [{task}]\n")]


LOOP = "{id: each, Loop, values: [a], tasks: "
NEVER, FIELD, VALUE = [("error", "not-yet-run")], [("error", "unknown-field")], [("error", "loop-value")]


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        (f"{LOOP}[@one, ?(outputs.one.value)?]}}", []),
        (f"{LOOP}[@one, ?(outputs.one.valu)?]}}", FIELD),
        (f"{LOOP}[?(outputs.one.value)?, @one]}}", NEVER),
        (f"{LOOP}[@one, ?(outputs.one.a.value)?]}}", FIELD),
        (f"{LOOP}[@one]}}, ?(outputs.one.value)?", VALUE),
        (f"{LOOP}[@one]}}, ?(outputs.one.value ?? 'x')?", [("hint", "loop-value")]),
        (f"{LOOP}[?(item.value ~ item.index)?]}}", []),
        (f"{LOOP}[?(item.valu)?]}}", FIELD),
        (f"{LOOP}[?(item.key)?]}}", FIELD),
        (f"{LOOP}[?(item.parent.value)?]}}", FIELD),
        (f"{LOOP}[?(taskrun.value)?]}}", VALUE),
        ("?(item.value)?", [("error", "unknown-variable")]),
        (f"{LOOP}[@one], outputs: [{{id: o, value: '{{{{ outputs.one.value }}}}'}}]}}, "
         "?(outputs.each.outputs[0].outputs.o)?", []),
        (f"{LOOP}[@one], outputs: [{{id: o, value: '{{{{ outputs.one.valu }}}}'}}]}}", FIELD),
        (f"{LOOP}[@one], outputs: [{{id: o, value: x}}]}}, ?(outputs.each.outputs[0].outputs.p)?", FIELD),
        (f"{LOOP}[@one], breakWhen: '{{{{ outputs.on.value }}}}'}}", [("error", "unknown-reference")]),
        (f"{LOOP}[@one]}}, ?(outputs.each.uri)?", FIELD),
        (f"{LOOP}[@one]}}, ?(outputs.each.iterationCoun)?", FIELD),
        (f"{LOOP}[{{id: in, Loop, values: [b], tasks: [?(item.parents[0].value ~ item.parent.index)?]}}]}}", []),
        (f"{LOOP}[{{id: in, Loop, values: [b], tasks: [?(item.parents[1].value)?]}}]}}", FIELD),
        (f"{LOOP}[{{id: in, ForEach, values: [b], tasks: [@one]}}, ?(outputs.one.b.value)?]}}", []),
        (f"{LOOP}[{{id: in, ForEach, values: [b], tasks: [@one]}}, ?(outputs.one.c.value)?]}}", VALUE),
        ("{id: u, LoopUntil, condition: '{{ outputs.one.value }}', tasks: [@one]}", []),
        ("{id: u, LoopUntil, condition: '{{ outputs.one.valu }}', tasks: [@one]}", FIELD),
        ("{id: u, LoopUntil, condition: 'true', tasks: [@one]}, ?(outputs.u.iterationCount)?", []),
        ("{id: u, LoopUntil, condition: 'true', tasks: [@one]}, ?(outputs.u.iteration)?", FIELD),
        ("{id: p, Pause, onResume: [{id: n, type: INT}]}, ?(outputs.p.onResume.n)?", []),
        ("{id: p, Pause, onResume: [{id: n, type: INT}]}, ?(outputs.p.onResume.m)?", FIELD),
        ("{id: w, WorkingDirectory, outputFiles: [x], tasks: [@one]}, ?(outputs.w.outputFiles['any.txt'])?", []),
        ("{id: w, WorkingDirectory, outputFiles: [x], tasks: [@one]}, ?(outputs.w.files)?", FIELD),
        ("{id: w, WorkingDirectory, tasks: [@one]}, ?(outputs.w.outputFiles)?", [("error", "no-outputs")]),
        ("{id: w, WorkingDirectory, inputFiles: {a: '{{ outputs.one.value }}'}, tasks: [@one]}", NEVER),
        ("{id: e, EachSequential, value: [x], tasks: [@one]}, ?(outputs.one.y.value)?", VALUE),
        ("{id: e, EachParallel, value: [x], tasks: [@one]}, ?(outputs.one.x.value)?", []),
    ],
)  # fmt: skip
def test_what_is_seen_of_a_container(tasks: str, expected: list[tuple[str, str]]) -> None:
    assert told(tasks) == expected
