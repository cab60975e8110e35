"""What a command answered, and the flows of the project in which it was typed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

HELLO = """\
id: hello
namespace: acme.team
inputs:
  - {id: name, type: STRING, defaults: World}
tasks:
  - {id: greet, type: io.kestra.plugin.core.debug.Return, format: "Hello {{ inputs.name }}"}
  - {id: say, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.greet.value }}"}
outputs:
  - {id: greeting, type: STRING, value: "{{ outputs.greet.value }}"}
"""
FAILING = """\
id: failing
namespace: acme.team
tasks:
  - id: outer
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
      - {id: broken, type: io.kestra.plugin.core.execution.Fail, errorMessage: no ducks left}
"""
WAITING = """\
id: waiting
namespace: acme.team
tasks:
  - {id: nap, type: io.kestra.plugin.core.flow.Sleep, duration: PT60S}
"""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Penstock = Callable[..., Answer]
