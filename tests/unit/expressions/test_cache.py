"""Compiled templates on disk: they save work, and nobody else's code is ever loaded."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.expressions import cache, evaluate, is_pure, keep_compiled, program, render
from engine.expressions.cache import Cache, Unit
from engine.expressions.compiler import compile_template

TEMPLATE = "{% macro hi(x='you') %}hi {{ x | upper }}{% endmacro %}{{ hi() }}{% for i in 0..2 %}{{ i }}{% endfor %}"
GIVES = "hi YOU012"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="whose a file is can be told on POSIX systems only")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "expressions"


@pytest.fixture
def kept(folder: Path) -> Iterator[Path]:
    """A folder in use, by a process that has compiled nothing yet."""
    before = program._Disk.cache
    keep_compiled(folder)
    program._small.cache_clear()
    yield folder
    program._Disk.cache = before
    program._small.cache_clear()


def test_what_was_compiled_is_not_compiled_again(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        template: evaluate(template, {"a": 3}) for template in (TEMPLATE, "{{ a + 1 }}", " {{ [a] }} ", "{{ a }}!")
    }
    assert len(list(kept.iterdir())) == 3  # the last one needs no compiling
    assert kept.stat().st_mode & 0o777 == kept.parent.stat().st_mode & 0o777 == 0o700
    program._small.cache_clear()
    monkeypatch.setattr("engine.expressions.compiler.compile_template", pytest.fail)
    assert {template: evaluate(template, {"a": 3}) for template in values} == values
    assert render(TEMPLATE, {}) == GIVES


def test_what_is_known_of_a_template_is_kept_too(kept: Path) -> None:
    for _ in range(2):
        assert not is_pure("{{ secret('A') | upper }}")
        assert is_pure("{{ 'A' | upper }}")
        program._small.cache_clear()


def test_a_process_that_finds_everything_compiled_never_loads_jinja(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from engine.expressions import keep_compiled, render, is_pure, check_syntax;"
        f"keep_compiled(Path({str(tmp_path / 'cache')!r})); t = {TEMPLATE!r};"
        "check_syntax(t); is_pure(t); print(render(t, {}), 'jinja2' in sys.modules)"
    )
    told = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert [ended.stdout.strip() for ended in told] == [f"{GIVES} True", f"{GIVES} False"]


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _other_content(file: Path) -> None:
    file.write_bytes(hashlib.sha256(b"i").digest() + b"i")


def _open_to_others(file: Path) -> None:
    file.chmod(0o622)


def _folder_open_to_others(file: Path) -> None:
    file.parent.chmod(0o722)


def _link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    "harm", [Path.unlink, _truncated, _other_content, _open_to_others, _folder_open_to_others, _link, _folder]
)
def test_what_cannot_be_trusted_is_not_there(folder: Path, harm: Callable[[Path], None]) -> None:
    folder.parent.mkdir()
    Cache(folder).put(TEMPLATE, compile_template(TEMPLATE))
    (file,) = folder.iterdir()
    assert Cache(folder).get(TEMPLATE) == compile_template(TEMPLATE)
    harm(file)
    assert Cache(folder).get(TEMPLATE) is None


def test_what_belongs_to_somebody_else_is_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.parent.mkdir()
    Cache(folder).put(TEMPLATE, compile_template(TEMPLATE))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert Cache(folder).get(TEMPLATE) is None
    Cache(folder).put("{{ 1 + 1 }}", compile_template("{{ 1 + 1 }}"))
    assert len(list(folder.iterdir())) == 1


def test_another_python_or_compiler_has_entries_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.parent.mkdir()
    Cache(folder).put(TEMPLATE, compile_template(TEMPLATE))
    monkeypatch.setattr(cache, "MAGIC_NUMBER", b"other")
    assert Cache(folder).get(TEMPLATE) is None


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    gone = Cache(tmp_path / "missing" / "cache" / "expressions")
    gone.put(TEMPLATE, compile_template(TEMPLATE))
    assert gone.get(TEMPLATE) is None
    assert list(tmp_path.iterdir()) == []


def test_the_folder_does_not_grow_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_ENTRIES", 4)
    folder.parent.mkdir()
    unit = compile_template("{{ 1 + 1 }}")
    first = Cache(folder)
    for number in range(9):
        first.put(f"{{{{ {number} + 1 }}}}", unit)
        os.utime(first._path(f"{{{{ {number} + 1 }}}}"), (number, number))
    Cache(folder).put("{{ 9 + 1 }}", unit)
    found = [number for number in range(10) if Cache(folder).get(f"{{{{ {number} + 1 }}}}")]
    assert found == [7, 8, 9]


def test_a_unit_says_what_it_is() -> None:
    unit = compile_template("{{ 1 + 1 }}")
    assert (type(unit), unit.single, unit.pure) == (Unit, 0, True)
