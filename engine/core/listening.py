"""Which of a flow's legacy listeners apply to the execution that has just ended.

They are asked about all at once, because a worker may have to tell: nothing but the tasks that start remembers the
answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from engine.core.draft import Draft
from engine.core.rendering import APPLYING
from engine.core.starting import PENDING, Unanswerable, ask
from engine.model.events import Evaluated

#: Of each listener: whether it applies, or the reason why that cannot be told, which counts as no.
Verdicts = Sequence[bool | str]


def verdicts_of_listeners(draft: Draft, answered: Evaluated | None) -> Verdicts | None:
    """What the flow's listeners say; None when a worker must find out."""
    try:
        verdicts = ask(draft, None, APPLYING, draft.flow.listeners, answered)
    except Unanswerable as error:
        draft.log("WARN", str(error))
        return ()
    return None if verdicts is PENDING else cast("Verdicts", verdicts)


def tell(draft: Draft, verdicts: Verdicts) -> None:
    """Log why listeners could not be judged."""
    for index, verdict in enumerate(verdicts):
        if isinstance(verdict, str):
            draft.log("WARN", f"`listeners[{index}]` does not apply, for its conditions cannot be judged: {verdict}")
