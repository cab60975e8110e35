"""The registry of task types: entry points, a project's folders, containers; and what happens when they are broken."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import catalog as registry
from engine.catalog import Catalog, Entry
from engine.errors import NotFound, PluginBroken
from engine.sdk import Task

RETURN = "io.kestra.plugin.core.debug.Return"
GREET = """
from engine.sdk import Task

class Greet(Task, type="acme.Greet", aliases=("acme.Hello",), effect="pure"):
    name: str
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    return folder


def entries(catalog: Catalog) -> dict[str, Entry]:
    return {entry.type: entry for entry in catalog.entries()}


def test_a_type_and_its_alias_have_one_canonical_name() -> None:
    catalog = Catalog()
    assert catalog.canonical(RETURN) == RETURN
    assert catalog.canonical("io.kestra.core.tasks.debugs.Return") == RETURN
    assert catalog.task_class("io.kestra.core.tasks.debugs.Return") is catalog.task_class(RETURN)
    assert catalog.canonical("no.such.Type") is None


def test_containers_are_known_but_are_not_task_classes() -> None:
    catalog = Catalog()
    assert catalog.canonical("io.kestra.core.tasks.flows.Parallel") == "io.kestra.plugin.core.flow.Parallel"
    assert {"io.kestra.plugin.core.flow.ForEach", "io.kestra.core.tasks.flows.If", RETURN} <= set(catalog.names())
    with pytest.raises(NotFound):
        catalog.task_class("io.kestra.plugin.core.flow.Parallel")


def test_an_unknown_type_gets_a_hint() -> None:
    with pytest.raises(NotFound) as caught:
        Catalog().task_class("io.kestra.plugin.core.debug.Retrun")
    assert caught.value.hint == f'did you mean "{RETURN}"?'


