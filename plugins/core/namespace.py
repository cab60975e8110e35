"""Tasks about the files of a namespace, which all its flows share."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import BinaryIO, Literal

from pydantic import Field

from engine import sdk
from engine.sdk.workspace import matcher, matching


def _listed(globs: str | list[str]) -> list[str]:
    return [globs] if isinstance(globs, str) else globs


def _below(destination: str, path: str) -> str:
    """The path of a file in a folder of a namespace; `/` is the top."""
    return f"{destination.strip('/')}/{path}".removeprefix("/")


class UploadFiles(
    sdk.Task,
    type="io.kestra.plugin.core.namespace.UploadFiles",
    aliases=("io.kestra.core.tasks.namespaces.UploadFiles",),
):
    """Store files in a namespace: those of the working folder, or those of other tasks."""

    EXAMPLES = (
        sdk.Example(
            "Share the file of a task with all flows of the namespace.",
            """
            id: upload_files
            namespace: company.team
            tasks:
              - {id: write, type: io.kestra.plugin.core.storage.Write, content: "a,b", extension: .csv}
              - id: upload
                type: io.kestra.plugin.core.namespace.UploadFiles
                namespace: company.team
                destination: /reports
                filesMap:
                  today.csv: "{{ outputs.write.uri }}"
            """,
        ),
    )

    namespace: str | None = None
    """The namespace; by default the flow's own."""
    files: str | list[str] = Field(default_factory=list)
    """Globs of the files of the working folder."""
    files_map: dict[str, str] = Field(default_factory=dict)
    """The URIs of files, by the paths that they get."""
    destination: str = "/"
    """The folder in the namespace."""
    conflict: Literal["OVERWRITE", "ERROR", "SKIP"] = "OVERWRITE"
    """What to do with a file that is there already: replace it, fail, or leave it as it is."""

    class Output(sdk.Output):
        files: dict[str, str]
        """The URIs of the files that were stored, by their paths in the namespace."""

    def run(self, ctx: sdk.RunContext) -> Output:
        stored = {}
        for path, opened in self._sources(ctx):
            ctx.check_cancelled()
            place = _below(self.destination, path)
            if self.conflict != "OVERWRITE" and ctx.files.exists(ctx.files.namespace_uri(place, self.namespace)):
                if self.conflict == "ERROR":
                    hint = "`conflict: OVERWRITE` replaces it, `SKIP` leaves it"
                    raise sdk.TaskFailed(f"the namespace has a file `{place}` already", hint=hint)
                continue
            with closing(opened()) as source:
                stored[place] = ctx.files.put_namespace_file(source, place, self.namespace)
        return self.Output(files=stored)

    def _sources(self, ctx: sdk.RunContext) -> Iterator[tuple[str, partial[BinaryIO]]]:
        for path in matching(ctx.working_dir, _listed(self.files)):
            yield path, partial((ctx.working_dir / path).open, "rb")
        for path, uri in self.files_map.items():
            yield path, partial(ctx.open_file, uri)


class DownloadFiles(
    sdk.Task,
    type="io.kestra.plugin.core.namespace.DownloadFiles",
    aliases=("io.kestra.core.tasks.namespaces.DownloadFiles",),
    effect="idempotent",
):
    """Copy files of a namespace to the execution."""

    EXAMPLES = (
        sdk.Example(
            "Get all SQL files of a namespace.",
            """
            id: download_files
            namespace: company.team
            tasks:
              - id: download
                type: io.kestra.plugin.core.namespace.DownloadFiles
                namespace: company.team
                files: "**/*.sql"
            """,
        ),
    )

    namespace: str
    """The namespace."""
    files: str | list[str]
    """Globs of its files."""
    destination: str = ""
    """A folder to put before their paths."""

    class Output(sdk.Output):
        files: dict[str, str]
        """The URIs of the copies, by their paths."""

    def run(self, ctx: sdk.RunContext) -> Output:
        copies = {}
        for path in filter(matcher(_listed(self.files)), ctx.files.namespace_files(self.namespace)):
            ctx.check_cancelled()
            place = _below(self.destination, path)
            with ctx.open_file(ctx.files.namespace_uri(path, self.namespace)) as source:
                copies[place] = ctx.put_file(source, place)
        return self.Output(files=copies)


class DeleteFiles(
    sdk.Task,
    type="io.kestra.plugin.core.namespace.DeleteFiles",
    aliases=("io.kestra.core.tasks.namespaces.DeleteFiles",),
    effect="idempotent",
):
    """Remove files of a namespace."""

    EXAMPLES = (
        sdk.Example(
            "Remove all files of a folder.",
            """
            id: delete_files
            namespace: company.team
            tasks:
              - id: delete
                type: io.kestra.plugin.core.namespace.DeleteFiles
                namespace: company.team
                files: reports/**
            """,
        ),
    )

    namespace: str
    """The namespace."""
    files: str | list[str]
    """Globs of its files."""

    class Output(sdk.Output):
        files: list[str]
        """The paths of the files that were removed."""

    def run(self, ctx: sdk.RunContext) -> Output:
        found = list(filter(matcher(_listed(self.files)), ctx.files.namespace_files(self.namespace)))
        for path in found:
            ctx.files.delete(ctx.files.namespace_uri(path, self.namespace))
        return self.Output(files=found)
