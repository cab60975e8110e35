"""What an engine is made of: every adapter, chosen here and made when it is first needed."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.catalog import Catalog
from engine.core import Facts
from engine.expressions import Functions, keep_compiled
from engine.files.local import LocalFiles
from engine.model.execution import Execution
from engine.model.flow import Flow
from engine.model.scheduling import TriggerKey
from engine.ports import Files, Store
from engine.runtime import environment
from engine.runtime.actions import Actions
from engine.runtime.cipher import KEY_FILE, InstanceCipher
from engine.runtime.clock import SystemClock
from engine.runtime.creation import Creator
from engine.runtime.dispatcher import Dispatcher
from engine.runtime.duties import Duties
from engine.runtime.enduring import enduring
from engine.runtime.firing import Firing
from engine.runtime.guest import patiently
from engine.runtime.heralds import Heralds
from engine.runtime.host import Host
from engine.runtime.keyvalues import KeyValues
from engine.runtime.library import Library
from engine.runtime.loop import Loop
from engine.runtime.neighbours import Neighbours
from engine.runtime.outside import Asker, Outside
from engine.runtime.ownership import Ownership
from engine.runtime.secrets import Secrets, StoredSecrets
from engine.runtime.shared_loop import SharedLoop
from engine.runtime.triggers import Triggers
from engine.runtime.world import World
from engine.runtime.writes import ABOUT_TRIGGERS, Write
from engine.sdk.process.policy import ProcessPolicy
from engine.settings import DATABASE_FILE, Settings, find_project, load_settings, make_home
from engine.store import open_store

if TYPE_CHECKING:
    from engine.runtime.retention import Retention
    from engine.runtime.scheduler import Scheduler
    from engine.runtime.webhooks import Webhooks


class Parts(ABC):
    """All that `engine.app.Engine` is put together from."""

    def __init__(self, home: str | Path | None = None, *, settings: Settings | None = None) -> None:
        """`home` is the state folder; by default it is found as the command line finds it."""
        self.project = find_project(home)
        self.home = self.project.home
        self.settings = settings if settings is not None else load_settings(self.project)
        keep_compiled(self.home / "cache" / "expressions")
        self._clock = SystemClock()
        self._scheduler: Scheduler | None = None
        #: Whether it goes on with what other engines leave behind on a database that they share; for `penstock server`.
        self.takes_over = False
        #: Whether what is under way waits for room on a full disk, rather than to be given up; for `penstock server`.
        self.is_patient = False
        #: Hears why this engine waits for others, or for what it runs for them.
        self.on_wait: Callable[[str], None] = lambda why: None

    @abstractmethod
    def submit(self, flow: Flow | str | Path, inputs: Mapping[str, Any] | None = None) -> Execution: ...

    @abstractmethod
    def follow(self, execution_id: str, *, timeout: float | None = None) -> Execution: ...

    @abstractmethod
    def resume(
        self, execution_id: str, inputs: Mapping[str, Any] | None = None, *, by: str | None = None
    ) -> Execution: ...

    @cached_property
    def store(self) -> Store:
        """The database. Reading needs no ownership; the first write takes it, or raises StoreBusy."""
        make_home(self.home)
        url = self.settings.database.url or ""  # never empty: settled when the settings were loaded
        store = patiently(lambda: open_store(url))  # another engine may just be making it
        if store.sharing is not None:
            store.sharing.lease = self.settings.database.lease_seconds
        return store

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
        guest = self._ownership.elsewhere
        return guest.write(write) if guest is not None else self._write_here(write)

    def _write_here(self, write: Write) -> int:
        done = write.perform(self.store)
        if isinstance(write, ABOUT_TRIGGERS) and self._scheduler is not None:
            self._scheduler.changed()
        return done

    @cached_property
    def files(self) -> Files:
        """Internal storage: what flows and tasks know as `kestra://` URIs."""
        return LocalFiles(self.home / "storage")

    @cached_property
    def retention(self) -> Retention:
        """What removes executions that were kept long enough."""
        from engine.runtime.retention import Limits, Retention

        kept = self.settings.retention
        limits = Limits(age=kept.age, per_flow=kept.executions_per_flow, size=kept.size)
        # Another database may have its files here too.
        alone = self.settings.database.file == self.home / DATABASE_FILE
        return Retention(lambda: self.store, self._write, lambda: self.files, self._clock, limits, owns_files=alone)

    @cached_property
    def _creator(self) -> Creator:
        return Creator(
            clock=self._clock,
            facts=self.facts,
            functions=self.outside.functions,
            cipher=lambda: self.cipher,
            files=lambda: self.files,
        )

    @cached_property
    def library(self) -> Library:
        """The flows: of files, and stored ones."""
        return Library(lambda: self.store, self.catalog, self.settings.plugin_defaults, self._clock)

    @cached_property
    def _ownership(self) -> Ownership:
        made_by = (self._new_loop, self._new_host, self._new_duties, self._new_neighbours)
        return Ownership(lambda: self.store, self.settings.database.file, *made_by)

    @cached_property
    def _world(self) -> World:
        return World(
            store=enduring(self.store),
            types=self.catalog,
            clock=self._clock,
            facts=self.facts,
            cipher=self.cipher,
            flows=self.library,
            creator=self._creator,
            resume=partial(self.resume, by="a task"),
            outside=self.outside,
            working=self.home / "working",
            is_patient=self.is_patient,
            heralds=self._heralds,
            switch_trigger=self.triggers.switch,
            process_policy=ProcessPolicy(docker=self.settings.scripts.docker, pass_env=self.settings.scripts.pass_env),
        )

    def _new_loop(self) -> Loop:
        kind = Loop if self.store.sharing is None else SharedLoop
        return kind(self._world, workers=self.settings.executor.threads or 16)

    def _new_duties(self, loop: Loop) -> Duties:
        assert self.store.sharing is not None
        assert isinstance(loop, SharedLoop)
        return Duties(self.store.sharing, loop, self._clock, self._dispatcher.go_on, takes_over=self.takes_over)

    def _new_neighbours(self) -> Neighbours | None:
        if self.settings.database.file is not None:
            return None  # one engine has the file
        assert self.store.sharing is not None
        return Neighbours(enduring(self.store), self.store.sharing, self._clock)

    def _new_host(self, loop: Loop) -> Host:
        dispatcher = self._dispatcher
        actions = self._actions
        begin, resume, ask, replay = (
            dispatcher.begin_for_guest,
            dispatcher.resume,
            actions.ask,
            actions.replay_for_guest,
        )
        return Host(loop, begin, resume, ask, replay, self._write_here, self._clock.now)

    @cached_property
    def _actions(self) -> Actions:
        made_of = (self._ownership, self._dispatcher, self.library, self._creator, self.facts, self._clock)
        return Actions(*made_of, lambda: self.store, lambda: self.files, self._wait)

    @cached_property
    def _dispatcher(self) -> Dispatcher:
        return Dispatcher(self._ownership, lambda: self.store, self.library, self._creator, self._clock, self._wait)

    def _wait(self, why: str) -> None:
        self.on_wait(why)

    @property
    def loop(self) -> Loop:
        """The running loop; started when first needed. Raises StoreBusy when another engine owns the database."""
        return self._ownership.loop

    @property
    def left_behind(self) -> list[str]:
        """What was not finished when this engine came to own the database: its engines are gone."""
        return self._ownership.left_behind

    # -- triggers

    @cached_property
    def _heralds(self) -> Heralds:
        return Heralds(lambda: self.store)

    @cached_property
    def firing(self) -> Firing:
        """Begins what triggers want."""
        return Firing(lambda: self.loop, self._creator, lambda: self.store)

    @cached_property
    def triggers(self) -> Triggers:
        """What starts flows by itself."""
        return Triggers(lambda: self.store, self.library, self._write, self._clock)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Calls from outside that start flows."""
        from engine.runtime.webhooks import Webhooks

        def started(key: TriggerKey, execution_id: str) -> None:
            if self._scheduler is not None:
                self._scheduler.started(key, execution_id)

        functions, now = self._trigger_functions, self._clock.now
        return Webhooks(self.triggers, self.firing, lambda: self.facts, functions, now, started)

    def _trigger_functions(self, flow: Flow) -> Functions:
        """What the expressions of a flow's triggers may call."""
        hear = self.firing.masker.add
        return self.outside.functions(Asker(seed=flow.id, namespace=flow.namespace, flow_id=flow.id, mask=hear))

    @property
    def scheduler(self) -> Scheduler | None:
        """What watches the triggers, if it runs."""
        return self._scheduler

    def schedule(self) -> Scheduler:
        """Watch the triggers of all flows that are deployed, until `close`. Raises StoreBusy."""
        if self._scheduler is None:
            from engine.runtime.polling import Polling
            from engine.runtime.scheduler import Scheduler
            from engine.runtime.watched import Bench

            followers = self.loop.followers
            bench = Bench(
                store=self.store,
                clock=self._clock,
                firing=self.firing,
                facts=self.facts,
                functions=self._trigger_functions,
                poll=Polling(self._world),
                catch_up=self.settings.triggers.catch_up,
                recover=self.settings.triggers.recover_missed_schedules,
            )
            self._scheduler = Scheduler(bench, self.library, followers, self._heralds)
            self._scheduler.start()
        return self._scheduler
