"""All that a plugin author sees. Plugins import this package and nothing else of the engine."""

from engine.errors import RetryLater, TaskCancelled, TaskFailed
from engine.sdk.context import RunContext
from engine.sdk.task import Effect, Output, Secret, Static, Task

__all__ = ["Effect", "Output", "RetryLater", "RunContext", "Secret", "Static", "Task", "TaskCancelled", "TaskFailed"]
