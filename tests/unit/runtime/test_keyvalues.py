"""The key-value store with a clock, and `kv()` as expressions ask for it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from engine.errors import ExpressionError, TaskFailed
from engine.expressions import Functions, evaluate, render
from engine.model.keyvalue import ValueType
from engine.runtime.keyvalues import KeyValues
from engine.sdk.fake_keyvalues import FakeKeyValues
from engine.store import MemoryStore

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Bench:
    """The real store with a clock of its own, or the fake one that plugin tests use."""

    def __init__(self, *, fake: bool) -> None:
        self.at = START
        store = MemoryStore()
        self.kv: Any = FakeKeyValues() if fake else KeyValues(lambda: store, lambda w: w.perform(store), self.now)
        self.kv.now = self.now

    def now(self) -> datetime:
        return self.at

    def ask(self, template: str, namespace: str = "acme.team.etl") -> Any:
        return evaluate(template, {}, Functions(kv=self.kv.function(namespace)))


@pytest.fixture(params=["real", "fake"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(fake=request.param == "fake")


@pytest.mark.parametrize("value", ["x", 7, 1.5, True, date(2026, 1, 2), timedelta(hours=1), START, {"a": [1]}, None])
def test_a_value_comes_back_with_its_type(bench: Bench, value: Any) -> None:
    bench.kv.set("acme.team.etl", "k", value)
    assert bench.ask("{{ kv('k') }}") == value


def test_the_nearest_namespace_wins(bench: Bench) -> None:
    bench.kv.set("acme", "k", "top")
    assert bench.ask("{{ kv('k') }}") == "top"
    bench.kv.set("acme.team", "k", "team")
    assert bench.ask("{{ kv('k') }}") == "team"
    bench.kv.set("acme.team.etl", "k", "own")
    assert bench.ask("{{ kv('k') }}") == "own"
    assert bench.ask("{{ kv('k') }}", "acme.other") == "top"


def test_an_explicit_namespace_is_the_only_one(bench: Bench) -> None:
    bench.kv.set("acme", "k", "top")
    assert bench.ask("{{ kv('k', namespace='acme') }}", "elsewhere") == "top"
    assert bench.ask("{{ kv('k', 'acme.team', errorOnMissing=false) ?? 'none' }}") == "none"


def test_what_has_expired_is_absent(bench: Bench) -> None:
    bench.kv.set("acme", "k", 1, ttl=timedelta(seconds=10))
    bench.at += timedelta(seconds=9)
    assert bench.kv.get("acme", "k").value == 1
    assert not bench.kv.set("acme", "k", 2, overwrite=False)
    bench.at += timedelta(seconds=1)
    assert bench.kv.get("acme", "k") is None
    assert bench.ask("{{ kv('k', errorOnMissing=false) }}", "acme") is None
    assert bench.kv.list() == []
    assert [pair.key for pair in bench.kv.list(expired=True)] == ["k"]
    assert not bench.kv.delete("acme", "k")
    assert bench.kv.set("acme", "k", 2, overwrite=False)


def test_a_purge_takes_what_it_was_given(bench: Bench) -> None:
    for key in ("a", "b"):
        bench.kv.set("acme", key, 1, ttl=timedelta(seconds=1))
    bench.at += timedelta(seconds=1)
    stale = bench.kv.list(expired=True)
    bench.kv.set("acme", "b", 2)
    assert bench.kv.purge(stale) == 1
    assert [pair.key for pair in bench.kv.list()] == ["b"]


def test_keys_of_plugins_are_listed_only_by_their_prefix(bench: Bench) -> None:
    bench.kv.set("acme", "_state/x", 1)
    bench.kv.set("acme", "x", 1)
    assert [pair.key for pair in bench.kv.list("acme")] == ["x"]
    assert [pair.key for pair in bench.kv.list("acme", "_state/")] == ["_state/x"]


@pytest.mark.parametrize(("value", "type_"), [("x", "NUMBER"), (object(), None)])
def test_what_does_not_fit_is_the_tasks_failure(bench: Bench, value: Any, type_: str | None) -> None:
    with pytest.raises(TaskFailed, match="`k` cannot be set"):
        bench.kv.set("acme", "k", value, type=ValueType(type_) if type_ else None)


def test_a_missing_key_says_where_it_was_looked_for() -> None:
    bench = Bench(fake=False)
    functions = Functions(kv=bench.kv.function("acme.team"))
    with pytest.raises(ExpressionError, match=r"no key `cursr` in acme\.team or acme") as told:
        render("{{ kv('cursr') }}", {}, functions)
    assert "penstock kv set acme.team cursr VALUE" in (told.value.hint or "")
    bench.kv.set("acme", "cursor", 1)
    bench.kv.set("acme", "_cursr", 1)
    with pytest.raises(ExpressionError) as told:
        render("{{ kv('cursr') }}", {}, functions)
    assert told.value.hint == 'did you mean "cursor"?'
    with pytest.raises(ExpressionError, match=r"no key `cursor` in other\b(?! or)"):
        render("{{ kv('cursor', 'other') }}", {}, functions)


def test_a_ttl_beyond_all_time_is_refused() -> None:
    with pytest.raises(TaskFailed, match="`k` cannot be set"):
        Bench(fake=False).kv.set("acme", "k", 1, ttl=timedelta.max)
