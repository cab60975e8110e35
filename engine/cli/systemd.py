"""How systemd runs `penstock server`: the unit file, and what a service tells about itself.

Always true: every path in the unit is absolute, as a service has no current folder of ours; without systemd nothing is
told to anybody.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from getpass import getuser
from pathlib import Path

from engine.cli.commands import current_home
from engine.settings import find_project

_UNIT = """\
# sudo tee /etc/systemd/system/penstock.service, then: systemctl enable --now penstock
[Unit]
Description=Penstock runs flows
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
User={user}
WorkingDirectory={folder}
Environment={home}
ExecStart={command}
Restart=on-failure
RestartSec=5
TimeoutStopSec={patience:.0f}
KillMode=mixed

[Install]
WantedBy=multi-user.target
"""


def unit_file(folders: Sequence[str], host: str | None, port: int | None, grace: float) -> str:
    """The text of the unit, for the project around the current folder."""
    project = find_project(current_home())
    command = [*_program(), "server", "--grace", f"{grace:g}"]
    for folder in folders:
        command += ["--flows", os.path.abspath(folder)]
    command += ["--host", host] if host is not None else []
    command += ["--port", str(port)] if port is not None else []
    return _UNIT.format(
        user=getuser(),
        folder=_escaped(str(project.folder)),
        home=_quoted(f"PENSTOCK_HOME={project.home}"),
        command=" ".join(_quoted(word).replace("$", "$$") for word in command),
        patience=grace + 15,
    )


def notify(state: str) -> None:
    """Tell systemd how the service is: `READY=1`, `STOPPING=1`."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link, suppress(OSError):
        link.connect("\0" + address[1:] if address.startswith("@") else address)
        link.send(state.encode())


def _program() -> list[str]:
    installed = Path(sys.executable).with_name("penstock")
    return [str(installed)] if installed.exists() else [sys.executable, "-c", "from engine.cli import main; main()"]


def _escaped(text: str) -> str:
    """Where systemd takes the rest of the line, but looks for its `%` specifiers."""
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """One word of a command line or an assignment."""
    plain = _escaped(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"' if any(char in plain for char in " \t;'\"") else plain
