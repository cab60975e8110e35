"""What a query looks for: `filters[field][OPERATION]=value`, or the plain parameters of older clients.

Always true: a field or an operation that a list does not know is refused, never passed over, so that nobody takes
everything for what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from starlette.requests import Request

from engine.api.answers import Refusal
from engine.errors import PenstockError
from engine.model.duration import parse_duration
from engine.model.search import Group, Match, Search, fits
from engine.model.search import Operation as Op
from engine.model.state import State
from engine.ports import FlowRecord

_TEXT = frozenset({Op.EQUALS, Op.NOT_EQUALS, Op.CONTAINS, Op.STARTS_WITH, Op.ENDS_WITH, Op.IN, Op.NOT_IN, Op.PREFIX})
_CHOICE = frozenset({Op.EQUALS, Op.NOT_EQUALS, Op.IN, Op.NOT_IN})
_ORDERED = frozenset({Op.GREATER_THAN, Op.LESS_THAN, Op.GREATER_THAN_OR_EQUAL_TO, Op.LESS_THAN_OR_EQUAL_TO})


class Field(Struct, frozen=True):
    """A field as a client names it: what it is called in the records, and what can be asked of it."""

    name: str
    operations: frozenset[Op]
    kind: str = "text"  #: or "state", "date", "labels"
    plain: Op = Op.EQUALS  #: what a plain parameter of this name means


NAMES = {
    "namespace": Field("namespace", _TEXT, plain=Op.PREFIX),
    "flowId": Field("flow_id", _TEXT),
}
DATES = {
    "startDate": Field("started_at", _ORDERED | {Op.EQUALS, Op.NOT_EQUALS}, "date", Op.GREATER_THAN_OR_EQUAL_TO),
    "endDate": Field("ended_at", _ORDERED | {Op.EQUALS, Op.NOT_EQUALS}, "date", Op.LESS_THAN_OR_EQUAL_TO),
    "timeRange": Field("started_at", frozenset({Op.EQUALS}), "range"),
}
EXECUTIONS = {
    **NAMES,
    **DATES,
    "state": Field("state", _CHOICE, "state"),
    "labels": Field("labels", frozenset({Op.EQUALS, Op.NOT_EQUALS}), "labels"),
}
_FLOWS = {"namespace": NAMES["namespace"], "flowId": Field("id", _TEXT), "q": Field("id", frozenset({Op.EQUALS}), "q")}
TRIGGERS = {
    **NAMES,
    "triggerId": Field("trigger_id", _TEXT - {Op.PREFIX}),
    "triggerState": Field("state", frozenset({Op.EQUALS, Op.NOT_EQUALS})),
    "q": Field("trigger_id", frozenset({Op.EQUALS}), "q"),
}
#: Those of Kestra, though no execution here is ever in some of them.
_STATES = frozenset(State) | {"SUBMITTED", "RESUBMITTED", "BREAKPOINT"}
#: Not what is looked for, but how it is shown.
_SHOWN = frozenset({"page", "size", "sort", "cursor"})
_STEP = re.compile(r"\[([^\[\]]*)\]")
_MAX_FILTERS = 200


def searched(request: Request, fields: Mapping[str, Field], now: datetime) -> Search:
    """What the query of a request looks for. Raises Refusal."""
    pairs = request.query_params.multi_items()
    written = [(name, value) for name, value in pairs if name.startswith("filters[")]
    if len(written) > _MAX_FILTERS:
        raise _unfit(f"there are more than {_MAX_FILTERS} filters")
    if written:
        tree: dict[str, Any] = {}
        for name, value in written:
            _plant(tree, name, value)
        return _group(tree, fields, now, any_=False)
    plain = [(name, value) for name, value in pairs if name not in _SHOWN and value]
    return _plain(plain, fields, now)


def flows_that_fit(request: Request, records: Sequence[FlowRecord]) -> list[FlowRecord]:
    """The flows that the query of a request looks for. Raises Refusal."""
    search = searched(request, _FLOWS, datetime.now(UTC))
    return [record for record in records if fits(search, record)]


def _plant(tree: dict[str, Any], name: str, value: str) -> None:
    """Put `filters[or][0][flowId][EQUALS]=a` where it belongs; a leaf is (field, operation, key of a label, value)."""
    steps = _STEP.findall(name)
    if name != "filters" + "".join(f"[{step}]" for step in steps):
        raise _unfit(f"{name} is not filters[FIELD][OPERATION]")
    depth = 0
    while depth + 1 < len(steps) and steps[depth] in ("and", "or"):
        tree = tree.setdefault(steps[depth], {}).setdefault(steps[depth + 1], {})
        depth += 2
    rest = steps[depth:]
    if depth > 4 or len(rest) not in (2, 3):
        raise _unfit(f"{name} is not filters[FIELD][OPERATION]")
    tree.setdefault("leaves", []).append((rest[0], rest[1], rest[2] if len(rest) == 3 else None, value))


def _group(tree: Mapping[str, Any], fields: Mapping[str, Field], now: datetime, *, any_: bool) -> Search:
    members: list[Search] = [
        _leaf(name, operation, key, value, fields, now) for name, operation, key, value in tree.get("leaves", ())
    ]
    for word in ("and", "or"):
        children = tree.get(word, {})
        if children:
            each = tuple(_group(child, fields, now, any_=False) for child in children.values())
            members.append(Group(each, any=word == "or"))
    return members[0] if len(members) == 1 else Group(tuple(members), any=any_)


def _leaf(name: str, operation: str, key: str | None, value: str, fields: Mapping[str, Field], now: datetime) -> Search:
    field = fields.get(name)
    if field is None:
        raise _unfit(f"nothing is filtered by {name!r} here; there are {', '.join(sorted(fields))}")
    if operation not in field.operations:
        raise _unfit(f"{name} cannot be asked for {operation!r}; there are {', '.join(sorted(field.operations))}")
    if (key is not None) != (field.kind == "labels"):
        raise _unfit(f"only labels have keys, as in filters[labels][EQUALS][{key or 'env'}]")
    return _match(name, field, Op(operation), [value] if key is None else [f"{key}:{value}"], now)


def _plain(pairs: Sequence[tuple[str, str]], fields: Mapping[str, Field], now: datetime) -> Search:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in fields:
            raise _unfit(f"nothing is filtered by {name!r} here; there are {', '.join(sorted(fields))}")
        values.setdefault(name, []).append(value)
    return Group(
        tuple(
            _match(name, fields[name], Op.IN if fields[name].kind == "state" else fields[name].plain, given, now)
            for name, given in values.items()
        )
    )


def _match(name: str, field: Field, operation: Op, given: Sequence[str], now: datetime) -> Search:
    if field.kind == "labels":
        return Match(field.name, operation, dict(_label(text) for text in given))
    if operation in (Op.IN, Op.NOT_IN):
        each = [part.strip() for text in given for part in text.split(",")]
        return Match(
            field.name, operation, tuple(_state(part) for part in each) if field.kind == "state" else tuple(each)
        )
    if len(given) > 1:
        raise _unfit(f"{name} is given {len(given)} times")
    match field.kind:
        case "state":
            return Match(field.name, operation, _state(given[0]))
        case "date":
            return Match(field.name, operation, instant(name, given[0]))
        case "range":
            return Match(field.name, Op.GREATER_THAN_OR_EQUAL_TO, now - _span(given[0]))
        case "q":
            both = (Match(field.name, Op.CONTAINS, given[0]), Match("namespace", Op.CONTAINS, given[0]))
            return Group(both, any=True)
    return Match(field.name, operation, given[0])


def _label(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not (key and colon):
        raise _unfit(f"the label {text!r} is not key:value")
    return key, value


def _state(text: str) -> str:
    if text not in _STATES:
        raise Refusal(422, f"there is no state {text!r}", reason="Invalid format")
    return text


def instant(name: str, text: str) -> datetime:
    """A date with its time. Raises Refusal."""
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refusal(
            422, f"{name} is not a date such as 2026-01-31T08:00:00Z: {text!r}", reason="Invalid format"
        ) from None


def _span(text: str) -> timedelta:
    try:
        return min(parse_duration(text), timedelta(days=36500))
    except (ValueError, OverflowError, PenstockError):
        raise Refusal(422, f"timeRange is not a duration such as PT24H: {text!r}", reason="Invalid format") from None


def _unfit(message: str) -> Refusal:
    return Refusal(400, message, reason="Invalid query filters")
