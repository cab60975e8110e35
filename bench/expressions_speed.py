"""How fast expressions are beside stock Jinja2, both warm, in one run: `python bench/expressions_speed.py`.

Stock Jinja2 gets the same meaning in its own words and a plain dict. Below 1 the engine is faster.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable

from jinja2 import Environment, StrictUndefined

from engine.expressions import render

CONTEXT = {
    "flow": {"id": "hello", "namespace": "company.team"},
    "inputs": {"name": "Ada", "count": 3, "empty": ""},
    "outputs": {"first": {"value": "one", "rows": [{"id": 1}, {"id": 2}]}},
}

#: What it shows, the engine's template, Jinja2's.
CASES = [
    ("bare path", "{{ outputs.first.value }}", "{{ outputs.first.value }}"),
    ("path with an index", "{{ outputs.first.rows[1].id }}", "{{ outputs.first.rows[1].id }}"),
    ("text and paths", "Hi {{ inputs.name }} of {{ flow.id }}!", "Hi {{ inputs.name }} of {{ flow.id }}!"),
    ("ternary", "{{ inputs.count > 2 ? 'many' : 'few' }}", "{{ 'many' if inputs.count > 2 else 'few' }}"),
    ("default", "{{ inputs.empty | default('none') }}", "{{ inputs.empty | default('none', true) }}"),
    ("coalesce", "{{ inputs.missing ?? 'none' }}", "{{ inputs.missing | default('none') }}"),
    ("filter", "{{ inputs.name | upper }}", "{{ inputs.name | upper }}"),
]


def microseconds(call: Callable[[], object], rounds: int = 5, times: int = 5_000) -> float:
    """The best of several rounds: what the machine's neighbours add is not the code's doing."""
    return min(timeit.repeat(call, number=times, repeat=rounds)) / times * 1e6


def main() -> None:
    stock = Environment(undefined=StrictUndefined, autoescape=False)  # text, not HTML
    lenient = Environment(autoescape=False)
    print(f"{'':20} {'engine':>9} {'Jinja2':>9} {'ratio':>6}")
    for title, ours, theirs in CASES:
        compiled = (lenient if "missing" in theirs else stock).from_string(theirs)
        assert render(ours, CONTEXT) == compiled.render(CONTEXT), title
        mine = microseconds(lambda ours=ours: render(ours, CONTEXT))
        other = microseconds(lambda compiled=compiled: compiled.render(CONTEXT))
        print(f"{title:20} {mine:6.2f} us {other:6.2f} us {mine / other:6.2f}")


if __name__ == "__main__":
    main()
