"""Penstock: Kestra-dialect YAML flows inside one Python process.

from engine import Engine

with Engine() as engine:
    execution = engine.run("flows/hello_world.yaml", inputs={"name": "Ada"})
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.app import Engine as Engine

__all__ = ["Engine"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Lazy, so that `penstock --help` and plugins do not pay for the whole engine.
    if name == "Engine":
        from engine.app import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