def test_a_lookup_imports_nothing_but_the_plugin() -> None:
    code = (
        "import sys; from engine.catalog import Catalog; c = Catalog(); "
        "before = set(sys.modules); c.canonical('io.kestra.plugin.core.flow.Sleep'); c.entries(); "
        "assert 'plugins.core.flow' not in sys.modules, 'a lone name needs no import'; "
        "c.task_class('io.kestra.plugin.core.flow.Sleep'); assert 'plugins.core.flow' in sys.modules; "
        "print([m for m in ('openai', 'networkx', 'jq', 'jinja2', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_flow_of_built_ins_does_not_read_other_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(**_: object) -> None:
        raise AssertionError("all distributions were read")

    monkeypatch.setattr(importlib.metadata, "entry_points", forbidden)
    assert Catalog(folders=["/nowhere"]).task_class(RETURN).TYPE == RETURN


def test_the_engines_own_code_may_be_pure_and_no_other(folder: Path) -> None:
    (folder / "greet.py").write_text(GREET)
    catalog = Catalog(folders=[folder])
    assert catalog.effect(RETURN) == "pure"
    assert catalog.effect("io.kestra.plugin.core.flow.Sleep") == "idempotent"
    assert catalog.effect("acme.Greet") == "idempotent"


def test_a_folder_gives_modules_and_packages(folder: Path) -> None:
    (folder / "greet.py").write_text(GREET)
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").write_text("from .inner import Inner\nfrom ..greet import Greet\n")
    (folder / "pack" / "inner.py").write_text(
        "from engine.sdk import Task\nfrom .._shared import WORD\n\n\nclass Inner(Task, type=WORD): ...\n"
    )
    (folder / "_shared.py").write_text("WORD = 'acme.Inner'\n")
    (folder / "test_greet.py").write_text("raise AssertionError('tests are not plugins')\n")
    catalog = Catalog(folders=[folder])
    assert catalog.canonical("acme.Hello") == "acme.Greet"
    assert entries(catalog)["acme.Greet"] == Entry(
        type="acme.Greet", aliases=("acme.Hello",), source=str(folder / "greet.py")
    )
    assert entries(catalog)["acme.Inner"].source == str(folder / "pack")
    assert catalog.properties("acme.Greet").model_fields.keys() == {"name"}


def test_a_folder_neither_shadows_nor_is_shadowed(folder: Path) -> None:
    (folder / "core.py").write_text(GREET)
    (folder / "json.py").write_text(GREET.replace("acme.", "json."))
    catalog = Catalog(folders=[folder])
    assert issubclass(catalog.task_class("acme.Greet"), Task)
    assert catalog.task_class("json.Greet").__module__.startswith("penstock_project_plugins_")
    assert catalog.task_class(RETURN).__module__ == "plugins.core.debug"
    import json

    assert "penstock" not in json.__name__


def test_a_class_without_a_type_of_its_own_is_no_task_type(folder: Path) -> None:
    (folder / "greet.py").write_text(GREET + "\n\nclass Variant(Greet): ...\n")
    (listed,) = [entry for entry in Catalog(folders=[folder]).entries() if entry.source.endswith("greet.py")]
    assert (listed.type, listed.error) == ("acme.Greet", None)


def test_two_folders_may_hold_files_of_the_same_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "greet.py").write_text(GREET.replace("acme", name))
    catalog = Catalog(folders=[tmp_path / "one", tmp_path / "two"])
    assert catalog.canonical("one.Greet")
    assert catalog.canonical("two.Greet")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("x = 1\ny = nonsense\n", "bad.py, line 2: NameError: name 'nonsense' is not defined"),
        ("def f(:\n", "bad.py, line 1: SyntaxError: invalid syntax"),
        ("import sys\nsys.exit(3)\n", "bad.py, line 2: SystemExit: 3"),
        (
            "class Odd(BaseException):\n    def __str__(self):\n        1 / 0\nraise Odd\n",
            "bad.py, line 4: Odd: (its text cannot be shown)",
        ),
        ("from . import _half\n", "_half.py, line 1: SyntaxError: invalid syntax"),
        ("import no_such_module\n", "bad.py, line 1: ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_a_broken_file_is_listed_and_takes_no_other_down(folder: Path, source: str, reason: str) -> None:
    (folder / "bad.py").write_text(source)
    (folder / "_half.py").write_text("x = = 1\n")
    (folder / "greet.py").write_text(GREET)
    catalog = Catalog(folders=[folder])
    assert catalog.canonical("acme.Greet") == "acme.Greet"
    assert entries(catalog)["bad"] == Entry(type="bad", aliases=(), source=str(folder / "bad.py"), error=reason)


def test_a_type_that_is_missing_is_looked_for_in_the_projects_files(folder: Path) -> None:
    bad = folder / "bad.py"
    bad.write_text("import no_such_module\n# acme.Greet\n")
    catalog = Catalog(folders=[folder])
    assert (catalog.canonical("acme.Greet"), catalog.missing("acme.Other")) == (None, None)
    assert catalog.missing("acme.Greet") == f"{bad} cannot be loaded: {entries(catalog)['bad'].error}"
    (folder / "greet.py").write_text(GREET)
    bad.unlink()
    told = catalog.missing("acme.Greet")
    assert told is not None
    assert f"greet.py has changed since process {os.getpid()}" in told
    assert Catalog(folders=[folder]).canonical("acme.Greet") == "acme.Greet"


def test_a_property_of_an_impossible_type_breaks_its_own_plugin_only(folder: Path) -> None:
    (folder / "odd.py").write_text("from engine.sdk import Task\n\n\nclass Odd(Task, type='odd'):\n    x: 'Missing'\n")
    catalog = Catalog(folders=[folder])
    with pytest.raises(PluginBroken, match=r"plugin odd \(.*odd\.py\) is broken"):
        catalog.task_class("odd")
    assert entries(catalog)["odd"].error
    assert catalog.task_class(RETURN)


def test_a_name_that_is_taken_stays_with_its_owner(folder: Path) -> None:
    (folder / "a.py").write_text(GREET)
    (folder / "b.py").write_text(GREET)
    (folder / "c.py").write_text(GREET.replace("acme.Greet", RETURN).replace("acme.Hello", "acme.Mine"))
    catalog = Catalog(folders=[folder])
    listed = [entry for entry in catalog.entries() if entry.type == "acme.Greet"]
    assert [Path(entry.source).name for entry in listed] == ["a.py", "b.py"]
    assert listed[1].error == f"the type is already provided by {folder / 'a.py'}; choose another name"
    assert catalog.task_class(RETURN).__module__ == "plugins.core.debug"


class FakeDistribution(importlib.metadata.Distribution):
    def __init__(self, name: str, entry_points: str) -> None:
        self._texts = {"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"}
        self._texts["entry_points.txt"] = entry_points

    def read_text(self, filename: str) -> str | None:
        return self._texts.get(filename)

    def locate_file(self, path: object) -> Path:
        return Path(str(path))


def install(monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
    points = FakeDistribution("acme-plugins", f"[{registry.GROUP}]\n{lines}").entry_points
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points.select(group=group))


def test_a_distribution_that_cannot_be_imported_says_so_when_used(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "acme.Lost = acme_nowhere:Lost\nacme.Text = json:dumps\nacme.Wrong = plugins.core.log:Log\n")
    catalog = Catalog()
    assert catalog.canonical("acme.Lost") == "acme.Lost"
    for type_, reason in {
        "acme.Lost": r"plugin acme.Lost \(acme-plugins\) is broken: ModuleNotFoundError",
        "acme.Text": "is not a subclass of engine.sdk.Task",
        "acme.Wrong": 'Log has the type "io.kestra.plugin.core.log.Log", not "acme.Wrong"',
    }.items():
        with pytest.raises(PluginBroken, match=reason):
            catalog.task_class(type_)
        assert entries(catalog)[type_].error


def test_metadata_that_is_missing_or_old_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "CHECKOUT", tmp_path)
    (tmp_path / "pyproject.toml").write_text(f'[project.entry-points."{registry.GROUP}"]\n"acme.New" = "acme:New"\n')
    with pytest.raises(PluginBroken, match="metadata is older") as caught:
        Catalog().canonical("acme.New")
    assert caught.value.hint == f"run `pip install -e {tmp_path}`"
    assert Catalog().canonical("acme.Newer") is None

    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(PluginBroken, match="not installed"):
        Catalog()


def test_a_checkout_may_be_a_project_itself() -> None:
    entries = Catalog(folders=[registry.CHECKOUT / "plugins"]).entries()
    assert [entry for entry in entries if entry.source != "penstock" or entry.error] == []
