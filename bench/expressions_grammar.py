"""Random templates and contexts: grammar-made, mutated, and raw, for both languages of expressions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from engine.expressions.catalog import lookup, names
from engine.expressions.entry import Kind

CYCLE: dict[str, Any] = {"a": [1]}
CYCLE["self"] = CYCLE
LOOP: list[Any] = []
LOOP.append(LOOP)
DEEP: Any = 1
for _ in range(3000):
    DEEP = [DEEP]
SHARED: Any = ["x"]
for _ in range(40):
    SHARED = [SHARED, SHARED]
SHARED_MAP: Any = {"a": 1}
for _ in range(40):
    SHARED_MAP = {"a": SHARED_MAP, "b": SHARED_MAP}
ODD_TEXTS = [
    "", " ", "a", "Ada", "\x00", "\ud800", "é\u0301", "\u202e", "🦆" * 3, "İ", "ﬁ", "a,b,c", "(a+)+$", "[", "\\", "$1",
    "{{ n }}", "{{ render(s) }}", "{% for", '{"a": [1, null]}', "[1, 2", "a: &a [*a]", "2024-02-30", "Europe/Paris",
    "2024-05-06T07:08:09Z", "../../x", "yyyy-MM-dd HH:mm", "9" * 400, "1e999", "-0", "NaN", ".a[0]", ".[]", "map(.)",
    "true", "x" * 5000, "MONTHS", "%s%d", "{0.x}", "\n" * 50,
]  # fmt: skip
NUMBERS: list[Any] = [
    0, 1, -1, 2, 3, 7, 63, 2**31, 2**63 - 1, -(2**63), 2**64, 10**400, 0.0, -0.0, 0.5, 1e308, 5e-324, 1e22,
    float("nan"), float("inf"), float("-inf"), Decimal("1.10"), Decimal("NaN"), Decimal("1E+999999"), True, False,
]  # fmt: skip
DATES: list[Any] = [
    date(1, 1, 1), date(9999, 12, 31), datetime(2024, 2, 29), datetime(2024, 5, 6, 7, 8, 9, 10, UTC),
    datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC), timedelta.max, timedelta(microseconds=-1),
]  # fmt: skip
COLLECTIONS: list[Any] = [
    [], {}, [1, 2, 3], ["b", "a"], [[1], [2, [3]]], {"a": {"b": [1, {"c": None}]}}, [None], {"": 0}, {1: 2, None: 3},
    [{"id": 1, "tag": "x"}, {"id": 2, "tag": None}], list(range(3000)), {str(n): n for n in range(500)}, (1, (2,)),
    ["x" * 1000] * 200, b"bytes", bytearray(b"\xff"), frozenset({1}), CYCLE, LOOP, DEEP, SHARED, SHARED_MAP,
]  # fmt: skip

values = st.one_of(
    st.none(),
    st.sampled_from(ODD_TEXTS),
    st.sampled_from(NUMBERS),
    st.sampled_from(DATES),
    st.sampled_from(COLLECTIONS),
    st.text(max_size=8),
    st.integers(),
    st.floats(),
    st.lists(st.sampled_from([*ODD_TEXTS, *NUMBERS, *DATES]), max_size=4),
)
VARIABLES = ("a", "b", "n", "s", "l", "m", "d", "x")
contexts = st.fixed_dictionaries(dict.fromkeys(VARIABLES[:-1], values), optional={"x": values}) | st.just(
    {"a": SHARED, "m": CYCLE}
)


#: A name, and how many arguments it takes at least and at most.
Call = tuple[str, int, int]


@dataclass(frozen=True)
class Grammar:
    """The words of a language. `{e}` in a form is an expression, `{b}` a body, `{v}` a variable, `{f}` filters."""

    operators: tuple[str, ...]
    forms: tuple[str, ...]
    tags: tuple[str, ...]
    filters: tuple[Call, ...]
    functions: tuple[Call, ...]
    tests: tuple[Call, ...]
    arguments: tuple[str, ...]  #: names of named arguments


def _arguments(kinds: tuple[Kind, ...]) -> tuple[str, ...]:
    entries = [entry for kind in kinds for name in names(kind) if (entry := lookup(kind, name))]
    return tuple(sorted({argument.name for entry in entries for argument in entry.arguments}))


def _calls(kind: Kind) -> tuple[Call, ...]:
    found = [entry for name in names(kind) if (entry := lookup(kind, name))]
    return tuple((e.name, sum(a.required for a in e.arguments), len(e.arguments) + 2 * e.variadic) for e in found)


def kestra() -> Grammar:
    return Grammar(
        operators=(
            "+",
            "-",
            "*",
            "/",
            "%",
            "~",
            "..",
            "??",
            "???",
            "==",
            "!=",
            "<",
            ">",
            "<=",
            ">=",
            "and",
            "or",
            "contains",
            "isIn",
            "equals",
        ),
        forms=_KESTRA_FORMS,
        tags=_KESTRA_TAGS,
        filters=_calls("filter"),
        functions=(*_calls("function"), ("f", 0, 2)),
        tests=_calls("test"),
        arguments=_arguments(("filter", "function")),
    )


def jinja2() -> Grammar:
    from engine.expressions.jinja import program

    functions = [(name, least, most) for name, least, most in _calls("function") if name in program.names("function")]
    return Grammar(
        operators=("+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">", "<=", ">=", "and", "or", "in"),
        forms=_JINJA2_FORMS,
        tags=_JINJA2_TAGS,
        filters=tuple((name, 0, 2) for name in program.names("filter")),
        functions=(*functions, ("f", 0, 2), ("range", 1, 3), ("cycler", 0, 2), ("joiner", 0, 1), ("dict", 0, 1)),
        tests=tuple((name, 0, 1) for name in program.names("test") if name.isalpha()),
        arguments=(*_arguments(("function",)), "attribute", "width", "first", "indent", "default", "start", "by"),
    )


_KESTRA_FORMS = (
    "({e})", "not {e}", "-{e}", "+ {e}", "({e} ? {e} : {e})", "{e}[{e}]", "[{e}, {e}]", "{{{e}: {e}}}", '"#{{{e}}}"',
    "({e}).{v}", "({e}).length()", "({e}).replace({e}, {e})", "({e}).matches({e})", "({e})[{e}]",
)  # fmt: skip
_KESTRA_TAGS = (
    "{{% if {e} %}}{b}{{% elseif {e} %}}{b}{{% else %}}{b}{{% endif %}}",
    "{{% for {v} in {e} %}}{b}{{{{ loop.index }}}}{{% else %}}{b}{{% endfor %}}",
    "{{% for {v} in 0..200 %}}{{% set s = {e} %}}{{% set a = [a, a] %}}{b}{{% endfor %}}{{{{ a }}}}{{{{ s }}}}",
    "{{% set {v} = {e} %}}{b}",
    "{{% macro f(x, {v}={e}) %}}{b}{{% endmacro %}}{{{{ f({e}) }}}}",
    "{{% raw %}}{b}{{% endraw %}}",
    "{{%- verbatim -%}}{b}{{%- endverbatim -%}}",
    "{{% filter {f} %}}{b}{{% endfilter %}}",
    "{{% block b %}}{b}{{% endblock %}}{{{{ block('b') }}}}",
    "{{# {e} #}}",
)
_JINJA2_FORMS = (
    "({e})", "not {e}", "-{e}", "+ {e}", "({e} if {e} else {e})", "({e} if {e})", "{e}[{e}]", "[{e}, {e}]",
    "({e}, {e})", "{{{e}: {e}}}", "({e}).{v}", "({e})[{e}:{e}]", "({e}).items()",
    "({e}).split({e})", "({e}).format({e}, a={e})",
    "({e}).replace({e}, {e})", "({e}).join({e})", "({e}).ljust({e})", "({e}).strftime({e})", "({e} | attr({e}))",
    "namespace(a={e}).a", "dict({v}={e})", "cycler({e}, {e}).next()", "({e})[{e}]",
)  # fmt: skip
_JINJA2_TAGS = (
    "{{% if {e} %}}{b}{{% elif {e} %}}{b}{{% else %}}{b}{{% endif %}}",
    "{{% for {v} in {e} %}}{b}{{{{ loop.index }}}}{{{{ loop.length }}}}{{% else %}}{b}{{% endfor %}}",
    "{{% for {v}, x in {e} if {e} %}}{b}{{{{ loop.nextitem }}}}{{% endfor %}}",
    "{{% for {v} in {e} recursive %}}{{{{ loop({v}) }}}}{{% endfor %}}",
    "{{% set ns = namespace(a=a, s={e}) %}}{{% for i in range(200) %}}{{% set ns.a = [ns.a, ns.a] %}}"
    "{{% set ns.s = {e} %}}{b}{{% endfor %}}{{{{ ns.s }}}}{{{{ ns.a }}}}",
    "{{% set {v} = {e} %}}{b}",
    "{{% set {v} %}}{b}{{% endset %}}",
    "{{% set {v}, x = {e} %}}",
    "{{% filter {f} %}}{b}{{% endfilter %}}",
    "{{% macro f(x, {v}={e}) %}}{b}{{{{ caller is defined and caller() }}}}{{% endmacro %}}{{{{ f({e}) }}}}"
    "{{% call f({e}) %}}{b}{{% endcall %}}",
    "{{% with {v} = {e} %}}{b}{{% endwith %}}",
    "{{% raw %}}{b}{{% endraw %}}",
    "{{#- {e} -#}}",
    "{{% block b %}}{b}{{% endblock %}}",
)


def templates(grammar: Grammar) -> st.SearchStrategy[str]:
    """Valid templates for the most part, a third of them mutated, and some text that is anything at all."""
    quoted = st.sampled_from(ODD_TEXTS).map(lambda text: "'" + text.replace("\\", "").replace("'", "") + "'")
    atoms = st.one_of(
        st.sampled_from(VARIABLES),
        st.sampled_from(
            ["a.b", "m.a.b[0].c", "l[0]", "m['a']", "x.y.z", "null", "true", "none", "[]", "{}", "loop.index"]
        ),
        quoted,
        st.sampled_from(["0", "1", "-1", "2.5", "99999", "100000000", "9223372036854775807", "1000000000000000000000"]),
    )

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        def call(choice: Call) -> st.SearchStrategy[str]:
            name, least, most = choice
            given = st.lists(inner, min_size=least, max_size=most).map(", ".join)
            return given.map(lambda arguments: f"{name}({arguments})" if arguments else name)

        named = st.tuples(st.sampled_from(grammar.arguments), inner).map("=".join)
        applied = st.sampled_from(grammar.filters).flatmap(call)
        called = st.sampled_from(grammar.functions).flatmap(call)
        tested = st.sampled_from(grammar.tests).flatmap(call)
        return st.one_of(
            st.tuples(inner, st.sampled_from(grammar.operators), inner).map(" ".join),
            st.tuples(inner, applied).map(" | ".join),
            st.tuples(inner, applied, applied).map(" | ".join),
            st.tuples(inner, applied, named).map(lambda p: f"{p[0]} | {p[1].removesuffix(')')}({p[2]})"),
            called.map(lambda text: text if text.endswith(")") else f"{text}()"),
            st.tuples(inner, st.sampled_from(["is", "is not"]), tested).map(" ".join),
            _filled(st.sampled_from(grammar.forms), inner, st.just(""), grammar),
        )

    expressions = st.recursive(atoms, larger, max_leaves=10)
    printed = expressions.map(lambda expression: f"{{{{ {expression} }}}}")
    bodies = st.recursive(
        printed | st.sampled_from(["", "text ", "\n", "{", "é"]),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map("".join),
            _filled(st.sampled_from(grammar.tags), expressions, inner, grammar),
            _filled(st.sampled_from(grammar.tags), expressions, inner, grammar),
        ),
        max_leaves=6,
    )
    return st.one_of(bodies, printed, mutated(bodies), st.text("{}%#|'\"()[]. \nabns0~?:+-*/\\", max_size=60))


@st.composite
def _filled(
    draw: st.DrawFn,
    forms: st.SearchStrategy[str],
    expressions: st.SearchStrategy[str],
    bodies: st.SearchStrategy[str],
    grammar: Grammar,
) -> str:
    """A form with each of its places filled."""
    form = draw(forms)
    for place, strategy in (
        ("{e}", expressions),
        ("{b}", bodies),
        ("{v}", st.sampled_from(VARIABLES)),
        ("{f}", st.sampled_from([name for name, least, _ in grammar.filters if not least])),
    ):
        parts = form.split(place)
        form = parts[0] + "".join(draw(strategy).replace("{", "{{").replace("}", "}}") + part for part in parts[1:])
    return form.replace("{{", "{").replace("}}", "}")


_PIECES = ["{{", "}}", "{%", "%}", "(", "'", '"#{', "|", "\\", "\x00", "--", "[", "9" * 30, ".", "~"]


@st.composite
def mutated(draw: st.DrawFn, bodies: st.SearchStrategy[str]) -> str:
    """A template with pieces taken out, put in, doubled, or multiplied."""
    text = draw(bodies)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 20)))
        match draw(st.integers(0, 3)):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:start] + draw(st.sampled_from(_PIECES)) + text[start:]
            case 2:
                text = text[:end] + text[start:]
            case _:
                text = text[:start] + text[start:end] * draw(st.sampled_from([10, 100, 1000])) + text[end:]
    return text
