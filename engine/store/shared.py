"""The store that several engines share: the verbs of `engine.ports.SharingStore` beside those of every store.

Always true: once this engine has joined, a commit writes only to executions that it moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from engine.model.execution import Execution
from engine.ports import Asked, EngineRecord, ExecutionChange
from engine.store import sharing, writing
from engine.store.database import Database
from engine.store.sql import SqlStore

#: Seconds of silence after which an engine is taken for gone.
LEASE = 30.0


class SharedStore(SqlStore):
    """The `Store` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.lease = LEASE
        self.is_closed = False
        self._engine: EngineRecord | None = None
        self.sharing = self

    @property
    def _me(self) -> str:
        assert self._engine is not None, "an engine joins before it moves anything"
        return self._engine.id

    def commit(self, changes: Sequence[ExecutionChange]) -> None:
        if self._engine is None:
            super().commit(changes)
            return
        batch = writing.encode(changes)
        with self.database.writing() as connection:
            sharing.check_ownership(connection, changes, self._me)
            sharing.check_places(connection, changes)
            self._commit_statements.send(connection, batch)
            sharing.claim_new(connection, changes, self._me)

    def join(self, engine: EngineRecord) -> None:
        with self.database.writing() as connection:
            sharing.put_engine(connection, engine)
        self._engine = engine

    def beat(self) -> float | None:
        assert self._engine is not None
        with self.database.writing() as connection:
            return sharing.put_engine(connection, self._engine)

    def leave(self) -> None:
        with self.database.writing() as connection:
            sharing.let_go(connection, self._me)
            sharing.remove_engine(connection, self._me)

    def engines(self) -> list[EngineRecord]:
        with self.database.reading() as connection:
            return sharing.present(connection, self.lease)

    def bury(self, engine_id: str) -> None:
        with self.database.writing() as connection:
            sharing.remove_engine(connection, engine_id)

    def owner(self, execution_id: str) -> EngineRecord | None:
        with self.database.reading() as connection:
            return sharing.owner(connection, execution_id, self.lease)

    def adopt(self, execution_id: str) -> bool:
        with self.database.writing() as connection:
            return sharing.adopt(connection, execution_id, self._me, self.lease)

    def release(self, execution_id: str) -> None:
        with self.database.writing() as connection:
            sharing.release(connection, execution_id, self._me)

    def adopt_orphans(self, limit: int = 100) -> list[str]:
        with self.database.writing() as connection:
            return sharing.adopt_orphans(connection, self._me, self.lease, limit)

    def mine(self) -> list[str]:
        with self.database.reading() as connection:
            return sharing.mine(connection, self._me)

    def ahead(self, execution: Execution) -> tuple[list[str], int]:
        with self.database.reading() as connection:
            return sharing.ahead(connection, execution, self.lease)

    def ask(self, asked: Asked, *, at: datetime) -> None:
        with self.database.writing() as connection:
            sharing.ask(connection, asked, at)

    def asked(self) -> list[Asked]:
        with self.database.reading() as connection:
            return sharing.asked(connection, self._me)

    def answer(self, request_id: str, answer: Mapping[str, Any]) -> None:
        with self.database.writing() as connection:
            sharing.answer(connection, request_id, answer)

    def answer_to(self, request_id: str) -> Mapping[str, Any] | None:
        with self.database.reading() as connection:
            return sharing.answer_to(connection, request_id)

    def withdraw(self, request_ids: Sequence[str]) -> None:
        with self.database.writing() as connection:
            sharing.withdraw(connection, request_ids)

    def forget_requests(self, before: datetime) -> int:
        with self.database.writing() as connection:
            return sharing.forget_requests(connection, before)

    def close(self) -> None:
        self.is_closed = True
        super().close()
