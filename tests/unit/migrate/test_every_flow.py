"""Whatever a flow looks like: its migration can be read, is final, and is the same however the flow is laid out."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from engine.dialect import parse
from engine.dialect.document import read
from engine.dialect.migrate import migrate
from engine.dialect.source import decode
from engine.errors import FlowInvalid
from tests.unit.migrate.pairs import CATALOG, CORE

ROOT = Path(__file__).parents[3]
FLOWS = [*sorted((ROOT / "flows").glob("**/*.yaml")), *sorted((ROOT / "tests" / "golden" / "flows").glob("*.yaml"))]
SHORT = {"RETURN": f"{CORE}.debug.Return"} | {
    name.upper(): f"{CORE}.flow.{name}" for name in ("Sequential", "Parallel", "Dag", "If", "Switch", "ForEach")
}


def written(path: Path) -> str:
    """A flow of the project. Those of the golden cases write their types in short, and say what they expect."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"(?<=type: )[A-Z]+\b", lambda match: SHORT.get(match[0], match[0]), text)


def errors(text: str) -> set[tuple[str, str]]:
    return {(finding.code, finding.message) for finding in parse(text, types=CATALOG).errors}


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_the_flows_of_the_project(path: Path) -> None:
    text = written(path)
    there = migrate(text, "2.0", types=CATALOG)
    assert errors(there.text) <= errors(text), "it was valid before"
    again = migrate(there.text, "2.0", types=CATALOG)
    assert (again.text, again.rewritten) == (there.text, [])
    back = migrate(there.text, "1.x", types=CATALOG)
    if not there.left and not back.left:
        assert migrate(back.text, "2.0", types=CATALOG).text == there.text


SHELL = "io.kestra.plugin.scripts.shell.Commands"
ALL: dict[str, Any] = {
    "id": "all",
    "namespace": "acme",
    "inputs": [
        {"id": "a", "type": "BOOLEAN", "required": False, "defaults": True},
        {"id": "b", "type": "ENUM", "values": ["x", "y"]},
    ],
    "checks": [{"condition": "{{ inputs.a }}", "message": "No: stop # here"}],
    "tasks": [
        {"id": "say", "type": f"{CORE}.debug.Echo", "format": "{{ json(inputs.b).c | json }}", "runIf": "{{ true }}"},
        {
            "id": "outer",
            "type": f"{CORE}.flow.ForEach",
            "values": ["a", "b"],
            "tasks": [
                {"id": "one", "type": "x.Y", "text": "first {{ taskrun.value }} and {{ taskrun.iteration }} last"},
                {
                    "id": "inner",
                    "type": f"{CORE}.flow.EachSequential",
                    "value": ["c"],
                    "tasks": [
                        {"id": "two", "type": "x.Y", "map": {"k": ["{{ outputs.one[parent.taskrun.value].v }}"]}},
                        {"id": "three", "type": "x.Y", "q": "{{ outputs.two[parent.taskrun.value][taskrun.value].v }}"},
                    ],
                },
            ],
        },
        {"id": "run", "type": SHELL, "docker": {"image": "alpine"}, "runner": "DOCKER", "commands": ["ls"]},
        {
            "id": "both",
            "type": f"{CORE}.flow.EachParallel",
            "value": ["d"],
            "tasks": [
                {"id": "left", "type": "x.Y", "text": "one {{ taskrun.value }} two"},
                {"id": "right", "type": "x.Y", "list": ["a b", {"c": "d e"}]},
            ],
        },
        {"id": "rm", "type": "io.kestra.plugin.fs.local.Delete", "from": "x"},
    ],
    "triggers": [
        {
            "id": "s",
            "type": f"{CORE}.trigger.Schedule",
            "conditions": [{"type": f"{CORE}.condition.Weekend"}],
            "cron": "0 0 * * *",
        },
        {
            "id": "f",
            "type": f"{CORE}.trigger.Flow",
            "states": ["CANCELED"],
            "conditions": [{"type": f"{CORE}.condition.ExecutionFlow", "namespace": "n", "flowId": "f"}],
        },
    ],
    "taskDefaults": [{"type": "x", "values": {"map": {"z": 1}, "log": ["{{ json(vars.x) }}"]}}],
}


