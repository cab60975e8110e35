"""Plain Jinja2: its own meaning, our limits, errors with a place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.expressions import KESTRA, ExpressionError, Functions, language
from engine.expressions.jinja.filters import FILTERS, LEFT_OUT
from tests.unit.expressions.attacks import CYCLE, LOOP, ends_as_an_expression_error

JINJA2 = language("jinja2")
CONTEXT = {
    "s": "hello",
    "n": 5,
    "list": [1, 2, 3],
    "m": {"a": 1, "items": "mine"},
    "rows": [{"id": 1, "tag": "x"}, {"id": 2, "tag": "y"}],
    "nothing": None,
    "big": "x" * 1_000_000,
    "cycle": CYCLE,
    "loop_": LOOP,
    "inputs": {"name": "Ada"},
}


class Lazy(Mapping[str, Any]):
    """A mapping that notes what is asked of it, as the engine's own does."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, key: str) -> Any:
        self.asked.append(key)
        return CONTEXT[key]

    def __contains__(self, key: object) -> bool:
        return key in CONTEXT

    def __iter__(self) -> Any:
        raise AssertionError("nothing may look at everything")

    def __len__(self) -> int:
        raise AssertionError("nothing may look at everything")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ 'many' if n > 2 else 'few' }}", "many"),
        ("{{ s.upper() }}, {{ 'a' ~ n ~ none }}", "HELLO, a5None"),
        ("{{ 5 / 2 }} {{ 5 // 2 }} {{ 2 ** 10 }} {{ -5 % 3 }}", "2.5 2 1024 1"),
        ("{{ list }} {{ true }} {{ [s, nothing] }}", "[1, 2, 3] True ['hello', None]"),
        ("{% for x in range(3) %}{{ loop.index }}/{{ loop.length }} {% endfor %}", "1/3 2/3 3/3 "),
        ("{% for k, v in {'a': 1}.items() %}{{ k }}={{ v }}{% else %}-{% endfor %}", "a=1"),
        ("{{ rows | map(attribute='id') | list }}", "[1, 2]"),
        ("{{ rows | selectattr('tag', 'eq', 'y') | map(attribute='id') | first }}", "2"),
        ("{{ rows | groupby('tag') | map('first') | join('+') }}", "x+y"),
        ("{{ rows | sum(attribute='id') }}", "3"),
        ("{{ missing | default('none') }} {{ missing is defined }}", "none False"),
        ("{% macro hi(who='you') %}hi {{ who }}{% endmacro %}{{ hi() }} {{ hi('me') }}", "hi you hi me"),
        ("{% set x = 1 %}{% for i in list %}{% set x = i %}{% endfor %}{{ x }}", "1"),
        ("{% set ns = namespace(x=0) %}{% for i in list %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "6"),
        ("{{ '%05.1f|%s|%%' % (2.25, list) }}", "002.2|[1, 2, 3]|%"),
        ("{{ '%(a)s!' | format(a=s) }} {{ '{:>4}|{0[a]}|{m[a]}'.format(n, m=m) if false else '' }}", "hello! "),
        ("{{ '{:>4}|{m[a]}'.format(n, m=m) }}", "   5|1"),
        ("{{ {'b': [1, none], 'a': '<é>'} | tojson }}", '{"a": "<é>", "b": [1, null]}'),
        ("{{ 'a\nb' | indent(2) }}", "a\n  b"),
        ("{{ m.items }} {{ m['items'] }} {{ m.keys() }}", "mine mine ['a', 'items']"),
        ("{{ '<a>' | e }} {{ '<a>' | safe }}", "&lt;a&gt; <a>"),
        ("{% filter upper %}{{ s }}{% endfilter %}{% set y %}{{ n }}{% endset %}{{ y }}", "HELLO5"),
        ("{% raw %}{{ s }}{% endraw %}{# a comment #}\n", "{{ s }}\n"),
        ("{{ 'Ada' == inputs.name }} {{ 2 in list }} {{ 1 < 2 < 3 }}", "True True True"),
    ],
)
def test_means_what_jinja2_means(template: str, text: str) -> None:
    assert JINJA2.render(template, CONTEXT) == text


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ list }}", [1, 2, 3]),
        (" {{ n + 1 }}\n", 6),
        ("{{ n }}{{ n }}", "55"),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ rows | map(attribute='id') }}", [1, 2]),
        ("{{ none }}", None),
        ("{{ m.get('z') }}", None),
        ("{{ s | e }}", "hello"),
        ("no template", "no template"),
    ],
)
def test_one_expression_keeps_its_value(template: str, value: Any) -> None:
    found = JINJA2.evaluate(template, CONTEXT)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("template", "holds"),
    [("{{ none }}", "false"), ("{{ [] }}", "false"), ("{{ list }}", "true"), ("{{ 'no' }}", "no"), ("a{{ n }}", "a5")],
)
def test_a_condition_is_judged_as_python_does(template: str, holds: str) -> None:
    assert JINJA2.condition(template, CONTEXT) == holds


