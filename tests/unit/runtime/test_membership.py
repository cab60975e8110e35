"""Signs of life, the fence, and what is certain about engines that are gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import cast

import pytest
from msgspec.structs import replace

from engine.errors import StoreUnreachable
from engine.ports import EngineRecord, SharingStore
from engine.runtime.membership import Membership, bury_the_dead, is_dead, this_engine

SOON = 20.0  #: seconds in which anything that is to happen does


class Others:
    """What the other engines see. Its lease is so short that no test takes long."""

    lease = 0.6

    def __init__(self) -> None:
        self.is_away = False
        self.silence: float | None = 0.0  #: what the next signs of life are answered with
        self.joined: list[EngineRecord] = []
        self.buried: list[str] = []
        self.left = False
        self.signs = threading.Semaphore(0)

    def join(self, engine: EngineRecord) -> None:
        self.joined.append(engine)

    def beat(self) -> float | None:
        if self.is_away:
            raise StoreUnreachable("nobody answers")
        self.signs.release()
        silence, self.silence = self.silence, 0.0
        return silence

    def leave(self) -> None:
        if self.is_away:
            raise StoreUnreachable("nobody answers")
        self.left = True

    def engines(self) -> list[EngineRecord]:
        return self.joined

    def bury(self, engine_id: str) -> None:
        self.buried.append(engine_id)


class Heard:
    """A membership with what it says."""

    def __init__(self, others: Others) -> None:
        self.fenced, self.back = threading.Semaphore(0), threading.Semaphore(0)
        sharing = cast(SharingStore, others)
        engine = this_engine(takes_over=False)
        self.membership = Membership(sharing, engine, self.fenced.release, self.back.release)
        self.membership.join()
        self.membership.start()


@pytest.fixture
def others() -> Others:
    return Others()


@pytest.fixture
def heard(others: Others) -> Iterator[Heard]:
    made = Heard(others)
    yield made
    made.membership.leave()


def test_as_long_as_it_is_heard_nothing_is_given_up(heard: Heard, others: Others) -> None:
    for _ in range(10):
        assert others.signs.acquire(timeout=SOON)
    assert not heard.fenced.acquire(blocking=False)
    assert others.joined == [heard.membership.engine]


def test_without_a_sign_of_life_everything_is_given_up_once(heard: Heard, others: Others) -> None:
    others.is_away = True
    assert heard.fenced.acquire(timeout=SOON)
    assert not heard.back.acquire(blocking=False)
    others.is_away = False
    assert heard.back.acquire(timeout=SOON)
    assert not heard.fenced.acquire(blocking=False)


@pytest.mark.parametrize("silence", [None, 0.5])
def test_the_server_knows_better_how_long_it_was_silent(heard: Heard, others: Others, silence: float | None) -> None:
    """A clock of this machine may have stood still as well."""
    others.silence = silence
    assert heard.fenced.acquire(timeout=SOON)
    assert heard.back.acquire(timeout=SOON)


def test_it_leaves_also_when_nobody_hears_of_it(others: Others) -> None:
    heard = Heard(others)
    heard.membership.leave()
    assert others.left
    others.is_away = True
    Heard(others).membership.leave()


def test_an_engine_whose_process_is_gone_is_dead() -> None:
    me = this_engine(takes_over=True)
    assert not is_dead(me)
    assert is_dead(replace(me, process_start="another time"))
    assert is_dead(replace(me, pid=2**22 + 1))


def test_nothing_is_certain_about_engines_elsewhere() -> None:
    me = replace(this_engine(takes_over=True), process_start="another time")
    assert not is_dead(replace(me, host="elsewhere"))
    assert not is_dead(replace(me, boot_id="another system"))


def test_the_dead_are_buried(others: Others) -> None:
    me = this_engine(takes_over=True)
    gone = replace(me, id="gone", process_start="another time")
    far = replace(gone, id="far", host="elsewhere")
    others.joined = [me, gone, far]
    assert bury_the_dead(cast(SharingStore, others)) == [me, far]
    assert others.buried == ["gone"]
