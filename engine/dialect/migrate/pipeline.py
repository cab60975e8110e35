"""A flow from one dialect to the other: each rule in turn, on the text that the rule before it left.

Always true: what comes out can be read, every expression that could be parsed still can, and what a rule could not
do is told with its place in the text that came in.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from engine.dialect.document import Document, read
from engine.dialect.migrate.draft import Change, Draft, Remark, applied, before
from engine.dialect.migrate.rule import Rule
from engine.dialect.migrate.rules import RULES
from engine.dialect.sites import texts
from engine.dialect.source import Source, decode, place_of
from engine.dialect.types import TypeIndex
from engine.dialect.versions import Dialect
from engine.errors import ExpressionError, FlowInvalid
from engine.model.diagnostic import Diagnostic, Severity


class Rewritten(Struct, frozen=True, kw_only=True):
    """One change: which rule made it, and where in the text that came in."""

    rule: str
    line: int
    column: int


class Migration(Struct, frozen=True, kw_only=True):
    """A flow in the other dialect. `text` has every change that is safe, whether or not something is left."""

    text: str
    rewritten: list[Rewritten]
    left: list[Diagnostic]  #: what stays as it was, and needs a person
    notes: list[Diagnostic]  #: what was rewritten, and may now mean a little less or more


def migrate(content: str | bytes, to: Dialect, *, file: str = "<input>", types: TypeIndex) -> Migration:
    """The flow in the dialect `to`. Raises FlowInvalid for a text that cannot be read, or is no flow."""
    document = read(decode(content, file))
    if not isinstance(document.data, dict):
        document.source.refuse("not-a-flow", "there is no flow in this file", document.span(()))
    if document.problems:
        raise FlowInvalid(document.problems[0].message, document.problems)
    run = _Run(document)
    if document.data.get("expressions", "kestra") != "kestra":
        run.refuse("expressions", "the expressions of this flow are not in Kestra's language")
    for rule in RULES[to] if not run.remarks else ():
        run.apply(rule, types)
    return Migration(
        text=run.document.source.text,
        rewritten=run.rewritten,
        left=[run.told(remark) for remark in run.remarks if remark.left],
        notes=[run.told(remark) for remark in run.remarks if not remark.left],
    )


class _Run:
    """A migration under way. `trail` has the changes of each rule so far."""

    def __init__(self, document: Document) -> None:
        self.origin = document.source
        self.document = document
        self.trail: list[Sequence[Change]] = []
        self.remarks: list[Remark] = []
        self.rewritten: list[Rewritten] = []

    def apply(self, rule: Rule, types: TypeIndex) -> None:
        draft = Draft(self.document)
        rule.apply(draft, types)
        changes = draft.ordered()
        changed = self._reread(draft, changes) if changes else None
        if changes == [] or changed is not None:
            self.remarks += [remark._replace(offset=self._back(remark.offset)) for remark in draft.remarks]
        else:
            message = f"the rule {rule.name} did not work out here"
            offset = min((change.start for change in draft.changes), default=0)
            self.remarks.append(Remark(self._back(offset), message, "write it anew by hand", left=True))
        if changes and changed is not None:
            for change in changes:
                place = place_of(self.origin.text, self._back(change.start))
                self.rewritten.append(Rewritten(rule=rule.name, line=place.line, column=place.column))
            self.trail.append(changes)
            self.document = changed

    def refuse(self, name: str, message: str) -> None:
        """Leave the whole flow, because of one of its properties."""
        draft = Draft(self.document)
        draft.leave((name,), message, "no Kestra runs this flow: there is nothing to migrate it to", key=True)
        self.remarks += draft.remarks

    def told(self, remark: Remark) -> Diagnostic:
        return self.origin.diagnostic(
            "not-migrated" if remark.left else "migrated-with-care",
            remark.message,
            place_of(self.origin.text, remark.offset),
            hint=remark.hint,
            severity=Severity.ERROR if remark.left else Severity.INFO,
        )

    def _back(self, offset: int) -> int:
        for changes in reversed(self.trail):
            offset = before(changes, offset)
        return offset

    def _reread(self, draft: Draft, changes: Sequence[Change]) -> Document | None:
        """The document with the changes made; None when it would be none, or hold an expression that is broken."""
        text = applied(self.document.source.text, changes)
        try:
            document = read(Source(text, self.origin.file))
        except FlowInvalid:
            return None
        broken = _broken(document) > _broken(self.document)
        missed = draft.wanted is not None and document.data != draft.wanted
        return None if document.problems or broken or missed else document


def _broken(document: Document) -> int:
    """How many different texts are no valid templates."""
    from engine.expressions import check_syntax

    found = set()
    for _, text, _ in texts(document.data, ()):
        try:
            check_syntax(text)
        except ExpressionError:
            found.add(text)
    return len(found)
