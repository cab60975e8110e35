"""Filters and functions that write and read JSON, YAML, numbers, base64 and hashes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.errors import ExpressionError
from engine.expressions.entry import declare
from engine.expressions.library.text import as_text
from engine.expressions.values import java_text, json_text, kind


@declare("filter", "toJson", "As JSON text.", "{{ {'a': [1, true]} | toJson }}", '{"a":[1,true]}')
def to_json(value: Any) -> str:
    return json_text(value)


@declare("filter", "json", "The older name of `toJson`.", "{{ 'a' | json }}", '"a"')
def json_filter(value: Any) -> str:
    return json_text(value)


@declare("function", "fromJson", "The value of a JSON text.", "{{ fromJson('[1, 2]')[1] }}", "2")
def from_json(json: Any) -> Any:
    return _parsed_json(json)


@declare("function", "json", "The older name of `fromJson`.", "{{ json('{\"a\": 1}').a }}", "1")
def json_function(json: Any) -> Any:
    return _parsed_json(json)


def _parsed_json(text: Any) -> Any:
    if text is None:
        return None
    if not isinstance(text, str):
        raise ExpressionError(
            f"`fromJson` needs a text, and this is {kind(text)},",
            code="expression-type",
            hint="It may be a value already: use it as it is.",
        )
    try:
        return json.loads(text)
    except ValueError as error:
        raise ExpressionError(f"Unable to read JSON ({error})", code="invalid-json") from None


@declare("function", "yaml", "The value of a YAML text.", "{{ yaml('a: [1, 2]').a[1] }}", "2")
def from_yaml(yaml: Any) -> Any:
    import yaml as pyyaml

    if yaml is None:
        return None
    try:
        return pyyaml.load(java_text(yaml), getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader))  # noqa: S506
    except pyyaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ExpressionError(f"Unable to read YAML ({reason[:200]})", code="invalid-yaml") from None


@declare("filter", "yaml", "As YAML text.", "{{ {'a': [1]} | yaml }}", "a:\n  - 1\n")
def to_yaml(value: Any) -> str:
    import yaml

    class Indented(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(json.loads(json_text(value)), Dumper=Indented, sort_keys=False, allow_unicode=True, width=10_000)


@declare("filter", "base64encode", "In base64.", "{{ 'Ada' | base64encode }}", "QWRh")
def base64encode(value: Any) -> Any:
    text = as_text(value)
    return None if text is None else base64.b64encode(text.encode()).decode()


@declare("filter", "base64decode", "From base64.", "{{ 'QWRh' | base64decode }}", "Ada")
def base64decode(value: Any) -> Any:
    text = as_text(value)
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise ExpressionError(f"Unable to read base64 ({error})", code="invalid-base64") from None


def _hash(name: str, example: str) -> None:
    @declare(
        "filter", name, f"The {name.upper()} hash, in hexadecimal.", f"{{{{ 'Ada' | {name} | slice(0, 8) }}}}", example
    )
    def digest(value: Any) -> Any:
        text = as_text(value)
        return None if text is None else hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


for _name, _example in (("md5", "1a382809"), ("sha1", "5c3cb098"), ("sha256", "99a563ab"), ("sha512", "1985df95")):
    _hash(_name, _example)


_NUMBERS = ("INT", "LONG", "BIGINTEGER", "FLOAT", "DOUBLE", "BIGDECIMAL")


@declare(
    "filter",
    "number",
    f"A text as a number. `type` is one of {', '.join(_NUMBERS)}.",
    "{{ ('41' | number) + 1 }}",
    "42",
)
def number(value: Any, type_: Any = None) -> Any:
    text = as_text(value)
    if text is None:
        return None
    if type_ is not None and type_ not in _NUMBERS:
        raise ExpressionError(f"`number` knows the types {', '.join(_NUMBERS)}", code="expression-type")
    try:
        exact = Decimal(text.strip())
    except InvalidOperation:
        raise ExpressionError(f"Unable to read `{text[:100]}` as a number", code="invalid-number") from None
    if type_ == "BIGDECIMAL":
        return exact
    whole = exact == exact.to_integral_value() if exact.is_finite() and exact.adjusted() < 400 else False
    if type_ in ("INT", "LONG", "BIGINTEGER") and not whole:
        raise ExpressionError(f"`{text[:100]}` is not an integer,", code="invalid-number")
    if type_ in ("INT", "LONG", "BIGINTEGER") or (type_ is None and text.strip().lstrip("+-").isdecimal()):
        return int(exact)
    return float(exact)
