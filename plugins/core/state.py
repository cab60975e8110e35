"""Tasks about the state of a flow: maps that it remembers between its runs. New flows use the key-value store.

A state lies in the key-value store of the flow's namespace, under a key that no flow can name.
"""

from typing import Any
from urllib.parse import quote

from engine import sdk


class _State(sdk.Task):
    """What the three tasks have in common: which state they mean."""

    DEPRECATED = "io.kestra.plugin.core.kv.Set"

    name: str = "default"
    """The name of the state."""
    namespace: bool = False
    """Whether all flows of the namespace share it; if not, it is this flow's own."""
    taskrun_value: bool = True
    """Whether each value of a loop has a state of its own."""

    def _key(self, ctx: sdk.RunContext) -> str:
        owner = "" if self.namespace else ctx.flow_id
        value = ctx.render("{{ taskrun.value ?? '' }}") if self.taskrun_value else ""
        return "_state/" + "/".join(quote(part, safe="") for part in (owner, self.name, value))

    def _data(self, ctx: sdk.RunContext) -> dict[str, Any] | None:
        pair = ctx.kv.get(ctx.namespace, self._key(ctx))
        return None if pair is None else pair.value

    def _missing(self) -> sdk.TaskFailed:
        return sdk.TaskFailed(f"there is no state `{self.name}`", hint="errorOnMissing: false lets the flow go on")


class Set(
    _State,
    type="io.kestra.plugin.core.state.Set",
    aliases=("io.kestra.core.tasks.states.Set",),
    effect="idempotent",
):
    """Add to a state, or make it."""

    EXAMPLES = (
        sdk.Example(
            "Count how often a flow ran.",
            """
            id: state_set
            namespace: company.team
            tasks:
              - id: before
                type: io.kestra.plugin.core.state.Get
              - id: count
                type: io.kestra.plugin.core.state.Set
                data:
                  runs: "{{ (outputs.before.data.runs ?? 0) + 1 }}"
            """,
        ),
    )

    data: dict[str, Any] | None = None
    """What to add: keys that are there get new values, all others stay."""

    class Output(sdk.Output):
        count: int
        """How many keys the state has now."""
        key: str
        """Where the state is kept."""

    def run(self, ctx: sdk.RunContext) -> Output:
        merged = {**(self._data(ctx) or {}), **(self.data or {})}
        key = self._key(ctx)
        ctx.kv.set(ctx.namespace, key, merged, type=sdk.ValueType.JSON)
        return self.Output(count=len(merged), key=key)


class Get(
    _State,
    type="io.kestra.plugin.core.state.Get",
    aliases=("io.kestra.core.tasks.states.Get",),
    effect="idempotent",
):
    """Read a state."""

    DEPRECATED = "io.kestra.plugin.core.kv.Get"
    EXAMPLES = (
        sdk.Example(
            "Read what an earlier run left.",
            """
            id: state_get
            namespace: company.team
            tasks:
              - id: before
                type: io.kestra.plugin.core.state.Get
                name: cursor
            """,
        ),
    )

    error_on_missing: bool = False
    """Whether the task fails when there is no such state."""

    class Output(sdk.Output):
        count: int
        """How many keys the state has."""
        data: dict[str, Any]
        """What the state holds."""

    def run(self, ctx: sdk.RunContext) -> Output:
        data = self._data(ctx)
        if data is None and self.error_on_missing:
            raise self._missing()
        return self.Output(count=len(data or {}), data=data or {})


class Delete(
    _State,
    type="io.kestra.plugin.core.state.Delete",
    aliases=("io.kestra.core.tasks.states.Delete",),
    effect="idempotent",
):
    """Remove a state."""

    DEPRECATED = "io.kestra.plugin.core.kv.Delete"
    EXAMPLES = (
        sdk.Example(
            "Start anew.",
            """
            id: state_delete
            namespace: company.team
            tasks:
              - id: forget
                type: io.kestra.plugin.core.state.Delete
                name: cursor
            """,
        ),
    )

    error_on_missing: bool = False
    """Whether the task fails when there is no such state."""

    class Output(sdk.Output):
        deleted: bool
        """Whether there was such a state."""

    def run(self, ctx: sdk.RunContext) -> Output:
        deleted = ctx.kv.delete(ctx.namespace, self._key(ctx))
        if self.error_on_missing and not deleted:
            raise self._missing()
        return self.Output(deleted=deleted)
