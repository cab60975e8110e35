"""Key-value pairs and sealed secrets, in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, delete, func, insert, select

from engine.model.keyvalue import KeyValue
from engine.ports import SecretRecord
from engine.store import rows
from engine.store.codec import to_micros, to_text
from engine.store.tables import kv, secrets

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def one(connection: Connection, namespace: str, key: str) -> KeyValue | None:
    row = connection.execute(select(kv).where(_is(namespace, key))).first()
    return None if row is None else rows.read_keyvalue(row)


def put(connection: Connection, pair: KeyValue, *, overwrite: bool) -> bool:
    merged = rows.merged(one(connection, pair.namespace, pair.key), pair, overwrite=overwrite)
    if merged is None:
        return False
    connection.execute(delete(kv).where(_is(pair.namespace, pair.key)))
    connection.execute(insert(kv).values(rows.keyvalue_row(merged)))
    return True


def remove(connection: Connection, namespace: str, key: str) -> bool:
    return connection.execute(delete(kv).where(_is(namespace, key))).rowcount > 0


def remove_unchanged(connection: Connection, pairs: Sequence[KeyValue]) -> int:
    removed = 0
    for pair in pairs:
        unchanged = and_(_is(pair.namespace, pair.key), kv.c.updated_at == to_micros(pair.updated_at))
        removed += connection.execute(delete(kv).where(unchanged)).rowcount
    return removed


def matching(connection: Connection, namespace: str | None, prefix: str) -> list[KeyValue]:
    query = select(kv).order_by(kv.c.namespace, kv.c.key)
    if namespace is not None:
        query = query.where(kv.c.namespace == to_text(namespace))
    if prefix:
        start = to_text(prefix)
        query = query.where(func.substr(kv.c.key, 1, len(start)) == start)  # LIKE would not tell a from A
    return [rows.read_keyvalue(row) for row in connection.execute(query)]


def _is(namespace: str, key: str) -> ColumnElement[bool]:
    return and_(kv.c.namespace == to_text(namespace), kv.c.key == to_text(key))


def sealed(connection: Connection, key: str) -> str | None:
    return connection.execute(select(secrets.c.value).where(secrets.c.key == to_text(key))).scalar_one_or_none()


def seal(connection: Connection, record: SecretRecord, value: str) -> None:
    unseal(connection, record.key)
    row = {"key": to_text(record.key), "value": value, "updated_at": to_micros(record.updated_at)}
    connection.execute(insert(secrets).values(row))


def unseal(connection: Connection, key: str) -> bool:
    return connection.execute(delete(secrets).where(secrets.c.key == to_text(key))).rowcount > 0


def sealed_keys(connection: Connection) -> list[SecretRecord]:
    query = select(secrets.c.key, secrets.c.updated_at).order_by(secrets.c.key)
    return [rows.read_secret(row) for row in connection.execute(query)]
