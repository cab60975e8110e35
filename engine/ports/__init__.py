"""What the shell needs from the world outside, as Protocols. One contract suite runs on every adapter."""

from engine.ports.machine import Cipher, Clock, Files
from engine.ports.records import (
    PROGRESS,
    ExecutionChange,
    ExecutionFilter,
    ExecutionSummary,
    FlowRecord,
    FlowText,
    LogFilter,
    LogLine,
    Metric,
    Removed,
    SecretRecord,
)
from engine.ports.scheduling import SchedulingStore
from engine.ports.sharing import Asked, EngineRecord, SharingStore
from engine.ports.store import Store
from engine.ports.upkeep import UpkeepStore

__all__ = [
    "PROGRESS",
    "Asked",
    "Cipher",
    "Clock",
    "EngineRecord",
    "ExecutionChange",
    "ExecutionFilter",
    "ExecutionSummary",
    "Files",
    "FlowRecord",
    "FlowText",
    "LogFilter",
    "LogLine",
    "Metric",
    "Removed",
    "SchedulingStore",
    "SecretRecord",
    "SharingStore",
    "Store",
    "UpkeepStore",
]
