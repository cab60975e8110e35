"""Filters on numbers, among them Java's number patterns."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from engine.errors import ExpressionError
from engine.expressions.entry import declare
from engine.expressions.values import is_number, java_text, kind

_PATTERN = re.compile(r"(?P<prefix>[^#0.,;]*)(?P<whole>[#0,]*)(?:\.(?P<fraction>0*#*))?(?P<suffix>[^#0.,;]*)(?:;.*)?")


@declare("filter", "abs", "Without its sign.", "{{ -7 | abs }}", "7")
def absolute(value: Any) -> Any:
    if value is None:
        return None
    if not is_number(value):
        raise ExpressionError(f"`abs` needs a number, and this is {kind(value)},", code="expression-type")
    return abs(value)


@declare("filter", "numberFormat", "A number by a Java pattern.", "{{ 1234.5 | numberFormat('#,##0.00') }}", "1,234.50")
def number_format(value: Any, format_: Any = "#,##0.###") -> Any:
    if value is None:
        return None
    if not is_number(value):
        raise ExpressionError(
            f"`numberFormat` needs a number, and this is {kind(value)},",
            code="expression-type",
            hint="Turn text into a number with `| number`.",
        )
    match = _PATTERN.fullmatch(java_text(format_))
    if match is None or len(match.group()) > 200:
        raise ExpressionError(
            f"`{java_text(format_)[:50]}` is no number pattern,", code="number-pattern", hint="Write it as `#,##0.00`."
        )
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return _written(number, match) if number.is_finite() else java_text(value)


def _written(number: Decimal, pattern: re.Match[str]) -> str:
    whole, fraction = pattern.group("whole"), pattern.group("fraction") or ""
    affixes = pattern.group("prefix") + pattern.group("suffix")
    number *= 100 if "%" in affixes else 1000 if "‰" in affixes else 1
    rounding = Context(prec=1000, rounding=ROUND_HALF_EVEN)
    text = f"{abs(number).quantize(Decimal(1).scaleb(-len(fraction)), context=rounding):f}"
    digits, _, decimals = text.partition(".")
    least = fraction.count("0")
    decimals = decimals[:least] + decimals[least:].rstrip("0")
    digits = digits.lstrip("0").rjust(whole.count("0"), "0")
    if "," in whole and (size := len(whole) - whole.rindex(",") - 1) > 0:
        digits = re.sub(rf"(?<=\d)(?=(?:\d{{{size}}})+$)", ",", digits)
    body = digits + (f".{decimals}" if decimals else "")
    sign = "-" if number < 0 and any(char in "123456789" for char in body) else ""
    prefix, suffix = (pattern.group(part).replace("'", "") for part in ("prefix", "suffix"))
    return f"{sign}{prefix}{body or '0'}{suffix}"
