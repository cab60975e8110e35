"""Texts that are no YAML, or YAML that is no flow: each gets one clear finding at the right place, and no traceback."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from engine.dialect import parse
from tests.unit.dialect.flows import RETURN, Index, read_flow
from tests.unit.dialect.test_parse_valid import NESTED

HEAD = "id: demo\nnamespace: acme\n"
TASKS = f"tasks:\n  - {{id: a, type: {RETURN}}}\n"
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{this}: &{this} [{','.join([f'*{last}'] * 9)}]\n" for last, this in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a0: &a0 {k0: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}], k{i}: *a{i - 1}}}\n" for i in range(1, 30)
)

#: name: (source, code, line, column, a part of the message)
CASES: dict[str, tuple[str | bytes, str, int, int, str]] = {
    "empty": ("", "empty-file", 1, 1, "no flow"),
    "only a comment": ("# nothing\n", "empty-file", 1, 1, "no flow"),
    "a text": ("hello", "not-a-flow", 1, 1, 'this is "hello"'),
    "a list": ("- a\n- b\n", "not-a-flow", 1, 1, "this is a list"),
    "two documents": (HEAD + TASKS + "---\nid: x\n", "several-documents", 5, 1, "second document"),
    "a tab": (HEAD + "tasks:\n\t- id: a\n", "tab-indentation", 4, 1, "tabs"),
    "a tab after spaces": (HEAD + "tasks:\n  - id: a\n \ttype: x\n", "tab-indentation", 5, 2, "tabs"),
    "a key twice": (HEAD + "id: x\n" + TASKS, "duplicate-key", 3, 1, '"id" is already there, in line 1'),
    "a billion laughs": (LAUGHS, "too-many-aliases", 6, 8, "100,000"),
    "a bomb of merges": (MERGES, "too-many-aliases", 16, 17, "100,000"),
    "an alias inside itself": ("a: &a [*a]\n", "bad-alias", 1, 8, "contains itself"),
    "an unknown alias": ("a: *nope\n", "bad-alias", 1, 4, "no anchor &nope"),
    "100,000 brackets": ("[" * 100_000, "too-deep", 1, 201, "200 levels"),
    "900 brackets": ("a: " + "[" * 900, "too-deep", 1, 203, "200 levels"),
    "30,000 maps": ("{a: " * 30_000, "too-deep", 1, 801, "200 levels"),
    "5 MB": ("a: " + "x" * 5_000_000, "too-large", 1, 1, "5,000,003 bytes"),
    "1 MB in one value": ("a: " + "x" * 2**20, "too-large", 1, 1, "1,048,576"),
    "1 MB of wide characters": ("a: " + "\u20ac" * 2**19, "too-large", 1, 1, "1,572,867 bytes"),
    "a python object": ("a: !!python/object/apply:os.system [ls]\n", "yaml-tag", 1, 4, "!!python/object/apply"),
    "an unknown tag": ("a: !foo bar\n", "yaml-tag", 1, 4, "!foo"),
    "binary": ("a: !!binary aGk=\n", "yaml-tag", 1, 4, "!!binary"),
    "a tag on a key": ("!!binary a: 1\n", "yaml-tag", 1, 1, "!!binary"),
    "NUL": ('a: "x\0y"\n', "control-character", 1, 6, "U+0000"),
    "an escaped NUL": ('a: "\\0"\n', "control-character", 1, 4, "U+0000"),
    "a lone surrogate": ('a: "\ud800"\n', "control-character", 1, 5, "U+D800"),
    "an escaped surrogate": ('a: "\\ud800"\n', "bad-escape", 1, 7, "backslash"),
    "an unknown escape": ('a: "C:\\dir"\n', "bad-escape", 1, 7, "backslash"),
    "UTF-16": ((HEAD + TASKS).encode("utf-16"), "encoding", 1, 1, "UTF-16"),
    "UTF-32": ((HEAD + TASKS).encode("utf-32"), "encoding", 1, 1, "UTF-32"),
    "Latin-1": ((HEAD + "description: \u00e9\n" + TASKS).encode("latin-1"), "encoding", 3, 14, "0xE9"),
    "5,000 digits": (HEAD + "variables: {n: " + "9" * 5000 + "}\n" + TASKS, "bad-number", 3, 16, "5,000 digits"),
    "infinity": (HEAD + "variables: {n: .inf}\n" + TASKS, "bad-number", 3, 16, "JSON"),
    "not a number": (HEAD + "variables: {n: .NaN}\n" + TASKS, "bad-number", 3, 16, "JSON"),
    "a huge float": (HEAD + "variables: {n: 1e999}\n" + TASKS, "bad-number", 3, 16, "too large"),
    "a list as a key": ("a: 1\n? [a, b]\n: c\n", "bad-key", 2, 3, "must be text"),
    "an alias as a key": ("a: &x b\n*x : c\n", "bad-key", 2, 1, "must be text"),
    "an empty key": ("?\n: c\n", "bad-key", 1, 2, "missing before the colon"),
    "a merge of text": ("a: {<<: b}\n", "bad-merge", 1, 9, "takes a map"),
    "CR and LF": ((HEAD + TASKS + "oops: 1\n").replace("\n", "\r\n"), "unknown-property", 5, 1, '"oops"'),
    "NEL": ("id: demo\x85namespace: acme\noops: 1\n" + TASKS, "unknown-property", 3, 1, '"oops"'),
    "U+2028": (HEAD + 'description: "a\u2028b"\noops: 1\n' + TASKS, "unknown-property", 5, 1, '"oops"'),
    "a zero-width space": ("id: de\u200bmo\nnamespace: acme\n" + TASKS, "invalid-id", 1, 5, "must match"),
    "a right-to-left mark": ("id: de\u202emo\nnamespace: acme\n" + TASKS, "invalid-id", 1, 5, "must match"),
    "a look-alike": ("id: d\u0435mo\nnamespace: acme\n" + TASKS, "invalid-id", 1, 5, "must match"),
    "no space after a colon": (HEAD + "tasks:\n  - id:a\n    type: x\n", "missing-space", 4, 8, "no space"),
    "no space in the last line": (HEAD + TASKS + "revision:1\n", "missing-space", 5, 10, "no space"),
    "a second colon": (HEAD + "description: Error: bad\n" + TASKS, "quote-needed", 3, 14, "colon and a space"),
    "a bare star": (HEAD + "triggers:\n  - cron: * * * * *\n", "quote-needed", 4, 11, "starts with *"),
    "a bare @": (HEAD + "description: @foo\n", "quote-needed", 3, 14, "starts with @"),
    "a bare %": (HEAD + "description: %foo\n", "quote-needed", 3, 14, "starts with %"),
    "less indented": (HEAD + "tasks:\n  - id: a\n   type: x\n", "bad-indentation", 5, 4, "neighbours"),
    "more indented": (HEAD + "tasks:\n  - id: a\n     type: x\n", "bad-indentation", 5, 6, "neighbours"),
    "a dash too far left": (HEAD + TASKS + "- foo\n", "bad-indentation", 5, 1, "neighbours"),
    "an open quote": (HEAD + 'description: "abc\n' + TASKS, "unclosed-quote", 3, 14, "never closed"),
    "an open bracket": (HEAD + "variables: {a: [1, 2}\n" + TASKS, "unclosed-bracket", 3, 16, "["),
    "an open brace": (HEAD + "labels: {a: 1\n" + TASKS, "unclosed-bracket", 3, 9, "{"),
    "text after a quote": (HEAD + 'description: "abc" def\n' + TASKS, "text-after-quote", 3, 20, "closing quote"),
    "a line that is nothing": (HEAD + "hello world\n" + TASKS, "yaml-syntax", 3, 1, "neither a key"),
    "a directive": ("%YAML 9.9\n---\na: 1\n", "yaml-syntax", 1, 1, "not YAML"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_text_gets_one_finding_at_its_place(name: str) -> None:
    source, code, line, column, part = CASES[name]
    started = time.thread_time()
    parsed = read_flow(source)
    assert time.thread_time() - started < 4  # a slow machine, never an explosion
    assert parsed.flow is None
    found = [(finding.code, finding.line, finding.column) for finding in parsed.diagnostics]
    assert found == [(code, line, column)]
    assert part in parsed.diagnostics[0].message
    assert len(parsed.diagnostics[0].message) < 300


def test_bad_texts_cost_little_memory() -> None:
    for name in ("a billion laughs", "a bomb of merges", "100,000 brackets"):
        tracemalloc.start()
        read_flow(CASES[name][0])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 64 * 2**20, name


def test_a_flow_cut_off_anywhere_is_judged_and_never_crashes() -> None:
    whole = NESTED.encode()
    for end in range(len(whole)):
        parsed = read_flow(whole[:end])
        assert parsed.flow is not None or parsed.errors


def test_a_byte_order_mark_and_a_last_empty_document_do_no_harm() -> None:
    for source in (("\ufeff" + HEAD + TASKS).encode(), "\ufeff---\n" + HEAD + TASKS + "---\n", HEAD + TASKS + "...\n"):
        assert read_flow(source).diagnostics == []


def test_words_that_are_no_values_are_keys_like_any_other() -> None:
    parsed = read_flow(HEAD + "variables: {on: 1, no: 2, 3: 4, true: 5, null: 6, 2024-01-01: 7}\n" + TASKS)
    assert parsed.flow is not None
    assert list(parsed.flow.variables) == ["on", "no", "3", "true", "null", "2024-01-01"]


def test_a_strange_character_is_named() -> None:
    hints = [read_flow(CASES[name][0]).diagnostics[0].hint for name in ("a zero-width space", "a look-alike")]
    assert hints == ["it holds U+200B ZERO WIDTH SPACE", "it holds U+0435 CYRILLIC SMALL LETTER IE"]


@pytest.mark.parametrize(
    ("written", "quoted"),
    [
        ('format: {{ outputs.completion.choices[0].message.content }}"',
         'format: "{{ outputs.completion.choices[0].message.content }}"'),
        ("format: {{ outputs.a[0].b }}", 'format: "{{ outputs.a[0].b }}"'),
        ("format: {{ outputs.a.b }}", 'format: "{{ outputs.a.b }}"'),
        ('format: {{ outputs.a.b }}"', 'format: "{{ outputs.a.b }}"'),
        ("format: {{ a }} and more", 'format: "{{ a }} and more"'),
        ("format: {{ a }} # why", 'format: "{{ a }}" # why'),
        ("format: {{ a ?? 'none' }}", "format: \"{{ a ?? 'none' }}\""),
        ('format: {{ a["b"] }}', "format: '{{ a[\"b\"] }}'"),
        ("format: {{ a | first }}/{{ b }}", 'format: "{{ a | first }}/{{ b }}"'),
    ],
)  # fmt: skip
def test_an_expression_outside_quotes_comes_with_the_line_to_paste_and_an_edit(written: str, quoted: str) -> None:
    lines = [
        "id: demo",
        "namespace: acme",
        "tasks:",
        "  - id: a",
        f"    type: {RETURN}",
        f"    {written}",
        "labels: {}",
    ]
    (finding,) = read_flow("\n".join(lines)).diagnostics
    assert (finding.code, finding.line, finding.column) == ("unquoted-expression", 6, 13)
    assert finding.message == 'the value of "format" starts with {{ so YAML reads it as a mapping'
    assert finding.hint == f"quote it: {quoted.removesuffix(' # why')}"
    edit = finding.edit
    assert edit is not None
    assert edit.line == edit.end_line == 6
    lines[5] = lines[5][: edit.column - 1] + edit.text + lines[5][edit.end_column - 1 :]
    assert lines[5].strip() == quoted
    assert read_flow("\n".join(lines)).flow is not None


def test_an_expression_outside_quotes_is_found_in_lists_too_and_mended_only_where_that_is_sure() -> None:
    listed = read_flow('a:\n  - {{ x }} and "more"  # why\n').diagnostics[0]
    assert (listed.code, listed.line, listed.hint) == ("unquoted-expression", 2, "quote it: '{{ x }} and \"more\"'")
    for source in ("a: {b: {{ x }}, c: 1}\n", "a: {{ x\n  }}\n"):
        finding = read_flow(source).diagnostics[0]
        assert (finding.code, finding.edit) == ("unquoted-expression", None)


def test_a_block_of_text_may_hold_what_would_be_wrong_outside() -> None:
    block = "".join(f"      {line}\n" for line in ("key: {{ x }}", "\tb", "a:b", "* * *"))
    assert read_flow(HEAD + f"tasks:\n  - id: a\n    type: {RETURN}\n    format: |\n{block}").diagnostics == []


@pytest.mark.parametrize("name", ["a tab", "no space after a colon", "a second colon", "a bare star"])
def test_an_edit_mends_its_line(name: str) -> None:
    source = CASES[name][0]
    assert isinstance(source, str)
    (finding,) = read_flow(source).diagnostics
    edit, lines = finding.edit, source.split("\n")
    assert edit is not None
    line = lines[edit.line - 1]
    lines[edit.line - 1] = line[: edit.column - 1] + edit.text + line[edit.end_column - 1 :]
    again = parse("\n".join(lines), types=Index()).diagnostics
    assert finding.code not in [other.code for other in again]
