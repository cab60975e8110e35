"""What all script tasks share: their properties, and the way from commands to a process and back to outputs."""

import os
import re
import shutil
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from engine import sdk
from engine.sdk.process.running import Ended, Stream, run_process
from engine.sdk.workspace import fill, fill_from_namespaces, gather
from plugins.scripts.protocol import Protocol
from plugins.scripts.runners import Runner, TaskRunner, choose_process

_STORED = re.compile(r"kestra:///[^\s'\"`;|&<>(){}]+")
#: How many of the last lines of stderr are part of an error.
_TOLD_LINES = 10
#: How many bytes of what a command prints are kept as lines of the log.
_LOGGED = 16 * 1024 * 1024


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Globs = Annotated[list[str], BeforeValidator(_listed)]


class NamespaceFiles(sdk.Definition):
    """Which files of namespaces are put into the working folder."""

    enabled: bool = True
    """Whether any are."""
    include: Globs = Field(default_factory=list)
    """Globs of the files; by default all of them."""
    exclude: Globs = Field(default_factory=list)
    """Globs of the files to leave out."""
    namespaces: list[str] = Field(default_factory=list)
    """The namespaces, of which a later one wins; by default the flow's own."""


class DockerOptions(sdk.Definition, extra="allow"):
    """What older flows say about the container. Only that they say it counts."""


class Heard:
    """Takes the lines of a command: to the engine, to the log, to the error."""

    def __init__(self, ctx: sdk.RunContext) -> None:
        self.protocol = Protocol(ctx)
        self.last_errors: deque[str] = deque(maxlen=_TOLD_LINES)
        self._ctx = ctx
        self._left = _LOGGED

    def __call__(self, stream: Stream, line: str) -> None:
        if self.protocol.hears(line):
            return
        if stream == "stderr":
            self.last_errors.append(line[:1000])
        if self._left <= 0:
            return
        self._left -= len(line) + 1
        log = self._ctx.logger.error if stream == "stderr" else self._ctx.logger.info
        log("%s", line)
        if self._left <= 0:
            self._ctx.logger.warning("the command has printed %d MiB; no more of it is logged", _LOGGED >> 20)


