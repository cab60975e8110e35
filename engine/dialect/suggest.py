"""Did you mean ...? The nearest known word to one that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is most likely a slip of; None when nothing is near."""
    by_folded = {name.casefold().replace("_", "").replace("-", ""): name for name in known}
    folded = word.casefold().replace("_", "").replace("-", "")
    close = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.66)
    return by_folded[close[0]] if close else None


def nearest_type(type_: str, known: Iterable[str]) -> str | None:
    """The known type that is most likely meant. The last part says most: packages move, class names stay."""
    names = list(known)
    last = type_.rpartition(".")[2].casefold()
    same = sorted((name for name in names if name.rpartition(".")[2].casefold() == last), key=len, reverse=True)
    if same:
        return (difflib.get_close_matches(type_, same, n=1, cutoff=0.0) or same)[0]
    close = difflib.get_close_matches(type_, names, n=1, cutoff=0.75)
    return close[0] if close else None


def did_you_mean(word: str | None) -> str | None:
    """The hint for a suggestion."""
    return f'did you mean "{word}"?' if word else None
