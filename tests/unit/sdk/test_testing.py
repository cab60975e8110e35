"""The testing kit itself: what a plugin author sees of a task that went well, failed, was stopped or is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine import sdk
from engine.errors import FlowInvalid, NotFound, PluginBroken, UsageError
from engine.sdk.testing import START, FakeContext, Log, Metric, run_task


class Probe(sdk.Task, type="test.Probe", aliases=("test.Old",)):
    do: str = "return"
    value: Any = None
    key: sdk.Secret | None = None

    class Output(sdk.Output):
        value: Any

    def run(self, ctx: sdk.RunContext) -> Any:
        ctx.logger.info("doing %s with %s", self.do, self.key)
        return getattr(self, self.do)(ctx)

    def output(self, ctx: sdk.RunContext) -> Output:
        return self.Output(value=self.value)

    def measure(self, ctx: sdk.RunContext) -> None:
        ctx.counter("rows", 3, table="t")
        ctx.timer("took", 0.5)

    def sleep(self, ctx: sdk.RunContext) -> dict[str, str]:
        ctx.sleep(60)
        return {"now": ctx.now().isoformat()}

    def write(self, ctx: sdk.RunContext) -> dict[str, str]:
        (ctx.working_dir / "file").write_text("x")
        return {"folder": str(ctx.working_dir)}

    def fail(self, ctx: sdk.RunContext) -> None:
        raise sdk.TaskFailed(f"no luck with {self.key}", outputs={"kept": 1})

    def later(self, ctx: sdk.RunContext) -> None:
        raise sdk.RetryLater("busy", seconds=5)

    def crash(self, ctx: sdk.RunContext) -> None:
        raise ValueError("a bug")

    def live(self, ctx: sdk.RunContext) -> dict[str, object]:
        return {"live": object()}


def probe(do: str, **options: Any) -> Any:
    return run_task({"type": Probe, "do": do}, **options)


def test_expressions_see_what_the_test_gives() -> None:
    result = run_task(
        "{type: test.Old, id: t, do: output, value: '{{ [inputs.a, outputs.b.c, vars.d, task.id] }}', timeout: PT1S}",
        inputs={"a": 1},
        outputs={"b": {"c": 2}},
        vars={"d": 3},
    )
    assert (result.error, result.state, result.outputs) == (None, "SUCCESS", {"value": [1, 2, 3, "t"]})


def test_logs_and_metrics_are_kept() -> None:
    result = probe("measure")
    assert result.logs == [Log("INFO", "doing measure with None")]
    assert result.metrics == [Metric("rows", "counter", 3, {"table": "t"}), Metric("took", "timer", 0.5, {})]


def test_sleeping_takes_no_time() -> None:
    assert probe("sleep").outputs == {"now": START.replace(minute=1).isoformat()}


@pytest.mark.parametrize("after", [0, 10, 60])
def test_a_task_can_be_told_to_stop(after: float) -> None:
    assert probe("sleep", cancel_after=after).state == "KILLED"


def test_the_clock_stops_when_the_task_is_told_to() -> None:
    context = FakeContext(cancel_after=10)
    with pytest.raises(sdk.TaskCancelled):
        context.sleep(60)
    assert (context.slept, context.cancelled) == (10, True)


def test_a_task_that_is_done_before_is_not_stopped() -> None:
    assert probe("sleep", cancel_after=61).state == "SUCCESS"


def test_nothing_is_left_on_disk() -> None:
    assert not Path(probe("write").outputs["folder"]).exists()


def test_a_failure_keeps_its_outputs_and_its_exception() -> None:
    result = probe("fail")
    assert (result.state, result.error, result.outputs) == ("FAILED", "no luck with None", {"kept": 1})
    assert isinstance(result.exception, sdk.TaskFailed)
    assert probe("later").retry_after == 5
    assert probe("crash").error == "ValueError: a bug"


def test_outputs_must_be_data() -> None:
    assert "not JSON data" in probe("live").error


def test_secrets_are_masked() -> None:
    result = run_task({"type": Probe, "do": "fail", "key": "{{ secret('KEY') }}"}, secrets={"KEY": "hush"})
    assert (result.logs[0].message, result.error) == ("doing fail with ******", "no luck with ******")
    missing = run_task({"type": Probe, "key": "{{ secret('KEY') }}"})
    assert "there is no secret" in missing.error


def test_properties_are_checked() -> None:
    assert probe("output", inputs={}).state == "SUCCESS"
    assert run_task({"type": Probe, "doo": 1}).error == 'unknown property "doo", did you mean "do"?'


def test_a_type_can_come_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(
        "from engine.sdk import Task\n\n\nclass Hello(Task, type='folder.Hello'):\n"
        "    def run(self, ctx):\n        return {'from': __name__}\n"
    )
    result = run_task("type: folder.Hello", plugins=tmp_path)
    assert str(result.outputs["from"]).startswith("penstock_project_plugins_")
    (tmp_path / "bad.py").write_text("1/0\n")
    with pytest.raises(PluginBroken, match=r"bad.py, line 1: ZeroDivisionError"):
        run_task("type: folder.Bad", plugins=tmp_path)


def test_what_cannot_be_run_says_why() -> None:
    with pytest.raises(NotFound) as caught:
        run_task("type: test.Missing")
    assert "plugins=" in str(caught.value.hint)
    with pytest.raises(UsageError):
        run_task("- a list")
    with pytest.raises(FlowInvalid):
        run_task("type: [")


def test_the_context_is_a_run_context() -> None:
    context: sdk.RunContext = FakeContext()
    assert (context.task_id, context.attempt, context.deadline, context.evaluate(3)) == ("task", 1, None, 3)
