"""Everything that README.md shows is done here, in its order and in one folder, as a reader would do it.

A fence's info string says what a block is: `sh` commands; `output` what the commands before it print, where `...`
stands for what changes from run to run; `yaml NAME` and `python NAME` files to write; `python` a program to run;
`text` a drawing. Nothing else is allowed, so nothing escapes the test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(?P<kind>\w*) ?(?P<name>\S*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
#: They would start this test again; .ci/run is what runs them for real.
MAKE = re.compile(r"^make (run|test)\b", re.MULTILINE)


def blocks() -> Iterator[re.Match[str]]:
    return FENCE.finditer((ROOT / "README.md").read_text(encoding="utf-8"))


def run(command: list[str], folder: Path) -> str:
    """What a command prints, on both channels; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, "PATH": path, "NO_COLOR": "1", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}"
    return done.stdout


def pattern(expected: str) -> re.Pattern[str]:
    """A block of output as a pattern: `...` is anything, a stretch of blanks any blanks."""
    words = [re.escape(word).replace(r"\.\.\.", ".*?") for word in expected.split()]
    return re.compile(r"\s+".join(words), re.DOTALL)


def test_the_readme_is_true(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "flows", tmp_path / "flows")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    printed = ""
    seen = set()
    for block in blocks():
        kind, name, body = block["kind"], block["name"], block["body"]
        seen.add(kind)
        if kind == "sh":
            printed = run(["bash", "-euc", MAKE.sub(rf"make --dry-run -C {ROOT} \1", body)], tmp_path)
        elif kind == "output":
            assert pattern(body).search(printed), f"expected:\n{body}\nprinted:\n{printed}"
        elif kind in {"yaml", "python"} and name:
            target = tmp_path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(body, encoding="utf-8")
        elif kind == "python":
            printed = run([sys.executable, "-c", body], tmp_path)
        else:
            assert kind == "text", f"a block of kind {kind!r}"
    assert {"sh", "output", "yaml", "python", "text"} <= seen


def test_the_two_commands_are_what_continuous_integration_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "exec make test" in script
    assert "make run" in readme
    assert "make test" in readme


def pages() -> list[Path]:
    """All that is written for people to read."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def anchor(heading: str) -> str:
    """What a link to a heading says after the `#`."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_lead_somewhere() -> None:
    links = [
        (page, *link.partition("#")[::2])
        for page in pages()
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in link
    ]
    broken = []
    for page, path, part in links:
        target = page.parent / path if path else page
        text = target.read_text(encoding="utf-8") if target.is_file() else ""
        anchors = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
        if not target.exists() or (part and part not in anchors):
            broken.append(f"{page.name}: {path}#{part}")
    assert links
    assert not broken


def test_files_that_the_documentation_names_are_there() -> None:
    named = re.compile(r"`((?:engine|plugins|tests|migrations|bench|flows|docs)/[\w./-]*)`")
    missing = {
        f"{page.name}: {path}"
        for page in pages()
        for path in named.findall(page.read_text(encoding="utf-8"))
        if not (ROOT / path).exists()
    }
    assert not missing
