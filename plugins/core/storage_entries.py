"""Tasks about files as a whole: how large they are, and that they go."""

from engine import sdk


class Size(
    sdk.Task,
    type="io.kestra.plugin.core.storage.Size",
    aliases=("io.kestra.core.tasks.storages.Size",),
    effect="idempotent",
):
    """Tell the size of a file."""

    EXAMPLES = (
        sdk.Example(
            "Log how large a file is.",
            """
            id: size_of_file
            namespace: company.team
            inputs:
              - {id: data, type: FILE}
            tasks:
              - {id: size, type: io.kestra.plugin.core.storage.Size, uri: "{{ inputs.data }}"}
              - {id: log, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.size.size }} bytes"}
            """,
        ),
    )

    uri: str
    """The URI of the file."""

    class Output(sdk.Output):
        size: int
        """Its size in bytes."""

    def run(self, ctx: sdk.RunContext) -> Output:
        return self.Output(size=ctx.files.size(self.uri))


class Delete(
    sdk.Task,
    type="io.kestra.plugin.core.storage.Delete",
    aliases=("io.kestra.core.tasks.storages.Delete",),
    effect="idempotent",
):
    """Remove a file from internal storage."""

    EXAMPLES = (
        sdk.Example(
            "Remove a file once it has been read.",
            """
            id: delete_file
            namespace: company.team
            inputs:
              - {id: data, type: FILE}
            tasks:
              - {id: delete, type: io.kestra.plugin.core.storage.Delete, uri: "{{ inputs.data }}"}
            """,
        ),
    )

    uri: str
    """The URI of the file."""
    error_on_missing: bool = False
    """Whether the task fails when there is no such file."""

    class Output(sdk.Output):
        uri: str
        """The URI of the file."""
        deleted: bool
        """Whether it was there."""

    def run(self, ctx: sdk.RunContext) -> Output:
        deleted = ctx.files.delete(self.uri)
        if self.error_on_missing and not deleted:
            raise sdk.TaskFailed(f"there is no file `{self.uri}`", hint="remove `errorOnMissing` if that is no mistake")
        return self.Output(uri=self.uri, deleted=deleted)


class PurgeCurrentExecutionFiles(
    sdk.Task,
    type="io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles",
    aliases=("io.kestra.core.tasks.storages.PurgeExecution", "io.kestra.plugin.core.storage.PurgeExecution"),
    effect="idempotent",
):
    """Remove all files of the execution: its inputs' and its tasks'."""

    EXAMPLES = (
        sdk.Example(
            "Leave no files behind.",
            """
            id: purge_files
            namespace: company.team
            tasks:
              - {id: write, type: io.kestra.plugin.core.storage.Write, content: "for a moment"}
              - {id: purge, type: io.kestra.plugin.core.storage.PurgeCurrentExecutionFiles}
            """,
        ),
    )

    class Output(sdk.Output):
        uris: list[str]
        """The URIs of the files that were there."""

    def run(self, ctx: sdk.RunContext) -> Output:
        return self.Output(uris=ctx.files.purge())
