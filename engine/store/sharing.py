"""Which engines share a database, who moves which execution, and what they ask each other. PostgreSQL only.

Always true: whether an engine is gone is judged inside the statement that relies on it, by the server's clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import convert
from msgspec.structs import asdict
from sqlalchemy import ColumnElement, delete, func, literal_column, not_, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from engine.core.admission import WAITING
from engine.errors import Fenced, PlacesTaken
from engine.model.execution import Execution
from engine.model.state import TERMINAL, State
from engine.ports import Asked, EngineRecord, ExecutionChange
from engine.store.codec import from_json, from_text, to_json, to_micros, to_text
from engine.store.reading import is_unfinished
from engine.store.tables import engines, executions, requests

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_NOW: ColumnElement[int] = literal_column("(extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
_SECOND = 1_000_000
_BEGUN = sorted(state.value for state in State if state not in TERMINAL | WAITING)
#: Two numbers make an advisory lock; this is ours, the other one stands for the flow.
_PLACES = 0x706C

# -- who is there


def put_engine(connection: Connection, engine: EngineRecord) -> float | None:
    before = connection.execute(select(_NOW - engines.c.seen_at).where(engines.c.id == engine.id)).scalar()
    row = {name: to_text(value) if isinstance(value, str) else value for name, value in asdict(engine).items()}
    new = insert(engines).values(**row, started_at=_NOW, seen_at=_NOW)
    connection.execute(new.on_conflict_do_update(index_elements=["id"], set_={"seen_at": _NOW}))
    return None if before is None else int(before) / _SECOND


def remove_engine(connection: Connection, engine_id: str) -> None:
    connection.execute(delete(engines).where(engines.c.id == engine_id))


def let_go(connection: Connection, engine_id: str) -> None:
    connection.execute(update(executions).where(executions.c.engine == engine_id).values(engine=None))


def present(connection: Connection, lease: float) -> list[EngineRecord]:
    return [_engine(row) for row in connection.execute(select(engines).where(_is_here(lease)).order_by(engines.c.id))]


def _is_here(lease: float) -> ColumnElement[bool]:
    return engines.c.seen_at > _NOW - int(lease * _SECOND)


def _engine(row: Any) -> EngineRecord:
    values = {name: getattr(row, name) for name in EngineRecord.__struct_fields__}
    return convert(
        {name: from_text(each) if isinstance(each, str) else each for name, each in values.items()}, EngineRecord
    )


# -- who moves what


def owner(connection: Connection, execution_id: str, lease: float) -> EngineRecord | None:
    mover = executions.join(engines, engines.c.id == executions.c.engine)
    query = select(engines).select_from(mover).where(executions.c.id == to_text(execution_id), _is_here(lease))
    row = connection.execute(query).first()
    return None if row is None else _engine(row)


def _has_no_engine(lease: float) -> ColumnElement[bool]:
    here = select(engines.c.id).where(_is_here(lease))
    return or_(executions.c.engine.is_(None), executions.c.engine.not_in(here))


def adopt(connection: Connection, execution_id: str, me: str, lease: float) -> bool:
    free = or_(executions.c.engine == me, _has_no_engine(lease))
    taken = update(executions).where(executions.c.id == to_text(execution_id), free).values(engine=me)
    return connection.execute(taken).rowcount > 0


def release(connection: Connection, execution_id: str, me: str) -> None:
    mine_ = executions.c.id == to_text(execution_id), executions.c.engine == me
    connection.execute(update(executions).where(*mine_, not_(is_unfinished())).values(engine=None))


def adopt_orphans(connection: Connection, me: str, lease: float, limit: int) -> list[str]:
    columns = executions.c
    orphans = select(columns.id).where(is_unfinished(), _has_no_engine(lease))
    some = orphans.order_by(columns.started_at, columns.id).limit(limit).with_for_update(skip_locked=True)
    taken = update(executions).where(columns.id.in_(some.scalar_subquery())).values(engine=me)
    found = connection.execute(taken.returning(columns.started_at, columns.id)).all()
    return [from_text(id_) for _at, id_ in sorted(found)]


def mine(connection: Connection, me: str) -> list[str]:
    query = select(executions.c.id).where(executions.c.engine == me).order_by(executions.c.started_at, executions.c.id)
    return [from_text(id_) for id_ in connection.execute(query).scalars()]


# -- the guards of a commit


def check_ownership(connection: Connection, changes: Iterable[ExecutionChange], me: str) -> None:
    """Lock what is to be changed. Raises Fenced, naming what this engine does not move any more."""
    wanted = {to_text(change.after.id) for change in changes if change.before is not None}
    if not wanted:
        return
    query = "SELECT id FROM executions WHERE id = ANY(%s) AND engine = %s ORDER BY id FOR UPDATE"
    found = connection.exec_driver_sql(query, (sorted(wanted), me)).scalars()
    lost = wanted - set(found)
    if lost:
        raise Fenced(
            f"this engine does not move {', '.join(sorted(map(from_text, lost)))} any more, so nothing was written",
            hint="Another engine went on with it, or it was released.",
        )


def check_places(connection: Connection, changes: Iterable[ExecutionChange]) -> None:
    """Count who has begun, with the flow locked until the end of the commit. Raises PlacesTaken."""
    beginning: dict[tuple[str, str], list[ExecutionChange]] = {}
    for change in changes:
        if change.places is not None:
            beginning.setdefault((change.after.namespace, change.after.flow_id), []).append(change)
    refused: list[str] = []
    for flow in sorted(beginning):
        name = "/".join(map(to_text, flow))
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_PLACES, name))
        here = sorted(beginning[flow], key=lambda change: (change.after.started_at, change.after.id))
        others = select(func.count()).where(
            *_of_flow(*flow),
            executions.c.state.in_(_BEGUN),
            executions.c.id.not_in([to_text(change.after.id) for change in here]),
        )
        places = min(change.places for change in here if change.places is not None)
        left = max(places - connection.execute(others).scalar_one(), 0)
        refused += [change.after.id for change in here[left:]]
    if refused:
        raise PlacesTaken(refused)


def claim_new(connection: Connection, changes: Iterable[ExecutionChange], me: str) -> None:
    """What is new is this engine's; what is over is nobody's."""
    new = [to_text(change.after.id) for change in changes if change.before is None and not change.after.is_over]
    if new:
        connection.exec_driver_sql("UPDATE executions SET engine = %s WHERE id = ANY(%s)", (me, new))
    over = [to_text(change.after.id) for change in changes if change.before is not None and change.after.is_over]
    if over:
        connection.exec_driver_sql("UPDATE executions SET engine = NULL WHERE id = ANY(%s)", (over,))


def _of_flow(namespace: str, flow_id: str) -> Sequence[ColumnElement[bool]]:
    return executions.c.namespace == to_text(namespace), executions.c.flow_id == to_text(flow_id)


def ahead(connection: Connection, execution: Execution, lease: float) -> tuple[list[str], int]:
    columns = executions.c
    flow = [*_of_flow(execution.namespace, execution.flow_id), columns.id != to_text(execution.id)]
    begun = select(columns.id).where(*flow, columns.state.in_(_BEGUN)).order_by(columns.started_at, columns.id)
    at, here = to_micros(execution.started_at), select(engines.c.id).where(_is_here(lease))
    older = or_(columns.started_at < at, (columns.started_at == at) & (columns.id < to_text(execution.id)))
    queued = [columns.state == State.QUEUED.value, columns.engine.in_(here), older]
    count = connection.execute(select(func.count()).where(*flow, *queued)).scalar_one()
    return [from_text(id_) for id_ in connection.execute(begun).scalars()], count


# -- what they ask each other


def ask(connection: Connection, asked: Asked, at: datetime) -> None:
    row = {"id": asked.id, "execution_id": to_text(asked.execution_id), "event": to_json(asked.event)}
    there = select(executions.c.id).where(executions.c.id == row["execution_id"])
    if connection.execute(there).first() is not None:
        new = insert(requests).values(**row, at=to_micros(at))
        connection.execute(new.on_conflict_do_nothing(index_elements=["id"]))


def asked(connection: Connection, me: str) -> list[Asked]:
    columns = requests.c
    mine_ = requests.join(executions, executions.c.id == columns.execution_id)
    query = select(columns.id, columns.execution_id, columns.event).select_from(mine_)
    query = query.where(executions.c.engine == me, columns.answer.is_(None)).order_by(columns.at, columns.id)
    return [Asked(id=id_, execution_id=from_text(of), event=from_json(event))
            for id_, of, event in connection.execute(query)]  # fmt: skip


def answer(connection: Connection, request_id: str, answer_: Mapping[str, Any]) -> None:
    connection.execute(update(requests).where(requests.c.id == request_id).values(answer=to_json(answer_)))


def answer_to(connection: Connection, request_id: str) -> Mapping[str, Any] | None:
    text = connection.execute(select(requests.c.answer).where(requests.c.id == request_id)).scalar()
    found: Mapping[str, Any] | None = None if text is None else from_json(text)
    return found


def withdraw(connection: Connection, request_ids: Collection[str]) -> None:
    connection.execute(delete(requests).where(requests.c.id.in_(request_ids)))


def forget_requests(connection: Connection, before: datetime) -> int:
    return connection.execute(delete(requests).where(requests.c.at < to_micros(before))).rowcount
