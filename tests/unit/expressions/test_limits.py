"""Attacks that a flow's author could write. Each ends as an ExpressionError, after little time."""

from __future__ import annotations

import contextlib
import json
import random
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.expressions import ExpressionError, Functions, check_syntax, is_pure, program, references, render
from engine.expressions.limits import COMPILED, COMPILED_LARGE, MAX_SOURCE, SMALL_SOURCE
from tests.unit.expressions.attacks import CYCLE, ENOUGH, LOOP, ends_as_an_expression_error

CONTEXT = {
    "s": "hello",
    "list": [1, 2],
    "m": {"a": 1},
    "big": "x" * 1_000_000,
    "cycle": CYCLE,
    "loop_": LOOP,
    "day": datetime.now(UTC),
}

# Lists that hold each other twice, level after level: small in memory, endless to walk over.
MAPS = "{% set x = {} %}{% for i in 1..60 %}{% set x = {'a': x, 'b': x} %}{% endfor %}"
TWICE = "{% set x = [] %}{% set y = [] %}{% for i in 1..60 %}{% set x = [x, x] %}{% set y = [y, y] %}{% endfor %}"
DOUBLE = "{% for i in 1..60 %}{% set x = "
FAN = "".join(f"{{% macro f{n}() %}}{{{{ f{n + 1}() }}}}{{{{ f{n + 1}() }}}}{{% endmacro %}}" for n in range(40))
YAML_BOMB = "a: &a [x,x]\\n" + "".join(
    f"{c}: &{c} [*{p},*{p},*{p},*{p}]\\n" for p, c in zip("abcdefghijkl", "bcdefghijklm", strict=True)
)

SHARED = "{% set long = 1..99999 %}{% set x = [long] %}{% for i in 1..9 %}{% set x = x + x %}{% endfor %}"

ATTACKS = {
    "dunder attribute": "{{ s.__class__ }}",
    "dunder subscript": "{{ s['__class__'] }}",
    "dunder of a literal": "{{ ''.__class__.__mro__ }}",
    "globals of a method": "{{ m.__init__.__globals__ }}",
    "python method": "{{ s.format(1) }}",
    "python method of a map": "{{ m.items() }}",
    "names of the generated code": "{{ context }}",
    "environment of the generated code": "{{ environment.filters }}",
    "the template itself": "{{ self }}",
    "text that doubles": "{% set x = 'aaaaaaaa' %}" + DOUBLE + "x ~ x %}{% endfor %}",
    "text added": "{% set x = 'aaaaaaaa' %}" + DOUBLE + "x + x %}{% endfor %}",
    "list that doubles": "{% set x = [1] %}" + DOUBLE + "x + x %}{% endfor %}",
    "list merged": "{% set x = [1] %}" + DOUBLE + "x | merge(x) %}{% endfor %}",
    "many large texts": "{% for i in 1..9999 %}{% set x = (x ?? []) + [big ~ i] %}{% endfor %}",
    "replace": "{{ big | replace({'x': 'yyyyyyyyyyyyyyyyyyyy'}) }}",
    "replace nothing": "{{ big | replace({'': 'yyyyyyyyyyyyyyyyyyyy'}) }}",
    "replace by regex": "{{ big | replace({'x': 'yyyyyyyyyyyyyyyyyyyy'}, regexp=true) }}",
    "split": "{{ big | split('') }}",
    "join": "{{ range(0, 9999) | join(big) }}",
    "indent": "{{ s | indent(1000000000) }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "text times": "{{ s * 1000000000 }}",
    "range": "{{ range(0, 1000000000000) }}",
    "nested loops": "{% for a in 0..9999 %}" * 3 + "{% endfor %}" * 3,
    "output of loops": "{% for a in 0..9999 %}{% for b in 0..9999 %}{{ s }}{% endfor %}{% endfor %}",
    "macro fan-out": FAN + "{% macro f40() %}{% endmacro %}{{ f0() }}",
    "macro without end": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "block without end": "{% block b %}{{ block('b') }}{% endblock %}",
    "render without end": "{{ render(again) }}",
    "parentheses": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "lists": "{{ " + "[" * 5000 + "]" * 5000 + " }}",
    "signs": "{{ " + "-" * 5000 + "1 }}",
    "additions": "{{ " + " + ".join(["1"] * 5000) + " }}",
    "filters": "{{ s" + " | upper" * 5000 + " }}",
    "ternaries": "{{ " + "true ? 1 : " * 3000 + "1 }}",
    "interpolations": "{{ " + '"#{' * 2000 + "1" + '}"' * 2000 + " }}",
    "interpolations left open": "{{ " + '"#{=' * 2000,
    "raw with something": "{% raw secret %}{{ x }}{% endraw %}",
    "empty key of a list": "{{ list[''] }}",
    "tags": "{% if true %}" * 3000 + "{% endif %}" * 3000,
    "loops in loops": "{% for a in list %}" * 30 + "{% endfor %}" * 30,
    "many expressions": "{{ 1 + 1 }}" * 20_000,
    "long source": "{{ s }}" + " " * MAX_SOURCE,
    "huge number": "{{ " + "9" * 100_000 + " }}",
    "invalid regex": "{{ s | split('(a{1000}){1000}') }}",
    "folding while compiling": "{{ (0..99999 | join(s)) ~ (0..99999 | join('" + "x" * 120 + "')) }}",
    "cycle printed": "{{ cycle }}",
    "cycle as text": "{{ cycle ~ '' }}",
    "cycle as JSON": "{{ cycle | toJson }}",
    "cycle as YAML": "{{ cycle | yaml }}",
    "cycle in jq": "{{ cycle | jq('keys') }}",
    "cycle compared": "{{ loop_ == [loop_] }}",
    "repeating data printed": TWICE + "{{ x }}",
    "repeating data as text": TWICE + "{{ x ~ '' }}",
    "repeating data compared": TWICE + "{{ x == y }}",
    "repeating dates printed": "{% for i in 0..60 %}{% set day = [day, day] %}{{ day }}{% endfor %}",
    "repeating maps compared": MAPS + "{{ x == {'a': x} }}",
    "repeating data in jq": TWICE + "{{ x | jq('map(.)') }}",
    "one large list many times made distinct": SHARED + "{{ x | distinct }}",
    "one large list many times taken away": SHARED + "{{ x - [1] }}",
    "one large list many times looked through": SHARED + "{{ x contains [1] }}",
    "repeating data made distinct": TWICE + "{{ [x, y] | distinct }}",
    "YAML bomb": '{{ yaml("' + YAML_BOMB + '") }}',
    "YAML object": "{{ yaml('!!python/object/apply:os.system [ls]') }}",
    "deep JSON": "{{ fromJson('" + "[" * 100_000 + "') }}",
    "far date": "{{ 9999999999999999 | date }}",
    "long number pattern": "{{ 1 | numberFormat('" + "0" * 100_000 + "') }}",
    "zone outside the zone files": "{{ '2024-01-01' | date('yyyy', timeZone='../../etc/passwd') }}",
    "long id": "{{ nanoId(1000000000) }}",
    "jq without end": "{{ list | jq('[range(1e12)]') }}",
    "jq that repeats": "{{ list | jq('last(repeat(1))') }}",
    "jq that recurses": "{{ list | jq('def f: f; f') }}",
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_each_ends_as_an_expression_error(attack: str) -> None:
    ends_as_an_expression_error(render, attack, CONTEXT)


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'.matches('(a+)+$') }}",
        "{{ big | replace({'(x+x+)+y': ''}, regexp=true) | length }}",
        "{{ big | regexMatch('^(x|x)*$') }}",
        "{% set l = range(0, 99999) %}{{ (l contains l) ~ (l - l) ~ (l | distinct | length) }}",
    ],
)
def test_what_is_slow_elsewhere_is_fast_here(template: str) -> None:
    start = time.thread_time()
    render(template, CONTEXT)
    assert time.thread_time() - start < ENOUGH


