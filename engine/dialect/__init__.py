"""Text -> nouns: YAML with positions, diagnostics, and the flow that is meant."""

from engine.dialect.parse import Parsed, load, parse
from engine.dialect.report import format_diagnostic, report
from engine.dialect.types import TypeIndex

__all__ = ["Parsed", "TypeIndex", "format_diagnostic", "load", "parse", "report"]
