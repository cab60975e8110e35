"""A small index of types, so that the dialect is tested without any plugin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from engine.dialect import Parsed, parse
from engine.errors import PluginBroken
from engine.model.flow import CONTAINERS, PluginDefault

LOG = "io.kestra.plugin.core.log.Log"
RETURN = "io.kestra.plugin.core.debug.Return"
CHAT = "acme.Chat"
BROKEN = "acme.Broken"


class _Properties(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)


class Log(_Properties):
    message: str | list[str]
    level: Literal["INFO", "WARN"] = "INFO"


class Return(_Properties):
    format: str | None = None


class Message(_Properties):
    role: Literal["system", "user"]
    content: str


class Chat(_Properties):
    api_key: str
    messages: list[Message] = []
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: int | None = None


class Index:
    """A TypeIndex of four types."""

    models: ClassVar[dict[str, type[BaseModel] | None]] = {LOG: Log, RETURN: Return, CHAT: Chat, BROKEN: None}
    aliases: ClassVar[dict[str, str]] = {
        "io.kestra.core.tasks.log.Log": LOG,
        "io.kestra.core.tasks.debugs.Return": RETURN,
    }

    def __init__(self) -> None:
        self._canonical = {name: container.TYPES[0] for container in CONTAINERS for name in container.TYPES}
        self._canonical |= {name: name for name in self.models} | self.aliases

    def canonical(self, type_: str) -> str | None:
        return self._canonical.get(type_)

    def names(self) -> Iterable[str]:
        return self._canonical

    def missing(self, type_: str) -> str | None:
        return None

    def properties(self, type_: str) -> type[BaseModel]:
        model = self.models[type_]
        if model is None:
            raise PluginBroken("plugin acme.Broken cannot be imported", hint="install acme")
        return model


def read_flow(source: str | bytes, defaults: Sequence[PluginDefault] = ()) -> Parsed:
    return parse(source, file="flow.yaml", types=Index(), defaults=defaults)


def tasks_flow(tasks: str, **top: Any) -> str:
    """A flow around an indented list of tasks."""
    head = "".join(f"{key}: {value}\n" for key, value in top.items())
    return f"id: demo\nnamespace: acme\n{head}tasks:\n{tasks}"
