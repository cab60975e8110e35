"""The composition root: the only place that knows every adapter, and the engine as Python sees it.

with Engine() as engine:
    execution = engine.run("flows/hello_world.yaml", inputs={"name": "Ada"})
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from time import monotonic
from typing import Any, Self

from msgspec.structs import replace

from engine.catalog import Catalog
from engine.core import Facts
from engine.core.inputs import Ask
from engine.dialect import load
from engine.dialect.source import decode
from engine.errors import NotFound, StoreBusy
from engine.files.local import LocalFiles
from engine.model.events import KillRequested
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.state import TERMINAL, State
from engine.ports import ExecutionFilter, ExecutionSummary, Files, FlowRecord, Store
from engine.runtime import environment
from engine.runtime.cipher import KEY_FILE, InstanceCipher
from engine.runtime.clock import SystemClock
from engine.runtime.creation import Creator, NewExecution
from engine.runtime.flow_names import named_flow
from engine.runtime.followers import OnChange, until_it_ends
from engine.runtime.guest import Guest, patiently
from engine.runtime.host import Host
from engine.runtime.keyvalues import KeyValues
from engine.runtime.listener import Listener
from engine.runtime.loop import STOP_GRACE, Loop
from engine.runtime.outside import Outside
from engine.runtime.peer import Peer
from engine.runtime.secrets import Secrets, StoredSecrets
from engine.runtime.wire import Submission
from engine.runtime.world import World
from engine.runtime.writes import Write
from engine.settings import Settings, find_project, load_settings, make_home
from engine.sources import looks_like_file, read_file
from engine.store import open_store


class Engine:
    """Runs flows and keeps their history. Everything is opened when first needed; `close` (or `with`) ends it all.

    When another engine owns the database, it is that one which runs what is submitted here; nothing else differs.
    """

    def __init__(self, home: str | Path | None = None, *, settings: Settings | None = None) -> None:
        """`home` is the state folder; by default it is found as the command line finds it."""
        self.project = find_project(home)
        self.home = self.project.home
        self.settings = settings if settings is not None else load_settings(self.project)
        self._clock = SystemClock()
        self._owning = Lock()
        self._loop: Loop | None = None
        self._host: Host | None = None
        self._listener: Listener | None = None
        #: Wishes to kill an execution that this engine follows while another one runs it.
        self._kills: dict[str, SimpleQueue[str]] = {}
        #: What was not finished when this engine came to own the database: its engines are gone.
        self.left_behind: list[str] = []
        #: Hears why this engine waits for others, or for what it runs for them.
        self.on_wait: Callable[[str], None] = lambda why: None
        self._revisions: dict[tuple[str, str], FlowRecord] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what it is made of

    @cached_property
    def store(self) -> Store:
        """The database. Reading needs no ownership; the first write takes it, or raises StoreBusy."""
        make_home(self.home)
        url = self.settings.database.url or ""  # never empty: settled when the settings were loaded
        return patiently(lambda: open_store(url))  # another engine may just be making it

    @cached_property
    def catalog(self) -> Catalog:
        """All task types: shipped ones, installed ones, and those in the project's plugin folders."""
        return Catalog(folders=self.settings.plugins)

    @cached_property
    def facts(self) -> Facts:
        """What flows can see of this installation."""
        return Facts(envs=environment.visible(os.environ), globals=self.settings.variables.globals)

    @cached_property
    def cipher(self) -> InstanceCipher:
        """Seals what must not be stored in clear."""
        return InstanceCipher(self.settings.encryption.secret_key, self.home / KEY_FILE)

    @cached_property
    def outside(self) -> Outside:
        """What expressions may call out to."""
        env_file = self.project.folder / self.settings.secrets.env_file
        return Outside(
            clock=self._clock,
            envs=self.facts.envs,
            secrets=Secrets(os.environ, env_file, self.stored_secrets),
            kv=self.kv,
            files=self.files,
            allowed_paths=self.settings.files.allowed_paths,
            store=lambda: self.store,
            runner=self,
        )

    @cached_property
    def kv(self) -> KeyValues:
        """What flows remember between their runs."""
        return KeyValues(lambda: self.store, self._write, self._clock.now)

    @cached_property
    def stored_secrets(self) -> StoredSecrets:
        """Secrets that are kept here, sealed; those of the environment come first."""
        return StoredSecrets(lambda: self.store, self.cipher, self._write, self._clock.now)

    def _write(self, write: Write) -> int:
        return self._guest.write(write) if self._guest is not None else write.perform(self.store)

    @cached_property
    def files(self) -> Files:
        """Internal storage: what flows and tasks know as `kestra://` URIs."""
        return LocalFiles(self.home / "storage")

    @cached_property
    def _creator(self) -> Creator:
        return Creator(
            clock=self._clock,
            facts=self.facts,
            functions=self.outside.functions,
            cipher=lambda: self.cipher,
            files=lambda: self.files,
        )

    @property
    def loop(self) -> Loop:
        """The running loop; started when first needed. Raises StoreBusy when another engine owns the database."""
        with self._owning:
            if self._loop is None:
                self.store.own()
                self.left_behind = self.store.unfinished() if self.settings.database.file else []
                world = World(
                    store=self.store,
                    types=self.catalog,
                    clock=self._clock,
                    facts=self.facts,
                    cipher=self.cipher,
                    outside=self.outside,
                )
                self._loop = Loop(world, workers=self.settings.executor.threads or 16)
                self._loop.start()
                self._open_door(self._loop)
        return self._loop

    def _open_door(self, loop: Loop) -> None:
        """From now on, other commands can hand their work over."""
        file = self.settings.database.file
        if file is None:
            return  # a server's database needs no owner
        self._host = Host(
            loop, begin=self._begin_for_guest, resume=self._resume, write=self._write, now=self._clock.now
        )
        self._listener = Listener.open(file, self._host.answer)
        if self._listener is not None:
            self.store.own(socket=str(self._listener.address))

    def _own(self) -> bool:
        """Whether this engine owns the database; it takes it when nobody else has it."""
        try:
            return self.loop is not None
        except StoreBusy:
            return False

    @cached_property
    def _guest(self) -> Guest | None:
        """The way to another engine that may own the database; None where there need be no owner."""
        file = self.settings.database.file
        return Guest(self.store, Peer(file), self._own) if file is not None else None

    # -- flows

    def load(self, flow: str | Path) -> Flow:
        """A flow from a file, or a stored one as NAMESPACE/ID or NAMESPACE.ID.

        Raises FlowInvalid for what is written, NotFound, UsageError for what cannot be read.
        """
        name = str(flow)
        if looks_like_file(name):
            return self.parse(decode(read_file(name), name).text, file=name)
        record = self.record(name)
        return self.parse(record.source, file=f"{record.namespace}/{record.id}", revision=record.revision)

    def parse(self, source: str, *, file: str, revision: int = 1) -> Flow:
        """A flow from its text, with the instance's plugin defaults worked in. Raises FlowInvalid."""
        flow = load(source, file=file, types=self.catalog, defaults=self.settings.plugin_defaults)
        return flow.model_copy(update={"revision": revision}).written_as(source)

    def record(self, name: str) -> FlowRecord:
        """The newest stored revision of NAMESPACE/ID or NAMESPACE.ID. Raises NotFound, UsageError if ambiguous."""
        return named_flow(self.store, name)

    # -- executions

    def submit(
        self,
        flow: Flow | str | Path,
        inputs: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Execution:
        """Store the flow as a revision and begin an execution of it. Returns once it is committed.

        Raises InputsInvalid, IllegalState for a disabled flow, and whatever `load` raises.
        """
        new = self._create(flow, inputs, labels)
        with new.uploaded(self._is_stored):
            return self.execution(new.execution.id) if self._hand_over(new) else self._begin(new)

    def run(
        self,
        flow: Flow | str | Path,
        inputs: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        on_change: OnChange | None = None,
    ) -> Execution:
        """Submit, and wait until it has ended. A failed execution is returned, not raised."""
        new = self._create(flow, inputs, labels)
        with new.uploaded(self._is_stored):
            if self._hand_over(new):
                return self._follow_there(new.execution.id, on_change)
            news, leave = self.loop.followers.add(new.execution.id)
            try:
                self._begin(new)
                return until_it_ends(news.get, on_change)
            finally:
                leave()

    def completed_inputs(self, flow: Flow, inputs: Mapping[str, Any], ask: Ask) -> dict[str, Any]:
        """The inputs with what `ask` gives for those that are required and missing. Raises InputsInvalid."""
        return self._creator.completed(flow, inputs, ask)

    def _create(
        self, flow: Flow | str | Path, inputs: Mapping[str, Any] | None, labels: Mapping[str, str] | None
    ) -> NewExecution:
        return self._creator.create(flow if isinstance(flow, Flow) else self.load(flow), inputs, labels)

    def _is_stored(self, execution_id: str) -> bool:
        return self.store.execution(execution_id) is not None

    def _begin(self, new: NewExecution) -> Execution:
        """Store the flow and begin the execution; returns after the commit."""
        stored = replace(new.execution, flow_revision=self._store_flow(new.flow, new.source).revision)
        return self.loop.submit(new.flow, stored).result()

    def _begin_for_guest(self, submission: Submission) -> bool:
        """Begin what another command hands over, unless it was begun before."""
        if self._is_stored(submission.id):
            return self._resume(submission.id)
        flow = self.parse(submission.source, file=submission.file)
        self._begin(self._creator.create(flow, submission.inputs, submission.labels, submission.id))
        return True

    def _hand_over(self, new: NewExecution) -> bool:
        """Have the engine that owns the database begin the execution; False when that is this one."""
        return self._guest is not None and self._guest.hand_over(new.submission, self.on_wait)

    def _store_flow(self, flow: Flow, source: str) -> FlowRecord:
        key = (flow.namespace, flow.id)
        known = self._revisions.get(key)
        if known is None or known.source != source:
            known = self.store.save_flow(*key, source, at=self._clock.now(), disabled=flow.disabled)
            self._revisions[key] = known
        return known

    def follow(self, execution_id: str, on_change: OnChange | None = None, timeout: float | None = None) -> Execution:
        """Wait until an execution has ended. Raises NotFound; TimeoutError after `timeout` seconds."""
        if self._loop is None and self._guest is not None:
            execution = self.execution(execution_id)
            return execution if execution.is_terminal else self._follow_there(execution_id, on_change, timeout)
        news, leave = self.loop.followers.add(execution_id)
        try:
            execution = self.execution(execution_id)
            if execution.is_terminal:
                return execution
            if self._guest is not None and self._guest.began(execution_id) and not self.loop.runs(execution_id):
                self._resume(execution_id)  # the engine that had it died, and this one took its place
            return until_it_ends(lambda: news.get(timeout=timeout), on_change)
        except Empty:
            raise TimeoutError(f"execution {execution_id} has not ended within {timeout} s") from None
        finally:
            leave()

    def _follow_there(self, execution_id: str, on_change: OnChange | None, timeout: float | None = None) -> Execution:
        """Follow an execution that another engine runs; should that engine die, go on here with what began here."""
        assert self._guest is not None
        kills = self._kills[execution_id] = SimpleQueue()
        until = None if timeout is None else monotonic() + timeout
        tell = on_change or (lambda execution, runs, logs: None)
        try:
            ended = self._guest.follow(execution_id, tell, kills=kills, until=until)
            if ended is not None:
                return ended
            news, leave = self.loop.followers.add(execution_id)
            if not self._resume(execution_id):
                return self.execution(execution_id)
        finally:
            self._kills.pop(execution_id, None)
        try:
            while not kills.empty():
                self.kill(execution_id, kills.get())
            return until_it_ends(news.get, on_change)
        finally:
            leave()

    def execution(self, execution_id: str) -> Execution:
        """An execution with its task runs. Raises NotFound."""
        execution = self.store.execution(execution_id)
        if execution is None:
            raise NotFound(f"there is no execution `{execution_id}`", hint="see `penstock executions list`")
        return execution

    def kill(self, execution_id: str, reason: str = "killed by its user") -> None:
        """Ask a running execution to stop; `follow` tells when it has.

        Inside a signal handler, this neither waits nor raises for an execution that this engine runs or follows.
        """
        if execution_id in self._kills:
            self._kills[execution_id].put(reason)
        elif self._loop is None and self._guest is not None:
            self._guest.kill(execution_id, reason)
        else:
            loop = self._loop or self.loop  # which locks: not in a signal handler, then
            loop.post(execution_id, KillRequested(at=self._clock.now(), reason=reason))

    def unfinished(self) -> list[ExecutionSummary]:
        """Executions that have not ended, oldest first."""
        open_states = tuple(state for state in State if state not in TERMINAL)
        found, _ = self.store.executions(ExecutionFilter(states=open_states, limit=1000))
        return found[::-1]

    def recover(self) -> list[str]:
        """Go on with every execution whose engine is gone, in the engine that owns the database. Returns their ids."""
        unfinished = self.store.unfinished()
        go_on = self._resume if self._guest is None or self._own() else self._guest.adopt
        return [execution_id for execution_id in unfinished if go_on(execution_id)]

    def _resume(self, execution_id: str) -> bool:
        """Go on with a stored execution that no engine runs; False when nothing is left to do."""
        execution = self.execution(execution_id)
        if execution.is_terminal:
            return False
        record = self.store.flow(execution.namespace, execution.flow_id, execution.flow_revision)
        if record is None:
            raise NotFound(f"revision {execution.flow_revision} of the flow of {execution_id} is gone")
        flow = self.parse(record.source, file=f"{record.namespace}/{record.id}", revision=record.revision)
        self.loop.adopt(flow, execution)
        return True

    def close(self) -> None:
        """Finish what other commands handed over, commit what finishes now, release everything. Safe to call twice."""
        grace = 0.0  # if somebody does not want to wait
        try:
            if self._host is not None:
                self._host.finish(self.on_wait)
            grace = STOP_GRACE
        finally:
            if self._listener is not None:
                self._listener.close()
            if self._loop is not None:
                self._loop.stop(grace)
            self._listener = self._host = self._loop = None
            if "store" in self.__dict__:
                self.store.close()
                del self.__dict__["store"]
                self.__dict__.pop("_guest", None)
