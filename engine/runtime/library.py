"""The flows of an instance: from a file, from a text, by name, and as an execution ran them.

Always true: a flow that comes from here was checked, has the instance's plugin defaults worked in, and knows its text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

from engine.dialect import load
from engine.dialect.source import decode
from engine.dialect.types import TypeIndex
from engine.errors import NotFound
from engine.model.execution import Execution
from engine.model.flow import Flow, PluginDefault
from engine.ports import Clock, FlowRecord, Store
from engine.runtime.flow_names import named_flow
from engine.sources import looks_like_file, read_file

#: How many flows are kept as they were read, the latest of them.
_KNOWN = 1000


class Library:
    """`store` is asked for when it is needed: a flow that is only read needs none."""

    def __init__(
        self, store: Callable[[], Store], types: TypeIndex, defaults: Sequence[PluginDefault], clock: Clock
    ) -> None:
        self._store = store
        self._types = types
        self._defaults = defaults
        self._clock = clock
        self._parsed: dict[tuple[str, str, int], Flow] = {}  #: of stored revisions; those never change
        self._keeping = Lock()
        self._newest: dict[tuple[str, str], FlowRecord] = {}

    def load(self, flow: str | Path) -> Flow:
        """A flow from a file, or a stored one as NAMESPACE/ID or NAMESPACE.ID.

        Raises FlowInvalid for what is written, NotFound, UsageError for what cannot be read.
        """
        name = str(flow)
        if looks_like_file(name):
            return self.parse(decode(read_file(name), name).text, file=name)
        return self.read(self.record(name))

    def parse(self, source: str, *, file: str, revision: int = 1) -> Flow:
        """A flow from its text. Raises FlowInvalid."""
        flow = load(source, file=file, types=self._types, defaults=self._defaults)
        return flow.model_copy(update={"revision": revision}).written_as(source)

    def read(self, record: FlowRecord) -> Flow:
        """The flow of a stored revision. Raises FlowInvalid: what it needs may be gone since it was stored."""
        key = (record.namespace, record.id, record.revision)
        flow = self._parsed.get(key)
        if flow is None:
            flow = self.parse(record.source, file=f"{record.namespace}/{record.id}", revision=record.revision)
            with self._keeping:
                while len(self._parsed) >= _KNOWN:
                    del self._parsed[next(iter(self._parsed))]
                self._parsed[key] = flow
        return flow

    def record(self, name: str) -> FlowRecord:
        """The newest stored revision of NAMESPACE/ID or NAMESPACE.ID. Raises NotFound, UsageError if ambiguous."""
        return named_flow(self._store(), name)

    def find(self, namespace: str, flow_id: str, revision: int | None = None) -> Flow:
        """A stored flow, by default its newest revision. Raises NotFound, FlowInvalid."""
        record = self._store().flow(namespace, flow_id, revision)
        if record is None:
            which = f" with the revision {revision}" if revision is not None else ""
            raise NotFound(
                f"there is no flow {namespace}/{flow_id}{which}",
                hint="`penstock run` stores a flow when it runs one; `penstock flows list` shows those that are stored",
            )
        return self.read(record)

    def flow_of(self, execution: Execution, revision: int | None = None) -> Flow:
        """The flow of an execution: the revision that it runs, or another one. Raises NotFound."""
        number = execution.flow_revision if revision is None else revision
        key = (execution.namespace, execution.flow_id, number)
        known = self._parsed.get(key)
        if known is not None:
            return known
        record = self._store().flow(*key)
        if record is None:
            raise NotFound(
                f"the flow {execution.namespace}/{execution.flow_id} has no revision {number}",
                hint=f"`penstock flows show {execution.namespace}/{execution.flow_id}` shows the newest one",
            )
        return self.read(record)

    def forget(self, namespace: str, flow_id: str) -> None:
        """A flow is deleted: its text is not its newest revision any more."""
        self._newest.pop((namespace, flow_id), None)

    def keep(self, flow: Flow, source: str) -> FlowRecord:
        """Store the text of a flow as its newest revision, unless it is that already."""
        key = (flow.namespace, flow.id)
        known = self._newest.get(key)
        if known is None or known.source != source:
            known = self._store().save_flow(*key, source, at=self._clock.now(), disabled=flow.disabled)
            self._newest[key] = known
        return known
