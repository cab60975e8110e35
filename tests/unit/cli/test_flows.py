"""`penstock flows push`: flows are stored without running, all or none."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.typed import Penstock

GOOD = "id: {id}\nnamespace: acme\ntasks:\n  - {{id: t, type: io.kestra.plugin.core.debug.Return, format: {text}}}\n"


def stored(penstock: Penstock) -> dict[str, int]:
    return {flow["id"]: flow["revision"] for flow in penstock("flows", "list", "--json").json}


def test_flows_of_a_folder_are_stored_and_not_run(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    for name in ("a", "b"):
        (tmp_path / "library" / f"{name}.yaml").write_text(GOOD.format(id=name, text="x"))
    done = penstock("flows", "push", "library")
    assert (done.code, done.out.splitlines()) == (0, ["acme/a  revision 1", "acme/b  revision 1"])
    assert stored(penstock) == {"a": 1, "b": 1}
    assert penstock("executions", "list", "--json").json == []


def test_the_same_text_stays_the_same_revision(penstock: Penstock, tmp_path: Path) -> None:
    flow = tmp_path / "a.yaml"
    for text, revision in (("x", 1), ("x", 1), ("y", 2)):
        flow.write_text(GOOD.format(id="a", text=text))
        assert penstock("flows", "push", "a.yaml").out == f"acme/a  revision {revision}\n"


def test_one_flow_that_is_not_valid_keeps_all_out(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.format(id="a", text="x"))
    (tmp_path / "b.yaml").write_text(GOOD.format(id="b", text="x").replace("format", "fromat"))
    done = penstock("flows", "push", "a.yaml", "b.yaml")
    assert done.code == 2
    assert "b.yaml:4" in done.err
    assert stored(penstock) == {}
