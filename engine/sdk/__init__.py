"""All that a plugin author sees. Plugins import this package and nothing else of the engine."""

from engine.errors import ExpressionError, RetryLater, TaskCancelled, TaskFailed
from engine.model.keyvalue import KeyValue, ValueType
from engine.model.state import State
from engine.ports import ExecutionFilter, ExecutionSummary, LogFilter
from engine.sdk.context import LOG_LEVELS, LogLevel, RunContext, truthy
from engine.sdk.executions import Executions, Purged
from engine.sdk.files import FileAccess
from engine.sdk.flows import EndedFlow, Ending, FlowCall, StartFlows
from engine.sdk.inner import read_yaml
from engine.sdk.ion import read_rows, write_rows
from engine.sdk.keyvalues import KeyValues, checked_key
from engine.sdk.task import Definition, Effect, Example, Output, Secret, Static, Task

__all__ = [
    "LOG_LEVELS",
    "Definition",
    "Effect",
    "EndedFlow",
    "Ending",
    "Example",
    "ExecutionFilter",
    "ExecutionSummary",
    "Executions",
    "ExpressionError",
    "FileAccess",
    "FlowCall",
    "KeyValue",
    "KeyValues",
    "LogFilter",
    "LogLevel",
    "Output",
    "Purged",
    "RetryLater",
    "RunContext",
    "Secret",
    "StartFlows",
    "State",
    "Static",
    "Task",
    "TaskCancelled",
    "TaskFailed",
    "ValueType",
    "checked_key",
    "read_rows",
    "read_yaml",
    "truthy",
    "write_rows",
]