def test_variables_are_looked_up_when_they_are_used() -> None:
    context = Lazy()
    assert JINJA2.render("{{ s }}{% if false %}{{ big }}{% endif %}", context) == "hello"
    assert "cycle" not in context.asked
    assert JINJA2.evaluate("{{ fetchContext }}" if False else "{{ n }}", context) == 5


def test_functions_of_the_engine_are_globals() -> None:
    now = datetime(2024, 5, 6, tzinfo=UTC)
    functions = Functions(now=lambda: now, seed="x", secret=lambda key: f"<{key}>", kv=lambda key, **_: {"k": key})
    render = JINJA2.render
    assert render("{{ secret('A') }} {{ kv('B').k }} {{ now().year }}", {}, functions) == "<A> B 2024"
    assert render("{{ fromJson('[1, 2]')[1] }} {{ dayOfWeek(date='2024-05-06') }}", {}, functions) == "2 MONDAY"
    assert render("{{ uuid() }}", {}, functions) == render("{{ uuid() }}", {}, functions)
    assert render("{{ uuid() == uuid() }}", {}, functions) == "False"
    assert render("{{ render('{{ 1 if true else 2 }}') }}", {}, functions) == "1"
    assert render("{{ renderOnce(t) }}", {"t": "{{ u }}", "u": "{{ 1 }}"}, functions) == "{{ 1 }}"


def test_what_calls_out_is_told() -> None:
    assert not JINJA2.is_pure("{{ secret('A') }}")
    assert not JINJA2.is_pure("{% if true %}{{ [kv] | map('string') }}{% endif %}")
    assert JINJA2.is_pure("{{ now() }} {{ inputs.secret }}")
    assert JINJA2.is_pure("plain")


def test_paths_mean_the_same_in_both_languages() -> None:
    assert JINJA2.is_common("Hi {{ inputs.name }}!")
    assert not JINJA2.is_common("{{ inputs.name | upper }}")
    assert not JINJA2.is_common("{{ True }}")
    assert not JINJA2.is_common("{% if s %}{{ inputs.name }}{% endif %}")
    assert KESTRA.is_common("{{ inputs.name | upper }}")


@pytest.mark.parametrize(
    ("template", "code", "at", "hint"),
    [
        ("a\n {{ n ? 1 : 2 }}", "expression-syntax", "?", "{{ a if b else c }}"),
        ("{{ s | uper }}", "unknown-filter", "uper", "`upper`"),
        ("{{ s | toJson }}", "unknown-filter", "toJson", "`tojson`"),
        ("{{ list | random }}", "unknown-filter", "random", "randomInt"),
        ("{{ s | secret }}", "unknown-filter", "secret", "secret(...)"),
        ("{{ s is definde }}", "unknown-test", "definde", "`defined`"),
        ("x {{ secrt('A') }}", "unknown-function", "secrt", "`secret`"),
        ("{% if s %}", "expression-syntax", "", None),
        ("{%- include 'x' %}", "unknown-tag", "include", None),
        ("{{ s }} {{- }}", "expression-syntax", "}}", None),
        ("{% autoescape true %}{% endautoescape %}", "unknown-tag", "autoescape", None),
        ("{% block a %}{% endblock %}", "unknown-tag", "block", None),
    ],
)
def test_what_cannot_run_is_found_before_it_runs(template: str, code: str, at: str, hint: str | None) -> None:
    with pytest.raises(ExpressionError) as caught:
        JINJA2.check_syntax(template)
    assert caught.value.code == code
    assert caught.value.offset is not None
    assert template[caught.value.offset :].startswith(at)
    assert hint is None or hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("template", "code", "at", "hint"),
    [
        ("a {{ n }}\n{{ inptus }}", "unknown-variable", "inptus", "`inputs`"),
        ("{{ inputs.nam }}", "unknown-attribute", ".nam", "`name`"),
        ("{{ rows | map(attribute='nope') }}", "unknown-attribute", "map", None),
        ("{{ nothing.x }}", "unknown-attribute", ".x", None),
        ("{{ s + 1 }}", "expression-type", "s + 1", None),
        ("{{ 1 // 0 }}", "expression-type", "1 //", None),
        ("{{ none[1:2] }}", "expression-type", "none", None),
        ("{{ cycler().next }}", "expression-type", "cycler", None),
        ("{{ s.upper }}", "expression-type", ".upper", "Call it"),
        ("{{ secret('A') }}", "function-unavailable", "('A')", None),
        ("{{ fromJson() }}", "missing-argument", "()", None),
        ("{{ fromJson(jason='1') }}", "unknown-argument", "(jason", "`json`"),
    ],
)
def test_errors_tell_where_they_are(template: str, code: str, at: str, hint: str | None) -> None:
    for run in (JINJA2.render, JINJA2.evaluate):
        with pytest.raises(ExpressionError) as caught:
            run(template, CONTEXT)
        assert caught.value.code == code
        assert caught.value.template == template
        assert hint is None or hint in (caught.value.hint or "")
    with pytest.raises(ExpressionError) as caught:
        JINJA2.render(template, CONTEXT)
    assert caught.value.offset is not None
    assert template.count("\n", 0, caught.value.offset) == template.count("\n", 0, template.index(at))


