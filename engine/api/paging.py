"""Pages of lists: `page`, `size` and `sort`, and the envelope around what they choose."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec import Struct
from starlette.requests import Request

from engine.api.answers import Refusal

MAX_SIZE = 1000
#: A number that no database takes as an offset.
_MAX_PAGE = 10**12


class Page(Struct, frozen=True):
    """Which part of a list is wanted. `sort` holds fields, each with whether it falls."""

    offset: int
    size: int
    sort: tuple[tuple[str, bool], ...]

    @property
    def end(self) -> int:
        return self.offset + self.size

    @classmethod
    def of(cls, request: Request, sortable: Collection[str]) -> Page:
        """Raises Refusal for what makes no sense."""
        number, size = _whole(request, "page", 1, _MAX_PAGE), _whole(request, "size", 10, MAX_SIZE)
        return cls((number - 1) * size, size, tuple(_order(text, sortable) for text in _sorts(request)))


def envelope(results: Sequence[Any], total: int) -> dict[str, Any]:
    return {"results": results, "total": total}


def _sorts(request: Request) -> list[str]:
    return [text for text in request.query_params.getlist("sort") if text]


def _whole(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 16 and 1 <= int(text) <= most):
        raise Refusal(422, f"{name} is a number from 1 to {most}, not {text!r}")
    return int(text)


def _order(text: str, sortable: Collection[str]) -> tuple[str, bool]:
    field, _, direction = text.partition(":")
    if direction not in ("asc", "desc"):
        raise Refusal(422, f"sort {text!r} is not field:asc or field:desc")
    if field not in sortable:
        raise Refusal(422, f"nothing is sorted by {field!r} here; there are {', '.join(sorted(sortable))}")
    return field, direction == "desc"
