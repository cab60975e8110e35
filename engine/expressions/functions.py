"""What the world offers to expressions. Without it the language has no clock, no randomness, and reaches nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from typing import Any

from msgspec import Struct


class Functions(Struct, frozen=True, kw_only=True):
    """Each field is what the function of the same name (snake_case) calls; None: it is not available there.

    Callables get the arguments that the flow gives, by the names below. They raise ExpressionError or another
    PenstockError for what is the flow's fault; both become an ExpressionError with its place.
    """

    now: Callable[[], datetime] | None = None  #: the time, aware: for a decision, the time of its event
    seed: str = ""  #: what uuid(), id(), nanoId(), ksuid() and randomInt() derive from: one per decision
    zone: tzinfo = UTC  #: the zone of dates that name none

    secret: Callable[..., Any] | None = None  #: (key, *, namespace, subkey, full)
    kv: Callable[..., Any] | None = None  #: (key, *, namespace, error_on_missing)
    read: Callable[..., Any] | None = None  #: (path, *, version)
    http: Callable[..., Any] | None = None  #: (uri, *, method, content_type, body, headers, options)
    env: Callable[..., Any] | None = None  #: (name, *, default)
    file_uri: Callable[..., Any] | None = None  #: (path)
    file_size: Callable[..., Any] | None = None  #: (path)
    file_exists: Callable[..., Any] | None = None  #: (path)
    is_file_empty: Callable[..., Any] | None = None  #: (path)
    from_ion: Callable[..., Any] | None = None  #: (ion, *, all_rows)
    to_ion: Callable[..., Any] | None = None  #: (value)
    error_logs: Callable[..., Any] | None = None  #: ()
    encrypt: Callable[..., Any] | None = None  #: (key, plaintext)
    decrypt: Callable[..., Any] | None = None  #: (key, encrypted)
    random_port: Callable[..., Any] | None = None  #: ()
    subflow: Callable[..., Any] | None = None  #: (namespace, flow_id, *, inputs)
    is_public_holiday: Callable[..., Any] | None = None  #: (date, country, sub_division)

    #: What the engine itself asks for, and no expression can.
    read_rows: Callable[[str], list[Any]] | None = None  #: (uri): the rows, or lines, of a file
    write_rows: Callable[[Iterable[Any]], str] | None = None  #: (rows): the URI of the file that has them now


#: Nothing but the language itself.
NOTHING = Functions()
