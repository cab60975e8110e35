"""What a server does beside answering."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from engine.api.server import listen
from engine.api.service import Service
from engine.app import Engine
from engine.errors import UsageError

FLOW = """\
id: doubtful
namespace: acme
tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: "{{ vars.nobody }}"}]
triggers: [{id: never, type: io.kestra.plugin.kafka.Trigger, topic: x}]
"""


def test_what_is_doubtful_about_a_deployed_flow_is_logged_once(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "doubtful.yaml"
    file.write_text(FLOW)
    service = Service(engine, [str(tmp_path)])
    service.begin()
    service.deployments.look()
    service.end(0)
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert [message.split(": ", 2)[:2] for message in told] == [
        [f"{file}:4:30", "warning[not-supported]"],
        [f"{file}:3:74", "error[unknown-reference]"],
    ]


def test_an_address_of_another_machine_is_no_matter_of_the_port() -> None:
    with pytest.raises(UsageError, match="cannot listen on 192\\.0\\.2\\.1:0") as refused:  # kept for documentation
        listen("192.0.2.1", 0)
    assert "--host" in (refused.value.hint or "")