class ScriptTask(sdk.Task):
    """The properties of all script tasks. What they run is up to `_commands`."""

    task_runner: TaskRunner | None = None
    """Where the commands run. There are processes of this machine only."""
    runner: Runner | None = None
    """The older spelling of `taskRunner`."""
    docker: DockerOptions | None = None
    """The older spelling of Docker's properties."""
    container_image: str | None = None
    """The image that the commands were written for; no container is started."""
    before_commands: list[str] = Field(default_factory=list)
    """Commands to run first, in the same shell."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables of the commands."""
    interpreter: list[str] = Field(default_factory=lambda: ["/bin/sh", "-c"], min_length=1)
    """The program that is given the commands, as its last argument."""
    fail_fast: bool = True
    """Whether the first command that fails ends the task."""
    warning_on_std_err: bool = Field(default=True, alias="warningOnStdErr")
    """Taken, and without effect: what is written to stderr changes no state."""
    input_files: dict[str, str | None] = Field(default_factory=dict)
    """Files to put into the working folder, by name: each a text, or the URI of a stored file."""
    output_files: Globs = Field(default_factory=list)
    """Globs of the files of the working folder to store, also when the task fails."""
    output_directory: bool = False
    """Taken, and without effect: the files in `{{ outputDir }}` are always stored."""
    namespace_files: NamespaceFiles | None = None
    """Files of the namespace to put into the working folder."""
    target_os: Literal["LINUX", "WINDOWS", "AUTO"] = Field(default="AUTO", alias="targetOS")
    """Taken, and without effect: commands run on this machine."""

    class Output(sdk.Output):
        vars: dict[str, Any]
        """What the commands have told with lines such as `::{"outputs": {"rows": 3}}::`."""
        exitCode: int  # noqa: N815  the word in flows
        """The exit code; 0 means success."""
        outputFiles: dict[str, str]  # noqa: N815
        """The URIs of the stored files, by their names."""

    @classmethod
    def template_variables(cls, ctx: sdk.RunContext) -> Mapping[str, Any]:
        return {"workingDir": str(ctx.working_dir), "outputDir": str(_output_dir(ctx))}

    def _commands(self, ctx: sdk.RunContext, private: Path) -> list[str]:
        """The commands after `beforeCommands`. `private` is a folder for what they need and nobody shall see."""
        raise NotImplementedError

    def run(self, ctx: sdk.RunContext) -> Output:
        names_image = self.docker is not None or self.container_image is not None
        choose_process(ctx, self.task_runner, self.runner, names_image=names_image)
        output_dir = _output_dir(ctx)
        output_dir.mkdir()
        try:
            with TemporaryDirectory(prefix="penstock-") as private:
                return self._outcome(ctx, *self._ended(ctx, Path(private)))
        finally:
            shutil.rmtree(output_dir, ignore_errors=True)

    def _ended(self, ctx: sdk.RunContext, private: Path) -> tuple[Ended, Heard]:
        """Run the commands to their end, among the files that they want."""
        folder = ctx.working_dir
        if (wanted := self.namespace_files) is not None and wanted.enabled:
            include, exclude = wanted.include, wanted.exclude
            fill_from_namespaces(folder, ctx.files, wanted.namespaces, include=include, exclude=exclude)
        fill(folder, self.input_files, ctx.files)
        before = ["set -e"] if self.fail_fast and self._is_shell else []
        commands = [*before, *self.before_commands, *self._commands(ctx, private)]
        script = with_local_files("\n".join(commands), ctx, private)
        heard = Heard(ctx)
        try:
            command = [*self.interpreter, script]
            return run_process(ctx, command, cwd=folder, env=self.environment(ctx), on_line=heard), heard
        finally:
            script_file(ctx).unlink(missing_ok=True)

    def _outcome(self, ctx: sdk.RunContext, ended: Ended, heard: Heard) -> Output:
        outputs = self.Output(vars=heard.protocol.outputs, exitCode=ended.code, outputFiles=self._stored(ctx))
        if ended.code:
            told = "".join(f"\n{line}" for line in heard.last_errors)
            raise sdk.TaskFailed(f"the script {ended}{told}", outputs=outputs)
        return outputs

    @property
    def _is_shell(self) -> bool:
        return Path(self.interpreter[0]).name in ("sh", "bash", "dash", "zsh", "ksh", "ash")

    def environment(self, ctx: sdk.RunContext) -> dict[str, str]:
        """What the commands see of environment variables."""
        return {
            **ctx.process_policy.environment(os.environ),
            "WORKING_DIR": str(ctx.working_dir),
            "OUTPUT_DIR": str(_output_dir(ctx)),
            "PENSTOCK_IDEMPOTENCY_KEY": ctx.idempotency_key,
            **self.env,
        }

    def _stored(self, ctx: sdk.RunContext) -> dict[str, str]:
        """The URIs of what is to be kept: all of the output folder, and what the globs find."""
        output_dir = _output_dir(ctx)
        kept = gather(output_dir, ["**"], ctx.files)
        shutil.rmtree(output_dir, ignore_errors=True)
        return {**kept, **gather(ctx.working_dir, self.output_files, ctx.files)}


def script_file(ctx: sdk.RunContext) -> Path:
    """Where a script is put that has to be a file: in the working folder, to find what lies beside it."""
    return ctx.working_dir / f".script-{ctx.task_run_id}"


def _output_dir(ctx: sdk.RunContext) -> Path:
    return ctx.working_dir / f".outputs-{ctx.task_run_id}"


def with_local_files(script: str, ctx: sdk.RunContext, private: Path) -> str:
    """The script, with the path of a copy in place of the URI of each stored file."""
    folder = Path(mkdtemp(dir=private))
    copies: dict[str, str] = {}

    def path_of(found: re.Match[str]) -> str:
        uri = found[0]
        if uri not in copies:
            target = folder / f"{len(copies)}-{uri.rpartition('/')[2]}"
            with ctx.open_file(uri) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            copies[uri] = str(target)
        return copies[uri]

    return _STORED.sub(path_of, script)
