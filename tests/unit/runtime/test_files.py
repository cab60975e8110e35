"""Files as expressions and tasks of a real engine meet them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rpds import HashTrieMap

from engine import Engine
from engine.model import file_uri
from engine.model.execution import Execution, TaskRun
from engine.model.state import State
from engine.runtime.files import is_related
from engine.sdk.files import FileAccess

STORE = """
from engine import sdk


class Store(sdk.Task, type="t.Store"):
    text: str

    def run(self, ctx):
        return {"uri": ctx.put_file(self.text.encode(), "note.txt")}


class Show(sdk.Task, type="t.Show"):
    uri: str

    def run(self, ctx):
        with ctx.open_file(self.uri) as file:
            return {"text": file.read().decode()}
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "store.py").write_text(STORE)
    (tmp_path / "penstock.yaml").write_text("files: {allowedPaths: shared}")
    monkeypatch.chdir(tmp_path)
    with Engine() as engine:
        yield engine


def run(engine: Engine, tasks: str, inputs: dict[str, Any] | None = None) -> Execution:
    source = f"id: f\nnamespace: company.team\ninputs:\n  - {{id: uri, type: STRING, required: false}}\ntasks:\n{tasks}"
    return engine.run(engine.parse(source, file="f.yaml"), inputs)


def value(engine: Engine, expression: str, inputs: dict[str, Any] | None = None) -> str:
    """What an expression prints in a task, or why it failed."""
    store = "  - {id: a, type: t.Store, text: 'né'}\n"
    show = f"  - id: b\n    type: io.kestra.plugin.core.debug.Return\n    format: {expression!r}\n"
    execution = run(engine, store + show, inputs)
    last = list(execution.in_order())[-1]
    return str((last.outputs or {}).get("value", last.error))


def test_what_a_task_stores_the_next_one_reads(engine: Engine) -> None:
    execution = run(
        engine,
        "  - {id: a, type: t.Store, text: hello}\n  - {id: b, type: t.Show, uri: '{{ outputs.a.uri }}'}\n",
    )
    assert execution.state is State.SUCCESS, execution.error
    stored, shown = execution.in_order()
    uri = (stored.outputs or {})["uri"]
    assert uri == f"kestra:///company/team/f/executions/{execution.id}/tasks/a/{stored.id}/note.txt"
    assert (shown.outputs or {}) == {"text": "hello"}
    assert (engine.home / "storage" / uri.removeprefix("kestra:///")).read_text() == "hello"
    assert engine.files.delete_tree(file_uri.execution_folder("company.team", "f", execution.id)) == [uri]


def test_the_functions_about_files(engine: Engine) -> None:
    FileAccess(engine.files, namespace="company.team").put_namespace_file(b"", "data/x.csv")
    for expression, expected in {
        "{{ read(outputs.a.uri) }}": "né",
        "{{ fileSize(outputs.a.uri) }}": "3",
        "{{ fileExists(outputs.a.uri) }} {{ fileExists('y.csv') }}": "true false",
        "{{ isFileEmpty('data/x.csv') }} {{ fileEmpty(outputs.a.uri) }}": "true false",
        "{{ fileURI('data/x.csv') }}": "kestra:///company/team/_files/data/x.csv",
        "{{ fileURI(outputs.a.uri) == outputs.a.uri }}": "true",
        "{{ read('nowhere') ?? 'nothing' }}": "nothing",
    }.items():
        assert value(engine, expression) == expected


def test_another_execution_is_closed(engine: Engine) -> None:
    first = next(iter(run(engine, "  - {id: a, type: t.Store, text: x}\n").in_order())).outputs or {}
    told = value(engine, "{{ read(inputs.uri) }}", {"uri": first["uri"]})
    assert "does not belong to this execution" in told
    refused = run(engine, "  - {id: b, type: t.Show, uri: '{{ inputs.uri }}'}\n", {"uri": first["uri"]})
    assert refused.state is State.FAILED
    assert "namespace files" in (next(iter(refused.in_order())).error or "")


def test_allowed_paths_are_a_setting(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "x").write_text("shared")
    assert value(engine, f"{{{{ read('file://{tmp_path}/shared/x') }}}}") == "shared"
    assert "files.allowedPaths" in value(engine, f"{{{{ read('file://{tmp_path}/penstock.yaml') }}}}")


def _execution(**fields: Any) -> Execution:
    base = {"id": "e", "namespace": "n", "flow_id": "f", "flow_revision": 1, "state": State.RUNNING, "history": ()}
    return Execution(**{**base, **fields})


def test_the_family_of_an_execution() -> None:
    child = TaskRun(
        id="r",
        execution_id="e",
        task_id="call",
        seq=0,
        state=State.SUCCESS,
        history=(),
        outputs={"executionId": "child"},
    )
    plain = _execution()
    assert is_related(plain, "e")
    assert not is_related(plain, "x")
    assert is_related(_execution(trigger={"executionId": "x"}), "x")
    assert is_related(_execution(trigger={"id": "t", "variables": {"executionId": "x"}}), "x")
    assert is_related(_execution(parent_id="x"), "x")
    assert is_related(_execution(original_id="x"), "x")
    assert is_related(_execution(task_runs=HashTrieMap({"r": child})), "child")
