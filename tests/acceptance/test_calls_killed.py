"""A flow that runs a flow, killed (SIGKILL) right before and right after each of its commits.

Whatever the moment, recovery ends both, and the flow was begun once.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine import Engine
from engine.model.execution import Caller
from engine.model.state import State
from engine.ports import ExecutionFilter

CHILD = """\
id: child
namespace: n
tasks:
  - {id: s, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.001S}
outputs:
  - {id: x, value: 1}
"""
PARENT = """\
id: parent
namespace: n
tasks:
  - {id: call, type: io.kestra.plugin.core.flow.Subflow, namespace: n, flowId: child}
  - {id: after, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.call.outputs.x }}"}
outputs:
  - {id: got, value: "{{ outputs.after.value }}"}
"""
#: Runs the parent and dies at its commit number N, before it or after it.
DIES = """\
import os, signal, sys
from pathlib import Path
from engine import Engine

home, moment, when = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
with Engine(home) as engine:
    engine.library.keep(engine.load(home / "child.yaml"), (home / "child.yaml").read_text())
    commit, made = engine.store.commit, 0

    def dying(changes):
        global made
        made += 1
        if made == moment and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit(changes)
        if made == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    engine.store.commit = dying
    engine.run(home / "parent.yaml")
"""
#: The parent begins, its task is claimed, the child begins, works and ends, the parent hears of it.
COMMITS = 6


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("moment", range(1, COMMITS + 1))
def test_both_come_to_their_end(tmp_path: Path, moment: int, when: str) -> None:
    (tmp_path / "child.yaml").write_text(CHILD)
    (tmp_path / "parent.yaml").write_text(PARENT)
    command = [sys.executable, "-c", DIES, str(tmp_path), str(moment), when]
    died = subprocess.run(command, timeout=60, check=False, capture_output=True)
    assert died.returncode in (-9, 0), died.stderr.decode()
    with Engine(tmp_path) as engine:
        for left in engine.recover():
            engine.follow(left, timeout=30)
        parents = [each for each in engine.store.executions(ExecutionFilter())[0] if each.flow_id == "parent"]
        if (moment, when) == (1, "before"):
            assert parents == []
            return
        (parent,) = (engine.follow(each.id, timeout=30) for each in parents)
        (call, _) = parent.in_order()
        children = engine.store.called_by(Caller(parent.id, call.id))
    assert (parent.state, parent.outputs) == (State.SUCCESS, {"got": "1"})
    assert [child.state for child in children] == [State.SUCCESS]
    assert sum(change.state is State.SUCCESS for change in call.history) == 1
