"""Rows 36 to 42: a language model's service that is busy, broken, slow, or says no. All against a scripted server."""

from __future__ import annotations

from bench.trust.matrix import Result, passed, row
from bench.trust.world import World

CALL = "tests/unit/plugins_openai/test_call.py"
ANSWER = "tests/unit/plugins_openai/test_answer.py"
TASK = "tests/unit/plugins_openai/test_chat_completion.py"


@row(
    36,
    "429 with Retry-After: seconds, a date, 0, -1, words, a day",
    "honoured, within the deadline; a long wait is a timer's, and frees the worker",
)
def row_36(world: World) -> Result:
    return passed(world.tests(CALL, TASK, select="retry_after or handed_back or wait_that"))


@row(37, "429 without it, 500, 502, 503, 529", "backoff with jitter, so many tries, within the deadline")
def row_37(world: World) -> Result:
    return passed(world.tests(CALL, select="tried_again or jitter or tries or deadline"))


@row(38, "Connection refused, no such host, TLS, silence", "told apart; within one deadline")
def row_38(world: World) -> Result:
    return passed(world.tests(CALL, select="listens or host or tls or certificate or silent"))


@row(39, "Half an answer: too short, cut off", "FAILED, may be tried again; never taken for a whole one")
def row_39(world: World) -> Result:
    return passed(world.tests(CALL, ANSWER, select="half or cut_off"))


@row(40, "Malformed JSON, HTML, empty, no choices, null, wrong types, NUL", "a clear error with a masked sample")
def row_40(world: World) -> Result:
    return passed(world.tests(ANSWER, CALL, select="no_completion or html or words or error_body or echoes or encoded"))


@row(41, "A drip of bytes; no end; a packed bomb", "one deadline, and a limit of the size")
def row_41(world: World) -> Result:
    return passed(world.tests(CALL, select="drip or without_end or packed"))


@row(42, "401, 403, 404, 400: too long", "no other try; the key is in no log, error or output")
def row_42(world: World) -> Result:
    return passed(
        world.tests(CALL, TASK, "tests/acceptance/test_chat_completion_flows.py", select="cannot_mend or key")
    )
