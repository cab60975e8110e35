"""The log of an execution, read page by page, so that its length does not matter."""

from __future__ import annotations

from collections.abc import Iterator

from engine.ports import LogLine, Store

PAGE = 1000


def log_lines(
    store: Store, execution_id: str, *, task_id: str | None = None, min_level: str | None = None
) -> Iterator[LogLine]:
    """All lines, in the order in which they were written; of one task, or of a level and above, if one is named."""
    after = 0
    while page := store.logs(execution_id, after=after, task_id=task_id, min_level=min_level, limit=PAGE):
        yield from page
        last = page[-1].id
        assert last is not None  # the store gives every line its id
        after = last
