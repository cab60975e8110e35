"""Where files are, and whose they are."""

from __future__ import annotations

import pytest

from engine.errors import FileRefused
from engine.model import file_uri


def test_the_places_of_an_execution() -> None:
    where = ("company.team", "my.flow", "e1")
    assert file_uri.execution_folder(*where) == "kestra:///company/team/my.flow/executions/e1"
    assert file_uri.task_run_folder(*where, "t", "r").endswith("/e1/tasks/t/r")
    assert file_uri.input_folder(*where, "data").endswith("/e1/inputs/data")
    assert file_uri.trigger_folder(*where, "watch").endswith("/e1/trigger/watch")


@pytest.mark.parametrize("namespace", ["a", "a.b", "a..b", "a._files", "a.f.executions.e", "a-b.c_d", "a."])
@pytest.mark.parametrize("flow_id", ["f", "executions", "F..x"])
def test_every_file_has_one_owner(namespace: str, flow_id: str) -> None:
    of_task = file_uri.join(file_uri.task_run_folder(namespace, flow_id, "e1", "t", "r"), "_files/executions/x")
    assert file_uri.execution_of(of_task) == "e1"
    assert file_uri.execution_folder_of(of_task) == file_uri.execution_folder(namespace, flow_id, "e1")
    assert not file_uri.is_namespace_file(of_task)
    of_namespace = file_uri.join(file_uri.namespace_folder(namespace), "data/x.csv")
    assert file_uri.execution_of(of_namespace) is None
    assert file_uri.is_namespace_file(of_namespace)


def test_a_folder_is_not_a_file_of_it() -> None:
    assert not file_uri.is_namespace_file("kestra:///a/_files")
    assert file_uri.execution_of("kestra:///a/f/executions") is None


@pytest.mark.parametrize("name", ["a b.csv", "100%.txt", "q?x#y", "é{{ x }}", "%2e%2e"])
def test_names_survive_their_uri(name: str) -> None:
    uri = file_uri.join("kestra:///a/_files", name)
    assert file_uri.segments(uri) == ("a", "_files", name)
    assert file_uri.build(file_uri.segments(uri)) == uri
    assert "{" not in uri


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a//b", "a/.", "a\\b", "a\0"])
def test_a_path_stays_below_its_folder(path: str) -> None:
    with pytest.raises(FileRefused, match="cannot name a file"):
        file_uri.join("kestra:///a/_files", path)


def test_a_namespace_is_a_namespace() -> None:
    for wrong in ("", "../a", "A.b", "a/b", "_a"):
        with pytest.raises(FileRefused, match="is not a namespace"):
            file_uri.namespace_folder(wrong)
