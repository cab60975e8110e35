# ruff: noqa: E501  flows are easier to read in one line
"""Loop: rounds that are worlds of their own, what they see, what they give, and how they end."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.context import Context
from engine.expressions import Functions, language
from engine.model.commands import Evaluate
from engine.model.events import EngineStarted, Evaluated, KillRequested, RestartRequested
from engine.model.state import State
from tests.simulation.play import Play, told
from tests.unit.core.playing import outputs, playing, values

SAY = "{id: say, type: Return, format: \"{{ item.value }}{{ item.index }}{{ item.key ?? '' }}\"}"


def loop(head: str, tasks: str = SAY, more: str = "") -> Play:
    return playing(f"  - id: each\n    type: Loop\n    {head}\n    tasks: [{tasks}]\n{more}")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[a, b, a]", ["a0", "b1", "a2"]),
        ("[1, true, {k: [v]}, null]", ["10", "true1", '{"k":["v"]}2', "null3"]),
        ("{x: 1, y: two}", ["10x", "two1y"]),
        ("'[\"p\", 2]'", ["p0", "21"]),
        ("'{\"p\": 2}'", ["20p"]),
        ('"{{ [1, 2] }}"', ["10", "21"]),
        ("[]", []),
    ],
)
def test_values_are_a_list_a_map_or_their_text(written: str, said: list[str]) -> None:
    play = loop(f"values: {written}")
    assert play.run().state is State.SUCCESS
    assert values(play, "say") == said
    assert outputs(play, "each")["iterationCount"] == len(said)


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("7x", "`values` is neither a JSON list or map nor the URI of a file: "),
        ("'7'", "`values` must be a list, a map or a file, but is `7`"),
        ('"{{ nope }}"', "`values` could not be evaluated: "),
    ],
)
def test_what_cannot_be_gone_over_is_a_failure(written: str, error: str) -> None:
    play = loop(f"values: {written}")
    assert play.run().state is State.FAILED
    (run,) = play.execution.in_order()
    assert str(run.error).startswith(error)


def test_a_round_sees_its_own_tasks_plainly_and_no_other_round() -> None:
    seen = "{{ outputs.say.value }} {{ tasks.say.state }} {{ outputs.before.value }} {{ outputs | keys | join(',') }}"
    inside = (
        f'{SAY}, {{id: choice, type: If, condition: "true", then: [{{id: par, type: Parallel, tasks: '
        f'[{{id: deep, type: Return, format: "{seen} {{{{ item.value }}}}"}}]}}]}}'
    )
    play = playing(
        f"  - {{id: before, type: Return, format: first}}\n"
        f"  - {{id: each, type: Loop, values: [a, b], concurrencyLimit: 0, tasks: [{inside}]}}\n"
        "  - {id: after, type: Return, format: \"{{ outputs | keys | join(',') }} {{ outputs.say ?? 'hidden' }}\"}\n"
        "  - {id: item, type: Return, format: \"{{ item ?? 'no item' }}\"}\n"
    )
    play.run()
    assert sorted(values(play, "deep")) == [
        "a0 SUCCESS first before,each,say,choice a",
        "b1 SUCCESS first before,each,say,choice b",
    ]
    assert values(play, "after") == ["before,each hidden"]
    assert values(play, "item") == ["no item"]


def test_loops_in_loops_know_their_parents() -> None:
    leaf = (
        "{{ item.value }}{{ item.parent.value }}{{ item.parents[0].index }}{{ item.parents[1].key }}"
        "{{ outputs.say.value }}{{ outputs.mid.value }}"
    )
    play = loop(
        "values: {k: A, l: B}",
        f'{SAY}, {{id: in, type: Loop, values: [x, y], tasks: [{{id: mid, type: Return, format: "{{{{ item.index }}}}"}}, '
        f'{{id: in2, type: Loop, values: [1], tasks: [{{id: leaf, type: Return, format: "{leaf}"}}]}}]}}',
    )
    play.run()
    assert values(play, "leaf") == ["1x0kA0k0", "1y1kA0k1", "1x0lB1l0", "1y1lB1l1"]


def test_a_foreach_in_a_loop_is_read_by_value_and_the_round_goes_without_saying() -> None:
    play = loop(
        "values: [a, b]",
        '{id: fe, type: ForEach, values: [x, y], tasks: [{id: in, type: Return, format: "{{ item.value }}{{ taskrun.value }}"}]}, '
        "{id: tell, type: Return, format: \"{{ outputs.in.x.value }} {{ outputs.in['y'].value }} {{ outputs.in | keys }}\"}",
    )
    play.run()
    assert values(play, "tell") == ['ax ay ["x","y"]', 'bx by ["x","y"]']


def test_a_loop_in_a_foreach_gives_its_outputs_by_value() -> None:
    play = playing(
        "  - id: fe\n    type: ForEach\n    values: [x, y]\n    tasks:\n"
        '      - {id: in, type: Return, format: "{{ taskrun.value }}!"}\n'
        "      - id: each\n        type: Loop\n        values: [1]\n"
        '        outputs: [{id: o, value: "{{ outputs.say.value }}"}]\n'
        '        tasks: [{id: say, type: Return, format: "{{ item.value }}{{ parent.taskrun.value }}"}, '
        '{id: two, type: Return, format: "{{ outputs.say.value }}{{ outputs.in[parent.taskrun.value].value }}"}]\n'
        "  - {id: after, type: Return, format: \"{{ loopOutputs(outputs.each.y.outputs, 'o') }}\"}\n"
    )
    play.run()
    assert values(play, "two") == ["1xx!", "1yy!"]
    assert values(play, "after") == ['["1y"]']


def test_what_is_declared_comes_out_typed_and_in_order() -> None:
    head = 'values: {a: "1", b: "2"}\n    outputs: [{id: n, type: INT, value: "{{ item.value }}"}, {id: k, value: "{{ outputs.say.value }}"}]'
    play = loop(head)
    play.run()
    assert outputs(play, "each") == {
        "iterationCount": 2,
        "runningIterations": 0,
        "terminatedIterations": {"SUCCESS": 2},
        "outputs": [
            {"item": {"value": "1", "iteration": 0, "key": "a"}, "outputs": {"n": 1, "k": "10a"}},
            {"item": {"value": "2", "iteration": 1, "key": "b"}, "outputs": {"n": 2, "k": "21b"}},
        ],
    }


def test_a_round_whose_outputs_cannot_be_rendered_has_failed() -> None:
    play = loop('values: [1, x, 2]\n    outputs: [{id: n, type: INT, value: "{{ item.value }}"}]')
    assert play.run().state is State.FAILED
    assert outputs(play, "each")["terminatedIterations"] == {"SUCCESS": 1, "FAILED": 1}
    (failed,) = (run for run in play.execution.in_order() if run.task_id == "each[]" and run.state is State.FAILED)
    assert str(failed.error).startswith("`outputs` could not be evaluated: the output `n` is no INT")
    assert told(play.execution)[-1] == "say SUCCESS", "nothing new began after the failure"


def test_a_failing_round_lets_those_that_run_go_on_but_no_new_one_begin() -> None:
    inside = "{id: choice, type: If, condition: \"{{ item.value == 'a' }}\", then: [{id: bad, type: Return}]}, {id: two, type: Return, format: x}"
    play = loop("values: [a, b, c]\n    concurrencyLimit: 2", inside)
    assert play.run().state is State.FAILED
    assert outputs(play, "each")["terminatedIterations"] == {"FAILED": 1, "SUCCESS": 1}


def test_without_transmit_failed_all_rounds_run() -> None:
    inside = '{id: choice, type: If, condition: "{{ item.index == 1 }}", then: [{id: bad, type: Return}]}'
    play = loop(
        'values: [a, b, c]\n    transmitFailed: false\n    outputs: [{id: o, value: "{{ item.value }}"}]', inside
    )
    assert play.run().state is State.SUCCESS
    assert outputs(play, "each")["terminatedIterations"] == {"SUCCESS": 2, "FAILED": 1}
    assert [entry["outputs"] for entry in outputs(play, "each")["outputs"]] == [{"o": "a"}, {}, {"o": "c"}]


def test_errors_and_finally_run_in_each_round() -> None:
    inside = '{id: choice, type: If, condition: "{{ item.index == 1 }}", then: [{id: bad, type: Return}]}'
    more = '    errors: [{id: mend, type: Return, format: "{{ item.value }}"}]\n    finally: [{id: last, type: Return, format: "{{ item.value }}"}]\n'
    play = loop("values: [a, b]\n    transmitFailed: false", inside, more)
    play.run()
    assert (values(play, "mend"), values(play, "last")) == (["b"], ["a", "b"])


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("item.index == 1", ["a0", "b1"]),
        ("iteration.outputs.o == 'a0'", ["a0"]),
        ("iteration.state == 'SUCCESS' and iteration.executionId == 'run' and item.value == 'b'", ["a0", "b1"]),
        ("false", ["a0", "b1", "c2"]),
    ],
)
def test_break_when_ends_it_after_a_round(condition: str, said: list[str]) -> None:
    head = f'values: [a, b, c]\n    breakWhen: "{{{{ {condition} }}}}"\n    outputs: [{{id: o, value: "{{{{ outputs.say.value }}}}"}}]'
    play = loop(head)
    assert play.run().state is State.SUCCESS
    assert values(play, "say") == said
    assert outputs(play, "each")["iterationCount"] == len(said)


def test_break_when_sees_that_a_round_failed() -> None:
    play = loop(
        "values: [a, b]\n    transmitFailed: false\n    breakWhen: \"{{ iteration.state == 'FAILED' }}\"",
        "{id: bad, type: Return}",
    )
    play.run()
    assert outputs(play, "each")["terminatedIterations"] == {"FAILED": 1}


def answered(play: Play, functions: Functions) -> None:
    """Answer what the last decision asked of a worker, as a worker does."""
    from engine.core.rendering import answer
    from engine.core.starting import template_of

    command: Evaluate = play.evaluations.pop()
    run = play.execution.task_runs[str(command.task_run_id)]
    template = template_of(play.flow.tree.places[run.task_id].task, command)
    context = Context(play.flow, play.execution, run, play.facts)
    value = answer(command.name, template, context, functions, language("kestra"))
    play.waiting.append(Evaluated(at=play.tick(), name=command.name, task_run_id=run.id, value=value))


def test_a_file_is_read_and_the_results_are_stored_as_one() -> None:
    stored: list[Any] = []

    def write(rows: Any) -> str:
        stored.extend(rows)
        return "kestra:///out.ion"

    functions = Functions(read_rows=lambda uri: [uri, {"id": 1}], write_rows=write)
    play = loop('values: "{{ \'kestra:///in.ion\' }}"\n    outputs: [{id: o, value: "{{ outputs.say.value }}"}]')
    play.run()
    answered(play, functions)
    play.run()
    assert values(play, "say") == ["kestra:///in.ion0", '{"id":1}1']
    answered(play, functions)
    assert play.run().state is State.SUCCESS
    assert outputs(play, "each")["uri"] == "kestra:///out.ion"
    assert "outputs" not in outputs(play, "each")
    assert [entry["outputs"]["o"] for entry in stored] == values(play, "say")


def test_outputs_that_call_out_are_asked_of_a_worker_round_by_round() -> None:
    play = loop("values: [a, b]\n    outputs: [{id: o, value: \"{{ secret('K') }}{{ item.value }}\"}]")
    functions = Functions(secret=lambda key: f"{key}-")
    for _ in range(2):
        play.run()
        assert play.execution.state is State.RUNNING
        answered(play, functions)
    assert play.run().state is State.SUCCESS
    assert [entry["outputs"]["o"] for entry in outputs(play, "each")["outputs"]] == ["K-a", "K-b"]


def test_a_crash_while_a_worker_is_asked_asks_again() -> None:
    play = loop("values: [a]\n    outputs: [{id: o, value: \"{{ secret('K') }}\"}]")
    play.run()
    play.evaluations.clear()
    play.crash(play.execution)
    play.run()
    answered(play, Functions(secret=lambda key: key))
    assert play.run().state is State.SUCCESS


def test_a_restart_begins_the_failed_rounds_again_and_no_others() -> None:
    inside = (
        f'{SAY}, {{id: choice, type: If, condition: "{{{{ item.index == 1 }}}}", then: [{{id: bad, type: Return}}]}}'
    )
    play = loop("values: [a, b, c]\n    transmitFailed: true", inside)
    assert play.run().state is State.FAILED
    play.answers = lambda run: {"state": State.SUCCESS, "outputs": {"value": run.task_id}}
    play.waiting = [RestartRequested(at=play.tick())]
    assert play.run().state is State.SUCCESS
    assert len(values(play, "say")) == 3
    assert outputs(play, "each")["terminatedIterations"] == {"SUCCESS": 3}


def test_killed_in_the_middle_everything_ends() -> None:
    play = loop("values: [a, b, c]\n    concurrencyLimit: 0")
    for _ in range(3):
        play.step(play.waiting.pop(0))
    play.waiting.append(KillRequested(at=play.tick()))
    assert play.run().state is State.KILLED
    assert all(run.is_terminal for run in play.execution.in_order())


def test_taken_over_in_the_middle_it_goes_on() -> None:
    play = loop("values: [a, b, c]\n    concurrencyLimit: 2")
    for _ in range(4):
        play.step(play.waiting.pop(0))
    play.crash(play.execution)
    assert isinstance(play.waiting[0], EngineStarted)
    assert play.run().state is State.SUCCESS
    assert outputs(play, "each")["terminatedIterations"] == {"SUCCESS": 3}
