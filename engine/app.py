"""The composition root: the only place that knows every adapter, and the engine as Python sees it.

with Engine() as engine:
    execution = engine.run("flows/hello_world.yaml", inputs={"name": "Ada"})
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from queue import Empty
from typing import Any, Self

from engine.catalog import Catalog
from engine.core import Facts
from engine.core.inputs import resolve_inputs
from engine.dialect import load
from engine.errors import IllegalState, NotFound, UsageError
from engine.expressions import Functions
from engine.model.events import KillRequested
from engine.model.execution import Execution, StateChange, TaskRun
from engine.model.flow import Flow
from engine.model.state import State
from engine.ports import ExecutionFilter, ExecutionSummary, FlowRecord, LogLine, Store
from engine.runtime.clock import SystemClock
from engine.runtime.followers import News
from engine.runtime.ids import new_id
from engine.runtime.loop import Loop
from engine.runtime.secrets import EnvironmentSecrets
from engine.runtime.world import World
from engine.settings import Settings, find_project, load_settings, make_home
from engine.store import open_store

#: Called after each commit with the execution, the task runs that moved and the new log lines.
OnChange = Callable[[Execution, Sequence[TaskRun], Sequence[LogLine]], None]

#: Environment variables with these prefixes are `envs.*` in expressions, without the prefix and in lower case.
ENV_PREFIXES = ("KESTRA_", "ENV_")


class Engine:
    """Runs flows and keeps their history. Everything is opened when first needed; `close` (or `with`) ends it all."""

    def __init__(self, home: str | Path | None = None, *, settings: Settings | None = None) -> None:
        """`home` is the state folder; by default it is found as the command line finds it."""
        self.project = find_project(home)
        self.home = self.project.home
        self.settings = settings if settings is not None else load_settings(self.project)
        self._clock = SystemClock()
        self._loop: Loop | None = None
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
        assert self.settings.database.url is not None  # settled when the settings were loaded
        return open_store(self.settings.database.url)

    @cached_property
    def catalog(self) -> Catalog:
        """All task types: shipped ones, installed ones, and those in the project's plugin folders."""
        return Catalog(folders=self.settings.plugins)

    @cached_property
    def facts(self) -> Facts:
        envs = {
            name.removeprefix(prefix).lower(): value
            for prefix in ENV_PREFIXES
            for name, value in os.environ.items()
            if name.startswith(prefix)
        }
        return Facts(envs=envs, globals=self.settings.variables.globals)

    @cached_property
    def _secrets(self) -> EnvironmentSecrets:
        return EnvironmentSecrets(os.environ, self.project.folder / self.settings.secrets.env_file)

    def functions(self, seed: str, mask: Callable[[str], None] = lambda secret: None) -> Functions:
        """What expressions may call out to. `mask` hears every secret that is handed out."""
        return Functions(now=self._clock.now, seed=seed, secret=self._secrets.function(mask), env=self._env)

    def _env(self, name: str, *, default: Any = None, **_: object) -> Any:
        return self.facts.envs.get(name) or default

    @property
    def loop(self) -> Loop:
        """The running loop; started when first needed."""
        if self._loop is None:
            world = World(
                store=self.store, types=self.catalog, clock=self._clock, facts=self.facts, functions=self.functions
            )
            self._loop = Loop(world, workers=self.settings.executor.threads or 16)
            self._loop.start()
        return self._loop

    # -- flows

    def load(self, flow: str | Path) -> Flow:
        """A flow from a file, or a stored one as NAMESPACE/ID or NAMESPACE.ID.

        Raises FlowInvalid for what is written, NotFound, UsageError for what cannot be read.
        """
        path = Path(flow)
        if path.suffix in (".yaml", ".yml") or path.is_file():
            return self.parse(_read(path), file=str(flow))
        record = self.record(str(flow))
        return self.parse(record.source, file=f"{record.namespace}/{record.id}", revision=record.revision)

    def parse(self, source: str, *, file: str, revision: int = 1) -> Flow:
        """A flow from its text, with the instance's plugin defaults worked in. Raises FlowInvalid."""
        flow = load(source, file=file, types=self.catalog, defaults=self.settings.plugin_defaults)
        return flow.model_copy(update={"revision": revision}).written_as(source)

    def record(self, name: str) -> FlowRecord:
        """The newest stored revision of NAMESPACE/ID or NAMESPACE.ID. Raises NotFound, UsageError if ambiguous."""
        if "/" in name:
            splits = [tuple(name.split("/", 1))]
        else:
            parts = name.split(".")
            splits = [(".".join(parts[:i]), ".".join(parts[i:])) for i in range(1, len(parts))]
        found = [record for namespace, flow_id in splits if (record := self.store.flow(namespace, flow_id))]
        if len(found) > 1:
            raise UsageError(f"`{name}` may mean several flows", hint="write NAMESPACE/ID with a slash")
        if not found:
            raise NotFound(
                f"there is no flow `{name}`",
                hint="name a FLOW.yaml file, or a stored flow as NAMESPACE/ID (see `penstock flows list`)",
            )
        return found[0]

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
        flow, execution = self._prepare(flow, inputs, labels)
        return self.loop.submit(flow, execution).result()

    def run(
        self,
        flow: Flow | str | Path,
        inputs: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        on_change: OnChange | None = None,
    ) -> Execution:
        """Submit, and wait until it has ended. A failed execution is returned, not raised."""
        flow, execution = self._prepare(flow, inputs, labels)
        news, leave = self.loop.followers.add(execution.id)
        try:
            self.loop.submit(flow, execution).result()
            return _listen(news.get, on_change)
        finally:
            leave()

    def _prepare(
        self, flow: Flow | str | Path, inputs: Mapping[str, Any] | None, labels: Mapping[str, str] | None
    ) -> tuple[Flow, Execution]:
        if not isinstance(flow, Flow):
            flow = self.load(flow)
        if flow.disabled:
            raise IllegalState(f"the flow {flow.namespace}/{flow.id} is disabled", hint="remove `disabled: true`")
        variables = {
            "flow": {"id": flow.id, "namespace": flow.namespace},
            "vars": flow.variables,
            "envs": self.facts.envs,
            "globals": self.facts.globals,
        }
        values = resolve_inputs(flow.inputs, inputs or {}, variables=variables, functions=self.functions(flow.id))
        record = self._store_flow(flow)
        execution = Execution(
            id=new_id(),
            namespace=flow.namespace,
            flow_id=flow.id,
            flow_revision=record.revision,
            state=State.CREATED,
            history=(StateChange(State.CREATED, self._clock.now()),),
            inputs=values,
            labels={**flow.labels, **(labels or {})},
        )
        return flow, execution

    def _store_flow(self, flow: Flow) -> FlowRecord:
        if flow.source is None:
            raise UsageError("this flow was not read from a text", hint="load it with Engine.load or Engine.parse")
        key = (flow.namespace, flow.id)
        known = self._revisions.get(key)
        if known is None or known.source != flow.source:
            known = self.store.save_flow(*key, flow.source, at=self._clock.now(), disabled=flow.disabled)
            self._revisions[key] = known
        return known

    def follow(self, execution_id: str, on_change: OnChange | None = None, timeout: float | None = None) -> Execution:
        """Wait until an execution has ended. Raises NotFound; TimeoutError after `timeout` seconds."""
        news, leave = self.loop.followers.add(execution_id)
        try:
            execution = self.execution(execution_id)
            if execution.is_terminal:
                return execution
            return _listen(lambda: news.get(timeout=timeout), on_change)
        except Empty:
            raise TimeoutError(f"execution {execution_id} has not ended within {timeout} s") from None
        finally:
            leave()

    def execution(self, execution_id: str) -> Execution:
        """An execution with its task runs. Raises NotFound."""
        execution = self.store.execution(execution_id)
        if execution is None:
            raise NotFound(f"there is no execution `{execution_id}`", hint="see `penstock executions list`")
        return execution

    def kill(self, execution_id: str, reason: str = "killed by its user") -> None:
        """Ask a running execution of this engine to stop; `follow` tells when it has."""
        self.loop.post(execution_id, KillRequested(at=self._clock.now(), reason=reason))

    def unfinished(self) -> list[ExecutionSummary]:
        """Executions that have not ended, oldest first."""
        open_states = tuple(
            state
            for state in State
            if state
            not in (
                State.SUCCESS,
                State.WARNING,
                State.FAILED,
                State.KILLED,
                State.CANCELLED,
                State.RETRIED,
                State.SKIPPED,
            )
        )
        found, _ = self.store.executions(ExecutionFilter(states=open_states, limit=1000))
        return found[::-1]

    def recover(self) -> list[str]:
        """Take over every execution that another engine left unfinished, and go on with it. Returns their ids."""
        taken = []
        for execution_id in self.store.unfinished():
            execution = self.execution(execution_id)
            record = self.store.flow(execution.namespace, execution.flow_id, execution.flow_revision)
            if record is None:
                raise NotFound(f"revision {execution.flow_revision} of the flow of {execution_id} is gone")
            file = f"{record.namespace}/{record.id}"
            self.loop.adopt(self.parse(record.source, file=file, revision=record.revision), execution)
            taken.append(execution_id)
        return taken

    def close(self) -> None:
        """Commit what finishes now, and release everything. Safe to call twice."""
        if self._loop is not None:
            self._loop.stop()
            self._loop = None
        if "store" in self.__dict__:
            self.store.close()
            del self.__dict__["store"]


def _listen(receive: Callable[[], News], on_change: OnChange | None) -> Execution:
    while True:
        news = receive()
        if isinstance(news, BaseException):
            raise news
        if on_change is not None:
            on_change(news.after, list(news.task_runs.values()), news.logs)
        if news.after.is_terminal:
            return news.after


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