def test_a_limit_cannot_be_caught_by_a_default() -> None:
    with pytest.raises(ExpressionError) as caught:
        render("{{ range(0, 1000000000) ?? 'small' }}", {})
    assert caught.value.code == "expression-limit"


def test_checking_runs_nothing() -> None:
    check_syntax("{{ range(0, 1000000000) }}{{ 'a' | split('(') }}")


def test_what_is_kept_compiled_is_bounded() -> None:
    for number in range(3000):
        render(f"{{{{ m.a }}}} {number}", CONTEXT)
    for number in range(40):
        render(f"{{{{ m.a }}}} {number}" + " " * SMALL_SOURCE, CONTEXT)
    assert program._small.cache_info().currsize <= COMPILED
    assert program._large.cache_info().currsize <= COMPILED_LARGE


def test_broken_templates_are_expression_errors_and_nothing_else() -> None:
    golden = Path(__file__).parents[2] / "golden/expressions/golden.json"
    data = json.loads(golden.read_text(encoding="utf-8"))
    words = [re.findall(r"\w+|\s+|.", probe["template"], re.DOTALL) for probe in data["probes"]]
    chance = random.Random(1815)
    for _ in range(4000):
        broken, other = list(chance.choice(words)), chance.choice(words)
        at = chance.randrange(len(broken))
        broken[at : at + chance.randrange(2)] = other[chance.randrange(len(other)) :][: chance.randrange(4)]
        template = "".join(broken)
        for use in (lambda text: render(text, data["context"], Functions(seed="x")), references, is_pure):
            try:
                use(template)
            except ExpressionError as error:
                assert error.template  # noqa: PT017


@pytest.mark.parametrize("name", ATTACKS)
def test_looking_at_an_attack_is_as_safe_as_rendering_it(name: str) -> None:
    for look in (references, is_pure):
        with contextlib.suppress(ExpressionError):
            look(ATTACKS[name])
