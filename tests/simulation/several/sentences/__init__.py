"""What always holds between executions: one function for each sentence, with that sentence as its docstring.

What a function yields breaks its sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.simulation.invariants import Broken
from tests.simulation.several.sentences import calls, places, promises, retries
from tests.simulation.several.standing import Commit, Rest

AT_EACH_COMMIT = (
    *places.AT_EACH_COMMIT,
    *calls.AT_EACH_COMMIT,
    *retries.AT_EACH_COMMIT,
    *promises.AT_EACH_COMMIT,
)
#: When the loop has nothing to do, though some executions may still be nobody's.
AT_HALT = calls.AT_HALT
AT_REST = (*places.AT_REST, *calls.AT_REST, *retries.AT_REST, *promises.AT_REST)


def judge_commit(commit: Commit) -> None:
    for sentence in AT_EACH_COMMIT:
        _hold(sentence, sentence(commit))


def judge_halt(rest: Rest) -> None:
    for sentence in AT_HALT:
        _hold(sentence, sentence(rest))


def judge_rest(rest: Rest) -> None:
    for sentence in AT_REST:
        _hold(sentence, sentence(rest))


def _hold(sentence: Callable[..., object], offences: Iterable[object]) -> None:
    for offence in offences:
        raise Broken(f"{sentence.__doc__}\n  broken by {offence}")
