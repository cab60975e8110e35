"""YAML text -> plain data, and where each piece of it stands.

The tree is composed here from the parser's events, because that is where the guards belong: depth, aliases and
merges are counted before anything is built from them. Always true: mappings have text keys, no key twice; the data is
a finite tree of dict, list, str, int, float, bool and None; a node that was aliased shares its data, so nobody may
change it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from engine.dialect.scalars import Scalar, resolve
from engine.dialect.source import Source, Span
from engine.dialect.syntax import explain, unquoted_expression
from engine.errors import FlowInvalid
from engine.model.diagnostic import Diagnostic

MAX_DEPTH = 200
MAX_ALIASED = 100_000  #: how many nodes all aliases together may stand for

Path = tuple[str | int, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_COLLECTION_TAGS = {None, "!", _TAG + "map", _TAG + "seq"}


class Node:
    """A piece of the document: its data and where it stands. `size` counts the nodes it stands for."""

    __slots__ = ("children", "data", "end", "keys", "size", "start")

    def __init__(self, data: Any, event: Any) -> None:
        self.data = data
        self.start = event.start_mark
        self.end = event.end_mark
        self.children: dict[str, Node] | list[Node] | None = None
        self.keys: dict[str, Any] = {}  #: the event of each key of a mapping
        self.size = 1

    def child(self, step: str | int) -> Node | None:
        if isinstance(self.children, dict):
            return self.children.get(step) if isinstance(step, str) else None
        if isinstance(self.children, list) and isinstance(step, int) and 0 <= step < len(self.children):
            return self.children[step]
        return None


class Document:
    """A composed YAML document. `problems` are findings that did not stop it from being read."""

    def __init__(self, source: Source, root: Node | None, problems: list[Diagnostic]) -> None:
        self.source = source
        self.root = root
        self.problems = problems

    @property
    def data(self) -> Any:
        return self.root.data if self.root else None

    def span(self, path: Path, *, key: bool = False) -> Span:
        """Where the value at `path` stands, or its key.

        A step that is not written down (a value that a default filled in, the name of a union's member) is passed
        over, so the answer is then the nearest thing that is.
        """
        if self.root is None:
            return Span(1, 1)
        node, mark, end = self.root, self.root.start, self.root.end
        for step in path:
            below = node.child(step)
            if below is None:
                continue
            at = node.keys[step] if key and isinstance(step, str) else None
            mark, end = (at.start_mark, at.end_mark) if at is not None else (below.start, below.end)
            node = below
        line = self.source.line(mark.line + 1)
        last = end.column if end.line == mark.line else len(line.rstrip())
        return Span(mark.line + 1, mark.column + 1, max(1, last - mark.column))

    def is_written(self, path: Path) -> bool:
        """Whether the value at `path` stands in the file."""
        return self.node(path) is not None

    def respell(self, path: Path, written: str, meant: str) -> None:
        """Let a property be found under another name too: `when` is an older `runIf`."""
        node = self.node(path)
        if node is not None and isinstance(node.children, dict) and written in node.children:
            node.children.setdefault(meant, node.children[written])
            node.keys.setdefault(meant, node.keys[written])

    def data_at(self, path: Path) -> Any:
        """The data at `path`; None when there is none."""
        node = self.node(path)
        return node.data if node else None

    def node(self, path: Path) -> Node | None:
        """The piece of the document at `path`; None when there is none."""
        node = self.root
        for step in path:
            node = node.child(step) if node else None
        return node


def read(source: Source) -> Document:
    """Compose a text. Raises FlowInvalid when it cannot be read to its end."""
    composer = _Composer(source)
    try:
        root = composer.document()
    except yaml.MarkedYAMLError as error:
        raise explain(source, error) from None
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        finding = source.diagnostic("yaml-syntax", f"this is not YAML: {error}", Span(1, 1))
        raise FlowInvalid(finding.message, [finding]) from None
    return Document(source, root, composer.problems)


class _Composer:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._events: Iterator[Any] = yaml.parse(source.text, Loader=_LOADER)
        self._anchors: dict[str, Node | None] = {}  # None while the anchored node is still open
        self._aliased = 0
        self.problems: list[Diagnostic] = []

    def document(self) -> Node | None:
        """The only document of the stream; None when there is none."""
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        root = self._node(next(self._events), depth=1)
        next(self._events)
        following = next(self._events)
        if not isinstance(following, yaml.StreamEndEvent):
            content = next(self._events)
            if not (isinstance(content, yaml.ScalarEvent) and content.value == "") or isinstance(
                next(self._events), yaml.DocumentStartEvent
            ):
                self._source.refuse(
                    "several-documents",
                    "a second document starts here",
                    _span(following),
                    hint="keep one flow in a file; remove the ---",
                )
        return root

    def _node(self, event: Any, depth: int, key: Any = None) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._anchored(event, Node(self._scalar(event), event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > MAX_DEPTH:
            self._source.refuse("too-deep", f"this is nested more than {MAX_DEPTH} levels deep", _span(event))
        if event.tag not in _COLLECTION_TAGS:
            self._refuse_tag(event)
        if event.anchor:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.SequenceStartEvent):
            return self._anchored(event, self._sequence(event, depth))
        return self._anchored(event, self._mapping(event, depth, key))

    def _anchored(self, event: Any, node: Node) -> Node:
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> Node:
        target = self._anchors.get(event.anchor)
        if target is None:
            if event.anchor in self._anchors:
                self._source.refuse("bad-alias", f"*{event.anchor} contains itself", _span(event))
            self._source.refuse(
                "bad-alias",
                f"there is no anchor &{event.anchor} above",
                _span(event),
                hint="quote the value if it is meant to start with *",
            )
        self._aliased += target.size
        if self._aliased > MAX_ALIASED:
            self._source.refuse(
                "too-many-aliases", f"the aliases stand for more than {MAX_ALIASED:,} values", _span(event)
            )
        node = Node(target.data, event)
        node.children, node.keys, node.size = target.children, target.keys, target.size
        return node

    def _sequence(self, start: Any, depth: int) -> Node:
        children: list[Node] = []
        event = next(self._events)
        while not isinstance(event, yaml.SequenceEndEvent):
            children.append(self._node(event, depth + 1))
            event = next(self._events)
        node = Node([child.data for child in children], start)
        node.children, node.end = children, event.end_mark
        node.size += sum(child.size for child in children)
        return node

    def _mapping(self, start: Any, depth: int, key: Any) -> Node:
        children: dict[str, Node] = {}
        keys: dict[str, Any] = {}
        merged: list[Node] = []
        at = next(self._events)
        while not isinstance(at, yaml.MappingEndEvent):
            name = self._key(at, start, key)
            value = self._node(next(self._events), depth + 1, at)
            if name == "<<" and at.implicit[0]:
                merged.extend(self._merge_sources(value))
            elif name in children:
                first = keys[name].start_mark.line + 1
                self.problems.append(
                    self._source.diagnostic(
                        "duplicate-key", f'the key "{name}" is already there, in line {first}', _span(at)
                    )
                )
            else:
                children[name], keys[name] = value, at
            at = next(self._events)
        for source in merged:
            assert isinstance(source.children, dict)
            children = {**source.children, **children}
            keys = {**source.keys, **keys}
        node = Node({name: child.data for name, child in children.items()}, start)
        node.children, node.keys, node.end = children, keys, at.end_mark
        node.size += sum(child.size for child in children.values())
        return node

    def _key(self, event: Any, start: Any, outer: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            if isinstance(event, yaml.MappingStartEvent) and event.flow_style and start.flow_style:
                unquoted_expression(self._source, start.start_mark, outer)
            hint = "quote the value if it starts with { or [" if start.flow_style else None
            self._source.refuse("bad-key", "a key must be text, not a list, a map or an alias", _span(event), hint=hint)
        if event.value == "" and event.implicit[0]:
            self._source.refuse("bad-key", "a key is missing before the colon", _span(event))
        if event.tag is not None:
            self._scalar(event)
        return str(event.value)

    def _merge_sources(self, value: Node) -> list[Node]:
        sources = value.children if isinstance(value.children, list) else [value]
        for source in sources:
            if not isinstance(source.children, dict):
                self._source.refuse(
                    "bad-merge",
                    "<< takes a map, or a list of maps",
                    Span(source.start.line + 1, source.start.column + 1),
                )
        return list(sources)

    def _scalar(self, event: Any) -> Scalar:
        text: str = event.value
        if "\0" in text:
            self._source.refuse("control-character", "the character U+0000 cannot be stored", _span(event))
        if event.implicit[0] or event.tag in (_TAG + "int", _TAG + "float", _TAG + "bool", _TAG + "null"):
            try:
                return resolve(text)
            except ValueError as error:
                finding = self._source.diagnostic(
                    "bad-number", str(error), _span(event), hint="quote it to keep it as text"
                )
                self.problems.append(finding)
                return text
        if event.tag not in (None, "!", _TAG + "str"):
            self._refuse_tag(event)
        return text

    def _refuse_tag(self, event: Any) -> None:
        tag = event.tag.replace(_TAG, "!!")
        self._source.refuse("yaml-tag", f"the tag {tag} has no meaning here", _span(event), hint="remove it")


def _span(event: Any) -> Span:
    start, end = event.start_mark, event.end_mark
    width = end.column - start.column if end.line == start.line else 1
    return Span(start.line + 1, start.column + 1, max(1, width))
