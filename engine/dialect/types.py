"""What the dialect must know about task types. The catalog fulfils it; tests use a dict-sized one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pydantic import BaseModel


class TypeIndex(Protocol):
    """Which task types exist, and what they accept."""

    def canonical(self, type_: str) -> str | None:
        """The canonical name of a type or alias; None when there is no such type."""

    def names(self) -> Iterable[str]:
        """Every known type string and alias, for did-you-mean."""

    def missing(self, type_: str) -> str | None:
        """Why a type is not there though somebody has written it; None when nobody has."""

    def properties(self, type_: str) -> type[BaseModel]:
        """The model that a runnable task's own properties must satisfy. Raises PluginBroken."""
