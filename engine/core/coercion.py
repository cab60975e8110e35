"""A submitted value -> the value that an input of its type has.

Text is accepted wherever it can be read as the type, because a command line knows nothing else. Every function
raises ValueError with the reason, worded to follow "Invalid input for `x`, ". Results are plain JSON values; a secret
is still open here, and a file is the URI of one that is stored.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from engine.errors import ExpressionError
from engine.expressions.regex import compiled
from engine.model.duration import format_duration, parse_duration
from engine.model.inputs import (
    ArrayInput,
    DurationInput,
    FileInput,
    FloatInput,
    Input,
    IntInput,
    JsonInput,
    MomentInput,
    MultiselectInput,
    SecretInput,
    SelectInput,
    StringInput,
)
from engine.model.sealed import ciphertext_of

#: Where a file may be that needs no upload.
FILE_SCHEMES = ("kestra", "nsfile", "file")
_INT64 = 2**63
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


def coerce(declared: Input, value: Any, choices: Sequence[str] | None = None) -> Any:
    """The value of a declared input. `choices` are the allowed values of a SELECT or MULTISELECT."""
    if isinstance(declared, (ArrayInput, MultiselectInput)):
        value = [_COERCIONS[declared.item_type](item) for item in _items(value)]
    else:
        value = _COERCIONS[declared.type](value)
    _check_options(declared, value, choices)
    return value


def coerce_to(type_: str, value: Any) -> Any:
    """A value as a type alone says, without the options of an input."""
    return _COERCIONS[type_](value)


def _check_options(declared: Input, value: Any, choices: Sequence[str] | None) -> None:
    match declared:
        case StringInput(validator=str(pattern)) | SecretInput(validator=str(pattern)):
            if ciphertext_of(value) is None and not matches(pattern, value):
                raise ValueError(f"it must match the pattern `{pattern}`")
        case FileInput():
            check_file_name(declared, value)
        case JsonInput() if declared.json_schema is not None:
            _check_schema(declared.json_schema, value)
        case IntInput() | FloatInput():
            _check_bounds(value, declared.min, declared.max)
        case DurationInput():
            low, high = (bound and parse_duration(bound) for bound in (declared.min, declared.max))
            _check_bounds(parse_duration(value), low or None, high or None, format_duration)
        case MomentInput():
            _check_moment(declared, value)
        case SelectInput() | MultiselectInput() if choices is not None and not declared.allow_custom_value:
            if declared.required:
                _check_choice(declared, value, choices)


def _check_choice(declared: SelectInput | MultiselectInput, value: Any, choices: Sequence[str]) -> None:
    if isinstance(declared, MultiselectInput):
        item = _COERCIONS[declared.item_type]
        allowed = [item(choice) for choice in choices]  # `1` and `1.0` are one FLOAT
        accepted = all(each in allowed for each in value)
    else:
        accepted = value in choices
    if not accepted:
        raise ValueError(f"it must be one of {', '.join(choices)}" if choices else "there is nothing to choose from")


def check_file_name(declared: FileInput, name: str) -> None:
    """Raises ValueError when the input accepts no file of this name, or at this URI."""
    if not declared.accepts(name):
        endings = ", ".join(declared.allowed_file_extensions or ())
        raise ValueError(f"it must be a file whose name ends in {endings}")


def _check_schema(schema: Any, value: Any) -> None:
    from engine.dialect.json_schema import violations_of

    found = violations_of(schema, value)
    if found:
        raise ValueError(f"it must fulfil its `jsonSchema` ({'; '.join(found)})")


def _check_bounds(value: Any, low: Any, high: Any, show: Callable[[Any], str] = str) -> None:
    if low is not None and value < low:
        raise ValueError(f"it must be at least {show(low)}")
    if high is not None and value > high:
        raise ValueError(f"it must be at most {show(high)}")


def _check_moment(declared: MomentInput, value: str) -> None:
    def moment(text: str) -> Any:
        canonical = _COERCIONS[declared.type](text)
        # The text of an instant does not sort like the instant: a fraction of a second is optional.
        return datetime.fromisoformat(canonical) if declared.type == "DATETIME" else canonical

    if declared.after is not None and moment(value) < moment(declared.after):
        raise ValueError(f"it must be after {declared.after}")
    if declared.before is not None and moment(value) > moment(declared.before):
        raise ValueError(f"it must be before {declared.before}")


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches. The engine of RE2 knows no catastrophic pattern. Raises ValueError."""
    try:
        return compiled(pattern).fullmatch(text) is not None
    except ExpressionError as error:
        raise ValueError(f"its pattern `{pattern}` is not one that RE2 knows ({error.message})") from None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    raise ValueError("it must be text")