class Pen:
    """Writes data as YAML, in whatever style chance says, with comments in between."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.comments = 0

    def flow(self, data: dict[str, Any]) -> str:
        text = "\n".join(self.block(data, 0)) + "\n"
        text = text if self.chance.random() < 0.8 else text.rstrip("\n")
        return text if self.chance.random() < 0.8 else text.replace("\n", "\r\n")

    def block(self, data: Any, indent: int) -> list[str]:
        lines = []
        for key, value in data.items() if isinstance(data, dict) else ((None, item) for item in data):
            if self.chance.random() < 0.2:
                lines.append(" " * indent + self.comment())
            lead = " " * indent + ("-" if key is None else f"{key}:")
            nested = isinstance(value, (dict, list)) and self.chance.random() < 0.7
            if nested and key is None and isinstance(value, dict) and self.chance.random() < 0.8:
                first, *rest = self.block(value, indent + 2)
                while first.lstrip().startswith("#"):
                    first, *rest = rest
                lines += [f"{lead} {first.lstrip()}", *rest]
            elif nested:
                lines += [lead + self.trailing(), *self.block(value, indent + 2)]
            else:
                lines += self.entry(lead, value, indent)
        return lines

    def entry(self, lead: str, value: Any, indent: int) -> list[str]:
        if isinstance(value, str) and " " in value and self.chance.random() < 0.3:
            words = value.split(" ")
            cut = self.chance.randrange(1, len(words))
            pad = " " * (indent + 2)
            return [f"{lead} >-", pad + " ".join(words[:cut]), pad + " ".join(words[cut:])]
        return [f"{lead} {self.inline(value)}{self.trailing()}"]

    def inline(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key}: {self.inline(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self.inline, value)) + "]"
        if not isinstance(value, str):
            return json.dumps(value)
        single = "'" + value.replace("'", "''") + "'"
        plain = value if re.fullmatch(r"[A-Za-z][\w.]*", value) else single
        return self.chance.choice([json.dumps(value), single, plain])

    def comment(self) -> str:
        self.comments += 1
        return f"# comment {self.comments}"

    def trailing(self) -> str:
        return f"  {self.comment()}" if self.chance.random() < 0.2 else ""


def data_of(text: str) -> Any:
    return read(decode(text, "x")).data


@pytest.mark.parametrize("seed", range(60))
def test_any_layout_comes_to_the_same_and_keeps_its_comments(seed: int) -> None:
    pen = Pen(seed)
    text = pen.flow(ALL)
    assert data_of(text) == ALL
    there = migrate(text, "2.0", types=CATALOG)
    assert not there.left, [finding.message for finding in there.left]
    assert data_of(there.text) == data_of(migrate(json.dumps(ALL), "2.0", types=CATALOG).text)
    kept, comments = (re.findall(r"# comment \d+", one) for one in (there.text, text))
    assert sorted(kept) == sorted(comments)
    assert migrate(there.text, "2.0", types=CATALOG).text == there.text


BITS = [
    "{{",
    "}}",
    "[",
    "}",
    ":",
    "- ",
    "\n",
    "  ",
    "#",
    "'",
    '"',
    "|",
    "&a ",
    "*a",
    "<<: *a",
    "item",
    "\t",
    "!x ",
    "null",
]


@pytest.mark.parametrize("seed", range(80))
def test_slips_of_the_pen_are_refused_or_migrated_once(seed: int) -> None:
    text = Pen(seed).flow(ALL)
    chance = random.Random(seed)
    at = chance.randrange(len(text))
    cut = chance.choice([0, 0, 3, 10])
    text = text[:at] + (chance.choice(BITS) if not cut else "") + text[at + cut :]
    for to in ("2.0", "1.x"):
        try:
            there = migrate(text, to, types=CATALOG)  # type: ignore[arg-type]  # one of the two
        except FlowInvalid:
            continue
        again = migrate(there.text, to, types=CATALOG)  # type: ignore[arg-type]
        assert (again.text, again.rewritten) == (there.text, [])


def test_what_all_of_it_comes_to() -> None:
    migrated = data_of(migrate(json.dumps(ALL), "2.0", types=CATALOG).text)
    say, outer, run, both, remove = migrated["tasks"]
    assert say == {
        "id": "say",
        "type": f"{CORE}.log.Log",
        "message": "{{ fromJson(inputs.b).c | toJson }}",
        "when": "{{ true }}",
    }
    assert (outer["type"], outer["concurrencyLimit"]) == (f"{CORE}.flow.Loop", 1)
    assert outer["tasks"][1]["tasks"][1]["q"] == "{{ outputs.two.v }}"
    assert outer["tasks"][0]["log"] == ["{{ fromJson(vars.x) }}"]
    assert run["containerImage"] == "alpine"
    assert remove["recursive"] is True
    assert [task["id"] for task in both["tasks"][0]["tasks"]] == ["left", "right"]
    assert migrated["triggers"][0]["when"] == "{{ isWeekend(trigger.date) }}"
    assert migrated["triggers"][1]["states"] == ["CANCELLED"]
    assert "taskDefaults" not in migrated
