"""Tasks about the key-value store: what flows remember between their runs."""

from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from engine import sdk


class Set(
    sdk.Task,
    type="io.kestra.plugin.core.kv.Set",
    effect="idempotent",
):
    """Keep a value in the key-value store.

    Flows of the namespace, and of those below it, read it with `{{ kv('KEY') }}`.
    """

    EXAMPLES = (
        sdk.Example(
            "Remember how far a flow has come.",
            """
            id: kv_set
            namespace: company.team
            tasks:
              - id: remember
                type: io.kestra.plugin.core.kv.Set
                key: last_run
                value: "{{ execution.startDate }}"
                kvType: DATETIME
                ttl: P30D
            """,
        ),
    )

    key: str
    """Letters, digits, `.`, `_` and `-`, with a letter or a digit first."""
    value: Any
    """What to keep. A single expression keeps its type; text is read as `kvType` says."""
    namespace: str | None = None
    """Where to keep it: by default the namespace of the flow."""
    overwrite: bool = True
    """Whether a value that is there already is replaced; if not, the task fails."""
    ttl: timedelta | None = None
    """How long it is kept, as an ISO-8601 duration: `PT1H`, `P30D`. By default for ever."""
    kv_type: sdk.ValueType | None = None
    """The type of the value; by default the one it has."""
    kv_description: str | None = None
    """What the value is for."""

    def run(self, ctx: sdk.RunContext) -> None:
        namespace, key = self.namespace or ctx.namespace, sdk.checked_key(self.key)
        if not ctx.kv.set(
            namespace,
            key,
            self.value,
            type=self.kv_type,
            ttl=self.ttl,
            description=self.kv_description,
            overwrite=self.overwrite,
        ):
            raise sdk.TaskFailed(
                f"the key `{key}` is set in {namespace} already", hint="overwrite: true would replace its value"
            )


class Get(
    sdk.Task,
    type="io.kestra.plugin.core.kv.Get",
    effect="idempotent",
):
    """Read a value of the key-value store.

    Without `namespace` the flow's own is searched, then each of its parents, as `kv()` does.
    """

    EXAMPLES = (
        sdk.Example(
            "Read what an earlier run kept.",
            """
            id: kv_get
            namespace: company.team
            tasks:
              - id: recall
                type: io.kestra.plugin.core.kv.Get
                key: last_run
              - id: say
                type: io.kestra.plugin.core.log.Log
                message: "{{ outputs.recall.value ?? 'never' }}"
            """,
        ),
    )

    key: str
    """Which value to read."""
    namespace: str | None = None
    """The only namespace to look in."""
    error_on_missing: bool = False
    """Whether the task fails when there is no such key; if not, the value is null."""

    class Output(sdk.Output):
        value: Any = None
        """The value. Moments, dates and durations are ISO-8601 text."""

    def run(self, ctx: sdk.RunContext) -> Output:
        key = sdk.checked_key(self.key)
        pair = ctx.kv.get(self.namespace, key) if self.namespace else ctx.kv.find(ctx.namespace, key)
        if pair is None and self.error_on_missing:
            raise sdk.TaskFailed(f"there is no key `{key}` in {self.namespace or f'{ctx.namespace} or above it'}")
        return self.Output(value=None if pair is None else pair.value)


class Delete(
    sdk.Task,
    type="io.kestra.plugin.core.kv.Delete",
    effect="idempotent",
):
    """Remove a key from the key-value store."""

    EXAMPLES = (
        sdk.Example(
            "Forget what an earlier run kept.",
            """
            id: kv_delete
            namespace: company.team
            tasks:
              - id: forget
                type: io.kestra.plugin.core.kv.Delete
                key: last_run
            """,
        ),
    )

    key: str
    """Which key to remove."""
    namespace: str | None = None
    """Where: by default in the namespace of the flow."""
    error_on_missing: bool = False
    """Whether the task fails when there is no such key."""

    class Output(sdk.Output):
        deleted: bool
        """Whether there was such a key."""

    def run(self, ctx: sdk.RunContext) -> Output:
        namespace, key = self.namespace or ctx.namespace, sdk.checked_key(self.key)
        deleted = ctx.kv.delete(namespace, key)
        if self.error_on_missing and not deleted:
            raise sdk.TaskFailed(f"there is no key `{key}` in {namespace}")
        return self.Output(deleted=deleted)


