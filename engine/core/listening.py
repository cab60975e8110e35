"""Which of a flow's legacy listeners apply to the execution that has just ended.

They are asked about all at once, because a worker may have to tell: nothing but the tasks that start remembers the
answer.
"""

from __future__ import annotations

from collections.abc import Collection

from engine.core.draft import Draft
from engine.core.rendering import APPLYING
from engine.core.starting import PENDING, Unanswerable, ask
from engine.model.events import Evaluated


def applying(draft: Draft, answered: Evaluated | None) -> Collection[int] | None:
    """The listeners that apply, by index; None when a worker must find out. One that cannot be judged does not."""
    try:
        verdicts = ask(draft, None, APPLYING, draft.flow.listeners, answered)
    except Unanswerable as error:
        draft.log("WARN", str(error))
        return ()
    if verdicts is PENDING:
        return None
    for index, verdict in enumerate(verdicts):
        if isinstance(verdict, str):
            draft.log("WARN", f"`listeners[{index}]` does not apply: its conditions cannot be judged: {verdict}")
    return [index for index, verdict in enumerate(verdicts) if verdict is True]
