"""`isPublicHoliday()`: whether a day is a public holiday somewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from engine.dialect.suggest import nearest
from engine.errors import ExpressionError


def is_public_holiday(day: date, country: Any = None, sub_division: Any = None) -> bool:
    """Whether the law gives everybody in the country, or in that part of it, the day off.

    A country is its ISO code (`US`, `USA`), a part of it the second half of its ISO code (`CA`) or its name, in any
    case. Raises ExpressionError for one that is not known.
    """
    if not isinstance(country, str) or not (isinstance(sub_division, str) or sub_division is None):
        raise ExpressionError(
            "`isPublicHoliday` needs a country, as text",
            code="unknown-country",
            hint="Write `isPublicHoliday(date, 'US')`, or `isPublicHoliday(date, 'US', 'CA')` for a part of it.",
        )
    return day in _holidays(country, sub_division or None, day.year)


@lru_cache(maxsize=256)
def _holidays(country: str, sub_division: str | None, year: int) -> frozenset[date]:
    from holidays import country_holidays, list_supported_countries
    from holidays.registry import COUNTRIES

    codes = {code: code for code in list_supported_countries()}
    names = {name: code for name, code, *_ in COUNTRIES.values()}
    code = _known("no country", country, codes, {**codes, **names}, "Write its ISO code: `US`, `DE`.")
    whole = country_holidays(code, years=year)
    if sub_division is None:
        return frozenset(whole)
    parts = {part: part for part in whole.subdivisions} | dict(getattr(whole, "subdivisions_aliases", {}))
    listed = ", ".join(sorted(set(parts.values()))) or "none"
    part = _known(f"in {code} no part", sub_division, parts, parts, f"It knows {listed}.")
    return frozenset(country_holidays(code, subdiv=part, years=year))


def _known(what: str, written: str, known: Mapping[str, str], similar: Mapping[str, str], otherwise: str) -> str:
    """The code of what is meant. `similar` are the names that it may be a slip of."""
    for name, code in known.items():
        if name.casefold() == written.casefold():
            return code
    near = nearest(written, similar)
    raise ExpressionError(
        f"`isPublicHoliday` knows {what} `{written}`,",
        code="unknown-country",
        hint=f"Did you mean `{similar[near]}`?" if near else otherwise,
    )
