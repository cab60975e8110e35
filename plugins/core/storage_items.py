"""Tasks about the rows of a file in ION, or in lines of JSON. An expression sees the fields of a row by their names."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from engine import sdk
from engine.sdk.ion import read_rows, write_rows

_NAME = "items.ion"


def _items(ctx: sdk.RunContext, uri: str) -> Iterator[Mapping[str, Any]]:
    with ctx.open_file(uri) as source:
        for number, item in enumerate(read_rows(source), start=1):
            ctx.check_cancelled()
            if not isinstance(item, Mapping):
                raise sdk.TaskFailed(f"row {number} of `{uri}` has no fields", hint="each row has to be a map")
            yield item


def _stored(ctx: sdk.RunContext, items: Iterator[Mapping[str, Any]]) -> tuple[str, int]:
    """The URI of a new file of these rows, and how many there are."""
    path = ctx.working_dir / _NAME
    with path.open("wb") as target:
        count = write_rows(items, target)
    return ctx.put_file(path), count


class FilterItems(
    sdk.Task,
    type="io.kestra.plugin.core.storage.FilterItems",
    aliases=("io.kestra.core.tasks.storages.FilterItems",),
    effect="idempotent",
):
    """Keep the rows of a file for which a condition holds, or all others."""

    EXAMPLES = (
        sdk.Example(
            "Keep the products that cost more than ten.",
            """
            id: filter_items
            namespace: company.team
            inputs:
              - {id: products, type: FILE}
            tasks:
              - id: dear
                type: io.kestra.plugin.core.storage.FilterItems
                from: "{{ inputs.products }}"
                filterCondition: "{{ price > 10 }}"
            """,
        ),
    )

    from_: str = Field(alias="from")
    """The URI of the file."""
    filter_condition: Annotated[str, sdk.Static()]
    """What to ask of each row: an expression over its fields. A blank text, `false`, `0` and `-0` mean no."""
    filter_type: Literal["INCLUDE", "EXCLUDE"] = "INCLUDE"
    """Whether to keep the rows for which the condition holds, or those for which it does not."""
    error_or_null_behavior: Literal["FAIL", "INCLUDE", "EXCLUDE"] = "FAIL"
    """What to do with a row for which the condition cannot be evaluated, or is null: fail, keep it, or drop it."""

    class Output(sdk.Output):
        uri: str
        """The URI of the file with the rows that were kept."""
        processedItemsTotal: int  # noqa: N815  the word in flows
        """How many rows there were."""
        droppedItemsTotal: int  # noqa: N815
        """How many rows were dropped."""

    def run(self, ctx: sdk.RunContext) -> Output:
        seen = 0

        def kept() -> Iterator[Mapping[str, Any]]:
            nonlocal seen
            for item in _items(ctx, self.from_):
                seen += 1
                if self._keeps(ctx, item, seen):
                    yield item

        uri, count = _stored(ctx, kept())
        return self.Output(uri=uri, processedItemsTotal=seen, droppedItemsTotal=seen - count)

    def _keeps(self, ctx: sdk.RunContext, item: Mapping[str, Any], number: int) -> bool:
        try:
            holds = ctx.evaluate(self.filter_condition, item)
            if holds is not None:
                text = holds if isinstance(holds, str) else ctx.render(self.filter_condition, item)
                return sdk.truthy(text) == (self.filter_type == "INCLUDE")
            problem = "the condition is null"
        except sdk.ExpressionError as error:
            problem = error.message
        if self.error_or_null_behavior == "FAIL":
            raise sdk.TaskFailed(
                f"row {number}: {problem}", hint="`errorOrNullBehavior` can keep such rows, or drop them"
            )
        return self.error_or_null_behavior == "INCLUDE"


class DeduplicateItems(
    sdk.Task,
    type="io.kestra.plugin.core.storage.DeduplicateItems",
    aliases=("io.kestra.core.tasks.storages.DeduplicateItems",),
    effect="idempotent",
):
    """Keep the last of the rows of a file that have the same key.

    The file is read twice; only the keys are held in memory.
    """

    EXAMPLES = (
        sdk.Example(
            "Keep the newest row of each customer.",
            """
            id: deduplicate_items
            namespace: company.team
            inputs:
              - {id: customers, type: FILE}
            tasks:
              - id: newest
                type: io.kestra.plugin.core.storage.DeduplicateItems
                from: "{{ inputs.customers }}"
                expr: "{{ customer_id }}"
            """,
        ),
    )

    from_: str = Field(alias="from")
    """The URI of the file."""
    expr: Annotated[str, sdk.Static()]
    """The key of a row: an expression over its fields."""

    class Output(sdk.Output):
        uri: str
        """The URI of the file with the rows that were kept."""
        numKeys: int  # noqa: N815  the word in flows
        """How many keys there are."""
        processedItemsTotal: int  # noqa: N815
        """How many rows there were."""
        droppedItemsTotal: int  # noqa: N815
        """How many rows were dropped."""

    def run(self, ctx: sdk.RunContext) -> Output:
        seen, last = 0, {}
        for seen, item in enumerate(_items(ctx, self.from_), start=1):
            last[ctx.render(self.expr, item)] = seen
        chosen = set(last.values())
        kept = (item for number, item in enumerate(_items(ctx, self.from_), start=1) if number in chosen)
        uri, count = _stored(ctx, kept)
        return self.Output(uri=uri, numKeys=len(last), processedItemsTotal=seen, droppedItemsTotal=seen - count)
