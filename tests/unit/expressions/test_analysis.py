"""Static analysis: which paths a template reads, where, how surely; and whether it calls out."""

from __future__ import annotations

import pytest

from engine.expressions import ExpressionError, Reference, is_pure, references


def shown(reference: Reference) -> str:
    path = reference.root + "".join(f"[{'*' if s is None else repr(s)}]" for s in reference.segments)
    return path + "?" * reference.guarded


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("no template", []),
        ("{{ a.b }} and {{ c }}", ["a['b']", "c"]),
        ("{{ outputs.a['b-c'].rows[0].id }}", ["outputs['a']['b-c']['rows'][0]['id']"]),
        ("{{ outputs[inputs.which].value }}", ["outputs[*]['value']", "inputs['which']"]),
        ("{{ a.b ?? c.d }}", ["a['b']?", "c['d']"]),
        ("{{ a.b ?? c ?? 'x' }}", ["a['b']?", "c?"]),
        ("{{ a | default(b) }}", ["a?", "b"]),
        ("{{ (a.b | upper) ?? 'x' }}", ["a['b']?"]),
        ("{{ a.b is defined ? a.b.c : d }}", ["a['b']?", "a['b']['c']?", "d"]),
        ("{{ a is not null and a.b == 1 }}", ["a", "a['b']?"]),
        ("{% if a is defined %}{{ a.b }}{% else %}{{ c }}{% endif %}{{ a.d }}", ["a?", "a['b']?", "c", "a['d']"]),
        ("{% for row in outputs.q.rows %}{{ row.id }}{{ loop.index }}{% endfor %}{{ row }}",
         ["outputs['q']['rows']", "outputs['q']['rows'][*]['id']", "row"]),
        ("{% set x = inputs.a %}{{ x.b }}", ["inputs['a']", "inputs['a']['b']"]),
        ("{% set x = fromJson(a) %}{{ x.b.c }}", ["a"]),
        ("{{ (rows | first).id }}", ["rows[0]['id']", "rows"]),
        ("{{ fromJson(outputs.a.body).items }}", ["outputs['a']['body']"]),
        ("{% macro f(x) %}{{ x.y }}{% endmacro %}{{ f(a.b) }}", ["a['b']"]),
        ("{{ [a, {'k': b, c: 1}] | join(d) }}", ["a", "b", "c", "d"]),
        ("{{ \"#{a.b}\" }}{% filter upper %}{{ c }}{% endfilter %}", ["a['b']", "c"]),
        ("{% block x %}{{ a }}{% endblock %}", ["a"]),
        ("{{ a.size() }}", ["a"]),
    ],
)  # fmt: skip
def test_references(template: str, expected: list[str]) -> None:
    assert [shown(reference) for reference in references(template)] == expected


def test_every_segment_has_its_place() -> None:
    template = "{{ outputs.completion.choices[0].mesage.content }}"
    (reference,) = references(template)
    assert reference.segments == ("completion", "choices", 0, "mesage", "content")
    assert [template[at:].startswith(str(s)) for at, s in zip(reference.offsets, reference.segments, strict=True)]
    assert template[reference.offsets[3] :].startswith("mesage")
    assert (reference.offset, reference.dynamic, reference.conditional) == (3, False, False)


def test_a_branch_is_conditional() -> None:
    found = {reference.root: reference.conditional for reference in references("{{ a ? b : c }}{{ d and e }}")}
    assert found == {"a": False, "b": True, "c": True, "d": False, "e": True}


@pytest.mark.parametrize(
    "template",
    [
        "plain",
        "{{ a.b }}",
        "{{ now() }}{{ uuid() }}{{ render(a) }}",
        "{{ a | jq('.b[0]?.\"c d\"[]') }}",
        "{{ a | jq('.') }}",
    ],
)
def test_pure(template: str) -> None:
    assert is_pure(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ secret('A') }}",
        "{{ kv('A') ?? read('b') }}",
        "{% if http('http://x') %}{% endif %}",
        "{% macro f() %}{{ errorLogs() }}{% endmacro %}",
        "{{ a | jq('map(.b)') }}",
        "{{ a | jq(b) }}",
        "{{ a | jq(expression='.[] | .b') }}",
    ],
)
def test_calls_out(template: str) -> None:
    assert not is_pure(template)


def test_bad_syntax_is_an_error() -> None:
    with pytest.raises(ExpressionError):
        references("{{ a | }}")
    with pytest.raises(ExpressionError):
        is_pure("{{ a | }}")
