"""`penstock eval` can call all that a task's expressions can call."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.typed import Penstock
from tests.unit.web import Reply, serving


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("{{ errorLogs()[0].message }}", "no ducks left\n"),
        ("{{ errorLogs()[0].taskId }}", "broken\n"),
        ("{{ isPublicHoliday('2024-12-25', 'US') }}", "true\n"),
        ("{{ fromIon('{id: 1}').id }}", "1\n"),
        ("{{ {'id': 1} | toIon }}", "{id:1}\n"),
        ("{{ randomPort() > 0 }}", "true\n"),
        ("{{ http(AT ~ '/rows').rows }}", "[\n  1,\n  2\n]\n"),
        ("{{ subflow('acme.team', 'hello', {'name': 'Ada'}).greeting }}", "Hello Ada\n"),
    ],
)
def test_a_stored_execution_is_asked(penstock: Penstock, expression: str, printed: str) -> None:
    penstock("run", "hello.yaml")
    ran = json.loads(penstock("run", "failing.yaml", "--json").out)["id"]
    with serving() as web:
        web.pages["/rows"] = Reply('{"rows": [1, 2]}', headers={"Content-Type": "application/json"})
        answer = penstock("eval", ran, expression.replace("AT", f"'{web.at}'"))
    assert (answer.out, answer.code) == (printed, 0)


def test_what_fails_is_told_with_its_place(penstock: Penstock) -> None:
    ran = json.loads(penstock("run", "hello.yaml", "--json").out)["id"]
    answer = penstock("eval", ran, "{{ isPublicHoliday('2024-12-25', 'Germany') }}")
    assert answer.code == 2
    assert "Did you mean `DE`?" in answer.err
    assert "\n       ^" in answer.err
