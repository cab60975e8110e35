"""The kinds of failure inside the language. All are ExpressionError; what differs is who may catch them.

`??`, `???`, `default` and `is defined` replace a left side that fails, except for failures that must be seen:
a limit that was hit, and a function that this place does not offer (a wrong value would be worse than an error).
"""

from __future__ import annotations

from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING

from engine.errors import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Undefined(ExpressionError):
    """A variable, attribute or index that is not there.

    Most of these are caught by `??`, so the hint is looked for among the `known` words only when somebody reads it.
    """

    def __init__(
        self, message: str, *, code: str, hint: str | None = None, word: str = "", known: Iterable[object] = ()
    ) -> None:
        self._hint: str | None = None
        self._word = word
        self._known = known
        super().__init__(message, code=code, hint=hint)

    @property
    def hint(self) -> str | None:
        """What to do next."""
        if self._hint is None and self._word:
            self._hint = did_you_mean(self._word, islice(self._known, 1000))
        return self._hint

    @hint.setter
    def hint(self, hint: str | None) -> None:
        self._hint = hint


class Unstoppable(ExpressionError):
    """A failure that no operator of the language may swallow."""


class LimitExceeded(Unstoppable):
    """An expression wants more time, memory or depth than it may have."""


class Unavailable(Unstoppable):
    """A function that needs something that this place does not offer."""


def limit(message: str) -> LimitExceeded:
    """The error for a limit that was hit."""
    return LimitExceeded(message, code="expression-limit")


def did_you_mean(word: str, known: Iterable[object]) -> str | None:
    """A hint that names the known word nearest to `word`, or None."""
    words = [name for name in known if isinstance(name, str)]
    folded = {name.casefold(): name for name in words}
    if word.casefold() in folded:
        return f"Did you mean `{folded[word.casefold()]}`?"
    near = get_close_matches(word, words, n=1, cutoff=0.6)
    return f"Did you mean `{near[0]}`?" if near else None


def locate(error: ExpressionError, template: str, offset: int | None) -> ExpressionError:
    """Say where an error happened, unless it already knows: the innermost place wins."""
    if not error.template:
        error.template = template
        error.offset = offset if error.offset is None else error.offset
        line = template.count("\n", 0, error.offset or 0) + 1
        shown = template if len(template) <= 200 else template[:197] + "..."
        error.message = f"{error.message} used in the expression `{shown}` at line {line}"
        error.args = (error.message,)
    return error