DOUBLE = "{% set ns = namespace(x='aaaaaaaa', l=[1], t=(1,)) %}{% for i in range(60) %}"
TWICE = "{% set ns = namespace(x=[], y=[]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}" \
    "{% set ns.y = [ns.y, ns.y] %}{% endfor %}"  # fmt: skip
FAN = "".join(f"{{% macro f{n}() %}}{{{{ f{n + 1}() }}}}{{{{ f{n + 1}() }}}}{{% endmacro %}}" for n in range(40))
ATTACKS = {
    "dunder attribute": "{{ s.__class__ }}",
    "dunder subscript": "{{ s['__class__'] }}",
    "dunder by filter": "{{ s | attr('__class__') }}",
    "dunder by map": "{{ [s] | map(attribute='__class__') | list }}",
    "dunder in a format": "{{ '{0.__class__.__mro__}'.format(s) }}",
    "dunder in a format map": "{{ '{a.__class__}'.format_map({'a': s}) }}",
    "format taken by filter": "{{ (s | attr('format'))(1, 2) ~ ('{0.__class__}' | attr('format'))(s) }}",
    "globals of a function": "{{ fromJson.__globals__ }}",
    "globals of a macro": "{% macro f() %}{% endmacro %}{{ f.__init__.__globals__ }}",
    "the class of a namespace": "{{ namespace.__init__ }}",
    "environment": "{{ environment }}",
    "the template itself": "{{ self._TemplateReference__context }}",
    "the context of a loop": "{% for x in list %}{{ loop._recurse.__globals__ }}{% endfor %}",
    "cycler": "{{ cycler.__init__.__globals__.os }}",
    "a class": "{{ dict.fromkeys([1]) }}",
    "change a list": "{{ list.append(4) }}",
    "change a map": "{{ m.update({'a': 2}) }}",
    "encode": "{{ s.encode() }}",
    "translate": "{{ s.translate({104: 'x' * 1000000}) }}",
    "expandtabs": "{{ s.expandtabs(1000000000) }}",
    "bytes of a number": "{{ n.to_bytes(1000000000, 'big') }}",
    "import": "{% import 'os' as os %}",
    "range": "{{ range(0, 1000000000000) }}",
    "ranges in a loop": "{% set r = range(99999) %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}",
    "loop over itself": "{% for x in list recursive %}{{ loop(list) }}{% endfor %}",
    "text times": "{{ s * 1000000000 }}",
    "times text": "{{ 1000000000 * s }}",
    "list times": "{{ list * 100000000 }}",
    "tuple times": "{{ (1, 2) * 100000000 }}",
    "power": "{{ 9 ** 999999999 }}",
    "product": "{% set ns = namespace(x=9) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "folding while compiling": "{{ ('x' * 1000000000) | length }}",
    "text that doubles": DOUBLE + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "text added": DOUBLE + "{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "text set": DOUBLE + "{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}{% endfor %}",
    "text joined": DOUBLE + "{% set ns.x = [ns.x, ns.x] | join %}{% endfor %}",
    "text joined by method": DOUBLE + "{% set ns.x = ''.join([ns.x, ns.x]) %}{% endfor %}",
    "text formatted": DOUBLE + "{% set ns.x = '%s%s' % (ns.x, ns.x) %}{% endfor %}",
    "text formatted by method": DOUBLE + "{% set ns.x = '{0}{0}'.format(ns.x) %}{% endfor %}",
    "text replaced": DOUBLE + "{% set ns.x = ns.x.replace('a', 'aa') %}{% endfor %}",
    "list that doubles": DOUBLE + "{% set ns.l = ns.l + ns.l %}{% endfor %}",
    "tuple that doubles": DOUBLE + "{% set ns.t = ns.t + ns.t %}{% endfor %}",
    "deep data hashed": "{% set ns = namespace(x=()) %}{% for i in range(99999) %}{% set ns.x = (ns.x,) %}"
    "{% endfor %}{{ {(ns.x): 1} }}",
    "repeating data printed": TWICE + "{{ ns.x }}",
    "repeating data as text": TWICE + "{{ ns.x ~ '' }}",
    "repeating data compared": TWICE + "{{ ns.x == ns.y }}",
    "repeating data looked for": TWICE + "{{ ns.x in [ns.y] }}",
    "repeating data tested": TWICE + "{{ ns.x is eq(ns.y) }}",
    "repeating data as JSON": TWICE + "{{ ns.x | tojson }}",
    "repeating data as a value": TWICE + "{{ [ns.x] | string }}",
    "repeating data as a key": "{% set ns = namespace(x=()) %}{% for i in range(60) %}{% set ns.x = (ns.x, ns.x) %}"
    "{% endfor %}{{ m[ns.x] }}",
    "repeating data in a format": TWICE + "{{ '{!r}'.format(ns.x) }}",
    "center": "{{ s | center(1000000000) }}",
    "center by method": "{{ s.center(1000000000) }}",
    "zeros": "{{ '1'.zfill(1000000000) }}",
    "indent": "{{ s | indent(1000000000, true) }}",
    "indent many lines": "{{ big.replace('x', '\n') | indent(1000) }}",
    "slice": "{{ [1] | slice(1000000000) | list }}",
    "batch": "{{ [1] | batch(1000000000, 0) | list }}",
    "replace": "{{ big | replace('x', 'yyyyyyyyyyyyyyyyyyyy') }}",
    "replace nothing": "{{ big | replace('', 'yyyyyyyyyyyyyyyyyyyy') }}",
    "format": "{{ '%1000000000d' % 1 }}",
    "format by filter": "{{ '%1000000000d' | format(1) }}",
    "format with a star": "{{ '%*d' % (1000000000, 1) }}",
    "format precision": "{{ '%.1000000000f' % 1 }}",
    "format by method": "{{ '{:1000000000}'.format(1) }}",
    "format in a format": "{{ '{:{w}}'.format(1, w=1000000000) }}",
    "JSON indented": "{{ list | tojson(indent=1000000000) }}",
    "sum of lists": "{{ (range(99999) | map('string') | map('list') | list) | sum(start=[]) }}",
    "number of a long text": "{{ big.replace('x', '9') | int }}",
    "split": "{{ big | list | join(',') | replace('x', 'xx') * 9 }}",
    "join": "{{ range(99999) | join(big) }}",
    "macro without end": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "macro fan-out": FAN + "{% macro f40() %}{% endmacro %}{{ f0() }}",
    "render without end": "{{ render(again) }}",
    "parentheses": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "lists": "{{ " + "[" * 5000 + "]" * 5000 + " }}",
    "signs": "{{ " + "-" * 5000 + "1 }}",
    "additions": "{{ " + " + ".join(["1"] * 5000) + " }}",
    "filters": "{{ s" + " | upper" * 5000 + " }}",
    "conditions": "{{ " + "1 if true else " * 3000 + "1 }}",
    "tags": "{% if true %}" * 3000 + "{% endif %}" * 3000,
    "many expressions": "{{ 1 + 1 }}" * 20_000,
    "long source": "{{ s }}" + " " * 300_000,
    "huge number": "{{ " + "9" * 100_000 + " }}",
    "cycle printed": "{{ cycle }}",
    "cycle compared": "{{ loop_ == [loop_] }}",
    "cycle as JSON": "{{ cycle | tojson }}",
    "a filter that no template can spell": "{{ s | weighed value }}",
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
@pytest.mark.parametrize("run", [JINJA2.render, JINJA2.evaluate], ids=["text", "value"])
def test_attacks_end_as_an_expression_error(run: Any, attack: str) -> None:
    ends_as_an_expression_error(run, attack, CONTEXT)


def test_data_stays_as_it_was() -> None:
    data = {"list": [3, 1], "m": {"a": 1}}
    JINJA2.render("{{ list | sort }}{% set list = [] %}{% set m = 1 %}{{ dict(m=1) }}", data)
    assert data == {"list": [3, 1], "m": {"a": 1}}


def test_every_filter_of_jinja2_is_there_but_those_left_out() -> None:
    from jinja2.defaults import DEFAULT_FILTERS

    assert DEFAULT_FILTERS.keys() - FILTERS.keys() == LEFT_OUT.keys()


def test_numbers_may_be_large_but_not_huge() -> None:
    assert JINJA2.evaluate("{{ 2 ** 100 }}", {}) == 2**100
    assert JINJA2.evaluate("{{ 1 ** 99999999 + 0 ** 99999999 }}", {}) == 1
    assert math.isinf(JINJA2.evaluate("{{ x * 10 }}", {"x": 1e308}))


@pytest.mark.parametrize(
    "template", ["{{ '%99999999d' % 1 }}", "{{ '%.99999999f' | format(1) }}", "{{ '{:99999999}'.format(1) }}"]
)
def test_a_width_is_judged_before_anything_is_padded(template: str) -> None:
    with pytest.raises(ExpressionError, match="padded"):
        JINJA2.render(template, {})
