"""The script tasks, each run by the testing kit as a real process."""

from __future__ import annotations

from typing import Any

import pytest

from engine.sdk.testing import Log, TaskResult, run_task
from plugins.scripts import python, shell
from plugins.scripts.task import _LOGGED

RUN = "kestra:///test/flow/executions/execution/tasks/task/taskrun"


def commands(*lines: str, **properties: Any) -> TaskResult:
    return run_task({"type": shell.Commands, "commands": list(lines), **properties}, inputs={"x": "a b"})


def script(text: str, **properties: Any) -> TaskResult:
    return run_task({"type": python.Script, "script": text, **properties}, inputs={"x": "a b"})


def test_commands_run_in_one_shell() -> None:
    result = commands("cd /", "export A={{ inputs.x | upper | slugify }}", "echo $A $PWD", "echo wrong >&2")
    assert result.state == "SUCCESS", result.error
    assert result.logs == [Log("INFO", "a-b /"), Log("ERROR", "wrong")]
    assert result.outputs == {"vars": {}, "exitCode": 0, "outputFiles": {}}


def test_commands_may_come_from_an_expression() -> None:
    definition = {"type": shell.Commands, "commands": "{{ inputs.all }}"}
    result = run_task(definition, inputs={"all": ["echo 1", "echo 2"]})
    assert [log.message for log in result.logs] == ["1", "2"]


def test_before_commands_come_first_and_the_first_failure_ends_it() -> None:
    result = commands("echo $A", "false", "echo never", beforeCommands=["A=1"])
    assert result.error == "the script ended with exit code 1"
    assert [log.message for log in result.logs] == ["1"]
    assert [log.message for log in commands("false", "echo 2", failFast=False).logs] == ["2"]


def test_a_failure_tells_the_last_errors_and_keeps_outputs_and_files() -> None:
    result = commands(
        """echo '::{"outputs": {"rows": 3}}::'; echo kept > a.txt; seq 20 >&2; exit 7""", outputFiles=["*.txt"]
    )
    assert result.state == "FAILED"
    assert str(result.error).splitlines() == [
        "the script ended with exit code 7", *map(str, range(11, 21))
    ]  # fmt: skip
    assert result.outputs == {"vars": {"rows": 3}, "exitCode": 7, "outputFiles": {"a.txt": f"{RUN}/a.txt"}}
    assert result.files[f"{RUN}/a.txt"] == b"kept\n"


def test_a_signal_is_told_by_name() -> None:
    result = commands("kill -KILL $$")
    assert (result.error, result.outputs["exitCode"]) == ("the script was ended by SIGKILL", 137)


@pytest.mark.parametrize("redirect", ["", " >&2"])
def test_lines_for_the_engine_are_heard_on_both_streams(redirect: str) -> None:
    told = [
        '::{"outputs": {"a": 1, "b": [null]}}::',
        '::{"outputs": {"a": {"c": "é"}}}::',
        '::{"metrics": [{"name": "m", "type": "counter", "value": 2, "tags": {"t": 1}}]}::',
        '::{"metrics": [{"name": "s", "type": "timer", "value": 1.5}], "outputs": null}::',
        '::{"metrics": [{"name": "i", "type": "timer", "value": "PT2S"}]}::',
        '::{"logs": [{"level": "warn", "message": "careful"}, {"message": "so"}]}::',
    ]
    result = commands(*(f"echo '{line}'{redirect}" for line in told))
    assert result.outputs["vars"] == {"a": {"c": "é"}, "b": [None]}
    assert result.metrics == [("m", "counter", 2.0, {"t": "1"}), ("s", "timer", 1.5, {}), ("i", "timer", 2.0, {})]
    assert result.logs == [Log("WARN", "careful"), Log("INFO", "so")]


@pytest.mark.parametrize(
    "line",
    [
        "::{oops}::",
        '::{"outputs": 3}::',
        '::{"metrics": [{"name": "m", "type": "gauge", "value": 1}]}::',
        '::{"metrics": [{"name": "m"}]}::',
        '::{"logs": [{"level": "loud", "message": "x"}]}::',
        '::{"logs": 3}::',
    ],
)
def test_a_line_that_cannot_be_read_warns(line: str) -> None:
    result = commands(f"echo '{line}'")
    assert (result.state, result.outputs["vars"], result.metrics) == ("SUCCESS", {}, [])
    assert [log.level for log in result.logs] == ["WARN"]
    assert line in result.logs[0].message


def test_a_line_with_anything_around_it_is_text() -> None:
    assert commands("echo ' ::{}::'").logs == [Log("INFO", " ::{}::")]


