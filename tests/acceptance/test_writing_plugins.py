"""docs/writing-plugins.md, done as a reader would do it: every file written, every command run, every output compared.

A fence's info string says what a block is: `python NAME`, `yaml NAME` and `toml NAME` are files to write, `sh` is run,
and `output` is what the commands before it print, where `...` stands for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "writing-plugins.md"
FENCE = re.compile(r"^```(?P<kind>\w*) ?(?P<name>\S*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def run(script: str, folder: Path) -> str:
    """What the commands print, on both channels. What they install goes into the folder."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PENSTOCK_", "PYTEST_"))}
    installed = folder / "installed"
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), inherited["PATH"]]),
        "PYTHONPATH": str(installed),
        "PIP_TARGET": str(installed),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this one the other way round
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env=inherited | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    return done.stdout


def pattern(expected: str) -> re.Pattern[str]:
    """A block of output as a pattern: `...` is anything, a stretch of blanks any blanks."""
    words = [".*?" if word == "..." else re.escape(word) for word in expected.split()]
    return re.compile(r"\s*" + r"\s+".join(words).replace(r".*?\s+", r".*?\s*") + r"\s*", re.DOTALL)


def test_the_page_is_true(tmp_path: Path) -> None:
    printed = ""
    kinds = []
    for block in FENCE.finditer(PAGE.read_text(encoding="utf-8")):
        kind, name, body = block["kind"], block["name"], block["body"]
        kinds.append(kind)
        if kind == "sh":
            printed = run(body, tmp_path)
        elif kind == "output":
            assert pattern(body).fullmatch(printed), f"expected:\n{body}\nprinted:\n{printed}"
        else:
            assert kind in {"python", "yaml", "toml"}, f"a block of an unknown kind: {kind}"
            assert name, f"a block without a file name: {body}"
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(body, encoding="utf-8")
    assert kinds.count("output") == kinds.count("sh") > 0
