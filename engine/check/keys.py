"""Keys of secrets and of the key-value store that nobody has set where the flow is judged.

They may well be set where it runs, so all that is said is a hint; and where nobody knows which keys there are,
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from engine.check.expressions import Written, diagnostic
from engine.check.inference import Finding
from engine.dialect.document import Document
from engine.errors import ExpressionError
from engine.expressions import KESTRA, language
from engine.model.diagnostic import Diagnostic, Severity

#: By the name of the function that reads a key: whether there is such a key.
Keys = Mapping[str, Callable[[str], bool]]

_WORDS = {"secret": "secret", "kv": "key in the key-value store"}


def unknown_keys(document: Document, rendered: Iterable[Written], keys: Keys) -> Iterator[Diagnostic]:
    """The keys that are written out and not there."""
    if language(document.data.get("expressions")) is not KESTRA:
        return
    for written in rendered:
        if not any(f"{name}(" in written.text for name in keys):
            continue
        for name, key, offset in _read_in(written.text):
            if name in keys and not keys[name](key):
                message = f'there is no {_WORDS[name]} "{key}" here'
                hint = "set it where the flow runs"
                yield diagnostic(document, written, Finding("unknown-key", message, offset, key, Severity.HINT, hint))


def _read_in(template: str) -> Iterator[tuple[str, str, int]]:
    """The keys that a template names itself: function, key, place. A key of another namespace is not known."""
    from jinja2 import nodes

    from engine.expressions.tags import parse

    try:
        tree = parse(template).template
    except ExpressionError:
        return  # the dialect has said so
    for call in tree.find_all(nodes.Filter):
        key = call.args[0] if len(call.args) == 1 and not call.kwargs else None
        if call.name.startswith("fn:") and isinstance(key, nodes.Const) and isinstance(key.value, str):
            yield call.name.removeprefix("fn:"), key.value, key.lineno
