"""What `penstock server` has to do with systemd: the unit file, and what a service tells."""

from __future__ import annotations

import socket
from pathlib import Path

import click
import pytest

from engine.cli.systemd import notify, unit_file


def unit(folder: Path, monkeypatch: pytest.MonkeyPatch, *folders: str) -> list[str]:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PENSTOCK_HOME", raising=False)
    with click.Context(click.Command("server")):
        return unit_file(folders, "127.0.0.1", 80, 2.5).splitlines()


def test_every_path_is_absolute_and_the_grace_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = unit(tmp_path, monkeypatch, "flows")
    assert f"WorkingDirectory={tmp_path}" in lines
    command = next(line for line in lines if line.startswith("ExecStart="))
    assert command.startswith("ExecStart=/")
    assert command.endswith(f" server --grace 2.5 --flows {tmp_path}/flows --host 127.0.0.1 --port 80")
    assert "TimeoutStopSec=18" in lines


def test_odd_names_of_folders_stay_one_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / '50% of "my" $flows'
    folder.mkdir()
    lines = unit(folder, monkeypatch, "a b")
    told = str(tmp_path) + '/50%% of \\"my\\" $$flows'
    assert any(line.startswith("ExecStart=") and f'--flows "{told}/a b"' in line for line in lines)
    assert f'WorkingDirectory={tmp_path}/50%% of "my" $flows' in lines
    assert f'Environment="PENSTOCK_HOME={tmp_path}/50%% of \\"my\\" $flows/.penstock"' in lines


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify("READY=1")
        assert listening.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/no/such/socket", "@penstock-nobody-listens"])
def test_where_nobody_listens_nothing_happens(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")
