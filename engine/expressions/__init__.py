"""The `{{ }}` language of flows: Pebble as Kestra extends it, on Jinja2's tree and code generator.

A flow may ask for plain Jinja2 instead: `language(flow.expressions)` has what is done in either.

Pure: no clock, no randomness, no environment and no I/O but what `Functions` offers. Every failure is an
ExpressionError that says where. A context is any Mapping, asked with `in` and `[]` only.
"""

from engine.errors import ExpressionError
from engine.expressions.analysis import Reference, is_pure, references
from engine.expressions.functions import Functions
from engine.expressions.language import KESTRA, Language, language
from engine.expressions.program import check_syntax, evaluate, is_template, keep_compiled, render, truthy

__all__ = [
    "KESTRA",
    "ExpressionError",
    "Functions",
    "Language",
    "Reference",
    "check_syntax",
    "evaluate",
    "is_pure",
    "is_template",
    "keep_compiled",
    "language",
    "references",
    "render",
    "truthy",
]
