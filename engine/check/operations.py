"""What operators, filters and functions take and give, where that is certain.

The rules are those of `engine.expressions.operators` and `engine.expressions.library`, told of types instead of
values. Only what fails, or never holds, for every value of the types is a problem.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.check.types import (
    ANY,
    BOOL,
    FLOAT,
    INT,
    LIST,
    NULL,
    TEXT,
    ListOf,
    MapOf,
    Record,
    Text,
    Type,
    Union,
    element,
    kinds,
    shown,
    union,
)
from engine.dialect.suggest import nearest
from engine.model.diagnostic import Severity

_NUMBERS = frozenset({"int", "float"})
_NUMBER = union((INT, FLOAT))
_ORDERED = _NUMBERS | {"moment"}
#: Kinds that may be equal to each other.
_EQUALS = (_NUMBERS, *(frozenset({kind}) for kind in ("text", "bool", "list", "map", "moment")))

_ACCEPTED: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("join", "sort", "rsort", "reverse", "flatten", "chunk", "distinct"), frozenset({"list"})),
    **dict.fromkeys(("first", "last"), frozenset({"list", "text", "map"})),
    **dict.fromkeys(("abs", "numberFormat"), _NUMBERS),
    "slice": frozenset({"list", "text"}),
    "keys": frozenset({"map", "list"}),
    "values": frozenset({"map"}),
    "merge": frozenset({"list", "map"}),
}
_GIVEN: Mapping[str, Type] = {
    **dict.fromkeys(
        (
            "upper", "lower", "trim", "title", "capitalize", "abbreviate", "replace", "substringBefore", "string",
            "substringAfter", "substringBeforeLast", "substringAfterLast", "slugify", "indent", "nindent", "urlencode",
            "urldecode", "md5", "sha1", "sha256", "sha512", "base64encode", "base64decode", "toJson", "json", "yaml",
            "escapeChar", "date", "numberFormat", "join", "regexReplace", "className", "toIon",
        ),
        TEXT,
    ),
    **dict.fromkeys(("startsWith", "endsWith", "regexMatch"), BOOL),
    **dict.fromkeys(("flatten", "chunk", "keys", "values", "jq"), LIST),
    "length": INT,
    "number": _NUMBER,
    "split": ListOf(TEXT),
    "fn:secret": TEXT, "fn:uuid": TEXT, "fn:id": TEXT, "fn:ksuid": TEXT, "fn:nanoId": TEXT, "fn:printContext": TEXT,
    "fn:randomInt": INT, "fn:max": _NUMBER, "fn:min": _NUMBER, "fn:range": LIST,
}  # fmt: skip
#: Filters that make something of null; all others give it back.
_NEVER_NULL = ("length", "toJson", "json", "yaml", "startsWith", "endsWith", "regexMatch")
_HINTS = {"text": "turn text into a number with `| number`", "list": "take one of its elements, or `| join(', ')`"}


class Problem(NamedTuple):
    """What is wrong with an operation. `instead` is what its last operand should have been."""

    code: str
    message: str
    severity: Severity = Severity.ERROR
    hint: str | None = None
    instead: str | None = None


Result = tuple[Type, Problem | None]


def filtered(name: str, value: Type) -> Result:
    """A filter without regard to its arguments."""
    found, accepted = kinds(value), _ACCEPTED.get(name)
    if accepted is not None and found and not found & accepted and not may_be_null(value):
        message = f"`{name}` needs {shown(accepted)}, and this is {shown(found)}"
        return ANY, Problem("wrong-operand", message)
    if name in ("first", "last"):
        return _end(name, value, found), None
    if name in ("sort", "rsort", "reverse", "distinct", "slice"):
        kept: Type = ListOf(element(value)) if found == {"list"} else TEXT if found == {"text"} else ANY
        return (union((kept, NULL)) if may_be_null(value) else kept), None
    given = _GIVEN.get(name, ANY)
    return (given if name in _NEVER_NULL or (found and not may_be_null(value)) else union((given, NULL))), None


def called(name: str, arguments: Sequence[Type]) -> Type:
    """A function."""
    if name == "fn:currentEachOutput" and arguments:
        found = arguments[0]
        while isinstance(found, MapOf) and found.task:
            found = found.value
        return found
    if name in ("fn:render", "fn:renderOnce"):
        return TEXT if arguments and kinds(arguments[0]) == {"text"} else ANY
    return _GIVEN.get(name, ANY)


def tested(name: str, value: Type) -> Result:
    """A test: what follows `is`."""
    found = kinds(value)
    if name in ("is:even", "is:odd") and found and "int" not in found:
        return BOOL, Problem("wrong-operand", f"`{name[3:]}` needs a whole number, and this is {shown(found)}")
    return BOOL, None


def operated(symbol: str, left: Type, right: Type | None) -> Result:
    """An operator; `right` is None for one with a single operand."""
    if right is None:
        return _single(symbol, left)
    match symbol:
        case "==" | "!=":
            return BOOL, _comparison(symbol, left, right)
        case "<" | ">" | "<=" | ">=":
            return BOOL, _ordering(symbol, left, right)
        case "contains" | "isIn":
            return BOOL, _containing(symbol, left if symbol == "contains" else right)
        case "+" | "-" | "*" | "/" | "%":
            return _arithmetic(symbol, left, right)
        case "~":
            return TEXT, None
        case "..":
            return LIST, None
    return ANY, None


def _single(symbol: str, value: Type) -> Result:
    found = kinds(value)
    if symbol in ("condition", "ternary"):
        unfit = found and found <= {"list", "map", "moment"} and not (symbol == "ternary" and may_be_null(value))
        hint = "compare it, or test it: `is empty`, `is defined`, `| length > 0`"
        return BOOL, Problem("wrong-operand", f"{shown(found)} cannot be a condition", hint=hint) if unfit else None
    if found and not found & _NUMBERS:
        return ANY, Problem("wrong-operand", f"a sign needs a number, and this is {shown(found)}")
    return (value if found <= _NUMBERS and found else ANY), None


def _arithmetic(symbol: str, left: Type, right: Type) -> Result:
    first, second = kinds(left), kinds(right)
    if symbol == "+" and ("text" in first | second or "list" in first or not (first and second)):
        return (TEXT if first == {"text"} or second == {"text"} else LIST if first == {"list"} else ANY), None
    if symbol == "-" and "list" in first:
        return LIST if first == {"list"} else ANY, None
    for found in (first, second):
        if found and not found & _NUMBERS and (found is first or first):
            hint = _HINTS.get(next(iter(found)))
            return ANY, Problem("wrong-operand", f"`{symbol}` needs numbers, and this is {shown(found)}", hint=hint)
    if symbol == "-" and not first:
        return ANY, None  # it may be a list, without some of its elements
    return (INT if first == second == {"int"} else _NUMBER), None


def _ordering(symbol: str, left: Type, right: Type) -> Problem | None:
    first, second = kinds(left), kinds(right)
    certain = first and second and not may_be_null(left) and not may_be_null(right)
    if not certain or (first & _NUMBERS and second & _NUMBERS) or (first & second & _ORDERED):
        return None
    message = f"`{symbol}` cannot compare {shown(first)} and {shown(second)}"
    return Problem("wrong-operand", message, hint=_HINTS["text"] if "text" in first | second else None)


def _containing(symbol: str, holder: Type) -> Problem | None:
    found = kinds(holder)
    if not found or found & {"list", "map", "text"} or may_be_null(holder):
        return None
    side = "left" if symbol == "contains" else "right"
    return Problem("wrong-operand", f"`{symbol}` needs a list, a map or a text on its {side}, not {shown(found)}")


def _comparison(symbol: str, left: Type, right: Type) -> Problem | None:
    first, second = kinds(left), kinds(right)
    if not first or not second or (may_be_null(left) and may_be_null(right)):
        return None
    outcome = "always false" if symbol == "==" else "always true"
    if not any(first & group and second & group for group in _EQUALS):
        message = f"this is {outcome}: {shown(first)} is never equal to {shown(second)}"
        return Problem("constant-comparison", message, Severity.WARNING)
    ours, theirs = _choices(left), _choices(right)
    if not ours or not theirs or set(ours) & set(theirs):
        return None
    literal, known = (theirs, ours) if len(theirs) == 1 else (ours, theirs)
    if len(literal) != 1:
        return None
    close = nearest(literal[0], known)
    listed = ", ".join(known[:12])
    return Problem(
        "constant-comparison",
        f'this is {outcome}: "{literal[0]}" is never a value of the other side',
        Severity.WARNING,
        f'did you mean "{close}"?' if close else f"it is one of {listed}",
        close,
    )


def _choices(type_: Type) -> tuple[str, ...]:
    """All texts that it can be; none when they are not known, or it may be something else."""
    members = type_.members if isinstance(type_, Union) else (type_,)
    texts = [member for member in members if member != NULL]
    if not all(isinstance(member, Text) and member.choices for member in texts):
        return ()
    return tuple(choice for member in texts if isinstance(member, Text) for choice in member.choices or ())


def _end(name: str, value: Type, found: frozenset[str]) -> Type:
    if isinstance(value, ListOf) and value.items:
        return value.items[0 if name == "first" else -1]
    if found == {"list"}:
        return union((element(value), NULL))
    return TEXT if found == {"text"} and not may_be_null(value) else ANY


def may_be_null(type_: Type) -> bool:
    """Whether null is among what it is known to be."""
    return NULL in type_.members if isinstance(type_, Union) else type_ == NULL


def untrusted(type_: Type) -> bool:
    """Whether it may hold text that nobody has listed."""
    found = kinds(type_)
    if isinstance(type_, Record):
        return True
    return not found or (bool(found & {"text", "list", "map"}) and not _choices(type_))
