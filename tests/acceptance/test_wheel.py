"""What people install works away from the checkout: the wheel, in an empty environment, in an empty folder.

The dependencies come from the package index through pip's own cache, as they do for everybody.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("wheel")


@dataclass(frozen=True)
class Installed:
    """An environment with nothing but the wheel in it, and a folder to work in."""

    wheel: Path
    bin: Path
    folder: Path

    def call(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PENSTOCK_", "PYTHON"))}
        return subprocess.run(
            [str(self.bin / command), *arguments],
            cwd=self.folder,
            env={**inherited, "HOME": str(self.folder), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(place)]
    subprocess.run([*pip, "wheel", *options, str(ROOT)], check=True)
    (wheel,) = place.glob("*.whl")

    venv.create(place / "venv", symlinks=os.name != "nt")
    subprocess.run([*pip, "--python", str(place / "venv"), "install", str(wheel)], check=True)
    folder = place / "project"
    folder.mkdir()
    shutil.copy(ROOT / "flows" / "hello_world.yaml", folder)
    return Installed(wheel, place / "venv" / "bin", folder)


def test_the_wheel_holds_the_packages_and_the_migrations_and_no_more(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()

    assert {"engine/__init__.py", "engine/py.typed", "engine/_migrations/env.py", "plugins/core/debug.py"} <= set(names)
    info = "-".join(installed.wheel.name.split("-")[:2]) + ".dist-info"
    assert {name.partition("/")[0] for name in names} == {"engine", "plugins", info}


def test_the_code_comes_from_the_environment(installed: Installed) -> None:
    done = installed.call("python", "-c", "import engine, plugins; print(engine.__file__); print(plugins.__file__)")

    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(installed.bin.parent)) for line in done.stdout.splitlines())


def test_a_flow_runs_and_its_history_is_there(installed: Installed) -> None:
    done = installed.call("penstock", "run", "hello_world.yaml", "-i", "name=Ada", "--json")

    assert done.returncode == 0, done.stderr
    execution = json.loads(done.stdout)
    assert execution["outputs"] == {"greeting": "Hello Ada!"}
    shown = installed.call("penstock", "executions", "show", execution["id"])
    assert shown.returncode == 0, shown.stderr
    assert "SUCCESS" in shown.stdout


def test_the_database_is_made_and_migrated(installed: Installed) -> None:
    upgraded = installed.call("penstock", "db", "upgrade")
    checked = installed.call("penstock", "db", "check")

    assert upgraded.returncode == 0, upgraded.stderr
    assert checked.returncode == 0, checked.stderr + checked.stdout


def test_the_shipped_task_types_are_known(installed: Installed) -> None:
    done = installed.call("penstock", "plugins", "list")

    assert done.returncode == 0, done.stderr
    assert "io.kestra.plugin.core.debug.Return" in done.stdout
    assert "io.kestra.plugin.openai.ChatCompletion" in done.stdout
