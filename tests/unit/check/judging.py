"""A flow in few words, and what is said about it."""

from __future__ import annotations

from engine.catalog import Catalog
from engine.check import check
from engine.dialect import parse
from engine.model.diagnostic import Diagnostic

RETURN = "io.kestra.plugin.core.debug.Return"
LOG = "io.kestra.plugin.core.log.Log"
FLOW = "io.kestra.plugin.core.flow"

#: Something of everything that an expression can read.
HEAD = """\
id: demo
namespace: acme
inputs:
  - {id: name, type: STRING, defaults: you}
  - {id: count, type: INT, defaults: 3}
  - {id: go, type: BOOLEAN, defaults: true}
  - {id: env, type: SELECT, values: [dev, prod], defaults: dev}
  - {id: tags, type: ARRAY, itemType: STRING, defaults: [a]}
  - {id: data, type: JSON, defaults: {}}
variables:
  bucket: b
  nested: {rows: [{id: 1}]}
"""


def judged(source: str) -> list[Diagnostic]:
    """All findings about a flow, in the order of the file."""
    catalog = Catalog()
    parsed = parse(source, types=catalog)
    found = [*parsed.diagnostics, *check(parsed, catalog)]
    return sorted(found, key=lambda finding: (finding.line, finding.column))


def returning(template: str) -> str:
    """A task that renders a template."""
    quoted = template.replace("'", "''")
    return f"{{id: reader, type: {RETURN}, format: '{quoted}'}}"


def mended(source: str, finding: Diagnostic) -> str:
    """The flow after the edit that a finding carries."""
    edit = finding.edit
    assert edit is not None
    assert edit.line == edit.end_line
    lines = source.split("\n")
    line = lines[edit.line - 1]
    lines[edit.line - 1] = line[: edit.column - 1] + edit.text + line[edit.end_column - 1 :]
    return "\n".join(lines)
