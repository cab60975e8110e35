"""Where a project is, and how it wants to be run: `penstock.yaml`, `PENSTOCK_*` variables, options, in rising order.

Always true: a setting that is unknown or of the wrong type is refused, and the error says where it stands; every
folder in loaded settings is absolute; a password in a database URL is never shown. The dialect is imported by what
reads settings that somebody wrote: without any, a command that only looks does without it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BeforeValidator, ByteSize, Field, ValidationError, field_validator

from engine.errors import FlowInvalid, UsageError
from engine.model.duration import parse_duration
from engine.model.flow import Definition, PluginDefault

if TYPE_CHECKING:
    from engine.dialect.document import Document
    from engine.dialect.violations import Violation

FILE_NAME = "penstock.yaml"
STATE_FOLDER = ".penstock"
DATABASE_FILE = "penstock.db"  #: in the state folder, unless another database is chosen
_PREFIX = "PENSTOCK_"
_NOT_SETTINGS = frozenset({"PENSTOCK_HOME", "PENSTOCK_DEBUG", "PENSTOCK_ATTEMPT", "PENSTOCK_IDEMPOTENCY_KEY"})
#: Whoever develops the engine sets these for its tests.
_FOR_TESTS = "PENSTOCK_TEST_"
#: Kubernetes gives these to every container beside a service called `penstock`.
_SERVICE_LINK = re.compile(r"PENSTOCK_(SERVICE|PORT)(_|$)")

#: Where in the settings something stands: the keys from the top, as they were written.
Place = tuple[str | int, ...]


def _listed(value: Any) -> Any:
    """`flows: a` and PENSTOCK_FLOWS=a:b mean lists."""
    return value.split(os.pathsep) if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Folders = Listed


class Database(Definition):
    """Where the state is kept."""

    url: str | None = None  #: None: `penstock.db` in the state folder
    lease: str = "PT30S"  #: how long an engine may be silent on a server's database before others take over

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"(sqlite|postgres(ql)?(\+psycopg)?)://", url):
            raise ValueError(f"{mask_password(url)} should start with sqlite:/// or postgresql://")
        return url

    @field_validator("lease")
    @classmethod
    def _long_enough(cls, text: str) -> str:
        if parse_duration(text).total_seconds() < 1:
            raise ValueError("a lease must be a second or longer")
        return text

    @property
    def lease_seconds(self) -> float:
        return parse_duration(self.lease).total_seconds()

    @property
    def file(self) -> Path | None:
        """The SQLite file; None when the state lives on a server."""
        url = self.url or ""
        return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


class Variables(Definition):
    """Values that every flow can use."""

    globals: Mapping[str, Any] = Field(default_factory=dict)


class Secrets(Definition):
    """Where secrets come from, after the environment."""

    env_file: str = ".env"


class Encryption(Definition):
    """How values are sealed that must not be stored in clear."""

    secret_key: str | None = None  #: base64; None: a key of its own in the state folder


class Files(Definition):
    """What flows may do with files."""

    allowed_paths: Folders = ()  #: folders of this machine that `file:///` may read


class Scripts(Definition):
    """How script tasks run."""

    docker: Literal["process", "fail"] = "process"  #: what becomes of those that want a container
    pass_env: Listed = ()  #: globs of the variables of the engine's environment that they see, beside the usual ones


class Server(Definition):
    """Where `penstock server` listens, and who may ask it."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    token: str | None = Field(default=None, min_length=8)  #: what clients must know
    names: Listed = ()  #: host names by which it is reached, beside localhost and that of the machine


class Retention(Definition):
    """What is kept of executions that have ended; null is without limit."""

    executions: str | None = "P90D"  #: how long
    executions_per_flow: int | None = Field(default=100_000, ge=1)
    size: ByteSize | None = Field(default=ByteSize(5_000_000_000), ge=1)  #: of a SQLite database, such as `5 GB`

    @field_validator("executions")
    @classmethod
    def _is_duration(cls, text: str | None) -> str | None:
        if text is not None and parse_duration(text) <= timedelta():
            raise ValueError("a retention must be longer than nothing")
        return text

    @property
    def age(self) -> timedelta | None:
        """`executions` as a length of time."""
        return None if self.executions is None else parse_duration(self.executions)


