"""A flow's checks, judged before an execution is created."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.checks import judge
from engine.expressions import Functions
from engine.model.flow import Flow, RunnableTask
from engine.model.policy import Check

FAIL, BLOCK, CREATE = "FAIL_EXECUTION", "BLOCK_EXECUTION", "CREATE_EXECUTION"


def flow(*checks: tuple[str | bool, str]) -> Flow:
    made = tuple(
        Check.model_validate({"when": when, "message": f"m{index}", "behavior": behavior})
        for index, (when, behavior) in enumerate(checks)
    )
    return Flow(id="f", namespace="n", tasks=(RunnableTask(id="a", type="t"),), checks=made)


def messages(checked: Flow, inputs: dict[str, Any] | None = None) -> tuple[list[str], str]:
    verdict = judge(checked, inputs or {}, {"vars": {"most": 3}}, Functions())
    return [check.message for check in verdict.failing], verdict.behavior


GOOD, BAD = "{{ inputs.n <= vars.most }}", "{{ inputs.n > vars.most }}"


@pytest.mark.parametrize(
    ("checks", "failing", "behavior"),
    [
        ((), [], CREATE),
        (((GOOD, BLOCK),), [], CREATE),
        (((BAD, BLOCK),), ["m0"], BLOCK),
        (((BAD, FAIL), (GOOD, BLOCK)), ["m0"], FAIL),
        (((BAD, CREATE),), ["m0"], CREATE),
        (((BAD, CREATE), (BAD, FAIL)), ["m0", "m1"], FAIL),
        (((BAD, FAIL), (BAD, BLOCK), (BAD, CREATE)), ["m0", "m1", "m2"], BLOCK),
        (((True, BLOCK), (False, FAIL)), ["m1"], FAIL),
        ((("0", FAIL), ("  ", FAIL), ("yes", FAIL)), ["m0", "m1"], FAIL),
    ],
)
def test_the_strongest_of_the_failing_ones_decides(
    checks: tuple[tuple[str | bool, str], ...], failing: list[str], behavior: str
) -> None:
    assert messages(flow(*checks), {"n": 2}) == (failing, behavior)


def test_a_check_that_cannot_be_evaluated_has_failed_and_says_why() -> None:
    (message,), behavior = messages(flow(("{{ inputs.m > 1 }}", BLOCK)), {"n": 2})
    assert message.startswith("m0 (it could not be checked: Unable to find `inputs.m`")
    assert behavior == BLOCK


def test_a_flow_without_inputs_has_no_such_root() -> None:
    assert messages(flow(("{{ inputs is defined }}", FAIL))) == (["m0"], FAIL)


def test_a_check_may_call_out() -> None:
    checked = flow(("{{ kv('open') == 'yes' }}", BLOCK))
    assert judge(checked, {}, {}, Functions(kv=lambda key: "yes")).failing == ()
    assert judge(checked, {}, {}, Functions(kv=lambda key: "no")).behavior == BLOCK
