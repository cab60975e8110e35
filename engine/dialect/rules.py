"""What must hold between the parts of a flow, beyond what each part must look like by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.dialect.build import Builder
from engine.model.flow import Flow


def check(builder: Builder, flow: Flow | None, data: Mapping[str, Any]) -> None:
    """Note every broken rule."""
