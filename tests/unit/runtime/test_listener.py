"""The owner's door and the way to it: what is said arrives, and nothing that is sent does harm."""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.errors import FlowInvalid, InputsInvalid, NotFound, PenstockError, StoreBusy, UsageError
from engine.model.diagnostic import Diagnostic, Edit, Severity
from engine.runtime import listener as listener_module
from engine.runtime.listener import Listener
from engine.runtime.peer import Away, Ending, Peer
from engine.runtime.wire import Connection, Message, Submission, encoded, error_from, error_message
from engine.store import Owner

Serve = Callable[..., Listener]

SUBMISSION = Submission(id="e1", source="id: a", file="a.yaml", inputs={"n": 1}, labels={"team": "x"})


def answer(message: Message) -> Message:
    match message["verb"]:
        case "boom":
            raise RuntimeError("no traceback, please")
        case "missing":
            raise NotFound("there is no such thing", hint="look again")
        case "submit" | "kill":
            return {"heard": {**message}}
        case "adopt":
            return {"taken": message["id"] == "e1"}
    return {"pid": 7}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path / "home" / "p.db"


@pytest.fixture
def serve(database: Path) -> Iterator[Serve]:
    opened: list[Listener] = []
    owner = Owner.acquire(database)

    def serving(reply: Callable[[Message], Message] = answer, **limits: Any) -> Listener:
        listener = Listener.open(database, reply, **limits)
        assert listener is not None
        owner.listens_at(str(listener.address))
        opened.append(listener)
        return listener

    yield serving
    for listener in opened:
        listener.close()
    owner.release()


def knock(listener: Listener) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(10)
    link.connect(str(listener.address))
    return link


def say(listener: Listener, line: bytes) -> Message | None:
    with knock(listener) as link:
        link.sendall(line)
        return Connection(link, patience=10).receive()


