"""The three tasks that a ForEachItem is made of: split a file, run a flow for each part, merge the outputs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from engine import sdk
from plugins.core.storage import ByteSize, Split
from plugins.core.subflow import GOOD, FlowToRun, told

#: The worst first: how the whole ends when a flow has ended so.
_WORST = (sdk.State.KILLED, sdk.State.FAILED, sdk.State.CANCELLED, sdk.State.WARNING)
_TYPE = "io.kestra.plugin.core.flow.ForEachItem"


class Batch(sdk.Definition):
    """How to cut the file. Of `bytes`, `partitions` and `rows` the first that is set counts."""

    rows: int = Field(default=1, ge=1)
    """How many rows a batch has."""
    bytes: ByteSize | None = None
    """How large a batch may get, such as `10MB`."""
    partitions: int | None = Field(default=None, ge=1, le=10_000)
    """Into how many batches to deal the rows."""
    separator: str = Field(default="\n", min_length=1)
    """What stands between two rows."""


class ForEachItemSplit(sdk.Task, type=f"{_TYPE}$ForEachItemSplit", effect="idempotent"):
    """Split the file of a ForEachItem into batches. A flow has no need to name it: its ForEachItem does."""

    EXAMPLES = (
        sdk.Example(
            "Split a file into batches of ten rows.",
            """
            id: split_items
            namespace: company.team
            inputs:
              - {id: data, type: FILE}
            tasks:
              - id: split
                type: io.kestra.plugin.core.flow.ForEachItem$ForEachItemSplit
                items: "{{ inputs.data }}"
                batch:
                  rows: 10
            """,
        ),
    )

    items: str
    """The URI of the file."""
    batch: Batch = Field(default_factory=Batch)
    """How to cut it."""

    class Output(sdk.Output):
        splits: str
        """The URI of a file with the URIs of the batches, one in each line."""

    def run(self, ctx: sdk.RunContext) -> Output:
        split = Split.model_validate({"from": self.items, **self.batch.model_dump()})
        uris = split.run(ctx).uris
        return self.Output(splits=ctx.put_file("".join(f"{uri}\n" for uri in uris).encode(), "splits.txt"))


class ForEachItemExecutable(FlowToRun, sdk.Task, type=f"{_TYPE}$ForEachItemExecutable", effect="idempotent"):
    """Run a flow for each batch of a ForEachItem. A flow has no need to name it: its ForEachItem does."""

    EXAMPLES = (
        sdk.Example(
            "Run a flow for each of the files that another file lists.",
            """
            id: run_for_items
            namespace: company.team
            inputs:
              - {id: list, type: FILE}
            tasks:
              - id: each
                type: io.kestra.plugin.core.flow.ForEachItem$ForEachItemExecutable
                splits: "{{ inputs.list }}"
                namespace: company.team
                flowId: child_flow
                inputs:
                  file: "{{ taskrun.items }}"
            """,
        ),
    )

    splits: str
    """The URI of a file with the URIs of the batches, one in each line."""
    inputs: Annotated[dict[str, Any], sdk.Static()] = Field(default_factory=dict)
    """The inputs of the flow. Expressions see `taskrun.items`, the batch, and `taskrun.iteration`, from 1."""

    class Output(sdk.Output):
        numberOfBatches: int  # noqa: N815  the word in flows
        """How many batches there are."""
        iterations: dict[str, int] | None = None
        """How many of the flow's executions ended in which state; without `wait` there is none."""
        subflowOutputsBaseUri: str | None = None  # noqa: N815
        """Where the outputs of the executions are stored: below it, `1/outputs.ion` has those of the first."""

    def run(self, ctx: sdk.RunContext) -> sdk.StartFlows | None:
        with ctx.open_file(self.splits) as lines:
            uris = [line.strip().decode() for line in lines if line.strip()]
        if not uris:
            ctx.logger.info("There are no items.")
            return None

        def begun(ids: Sequence[str]) -> Mapping[str, Any]:
            return {"numberOfBatches": len(ids)}

        return sdk.StartFlows(
            calls=[self.call(self._inputs(ctx, uri, number)) for number, uri in enumerate(uris, start=1)],
            outputs=begun,
            wait=self.wait,
            restart_failed=self.restart_behavior == "RETRY_FAILED",
        )

    def _inputs(self, ctx: sdk.RunContext, uri: str, number: int) -> Mapping[str, Any]:
        seen = {"taskrun": {**ctx.evaluate("{{ taskrun }}"), "items": uri, "iteration": number}}
        return {name: _deep(ctx, value, seen) for name, value in self.inputs.items()}

    def flows_ended(self, ctx: sdk.RunContext, ended: Iterable[sdk.EndedFlow]) -> sdk.Ending:
        states: Counter[sdk.State] = Counter()
        base, worst = None, None
        for number, flow in enumerate(ended, start=1):
            ctx.check_cancelled()
            states[flow.state] += 1
            if flow.state not in GOOD:
                ctx.logger.warning(told(flow))
            if flow.state is sdk.State.FAILED and worst is None:
                worst = told(flow)
            if flow.outputs:
                name = f"{number}/outputs.ion"
                path = ctx.working_dir / "outputs.ion"
                with path.open("wb") as target:
                    sdk.write_rows([flow.outputs], target)
                base = ctx.put_file(path, name).removesuffix(f"/{name}")
        given = self.Output(
            numberOfBatches=states.total(),
            iterations={state.value: count for state, count in states.items()},
            subflowOutputsBaseUri=base,
        )
        state = next((state for state in _WORST if states[state]), None) if self.transmit_failed else None
        failed = state is sdk.State.FAILED
        return sdk.Ending(state=state or sdk.State.SUCCESS, outputs=given, error=worst if failed else None)


