"""Filters on text."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from engine.errors import ExpressionError
from engine.expressions.entry import declare
from engine.expressions.faults import limit
from engine.expressions.limits import MAX_TEXT
from engine.expressions.regex import compiled, substitute
from engine.expressions.regex import split as split_text
from engine.expressions.values import bounded_join, java_text, kind, replaced


def as_text(value: Any) -> str | None:
    """The text of a value; null stays null, as every text filter gives it back."""
    return None if value is None else java_text(value)


def integer(value: Any, what: str) -> int:
    """An argument that must be an integer; text that spells one will do."""
    if isinstance(value, str) and value.strip().lstrip("+-").isdecimal() and len(value) < 20:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ExpressionError(f"`{what}` must be an integer, and is {kind(value)},", code="expression-type")
    return value


@declare("filter", "upper", "Upper case.", "{{ 'Ada' | upper }}", "ADA")
def upper(value: Any) -> Any:
    return value if value is None else java_text(value).upper()


@declare("filter", "lower", "Lower case.", "{{ 'Ada' | lower }}", "ada")
def lower(value: Any) -> Any:
    return value if value is None else java_text(value).lower()


@declare("filter", "trim", "Without white space at both ends.", "{{ '  Ada ' | trim }}", "Ada")
def trim(value: Any) -> Any:
    return value if value is None else java_text(value).strip()


@declare("filter", "string", "As text.", "{{ (5 | string) + 1 }}", "51")
def string(value: Any) -> Any:
    return as_text(value)


@declare(
    "filter",
    "title",
    "The first letter of every word in upper case, the others untouched.",
    "{{ 'ada lovelace' | title }}",
    "Ada Lovelace",
)
def title(value: Any) -> Any:
    text = as_text(value)
    if not text:
        return text
    pairs = zip(" " + text, text, strict=False)
    return "".join(char.upper() if before.isspace() else char for before, char in pairs)


@declare(
    "filter",
    "capitalize",
    "The first letter in upper case, the others untouched.",
    "{{ 'ada lovelace' | capitalize }}",
    "Ada lovelace",
)
def capitalize(value: Any) -> Any:
    text = as_text(value)
    return text[:1].upper() + text[1:] if text else text


@declare(
    "filter",
    "abbreviate",
    "Cut to at most `length` characters, three dots included.",
    "{{ 'Ada Lovelace' | abbreviate(8) }}",
    "Ada L...",
)
def abbreviate(value: Any, length: Any) -> Any:
    text, size = as_text(value), integer(length, "length")
    if text is None or len(text) <= size:
        return text
    return text[: max(size - 3, 0)] + "..." if size > 3 else text[: max(size, 0)]


@declare(
    "filter",
    "replace",
    "Replace the keys of a map by its values; as regular expressions if `regexp`.",
    "{{ 'a-b' | replace({'-': '+'}) }}",
    "a+b",
)
def replace(value: Any, replace_pairs: Any, regexp: Any = False) -> Any:
    text = as_text(value)
    if text is None:
        return None
    if not isinstance(replace_pairs, Mapping):
        raise ExpressionError(
            f"`replace` needs a map, and this is {kind(replace_pairs)},",
            code="expression-type",
            hint="Write `replace({'old': 'new'})`.",
        )
    for old, new in replace_pairs.items():
        old, new = java_text(old), "" if new is None else java_text(new)
        text = substitute(old, new, text) if regexp is True else replaced(text, old, new)
    return text


@declare(
    "filter",
    "split",
    "Split at a regular expression, into at most `limit` pieces.",
    "{{ 'a,b,c' | split(',') }}",
    '["a","b","c"]',
)
def split(value: Any, delimiter: Any, limit: Any = None) -> Any:
    text = as_text(value)
    if text is None:
        return None
    return split_text(java_text(delimiter), text, 0 if limit is None else integer(limit, "limit"))


@declare("filter", "startsWith", "Whether the text starts with another.", "{{ 'Ada' | startsWith('A') }}", "true")
def starts_with(value: Any, value_: Any) -> bool:
    return _present("startsWith", value).startswith(java_text(value_))


@declare("filter", "endsWith", "Whether the text ends with another.", "{{ 'Ada' | endsWith('A') }}", "false")
def ends_with(value: Any, value_: Any) -> bool:
    return _present("endsWith", value).endswith(java_text(value_))


def _present(name: str, value: Any) -> str:
    if value is None:
        raise ExpressionError(f"`{name}` of null,", code="expression-type", hint="Give a default: `?? ''`.")
    return java_text(value)


@declare(
    "filter", "substringBefore", "What stands before the first separator.", "{{ 'a.b.c' | substringBefore('.') }}", "a"
)
def substring_before(value: Any, separator: Any) -> Any:
    text = as_text(value)
    return text and text.partition(_separator(separator))[0]


@declare(
    "filter",
    "substringBeforeLast",
    "What stands before the last separator.",
    "{{ 'a.b.c' | substringBeforeLast('.') }}",
    "a.b",
)
def substring_before_last(value: Any, separator: Any) -> Any:
    text = as_text(value)
    if not text:
        return text
    head, found, _ = text.rpartition(_separator(separator))
    return head if found else text


@declare(
    "filter", "substringAfter", "What stands after the first separator.", "{{ 'a.b.c' | substringAfter('.') }}", "b.c"
)
def substring_after(value: Any, separator: Any) -> Any:
    text = as_text(value)
    return text and text.partition(_separator(separator))[2]


@declare(
    "filter",
    "substringAfterLast",
    "What stands after the last separator.",
    "{{ 'a.b.c' | substringAfterLast('.') }}",
    "c",
)
def substring_after_last(value: Any, separator: Any) -> Any:
    text = as_text(value)
    if not text:
        return text
    _, found, tail = text.rpartition(_separator(separator))
    return tail if found else ""


def _separator(separator: Any) -> str:
    text = java_text(separator)
    if not text:
        raise ExpressionError("The separator is empty", code="expression-type")
    return text


@declare(
    "filter",
    "slugify",
    "As part of a URL: lower case, letters, digits and dashes.",
    "{{ 'Crème brûlée!' | slugify }}",
    "creme-brulee",
)
def slugify(value: Any) -> Any:
    text = as_text(value)
    if text is None:
        return None
    plain = unicodedata.normalize("NFD", text).encode("ascii", "ignore").decode()
    words = "".join(char if char.isalnum() or char == "_" else " " for char in plain).split()
    return "-".join(words).lower()


@declare("filter", "indent", "Indent every line but the first.", "{{ 'a\nb' | indent(2) }}", "a\n  b")
def indent(value: Any, amount: Any, prefix: Any = " ") -> Any:
    text = as_text(value)
    return text and _indented(text, amount, prefix)


@declare("filter", "nindent", "A new line, then every line indented.", "{{ 'a\nb' | nindent(2) }}", "\n  a\n  b")
def nindent(value: Any, amount: Any, prefix: Any = " ") -> Any:
    text = as_text(value)
    return text and _indented(_line_end(text) + text, amount, prefix)


def _line_end(text: str) -> str:
    return next((end for end in ("\r\n", "\n", "\r") if end in text), "\n")


def _indented(text: str, amount: Any, prefix: Any) -> str:
    count, unit = max(integer(amount, "amount"), 0), java_text(prefix)
    if count * len(unit) > MAX_TEXT:
        raise limit(f"Text longer than {MAX_TEXT} characters")
    end = _line_end(text)
    return bounded_join(end + unit * count, text.split(end))


@declare("filter", "urlencode", "For the query part of a URL.", "{{ 'a b&c' | urlencode }}", "a+b%26c")
def urlencode(value: Any) -> Any:
    text = as_text(value)
    return None if text is None else quote_plus(text, safe="*").replace("~", "%7E")


@declare("filter", "urldecode", "The reverse of `urlencode`.", "{{ 'a+b%26c' | urldecode }}", "a b&c")
def urldecode(value: Any) -> Any:
    text = as_text(value)
    return None if text is None else unquote_plus(text)


@declare(
    "filter",
    "escapeChar",
    "Escape quotes for `single` or `double` quotes or for a `shell` word.",
    "{{ \"it's\" | escapeChar('single') }}",
    "it\\'s",
)
def escape_char(value: Any, type_: Any) -> Any:
    text = as_text(value)
    if text is None:
        return None
    match java_text(type_):
        case "single":
            return text.replace("'", "\\'")
        case "double":
            return text.replace('"', '\\"')
        case "shell":
            return "'" + text.replace("'", "'\\''") + "'"
    raise ExpressionError("`escapeChar` knows the types single, double and shell", code="expression-type")


@declare(
    "filter",
    "regexMatch",
    "Whether a regular expression matches anywhere in the text.",
    "{{ 'Ada 1815' | regexMatch('[0-9]+') }}",
    "true",
)
def regex_match(value: Any, regex: Any) -> bool:
    return value is not None and compiled(java_text(regex)).search(java_text(value)) is not None


@declare(
    "filter",
    "regexReplace",
    "Replace all matches; `$1` is a group.",
    "{{ 'Ada 1815' | regexReplace('([0-9])', '<$1>') }}",
    "Ada <1><8><1><5>",
)
def regex_replace(value: Any, regex: Any, replacement: Any) -> Any:
    text = as_text(value)
    return None if text is None else substitute(java_text(regex), java_text(replacement), text)


@declare(
    "filter",
    "regexExtract",
    "A group of the first match (0: all of it); null without a match.",
    "{{ 'Ada 1815' | regexExtract('[0-9]+') }}",
    "1815",
)
def regex_extract(value: Any, regex: Any, group: Any = 0) -> Any:
    found = None if value is None else compiled(java_text(regex)).search(java_text(value))
    return None if found is None else found.group(integer(group, "group"))
