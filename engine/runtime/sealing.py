"""Secrets among inputs and outputs: sealed before they are stored, opened where a task reads them, masked then on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from engine.core import Facts
from engine.errors import UsageError
from engine.expressions.faults import Unstoppable
from engine.model.flow import FlowOutput
from engine.model.inputs import Input, SecretInput
from engine.model.sealed import sealed
from engine.ports import Cipher

#: The text behind a ciphertext. Raises ExpressionError.
Reveal = Callable[[str], str]


def sealed_inputs(declared: Iterable[Input], values: dict[str, Any], cipher: Cipher) -> dict[str, Any]:
    """The values of inputs, nested by the dots in their ids, with each secret sealed in its place."""
    for item in declared:
        if isinstance(item, SecretInput):
            *groups, leaf = item.id.split(".")
            place = values
            for group in groups:
                place = place.get(group, {})
            if isinstance(place.get(leaf), str):
                place[leaf] = sealed(cipher.encrypt(place[leaf]))
    return values


def sealed_outputs(declared: Iterable[FlowOutput], values: Mapping[str, Any], cipher: Cipher) -> dict[str, Any]:
    """The outputs of a flow, with those of type SECRET sealed."""
    secret = {output.id for output in declared if output.type == "SECRET"}
    return {
        name: sealed(cipher.encrypt(value)) if name in secret and isinstance(value, str) else value
        for name, value in values.items()
    }


def revealing(facts: Facts, cipher: Cipher, mask: Callable[[str], None]) -> Facts:
    """The facts for somebody who may read secret inputs."""
    return replace(facts, reveal=revealer(cipher, mask))


def revealer(cipher: Cipher, mask: Callable[[str], None]) -> Reveal:
    """Opens ciphertexts for somebody in whose writings `mask` sees to it that they do not appear."""

    def reveal(ciphertext: str) -> str:
        try:
            text = cipher.decrypt(ciphertext)
        except UsageError as error:
            raise Unstoppable(f"This secret stays closed: {error.message},", code="sealed", hint=error.hint) from None
        mask(text)
        return text

    return reveal