def test_the_working_folder_has_the_input_files() -> None:
    files = {"stored.csv": "1,2", "sql/q.sql": "select"}
    definition = {
        "type": shell.Commands,
        "commands": ["cat a/in.txt b.csv sql/q.sql; echo", "ls", "cat '{{ workingDir }}/a/in.txt'", "cd $WORKING_DIR"],
        "inputFiles": {"a/in.txt": "{{ inputs.x }} ", "b.csv": "nsfile:///stored.csv", "none": None},
        "namespaceFiles": {"include": "sql/**"},
    }
    result = run_task(definition, inputs={"x": "text"}, files=files)
    assert result.state == "SUCCESS", result.error
    assert [log.message for log in result.logs] == ["text 1,2select", "a", "b.csv", "sql", "text "]


def test_the_folder_of_outputs_is_stored_whole() -> None:
    result = commands("mkdir '{{ outputDir }}/d'", "echo 1 > $OUTPUT_DIR/d/x", "echo 2 > y", outputFiles="**")
    assert result.state == "SUCCESS", result.error
    assert set(result.outputs["outputFiles"]) == {"d/x", "y"}
    assert result.files[f"{RUN}/d/x"] == b"1\n"


def test_an_uri_in_a_command_becomes_a_path() -> None:
    uri = "kestra:///test/_files/data.csv"
    result = run_task({"type": shell.Commands, "commands": [f"cat {uri} '{uri}'"]}, files={"data.csv": "x\n"})
    assert result.logs == [Log("INFO", "x"), Log("INFO", "x")]
    assert "no file" in str(commands("cat kestra:///test/_files/nowhere").error)


def test_commands_see_little_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "x")
    monkeypatch.setenv("PENSTOCK_DATABASE__URL", "y")
    result = commands("env", env={"PORT": 8080, "NAME": "{{ inputs.x }}"})
    seen = dict(log.message.partition("=")[::2] for log in result.logs)
    assert (seen["PORT"], seen["NAME"], seen["PENSTOCK_IDEMPOTENCY_KEY"]) == ("8080", "a b", "idempotency-key")
    assert not {"SECRET_KEY", "PENSTOCK_DATABASE__URL"} & seen.keys()


def test_secrets_are_masked() -> None:
    definition = {"type": shell.Commands, "env": {"KEY": "{{ secret('KEY') }}"}, "commands": ["echo $KEY; exit 1"]}
    result = run_task(definition, secrets={"KEY": "hunter22"})
    assert result.logs == [Log("INFO", "******")]


def test_a_shell_script_and_another_interpreter() -> None:
    assert run_task({"type": shell.Script, "script": "for i in 1 2; do\n  echo $i\ndone"}).logs == [
        Log("INFO", "1"),
        Log("INFO", "2"),
    ]
    result = run_task({"type": shell.Script, "script": "print(6 * 7)", "interpreter": ["python3", "-c"]})
    assert result.logs == [Log("INFO", "42")]
    assert "there is no program `nosuch`" in str(commands("x", interpreter=["nosuch"]).error)


def test_a_python_script_imports_what_lies_beside_it_and_is_not_kept() -> None:
    files = {"beside.py": "value = 3"}
    result = script("import beside, os\nprint(beside.value)", inputFiles=files, outputFiles=["*"])
    assert result.logs == [Log("INFO", "3")], result.error
    assert list(result.outputs["outputFiles"]) == ["beside.py"]


def test_a_python_script_that_raises() -> None:
    result = script("raise ValueError('no {{ inputs.x }}')")
    assert str(result.error).startswith("the script ended with exit code 1\nTraceback")
    assert str(result.error).endswith("ValueError: no a b")


def test_python_commands() -> None:
    definition = {"type": python.Commands, "commands": ["python3 main.py 1"], "inputFiles": {"main.py": "print('ok')"}}
    assert run_task(definition).logs == [Log("INFO", "ok")]


def test_output_without_end_is_no_longer_logged() -> None:
    lines = _LOGGED // 1024 + 500
    told = """print('::' + '{"outputs": {"a": 1}}' + '::')"""
    result = script(f"for _ in range({lines}): print('{'x' * 1023}')\n{told}")
    assert len(result.logs) == _LOGGED // 1024 + 1
    assert result.logs[-1] == Log("WARN", "the command has printed 16 MiB; no more of it is logged")
    assert result.outputs["vars"] == {"a": 1}


def test_a_task_that_is_told_to_stop_is_killed() -> None:
    result = run_task({"type": shell.Commands, "commands": ["sleep 60"]}, cancel_after=0)
    assert result.state == "KILLED"
