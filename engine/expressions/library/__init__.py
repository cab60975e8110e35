"""The filters, functions and tests, by what they work on. Importing this package declares them all."""

from engine.expressions.library import calls, collections, dates, encoding, jq, numbers, outside, tests, text

__all__ = ["calls", "collections", "dates", "encoding", "jq", "numbers", "outside", "tests", "text"]
