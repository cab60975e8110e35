"""Static checking of a flow against the catalog: what `validate` says beyond what the dialect refuses.

A finding here is certain, or it is not made: a false alarm on a flow that works is worse than silence.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.check.defaults import invalid_defaults
from engine.check.expressions import check_expressions, written_in
from engine.check.keys import Keys, unknown_keys
from engine.check.outline import Outline
from engine.check.roots import Declared
from engine.check.secrets import literal_defaults, literal_secrets
from engine.check.static import expressions_in_static_properties
from engine.check.triggers import refused_inputs
from engine.dialect import Parsed, TypeIndex
from engine.model.diagnostic import Diagnostic

__all__ = ["check"]

NO_KEYS: Keys = {}


def check(parsed: Parsed, types: TypeIndex, keys: Keys = NO_KEYS) -> list[Diagnostic]:
    """All findings about a parsed flow, in the order of the file. Works on what can be read of an invalid one too.

    `keys` tells which secrets and keys there are: `{"secret": is_there}`.
    """
    document = parsed.document
    if document is None or not isinstance(document.data, Mapping):
        return []
    outline = Outline(parsed, types)
    rendered = list(written_in(document.data, outline, types))
    found = [
        *check_expressions(document, rendered, Declared(document.data, outline, types)),
        *unknown_keys(document, rendered, keys),
        *expressions_in_static_properties(document, outline, types),
        *invalid_defaults(document, parsed.flow),
        *literal_secrets(document, parsed.tasks, types),
        *literal_defaults(document, parsed.flow),
        *refused_inputs(document, parsed.flow),
    ]
    return sorted(found, key=lambda finding: (finding.line, finding.column))
