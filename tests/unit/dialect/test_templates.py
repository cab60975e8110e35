"""Expressions that cannot be parsed, found where they stand in the file."""

from __future__ import annotations

from engine.dialect import format_diagnostic
from engine.model.diagnostic import Severity
from tests.unit.dialect.flows import LOG, RETURN, read_flow, tasks_flow

CODES = {"expression-syntax"}


def places(source: str) -> list[tuple[str, int, int]]:
    return [(finding.code, finding.line, finding.column) for finding in read_flow(source).diagnostics]


def test_the_place_is_the_character_in_plain_quoted_and_block_text() -> None:
    source = tasks_flow(
        f"""  - id: quoted
    type: {RETURN}
    format: "a {{{{ inputs.x | nope }}}}"
  - id: plain
    type: {RETURN}
    format: a {{{{ inputs.x | nope }}}}
  - id: block
    type: {LOG}
    message: |
      hello
        there {{{{ x | nope }}}} you
  - id: listed
    type: {LOG}
    message:
      - fine
      - 'a {{{{ x | nope }}}}'
"""
    )
    columns = [source.splitlines()[line - 1][column - 1 :][:4] for _, line, column in places(source)]
    assert columns == ["nope"] * 4


def test_escapes_count_as_they_are_written() -> None:
    for text in ('"\\t\\x41\\u0041 {{ \\"x\\" | nope }}"', "'it''s {{ ''x'' | nope }}'"):
        source = tasks_flow(f"  - id: a\n    type: {RETURN}\n    format: {text}\n")
        assert places(source) == [("unknown-filter", 6, 13 + text.index("nope"))]


def test_the_place_is_where_the_text_starts_when_it_is_folded() -> None:
    folded = tasks_flow(f"  - id: a\n    type: {RETURN}\n    format: >\n      one\n      {{{{ x | nope }}}}\n")
    assert places(folded)[0][1] in (6, 8)


def test_texts_for_people_are_no_expressions_and_variables_only_get_a_warning() -> None:
    source = tasks_flow(f'  - {{id: a, type: {RETURN}, description: "{{{{ b"}}\n', description='"{{ a"')
    assert places(source) == []
    (finding,) = read_flow(tasks_flow(f"  - {{id: a, type: {RETURN}}}\n", variables='{a: "{{ b"}')).diagnostics
    assert finding.severity is Severity.WARNING
    assert read_flow(tasks_flow(f"  - {{id: a, type: {RETURN}}}\n", variables='{a: "{{ b"}')).flow is not None


def test_an_unknown_filter_comes_with_a_suggestion() -> None:
    (finding,) = read_flow(tasks_flow(f'  - {{id: a, type: {RETURN}, format: "{{{{ x | uper }}}}"}}\n')).diagnostics
    assert finding.hint is not None
    assert "upper" in finding.hint
    assert "used in the expression" not in finding.message


def test_a_finding_reads_like_a_compilers() -> None:
    (finding,) = read_flow(tasks_flow(f"  - id: a\n    type: {LOG}\n    message: x\n    levle: INFO\n")).diagnostics
    assert format_diagnostic(finding) == (
        f'flow.yaml:7:5: error[unknown-property]: {LOG} has no property "levle"\n'
        "        levle: INFO\n"
        "        ^^^^^\n"
        '    hint: did you mean "level"?'
    )


def test_the_caret_stands_under_the_place_whatever_comes_before() -> None:
    source = tasks_flow("  - {id: \u6f22\u5b57, type: zzz}\n")
    line, caret = format_diagnostic(read_flow(source).diagnostics[-1]).splitlines()[1:3]
    assert line.strip().startswith("- {id: \u6f22\u5b57")
    assert caret.index("^") == line.index("zzz") + 2  # two characters that are two columns wide


def test_a_long_line_is_cut_around_the_place_and_nothing_reorders_the_terminal() -> None:
    source = tasks_flow(f"  - {{id: a, type: {RETURN}, description: {'x' * 500}, oops: \u202e1}}\n")
    text = format_diagnostic(read_flow(source).diagnostics[0])
    assert "oops" in text
    assert "\u202e" not in text
    assert all(len(line) < 260 for line in text.splitlines())
