"""A flow, and what somebody gives to it -> an execution that may begin.

Always true: nothing is stored here; made again from what it says it was given, under the same id, an execution is the
same, which is how an engine makes it that another one hands it over to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from msgspec import Struct

from engine.core import Facts
from engine.core.inputs import Ask, flattened, resolve_inputs
from engine.core.labels import execution_labels
from engine.errors import ExecutionBlocked, IllegalState, InputsInvalid, UsageError
from engine.expressions import Functions, language
from engine.model.execution import Caller, Execution, JsonMap, StateChange
from engine.model.file_uri import input_folder
from engine.model.flow import Flow
from engine.model.inputs import Input
from engine.model.sealed import ciphertext_of
from engine.model.state import State
from engine.ports import Cipher, Clock, Files
from engine.runtime.ids import new_id
from engine.runtime.masking import Masker
from engine.runtime.outside import Asker
from engine.runtime.sealing import sealed_inputs
from engine.runtime.uploads import Uploads
from engine.runtime.wire import Submission


class NewExecution(Struct, frozen=True, kw_only=True):
    """An execution that is checked and not stored, and what it was made of."""

    flow: Flow
    source: str  #: the text of the flow
    execution: Execution
    inputs: Mapping[str, Any]  #: as given; files by the URIs that they are uploaded to
    labels: Mapping[str, str]  #: as given
    uploads: Uploads

    @property
    def submission(self) -> Submission:
        """What another engine needs to begin the same."""
        return Submission(
            id=self.execution.id,
            source=self.source,
            file=f"{self.flow.namespace}/{self.flow.id}",
            inputs=self.inputs,
            labels=self.labels,
        )

    @contextmanager
    def uploaded(self, is_stored: Callable[[str], bool]) -> Iterator[None]:
        """Its files are stored; should beginning it fail, they are removed again."""
        self.uploads.put()
        try:
            yield
        except BaseException:
            if not is_stored(self.execution.id):
                self.uploads.discard()
            raise


class Origin(Struct, frozen=True, kw_only=True):
    """Where an execution comes from that no person begins."""

    trigger: Mapping[str, Any] | None = None
    caller: Caller | None = None
    labels: Mapping[str, str] | None = None  #: those of the execution that begins it
    due: datetime | None = None  #: when it is to begin; None is at once


_A_PERSON = Origin()


class Creator(Struct, frozen=True, kw_only=True):
    """Makes executions."""

    clock: Clock
    facts: Facts
    functions: Callable[[Asker], Functions]  #: what expressions in declarations may call
    cipher: Callable[[], Cipher]
    files: Callable[[], Files]

    def create(
        self,
        flow: Flow,
        inputs: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        execution_id: str | None = None,
        origin: Origin = _A_PERSON,
    ) -> NewExecution:
        """Raises InputsInvalid, IllegalState for a disabled flow, ExecutionBlocked when its checks say so, UsageError
        for one that has no text to be stored.
        """
        if flow.source is None:
            raise UsageError("this flow was not read from a text", hint="load it with Engine.load or Engine.parse")
        if flow.disabled:
            raise IllegalState(f"the flow {flow.namespace}/{flow.id} is disabled", hint="remove `disabled: true`")
        inputs, labels, execution_id = inputs or {}, labels or {}, execution_id or new_id()
        merged = execution_labels(flow.labels, labels, correlation_id=execution_id, inherited=origin.labels)
        uploads = Uploads(self.files, partial(input_folder, flow.namespace, flow.id, execution_id))
        values = self._resolve(flow, inputs, execution_id, uploads)
        refused = self._checked(flow, values, execution_id) if flow.checks else None
        if uploads.by_input:
            inputs = {**dict(flattened(inputs, {item.id: item for item in flow.inputs})), **uploads.by_input}
        execution = Execution(
            id=execution_id,
            namespace=flow.namespace,
            flow_id=flow.id,
            flow_revision=flow.revision,
            state=State.CREATED,
            history=(StateChange(State.CREATED, self.clock.now()),),
            inputs=sealed_inputs(flow.inputs, values, self.cipher()),
            labels=merged,
            trigger=origin.trigger,
            caller=origin.caller,
            due=origin.due,
            ending=State.FAILED if refused is not None else None,
            error=refused,
        )
        return NewExecution(
            flow=flow, source=flow.source, execution=execution, inputs=inputs, labels=labels, uploads=uploads
        )

    def failed(self, flow: Flow, reason: str, execution_id: str, origin: Origin) -> NewExecution:
        """An execution that has failed before it began, for what starts it to be seen. It has no inputs."""
        assert flow.source is not None, "a flow that is stored has a text"
        execution = Execution(
            id=execution_id,
            namespace=flow.namespace,
            flow_id=flow.id,
            flow_revision=flow.revision,
            state=State.CREATED,
            history=(StateChange(State.CREATED, self.clock.now()),),
            labels=execution_labels(flow.labels, {}, correlation_id=execution_id, inherited=origin.labels),
            trigger=origin.trigger,
            ending=State.FAILED,
            error=reason,
        )
        uploads = Uploads(self.files, partial(input_folder, flow.namespace, flow.id, execution_id))
        return NewExecution(flow=flow, source=flow.source, execution=execution, inputs={}, labels={}, uploads=uploads)

    def _checked(self, flow: Flow, values: Mapping[str, Any], execution_id: str) -> str | None:
        """Why the execution is created only to have failed, if its checks say so. Raises ExecutionBlocked."""
        from engine.core.checks import judge  # lazy: few flows have checks

        secrets: list[str] = []
        verdict = judge(flow, values, self._seen(flow), self.functions(self._asker(flow, execution_id, secrets)))
        masker = Masker()
        for secret in secrets:
            masker.add(secret)
        why = masker.text("; ".join(check.message for check in verdict.failing))
        if verdict.failing and verdict.behavior == "BLOCK_EXECUTION":
            raise ExecutionBlocked(f"{flow.namespace}/{flow.id} is not started: {why}")
        return why if verdict.failing and verdict.behavior == "FAIL_EXECUTION" else None

    def _seen(self, flow: Flow) -> dict[str, Any]:
        """What expressions see before there is an execution."""
        return {
            "flow": {"id": flow.id, "namespace": flow.namespace},
            "vars": flow.variables,
            "envs": self.facts.envs,
            "globals": self.facts.globals,
        }

    def _asker(self, flow: Flow, execution_id: str, secrets: list[str]) -> Asker:
        # Chance is drawn from the execution's id: new for each run, and the same for whoever the run is handed to.
        return Asker(seed=execution_id, namespace=flow.namespace, flow_id=flow.id, mask=secrets.append)

    def given_again(
        self, flow: Flow, execution: Execution, given: Mapping[str, Any], execution_id: str
    ) -> tuple[dict[str, Any], Uploads]:
        """The inputs of an execution as one with another id has them, `given` in place of the old. InputsInvalid."""
        declared = {item.id: item for item in flow.inputs}
        before = {
            name: self._opened(value)
            for name, value in flattened(execution.inputs, declared)
            if name in declared and value is not None
        }
        uploads = Uploads(self.files, partial(input_folder, flow.namespace, flow.id, execution_id))
        values = self._resolve(flow, {**before, **dict(flattened(given, declared))}, execution_id, uploads)
        return sealed_inputs(flow.inputs, values, self.cipher()), uploads

    def _opened(self, value: Any) -> Any:
        ciphertext = ciphertext_of(value)
        return value if ciphertext is None else self.cipher().decrypt(ciphertext)

    def answered(self, flow: Flow, declared: Sequence[Input], given: Mapping[str, Any], execution_id: str) -> JsonMap:
        """What a person gives to an execution that waits for it, sealed and with its files stored. InputsInvalid."""
        uploads = Uploads(self.files, partial(input_folder, flow.namespace, flow.id, execution_id))
        asking = flow.model_copy(update={"inputs": tuple(declared)})
        values = self._resolve(asking, given, f"{execution_id}/onResume", uploads)
        uploads.put()
        return sealed_inputs(declared, values, self.cipher())

    def completed(self, flow: Flow, inputs: Mapping[str, Any], ask: Ask) -> dict[str, Any]:
        """The inputs with what `ask` gives for those that are required and missing. Raises InputsInvalid."""
        answers: dict[str, Any] = {}

        def remember(entry: Any, reason: str | None) -> Any:
            answers[entry.input.id] = ask(entry, reason)
            return answers[entry.input.id]

        execution_id = new_id()
        uploads = Uploads(self.files, partial(input_folder, flow.namespace, flow.id, execution_id))
        try:
            self._resolve(flow, inputs, execution_id, uploads)
        except InputsInvalid as invalid:
            if len(invalid.problems) > len(invalid.missing):
                raise  # before anybody is asked for the rest
            self._resolve(flow, inputs, execution_id, uploads, remember)
        return {**inputs, **answers}

    def _resolve(
        self, flow: Flow, inputs: Mapping[str, Any], execution_id: str, uploads: Uploads, ask: Ask | None = None
    ) -> dict[str, Any]:
        secrets: list[str] = []
        return resolve_inputs(
            flow.inputs,
            inputs,
            variables=self._seen(flow),
            functions=self.functions(self._asker(flow, execution_id, secrets)),
            attach=uploads.attach,
            ask=ask,
            secrets=secrets,
            written_in=language(flow.expressions),
        )
