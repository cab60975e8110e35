"""The conformance check finds what a careless plugin lacks."""

from __future__ import annotations

import pytest

from engine import sdk
from engine.sdk.conformance import problems_of


class Good(sdk.Task, type="test.Good"):
    """Does well."""

    EXAMPLES = (
        sdk.Example(
            "In a loop.",
            """
            id: x
            tasks:
              - id: each
                type: io.kestra.plugin.core.flow.ForEach
                tasks:
                  - {id: good, type: test.Good, maxCount: 1, timeout: PT1S}
            """,
        ),
    )

    max_count: int
    """How many."""

    def run(self, ctx: sdk.RunContext) -> None: ...


def with_example(yaml: str) -> type[sdk.Task]:
    class Good2(Good, type="test.Good2"):
        """Another."""

        EXAMPLES = (sdk.Example("An example", yaml),)

    return Good2


def test_a_good_task_has_no_problems() -> None:
    assert problems_of(Good) == []


def test_what_is_missing_is_named() -> None:
    class Bare(sdk.Task, type="test.Other"):
        count: int = 0

        class Output(sdk.Output):
            total: int

    assert problems_of(Bare) == [
        'the last part of the type "test.Other" should be the name of its class, Bare',
        "it has no `run`",
        "it has no docstring to tell what it does",
        "its property `count` has no description",
        "its output `total` has no description",
        "it has no example",
    ]

    class Nameless(Good): ...

    Nameless.TYPE = ""
    assert problems_of(Nameless)[0].startswith("give ")


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("tasks: [", "is not YAML: "),
        ("tasks: []", "does not use test.Good2"),
        ("tasks: [{type: test.Good2, maxCount: 1, mode: x}]", "uses an unknown property `mode`"),
        ("tasks: [{type: test.Good2}]", "lacks the required property `maxCount`"),
    ],
)
def test_examples_are_checked(yaml: str, problem: str) -> None:
    (found,) = problems_of(with_example(yaml))
    assert found.startswith(f'the example "An example" {problem}')


def test_what_every_task_has_cannot_be_declared_again() -> None:
    with pytest.raises(TypeError, match='every task has a property "timeout" already; choose another name'):

        class Clash(sdk.Task, type="test.Clash"):
            timeout: int
