"""The `jsonSchema` of an input: JSON Schema 2020-12, judged by a library.

Always true: nothing is fetched, so a schema can refer to its own parts only; patterns are RE2's, as everywhere in a
flow; what is wrong is told in bounded text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.errors import ExpressionError

_TOLD = 5
_SHOWN = 160


def problem_of(schema: Any) -> str | None:
    """Why this is no schema; None if it is one."""
    from jsonschema import SchemaError
    from jsonschema.validators import Draft202012Validator

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"{_place(error.absolute_path)}: {_short(error.message)}"
    except RecursionError:
        return "it is too deep"
    return None


def violations_of(schema: Any, value: Any) -> list[str]:
    """What of the value breaks the schema, each with its place, the first few of them. Raises ValueError."""
    from jsonschema.validators import Draft202012Validator, extend
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    checker: Any = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"pattern": _pattern, "patternProperties": _pattern_properties}
    )
    found = []
    try:
        for error in checker(schema, registry=Registry()).iter_errors(value):
            found.append(f"{_place(error.absolute_path)}: {_short(error.message)}")
            if len(found) == _TOLD:
                break
    except Unresolvable as error:
        raise ValueError(f"its `jsonSchema` refers to what is not in it: {error}") from None
    except RecursionError:
        raise ValueError("it is too deep for its `jsonSchema`") from None
    except ExpressionError as error:
        raise ValueError(f"its `jsonSchema` has a pattern that RE2 does not know ({error.message})") from None
    return found


def _pattern(_: Any, pattern: str, text: Any, __: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    from engine.expressions.regex import compiled

    if isinstance(text, str) and compiled(pattern).search(text) is None:
        yield ValidationError(f"{text!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], value: Any, _: Any) -> Iterator[Any]:
    from engine.expressions.regex import compiled

    if not validator.is_type(value, "object"):
        return
    for pattern, schema in patterns.items():
        expression = compiled(pattern)
        for name, part in value.items():
            if expression.search(name) is not None:
                yield from validator.descend(part, schema, path=name, schema_path=pattern)


def _place(path: Any) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "$" + "".join(steps)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