def _int(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,20}", value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("it must be a whole number")
    if not -_INT64 <= value < _INT64:
        raise ValueError("it must fit into 64 bits")
    return value


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("it must be a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError("it must be a number") from None
    if not math.isfinite(number):
        raise ValueError("it must be a finite number")
    return number


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise ValueError("it must be true or false")


def _instant(value: Any) -> str:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value).strip())
    except ValueError:
        raise ValueError("it must be an instant such as 2024-12-31T23:59:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("it must say its time zone, as in 2024-12-31T23:59:00Z")
    try:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise ValueError("it must be an instant between the years 1 and 9999 in UTC") from None


def _date(value: Any) -> str:
    text = value.isoformat() if isinstance(value, date) else _text(value).strip()
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError(text)
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("it must be a date such as 2024-12-31") from None


def _time(value: Any) -> str:
    text = value.isoformat() if isinstance(value, time) else _text(value).strip()
    try:
        if ":" not in text:
            raise ValueError(text)
        moment = time.fromisoformat(text)
    except ValueError:
        raise ValueError("it must be a time such as 23:59 or 23:59:30") from None
    if moment.tzinfo is not None:
        raise ValueError("it must be a time without a time zone")
    whole_minute = moment.second == 0 and moment.microsecond == 0
    return moment.isoformat("minutes" if whole_minute else "auto")


def _duration(value: Any) -> str:
    return format_duration(value if isinstance(value, timedelta) else parse_duration(_text(value)))


def _json(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value, parse_constant=_not_json)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"it must be JSON ({error})") from None
    return _plain(value)


def _yaml(value: Any) -> Any:
    if not isinstance(value, str):
        return _plain(value)
    from engine.dialect.document import read
    from engine.dialect.source import decode
    from engine.errors import FlowInvalid

    try:
        document = read(decode(value, "input"))
    except FlowInvalid as error:
        raise ValueError(f"it must be YAML ({error.message})") from None
    if document.problems:
        raise ValueError(f"it must be YAML ({document.problems[0].message})")
    return document.data


def _uri(value: Any) -> str:
    text = _text(value)
    if not _URI.fullmatch(text):
        raise ValueError("it must be a URI such as https://example.com/data.csv")
    return text


def _email(value: Any) -> str:
    text = _text(value)
    if text and not _EMAIL.fullmatch(text):
        raise ValueError("it must be an e-mail address")
    return text


def _file(value: Any) -> str:
    if not isinstance(value, str) or not is_file_uri(value):
        raise ValueError(
            f"it must be the URI of a stored file ({', '.join(f'{scheme}://' for scheme in FILE_SCHEMES)})"
        )
    return value


def is_file_uri(text: str) -> bool:
    """Whether this names a file that is stored already, rather than one to upload."""
    return text.partition("://")[0] in FILE_SCHEMES and "://" in text


def _secret(value: Any) -> Any:
    """Text; or, from an earlier execution, one that is sealed."""
    return value if ciphertext_of(value) is not None else _text(value)


def _list(value: Any) -> list[Any]:
    return [_plain(item) for item in _items(value)]


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        value = _json(value)
    if not isinstance(value, (list, tuple)):
        raise ValueError("it must be a list")
    return list(value)


def _plain(value: Any) -> Any:
    """The value as the store will give it back."""
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_as_map))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"it must be a JSON value ({error})") from None


def _as_map(value: Any) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_COERCIONS: Mapping[str, Callable[[Any], Any]] = {
    "STRING": _text,
    "SELECT": _text,
    "ENUM": _text,
    "INT": _int,
    "FLOAT": _float,
    "BOOLEAN": _bool,
    "BOOL": _bool,
    "DATETIME": _instant,
    "DATE": _date,
    "TIME": _time,
    "DURATION": _duration,
    "JSON": _json,
    "YAML": _yaml,
    "URI": _uri,
    "EMAIL": _email,
    "SECRET": _secret,
    "FILE": _file,
    "ARRAY": _list,
    "MULTISELECT": _list,
}
