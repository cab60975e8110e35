"""All that a plugin author sees. Plugins import this package and nothing else of the engine."""

from engine.errors import RetryLater, TaskCancelled, TaskFailed
from engine.sdk.context import LOG_LEVELS, LogLevel, RunContext, truthy
from engine.sdk.ion import read_rows, write_rows
from engine.sdk.task import Definition, Effect, Example, Output, Secret, Static, Task

__all__ = [
    "LOG_LEVELS",
    "Definition",
    "Effect",
    "Example",
    "LogLevel",
    "Output",
    "RetryLater",
    "RunContext",
    "Secret",
    "Static",
    "Task",
    "TaskCancelled",
    "TaskFailed",
    "read_rows",
    "truthy",
    "write_rows",
]
