"""What a command can tell the engine: lines such as `::{"outputs": {"rows": 3}}::` on either of its streams.

Always true: a line that cannot be read is told of, and fails nothing.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from engine import sdk

_LINE = re.compile(r"::(\{.*\})::", re.DOTALL)
_ISO_SECONDS = re.compile(r"PT(\d+(?:\.\d+)?)S")


class Protocol:
    """Reads the lines of one command and gathers its outputs."""

    def __init__(self, ctx: sdk.RunContext) -> None:
        self._ctx = ctx
        self.outputs: dict[str, Any] = {}  #: of a key that is told twice, the later value

    def hears(self, line: str) -> bool:
        """Whether the line was for the engine; then it is not part of what the command prints."""
        found = _LINE.fullmatch(line)
        if found is None:
            return False
        try:
            told = json.loads(found[1])
        except (ValueError, RecursionError) as error:
            self._ctx.logger.warning("Invalid outputs: %s, in %.200s", error, line)
            return True
        for name, read in (("outputs", self._outputs), ("metrics", self._metrics), ("logs", self._logs)):
            try:
                if told.get(name) is not None:
                    read(told[name])
            except (ValueError, TypeError, KeyError, AttributeError):
                self._ctx.logger.warning("Invalid outputs: the `%s` in %.200s", name, line)
        return True

    def _outputs(self, outputs: Mapping[str, Any]) -> None:
        self.outputs.update(outputs)

    def _metrics(self, metrics: list[Mapping[str, Any]]) -> None:
        for metric in metrics:
            tags = {str(name): str(value) for name, value in (metric.get("tags") or {}).items()}
            if metric["type"] == "counter":
                self._ctx.counter(str(metric["name"]), float(metric["value"]), **tags)
            elif metric["type"] == "timer":
                self._ctx.timer(str(metric["name"]), _seconds(metric["value"]), **tags)
            else:
                raise ValueError(metric["type"])

    def _logs(self, logs: list[Mapping[str, Any]]) -> None:
        for entry in logs:
            level: sdk.LogLevel = str(entry.get("level") or "INFO").upper()  # type: ignore[assignment]
            self._ctx.logger.log(sdk.LOG_LEVELS[level], "%s", entry.get("message"))


def _seconds(value: Any) -> float:
    """A duration as a number of seconds, or as in ISO 8601."""
    iso = _ISO_SECONDS.fullmatch(value) if isinstance(value, str) else None
    return float(iso[1] if iso is not None else value)
