"""Keeps secret values out of everything that an attempt writes.

A secret is masked as it is and in the forms in which it usually travels: URL-encoded, JSON-escaped, base64.
"""

from __future__ import annotations

import base64
import json
import urllib.parse
from typing import Any

MASK = "******"
#: Shorter texts are not masked: they would blank out ordinary words, and protect nothing.
SHORTEST = 4


class Masker:
    """The secrets of one attempt."""

    def __init__(self) -> None:
        self._forms: list[str] = []

    def add(self, secret: str) -> None:
        if len(secret) < SHORTEST:
            return
        raw = secret.encode("utf-8", "surrogatepass")
        forms = {
            secret,
            urllib.parse.quote(raw, safe=""),
            urllib.parse.quote_plus(raw),
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            base64.b64encode(raw).decode(),
            base64.urlsafe_b64encode(raw).decode().rstrip("="),
        }
        self._forms = sorted(forms.union(self._forms), key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def value(self, value: Any) -> Any:
        """JSON-like data without secrets, keys included."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.value(part) for part in value]
        return value
