"""The mark of a value that nobody may read where it is kept: its ciphertext, in a map shaped as Kestra shapes it.

Only the runtime has the key. To everybody else a sealed value is a map that is passed on, and shown as `MASK`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What stands in the place of a secret wherever somebody could read it.
MASK = "******"
_TYPE = "io.kestra.datatype:aes_encrypted"


def sealed(ciphertext: str) -> dict[str, str]:
    """A ciphertext, marked as one."""
    return {"type": _TYPE, "value": ciphertext}


def ciphertext_of(value: Any) -> str | None:
    """The ciphertext of a sealed value; None for any other."""
    if isinstance(value, Mapping) and value.keys() == {"type", "value"} and value["type"] == _TYPE:
        return str(value["value"])
    return None