class Triggers(Definition):
    """How flows are started without a person."""

    #: What becomes of dates that went by while nobody watched, where a trigger does not say.
    recover_missed_schedules: Literal["ALL", "LAST", "NONE"] = "ALL"
    catch_up: int = Field(default=100, ge=0, le=1000)  #: how many of them are made up for, at most, of each trigger


class Executor(Definition):
    """What runs the tasks."""

    type: Literal["local"] = "local"
    threads: int | None = Field(default=None, ge=1, le=1024)  #: None: by the number of processors


class Settings(Definition):
    """All settings, with their defaults. `Settings.model_construct()` is the defaults alone, and checks nothing."""

    database: Database = Field(default_factory=Database.model_construct)
    flows: Folders = ("flows",)
    plugins: Folders = ("plugins",)
    plugin_defaults: tuple[PluginDefault, ...] = ()
    variables: Variables = Field(default_factory=Variables.model_construct)
    secrets: Secrets = Field(default_factory=Secrets.model_construct)
    encryption: Encryption = Field(default_factory=Encryption.model_construct)
    files: Files = Field(default_factory=Files.model_construct)
    scripts: Scripts = Field(default_factory=Scripts.model_construct)
    server: Server = Field(default_factory=Server.model_construct)
    retention: Retention = Field(default_factory=Retention.model_construct)
    triggers: Triggers = Field(default_factory=Triggers.model_construct)
    executor: Executor = Field(default_factory=Executor.model_construct)


class Project(Struct, frozen=True):
    """The folder that settings are relative to, the folder that holds the state, and the settings file if any."""

    folder: Path
    home: Path
    file: Path | None


def find_project(
    home: str | Path | None = None, *, start: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Project:
    """The project around `start` (default: the current folder).

    `home`, or else PENSTOCK_HOME, names the state folder itself.
    """
    folder = _project_folder(start or _current_folder())
    named = home or environ.get("PENSTOCK_HOME")
    state_folder = Path(os.path.abspath(os.path.expanduser(named))) if named else folder / STATE_FOLDER
    file = next((file for file in (state_folder / FILE_NAME, folder / FILE_NAME) if os.path.isfile(file)), None)
    return Project(folder, state_folder, file)


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("the current folder does not exist any more", hint="change to another folder") from None


def _project_folder(start: Path) -> Path:
    try:
        ceiling = Path.home()
    except RuntimeError:
        ceiling = None
    for folder in (start, *start.parents):
        if folder != start and folder.stat().st_mode & stat.S_IWOTH:
            break  # where anybody may write, anybody could put settings for us
        if os.path.isfile(folder / FILE_NAME) or os.path.isdir(folder / STATE_FOLDER):
            return folder
        if folder == ceiling or os.path.exists(folder / ".git"):
            break
    return start


def make_home(home: Path) -> None:
    """Make the state folder, closed to other users and invisible to git."""
    try:
        if not home.is_dir():
            home.mkdir(mode=0o700, parents=True, exist_ok=True)  # another command may just have made it
        elif home.name != STATE_FOLDER:
            return  # somebody's own folder: what git sees in it is not our business
        ignore = home / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot make the state folder {home}: {error.strerror}",
            hint="choose another one with --home or PENSTOCK_HOME",
        ) from None


def mask_password(url: str) -> str:
    """The URL as it may be shown."""
    masked = re.sub(r"(://[^/@:]*):.*@", r"\1:***@", url)
    return re.sub(r"(?i)([?&](?:password|sslpassword)=)[^&]*", r"\1***", masked)


def load_settings(
    project: Project, *, environ: Mapping[str, str] = os.environ, options: Mapping[str, Any] | None = None
) -> Settings:
    """The project's settings. `options` maps dotted names such as `server.port` to values, and wins over all.

    Raises UsageError with every problem, each with the place where it stands.
    """
    document = _document(project.file) if project.file else None
    data: dict[str, Any] = dict(document.data or {}) if document else {}
    overrides: dict[Place, str] = {}
    for place, value, origin in [*_from_environment(environ), *_from_options(options or {})]:
        _put(data, place, value)
        overrides[place] = origin
    try:
        settings = Settings.model_validate(data) if data else Settings.model_construct()
    except ValidationError as invalid:
        from engine.dialect.violations import violations

        found = violations(invalid, data, Settings, "penstock.yaml")
        raise UsageError("\n\n".join(_explain(one, document, overrides) for one in found)) from None
    return _resolve(settings, project)


