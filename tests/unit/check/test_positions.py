"""A finding inside a text points at the right line and column, however the text is written."""

from __future__ import annotations

import pytest

from engine.dialect.positions import places
from tests.unit.check.judging import HEAD, RETURN, judged

STYLES = {
    "plain": "Hello {{ inputs.name }} and\n      {{ inputs.nmae }}",
    "single": "'It''s {{ inputs[''name''] }}\n\n      {{ inputs.nmae }}'",
    "double": '"\\u00e9\\n\\"{{ inputs.name }}\\" \\\n      \\  x {{ inputs.nmae }}"',
    "literal": "|\n      Hello\n\n        {{ inputs.name }}\n      {{ inputs.nmae }}\n",
    "literal, indented by number": "|2-\n        Hello\n      {{ inputs.nmae }}\n",
    "folded": (
        ">-  # a comment\n\n      Hello {{ inputs.name }}\n      there\n\n"
        "        more {{ flow.id }}\n      and {{ inputs.nmae }}\n"
    ),
    "folded over lines": ">\n      {{ inputs.name ~\n      inputs.nmae }}\n",
    "anchored": "&text '{{ inputs.nmae }}'",
    "tagged": '!!str "{{ inputs.nmae }}"',
    "wide": "'日本 \U0001f600 {{ inputs.nmae }}'",
}


@pytest.mark.parametrize("style", STYLES)
def test_the_place_is_exact(style: str) -> None:
    source = f"{HEAD}tasks:\n  - id: one\n    type: {RETURN}\n    format: {STYLES[style]}\n"
    (finding,) = judged(source)
    line = source.split("\n")[finding.line - 1]
    assert line[finding.column - 1 : finding.column - 1 + finding.width] == "nmae"
    assert finding.edit is not None


def test_a_place_in_an_aliased_text_is_that_of_the_alias() -> None:
    tasks = f"""tasks:
  - {{id: one, type: {RETURN}, format: &text '{{{{ inputs.nmae }}}}'}}
  - {{id: two, type: {RETURN}, format: *text}}
"""
    written, alias = judged(HEAD + tasks)
    assert written.line + 1 == alias.line
    assert alias.source_line is not None
    assert alias.source_line[alias.column - 1 :] == "*text}"
    assert alias.edit is None


def test_a_key_of_a_map_is_read_too() -> None:
    tasks = f"tasks: [{{id: one, type: {RETURN}}}]\noutputs:\n  - id: o\n    value:\n"
    (finding,) = judged(f"{HEAD}{tasks}      '{{{{ inputs.nmae }}}}': x\n")
    assert finding.source_line == "      '{{ inputs.nmae }}': x"
    assert finding.column == 7


def test_what_is_not_the_written_text_has_no_place() -> None:
    assert places(["a: b"], 0, 3, "c") is None
    assert places(["a: |", "  x"], 0, 3, "xy") is None
    assert places([], 3, 3, "x") is None
