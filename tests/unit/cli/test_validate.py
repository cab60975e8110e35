"""`penstock validate`: files, folders and stdin; for people and for programs."""

import io
import sys
from pathlib import Path

import pytest

from tests.unit.cli.typed import HELLO, Penstock

BAD = HELLO.replace("message:", "mesage:").replace("core.debug.Return", "core.debug.Retrun")


def test_valid_flows(penstock: Penstock) -> None:
    checked = penstock("validate", "hello.yaml", "failing.yaml")
    assert (checked.code, checked.out, checked.err) == (0, "2 flows checked: all valid (dialect: 2 either)\n", "")


def test_every_error_of_every_file_at_once(penstock: Penstock, project: Path) -> None:
    (project / "bad.yaml").write_text(BAD, encoding="utf-8")
    checked = penstock("validate", "hello.yaml", "bad.yaml", "nope.yaml")
    assert checked.code == 2
    for text in ("bad.yaml:6:", "bad.yaml:7:", "nope.yaml:1:1: error[unreadable]", "^", "3 flows checked: "):
        assert text in checked.out


def test_folders_are_walked_without_what_is_hidden(penstock: Penstock, project: Path) -> None:
    for folder in ("a/b", ".venv"):
        (project / folder).mkdir(parents=True)
        (project / folder / "bad.yml").write_text(BAD, encoding="utf-8")
    (project / "penstock.yaml").write_text("flows: a\n", encoding="utf-8")
    files = {finding["file"] for finding in penstock("validate", ".", "--json").json}
    assert files == {"./a/b/bad.yml"}


def test_a_folder_without_flows(penstock: Penstock, project: Path) -> None:
    (project / "empty").mkdir()
    assert "there is no flow in empty" in penstock("validate", "empty").err


def test_stdin(penstock: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
    checked = penstock("validate", "-")
    assert checked.code == 2
    assert "<stdin>:6:" in checked.out


def test_json(penstock: Penstock, project: Path) -> None:
    (project / "bad.yaml").write_text(BAD, encoding="utf-8")
    findings = penstock("validate", "bad.yaml", "--json").json
    assert [set(finding) for finding in findings] == [
        {"file", "line", "column", "severity", "code", "message", "hint", "edit"}
    ] * len(findings)
    assert findings[0]["line"] == 6
    assert penstock("validate", "hello.yaml", "--json").json == []


def test_an_edit_for_programs(penstock: Penstock, project: Path) -> None:
    (project / "slip.yaml").write_text(HELLO.replace("{{ inputs.name }}", "{{ inputs.nmae }}"), encoding="utf-8")
    (finding,) = penstock("validate", "slip.yaml", "--json").json
    assert finding["edit"] == {"line": 6, "column": 84, "endLine": 6, "endColumn": 88, "text": "name"}
    (result,) = penstock("validate", "slip.yaml", "--sarif").json["runs"][0]["results"]
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"] == {"uri": "slip.yaml"}
    assert change["replacements"][0]["insertedContent"] == {"text": "name"}


def test_a_secret_that_is_not_set_is_a_hint(penstock: Penstock, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = HELLO.replace("{{ inputs.name }}", "{{ secret('A') }}{{ secret('B') }}{{ secret('C') }}")
    (project / "keys.yaml").write_text(flow, encoding="utf-8")
    (project / ".env").write_text("SECRET_B=b\n", encoding="utf-8")
    monkeypatch.setenv("SECRET_A", "a")
    answer = penstock("validate", "keys.yaml", "--json")
    assert answer.code == 0
    assert [finding["message"] for finding in answer.json] == ['there is no secret "C" here']


def test_sarif(penstock: Penstock, project: Path) -> None:
    (project / "bad.yaml").write_text(BAD, encoding="utf-8")
    log = penstock("validate", "bad.yaml", "--sarif").json
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    known = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    for result in run["results"]:
        assert result["ruleId"] in known
        assert result["level"] == "error"
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"] == {"uri": "bad.yaml"}
        assert place["region"]["startLine"] in (6, 7)


@pytest.mark.parametrize(
    ("written", "told", "codes"),
    [
        ("", "all valid (dialect: either)", []),
        ("runIf: true, ", "all valid (dialect: 1.x)", ["older-dialect"]),
        ("when: true, ", "all valid (dialect: 2.0)", ["newer-dialect"]),
        ("when: \"{{ json('1') == 1 }}\", ", "all valid (dialect: mixed)", ["mixed-dialects"]),
    ],
)
def test_the_dialect_is_told_and_is_no_complaint(
    penstock: Penstock, project: Path, written: str, told: str, codes: list[str]
) -> None:
    (project / "one.yaml").write_text(HELLO.replace("{id: say, ", f"{{id: say, {written}"), encoding="utf-8")
    checked = penstock("validate", "one.yaml")
    assert checked.code == 0
    assert told in checked.out
    assert ("info[mixed-dialects]" in checked.out) == (codes == ["mixed-dialects"])
    findings = penstock("validate", "one.yaml", "--json").json
    assert [(finding["code"], finding["severity"]) for finding in findings] == [(code, "info") for code in codes]
    results = penstock("validate", "one.yaml", "--sarif").json["runs"][0]["results"]
    assert [result["level"] for result in results] == ["note"] * len(codes)


def test_conflicting_options(penstock: Penstock) -> None:
    assert penstock("validate", "hello.yaml", "--json", "--sarif").code == 2


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff\xfe", b"[" * 50_000, b"id: x\ntasks: [", b"- a"])
def test_rubbish_is_a_finding(penstock: Penstock, project: Path, content: bytes) -> None:
    (project / "rubbish.yaml").write_bytes(content)
    checked = penstock("validate", "rubbish.yaml")
    assert checked.code == 2
    assert "rubbish.yaml:" in checked.out


def test_a_mistake_in_the_settings_is_told_first(penstock: Penstock, project: Path) -> None:
    (project / "penstock.yaml").write_text("flow: a\n", encoding="utf-8")
    checked = penstock("validate", "hello.yaml")
    assert checked.code == 2
    assert "penstock.yaml:1:1: error[unknown-property]" in checked.err
    assert 'did you mean "flows"?' in checked.err