class TestTheDoor:
    def test_it_is_private_and_goes_away(self, serve: Serve, database: Path) -> None:
        listener = serve()
        assert listener.address == database.with_name("engine.sock")
        assert stat.S_IMODE(listener.address.stat().st_mode) == 0o600
        listener.close()
        listener.close()
        assert not listener.address.exists()

    def test_what_a_dead_owner_left_is_replaced(self, serve: Serve, database: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            dead.bind(str(database.with_name("engine.sock")))
        serve()
        assert Peer(database).ping() == {"pid": 7}

    def test_a_path_that_is_too_long_gets_a_private_place_elsewhere(self, tmp_path: Path) -> None:
        home = tmp_path / ("deep" * 30)
        home.mkdir()
        owner = Owner.acquire(home / "p.db")
        listener = Listener.open(home / "p.db", answer)
        assert listener is not None
        owner.listens_at(str(listener.address))
        assert len(os.fsencode(listener.address)) <= listener_module.MAX_ADDRESS
        assert stat.S_IMODE(listener.address.parent.stat().st_mode) == 0o700
        assert Peer(home / "p.db").ping() == {"pid": 7}
        listener.close()
        owner.release()
        assert not listener.address.parent.exists()

    def test_without_unix_sockets_there_is_none(self, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        owner = Owner.acquire(database)
        monkeypatch.delattr(socket, "AF_UNIX")
        assert Listener.open(database, answer) is None
        with pytest.raises(StoreBusy, match="cannot be sent to it") as busy:
            Peer(database).ping()
        owner.release()
        assert not isinstance(busy.value, Away)

    def test_a_folder_that_takes_no_socket(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        assert Listener.open(tmp_path / "gone" / "p.db", answer) is None
        assert "no other command can reach this engine" in caplog.text


class TestBadClients:
    @pytest.mark.parametrize("line", [b"hello\n", b"[1]\n", b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"\n"])
    def test_what_is_no_message_is_refused(self, serve: Serve, line: bytes) -> None:
        reply = say(serve(), line)
        assert reply is not None
        assert reply["error"] == "UsageError"
        assert "JSON object" in reply["message"]

    def test_a_line_that_never_ends_is_cut_off(self, serve: Serve) -> None:
        reply = say(serve(max_line=1000), b"x" * 5000)
        assert reply is not None
        assert "1,000 bytes" in reply["message"]

    def test_one_that_says_nothing_is_hung_up_on_and_holds_nobody_up(self, serve: Serve, database: Path) -> None:
        listener = serve(silence=0.05)
        with knock(listener) as silent:
            assert Peer(database).ping() == {"pid": 7}
            assert silent.recv(1) == b""

    def test_one_that_leaves_at_once_is_forgotten(self, serve: Serve, database: Path) -> None:
        listener = serve()
        for _ in range(2 * listener_module.MAX_CLIENTS):
            knock(listener).close()
        assert Peer(database).ping() == {"pid": 7}

    def test_a_bug_is_told_without_its_traceback(
        self, serve: Serve, database: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.CRITICAL, logger="engine"):
            reply = say(serve(), b'{"verb": "boom"}\n')
        assert reply is not None
        assert "no traceback, please" in reply["message"]
        assert "File" not in reply["message"]
        assert Peer(database).ping() == {"pid": 7}


class TestThePeer:
    def test_what_is_sent_arrives(self, serve: Serve, database: Path) -> None:
        heard: list[Message] = []
        serve(lambda message: heard.append(message) or answer(message))
        peer = Peer(database)
        peer.submit(SUBMISSION)
        peer.kill("e1", "enough")
        assert peer.adopt("e1")
        assert not peer.adopt("e2")
        sent = {"verb": "submit", "id": "e1", "source": "id: a", "file": "a.yaml", "inputs": {"n": 1}}
        assert heard[:2] == [{"verb": "ping"}, sent | {"labels": {"team": "x"}}]
        assert heard[2] == {"verb": "kill", "id": "e1", "reason": "enough"}

    def test_errors_come_back_as_they_were(self, serve: Serve, database: Path) -> None:
        serve(lambda message: answer({"verb": "missing"}))
        with pytest.raises(NotFound, match="no such thing") as error:
            Peer(database).kill("e1", "")
        assert error.value.hint == "look again"

    def test_an_owner_that_ends_says_so(self, serve: Serve, database: Path) -> None:
        serve(lambda message: {"ending": True})
        with pytest.raises(Ending, match=f"process {os.getpid()}"):
            Peer(database).adopt("e1")

    def test_nobody_is_there(self, database: Path) -> None:
        with pytest.raises(Away):
            Peer(database).ping()

    def test_an_owner_that_does_not_listen(self, serve: Serve, database: Path) -> None:
        with pytest.raises(Away, match=f"process {os.getpid()}") as away:
            Peer(database).ping()
        assert away.value.exit_code == 4

    def test_an_owner_that_is_silent(self, database: Path) -> None:
        owner = Owner.acquire(database)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
            deaf.bind(str(database.with_name("engine.sock")))
            deaf.listen()
            with pytest.raises(StoreBusy, match="does not answer") as busy:
                Peer(database, patience=0.05).submit(SUBMISSION)
        owner.release()
        assert not isinstance(busy.value, Away)
        assert f"process {os.getpid()}" in busy.value.message
        assert "started" in busy.value.message


class TestTheWire:
    @pytest.mark.parametrize(
        "error",
        [
            NotFound("none", hint="look"),
            StoreBusy("busy"),
            InputsInvalid(["a is missing", "b is no number"]),
            FlowInvalid(
                "2 problems",
                [
                    Diagnostic(code="c", message="m", file="f.yaml", line=3, severity=Severity.WARNING, hint="h"),
                    Diagnostic(code="d", message="n", edit=Edit(line=1, column=2, end_line=1, end_column=4, text="x")),
                ],
                hint="mend them",
            ),
        ],
    )
    def test_an_error_is_the_same_on_the_other_side(self, error: PenstockError) -> None:
        twin = error_from(error_message(error))
        assert type(twin) is type(error)
        assert vars(twin) == vars(error)

    @pytest.mark.parametrize(
        "told", [{"error": "FromTheFuture"}, {"error": "FlowInvalid"}, {"error": "Any"}, {"error": "InputsInvalid"}]
    )
    def test_an_error_of_another_version_is_still_told(self, told: Message) -> None:
        assert error_from({**told, "message": "what happened"}).message == "what happened"

    def test_what_python_gives_travels_as_it_may_be_written(self) -> None:
        values = {"a": date(2024, 2, 3), "b": datetime(2024, 2, 3, tzinfo=UTC), "c": timedelta(minutes=5), "d": {1}}
        line = encoded(values)
        assert line == b'{"a":"2024-02-03","b":"2024-02-03T00:00:00+00:00","c":"PT5M","d":[1]}\n'
        with pytest.raises(UsageError, match="Path"):
            encoded({"a": Path("x")})

    def test_what_is_too_long_is_not_sent(self) -> None:
        here, there = socket.socketpair()
        with here, there, pytest.raises(UsageError, match="hand over"):
            Connection(here, patience=1, max_line=100).send({"a": "x" * 200})
