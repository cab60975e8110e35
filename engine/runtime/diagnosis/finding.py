"""What a look at something tells: one line for each thing that is looked at, and what is wrong with it."""

from __future__ import annotations

from msgspec import Struct


class Finding(Struct, frozen=True, kw_only=True):
    """Something that is not as it should be. One that is not `grave` is only worth knowing."""

    what: str
    hint: str  #: what to do about it
    execution_id: str | None = None
    grave: bool = True


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `told` says what was seen, in a few words."""

    name: str
    told: str = ""
    findings: tuple[Finding, ...] = ()
    more: int = 0  #: how many findings there are beside those

    @property
    def is_sound(self) -> bool:
        return not any(finding.grave for finding in self.findings)


class Findings:
    """Findings as they come, of which only the first are kept: a million would help nobody."""

    KEPT = 20

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: list[Finding] = []
        self._more = 0

    def add(self, *findings: Finding) -> None:
        for finding in findings:
            if len(self._found) < self.KEPT:
                self._found.append(finding)
            else:
                self._more += 1

    def check(self, told: str = "") -> Check:
        return Check(name=self._name, told=told, findings=tuple(self._found), more=self._more)
