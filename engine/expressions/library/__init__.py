"""The filters, functions and tests, by what they work on. Importing this package declares them all."""

from engine.expressions.library import calls, collections, encoding, jq, tests, text

__all__ = ["calls", "collections", "encoding", "jq", "tests", "text"]
