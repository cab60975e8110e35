"""Ids of executions: 26 characters that sort by the time they were made (48 bits of milliseconds, 80 random bits)."""

from __future__ import annotations

import os
import time
from datetime import datetime
from hashlib import sha256

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id() -> str:
    """A new id. Unique without asking anybody."""
    return _text(time.time_ns() // 1_000_000, os.urandom(10))


def derived_id(at: datetime, *reason: str) -> str:
    """The id that belongs to a reason: whoever asks, and however often, it is the same. It sorts by `at`."""
    digest = sha256("\0".join(reason).encode(errors="surrogatepass")).digest()
    return _text(max(int(at.timestamp() * 1000), 0), digest[:10])


def _text(millis: int, chance: bytes) -> str:
    number = (millis & (1 << 48) - 1) << 80 | int.from_bytes(chance)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
