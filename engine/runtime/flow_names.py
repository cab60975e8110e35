"""How people name a stored flow: NAMESPACE/ID, or NAMESPACE.ID where that is unambiguous."""

from __future__ import annotations

from engine.dialect.suggest import did_you_mean, nearest
from engine.errors import NotFound, UsageError
from engine.ports import FlowRecord, Store


def named_flow(store: Store, name: str) -> FlowRecord:
    """The newest revision of the flow that is meant. Raises NotFound, UsageError if several may be."""
    if "/" in name:
        splits = [tuple(name.split("/", 1))]
    else:
        parts = name.split(".")
        splits = [(".".join(parts[:i]), ".".join(parts[i:])) for i in range(1, len(parts))]
    found = [record for namespace, flow_id in splits if (record := store.flow(namespace, flow_id))]
    if len(found) > 1:
        raise UsageError(f"`{name}` may mean several flows", hint="write NAMESPACE/ID with a slash")
    if not found:
        stored = [f"{record.namespace}/{record.id}" for record in store.flows()]
        raise NotFound(
            f"there is no flow `{name}`",
            hint=did_you_mean(nearest(name, stored))
            or "name a FLOW.yaml file, or a stored flow as NAMESPACE/ID (see `penstock flows list`)",
        )
    return found[0]
