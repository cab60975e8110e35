"""What makes a trigger the same as before: that which its dates, or its memory, follow from."""

from __future__ import annotations

import json
from hashlib import sha256

from engine.model.listeners import Trigger
from engine.model.triggers import TimedTrigger

#: Of one with dates. Its conditions are asked again about each date, so they may change in between.
_DATES = frozenset({"type", "cron", "with_seconds", "timezone", "dates"})
#: Of any other: all but what has nothing to do with when it starts something.
_BESIDE = frozenset({"description", "inputs", "labels", "log_level", "log_to_file", "stop_after", "disabled"})


def definition_of(trigger: Trigger) -> str:
    """A text that changes when what a trigger has come to no longer counts."""
    fields = {"include": set(_DATES)} if isinstance(trigger, TimedTrigger) else {"exclude": set(_BESIDE)}
    told = json.dumps(trigger.model_dump(mode="json", **fields), sort_keys=True, default=str)  # type: ignore[arg-type]
    return sha256(told.encode(errors="surrogatepass")).hexdigest()[:32]
