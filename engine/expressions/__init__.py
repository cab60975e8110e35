"""The `{{ }}` language of flows: Pebble as Kestra extends it, on Jinja2's tree and code generator.

Pure: no clock, no randomness, no environment and no I/O but what `Functions` offers. Every failure is an
ExpressionError that says where. A context is any Mapping, asked with `in` and `[]` only.
"""

from engine.errors import ExpressionError
from engine.expressions.analysis import Reference, is_pure, references
from engine.expressions.functions import Functions
from engine.expressions.program import check_syntax, evaluate, is_template, render, truthy

__all__ = [
    "ExpressionError",
    "Functions",
    "Reference",
    "check_syntax",
    "evaluate",
    "is_pure",
    "is_template",
    "references",
    "render",
    "truthy",
]