class GetKeys(
    sdk.Task,
    type="io.kestra.plugin.core.kv.GetKeys",
    effect="idempotent",
):
    """List the keys of a namespace."""

    EXAMPLES = (
        sdk.Example(
            "Go through all keys that begin with `report_`.",
            """
            id: kv_keys
            namespace: company.team
            tasks:
              - id: reports
                type: io.kestra.plugin.core.kv.GetKeys
                prefix: report_
              - id: each
                type: io.kestra.plugin.core.flow.ForEach
                values: "{{ outputs.reports.keys }}"
                tasks:
                  - id: forget
                    type: io.kestra.plugin.core.kv.Delete
                    key: "{{ taskrun.value }}"
            """,
        ),
    )

    prefix: str | None = None
    """How the keys begin; by default, any way."""
    namespace: str | None = None
    """Whose keys: by default those of the flow's namespace."""

    class Output(sdk.Output):
        keys: list[str]
        """The keys, in alphabetical order."""

    def run(self, ctx: sdk.RunContext) -> Output:
        prefix = self.prefix or ""
        pairs = ctx.kv.list(self.namespace or ctx.namespace, prefix)
        return self.Output(keys=[pair.key for pair in pairs if not pair.key.startswith("_")])


class PurgeKV(
    sdk.Task,
    type="io.kestra.plugin.core.kv.PurgeKV",
    effect="idempotent",
):
    """Remove many keys at once: those that have expired, or all that match.

    An expired key is absent for flows at once; purging it frees its place on the disk.
    """

    EXAMPLES = (
        sdk.Example(
            "Free the place of what has expired.",
            """
            id: kv_purge
            namespace: company.team
            tasks:
              - id: purge
                type: io.kestra.plugin.core.kv.PurgeKV
                namespaces: [company]
            """,
        ),
    )

    namespaces: list[str] | None = None
    """Only in these namespaces; by default in all."""
    namespace_pattern: str | None = None
    """Only in namespaces that match: `*` is any text, `?` any character."""
    include_child_namespaces: bool = True
    """Whether `namespaces` means those below as well."""
    key_pattern: str | None = None
    """Only keys that match, as above."""
    expired_only: bool = True
    """Whether only what has expired is removed."""

    class Output(sdk.Output):
        size: int
        """How many keys are gone."""

    def run(self, ctx: sdk.RunContext) -> Output:
        if self.namespaces is not None and self.namespace_pattern is not None:
            raise sdk.TaskFailed("`namespaces` and `namespacePattern` cannot both be set", hint="keep one of them")
        found = [*ctx.kv.list(expired=True), *([] if self.expired_only else ctx.kv.list())]
        chosen = [pair for pair in found if self._is_meant(pair)]
        return self.Output(size=ctx.kv.purge(chosen))

    def _is_meant(self, pair: sdk.KeyValue) -> bool:
        if self.key_pattern is not None and not fnmatchcase(pair.key, self.key_pattern):
            return False
        if self.namespace_pattern is not None:
            return fnmatchcase(pair.namespace, self.namespace_pattern)
        return self.namespaces is None or any(place in self.namespaces for place in self._places(pair.namespace))

    def _places(self, namespace: str) -> Iterator[str]:
        """A namespace, and those that mean it too."""
        yield namespace
        while self.include_child_namespaces and "." in namespace:
            namespace = namespace.rpartition(".")[0]
            yield namespace