class ForEachItemMergeOutputs(sdk.Task, type=f"{_TYPE}$ForEachItemMergeOutputs", effect="idempotent"):
    """Merge the outputs of the flows that a ForEachItem ran. A flow has no need to name it: its ForEachItem does."""

    EXAMPLES = (
        sdk.Example(
            "Merge the outputs of two executions.",
            """
            id: merge_outputs
            namespace: company.team
            inputs:
              - {id: folder, type: STRING}
            tasks:
              - id: merge
                type: io.kestra.plugin.core.flow.ForEachItem$ForEachItemMergeOutputs
                subflowOutputsBaseUri: "{{ inputs.folder }}"
                numberOfBatches: 2
            """,
        ),
    )

    subflow_outputs_base_uri: str | None = None
    """Where the outputs of the executions are stored; nothing is merged when there are none."""
    number_of_batches: int = Field(default=0, ge=0)
    """How many executions there were."""

    class Output(sdk.Output):
        subflowOutputs: str  # noqa: N815  the word in flows
        """The URI of a file in ION: a row for each execution, in the order of the batches."""

    def run(self, ctx: sdk.RunContext) -> Output | None:
        if not self.subflow_outputs_base_uri:
            return None
        merged = ctx.working_dir / "outputs.ion"
        with merged.open("wb") as target:
            for number in range(1, self.number_of_batches + 1):
                uri = f"{self.subflow_outputs_base_uri}/{number}/outputs.ion"
                ctx.check_cancelled()
                if ctx.files.exists(uri):
                    with ctx.open_file(uri) as source:
                        target.write(source.read())
        return self.Output(subflowOutputs=ctx.put_file(merged))


def _deep(ctx: sdk.RunContext, value: Any, seen: Mapping[str, Any]) -> Any:
    """The value with every text in it evaluated."""
    if isinstance(value, dict):
        return {key: _deep(ctx, part, seen) for key, part in value.items()}
    if isinstance(value, list):
        return [_deep(ctx, part, seen) for part in value]
    return ctx.evaluate(value, seen)