def _document(file: Path) -> Document:
    from engine.dialect import report
    from engine.dialect.document import read
    from engine.dialect.source import MAX_BYTES, decode

    try:
        if file.stat().st_size > MAX_BYTES:
            raise UsageError(f"{file} is larger than {MAX_BYTES:,} bytes; that cannot be settings")
        document = read(decode(file.read_bytes(), str(file)))
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None
    except FlowInvalid as invalid:
        raise UsageError(report(invalid.diagnostics)) from None
    if document.problems:
        raise UsageError(report(document.problems))
    if not isinstance(document.data, dict | None):
        raise UsageError(f"{file}:1:1: settings are a map, such as `database: {{url: ...}}`")
    return document


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[Place, Any, str]]:
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or variable.startswith(_FOR_TESTS) or variable in _NOT_SETTINGS:
            continue
        if _SERVICE_LINK.match(variable):
            continue
        place, is_text = _find(variable.removeprefix(_PREFIX).split("__"), f"environment variable {variable}")
        yield place, environ[variable] if is_text else _typed(environ[variable], variable), variable


def _from_options(options: Mapping[str, Any]) -> Iterator[tuple[Place, Any, str]]:
    for name, value in options.items():
        place, _ = _find(name.split("."), f"option {name}")
        yield place, value, f"option {name}"


def _find(words: list[str], origin: str) -> tuple[Place, bool]:
    """The place that a variable's name means, and whether its value is text as it stands."""
    model: type[Definition] = Settings
    place: list[str | int] = []
    for position, word in enumerate(words):
        known = {_squeezed(name): name for name in model.model_fields}
        name = known.get(_squeezed(word))
        if name is None:
            from engine.dialect.suggest import did_you_mean, nearest

            spelled = nearest(_squeezed(word), known)
            hint = did_you_mean(known[spelled] if spelled else None)
            raise UsageError(f"{origin}: there is no such setting", hint=hint)
        field = model.model_fields[name]
        place.append(field.alias or name)
        below = field.annotation
        if not (isinstance(below, type) and issubclass(below, Definition)):
            free = [word.lower() for word in words[position + 1 :]]
            is_text = not free and below in (str, str | None, tuple[str, ...])
            return (*place, *free), is_text
        model = below
    return tuple(place), False


def _squeezed(word: str) -> str:
    return word.replace("_", "").lower()


def _typed(text: str, variable: str) -> Any:
    """What the text would be in the settings file: a number, true or false, a list, a map, text."""
    from engine.dialect.document import read
    from engine.dialect.source import decode

    try:
        return read(decode(text, variable)).data
    except FlowInvalid as invalid:
        raise UsageError(f"environment variable {variable}: {invalid.message}") from None


def _put(data: dict[str, Any], place: Place, value: Any) -> None:
    for step in place[:-1]:
        below = data.get(str(step))
        data[str(step)] = dict(below) if isinstance(below, dict) else {}
        data = data[str(step)]
    data[str(place[-1])] = value


def _explain(found: Violation, document: Document | None, overrides: Mapping[Place, str]) -> str:
    from engine.dialect import format_diagnostic

    origin = next((origin for held, origin in overrides.items() if found.path[: len(held)] == held), None)
    if origin is not None or document is None:
        return f"{origin or 'settings'}: {mask_password(found.message)}"
    span = document.span(found.path, key=found.at_key)
    shown = document.source.diagnostic(found.code, mask_password(found.message), span, hint=found.hint)
    return format_diagnostic(replace(shown, source_line=mask_password(shown.source_line or "")))


def _resolve(settings: Settings, project: Project) -> Settings:
    """The settings with every path absolute, seen from the project's folder."""
    url = settings.database.url or f"sqlite:///{project.home / DATABASE_FILE}"
    if found := re.fullmatch(r"sqlite:///([^/:].*)", url):
        url = f"sqlite:///{project.folder / found[1]}"
    return settings.model_copy(
        update={
            "database": settings.database.model_copy(update={"url": url}),
            "flows": _absolute(settings.flows, project),
            "plugins": _absolute(settings.plugins, project),
            "files": settings.files.model_copy(
                update={"allowed_paths": _absolute(settings.files.allowed_paths, project)}
            ),
        }
    )


def _absolute(folders: Folders, project: Project) -> Folders:
    return tuple(str(project.folder / Path(folder).expanduser()) for folder in folders)
