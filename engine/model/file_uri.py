"""The names of files in internal storage: URIs such as `kestra:///company/team/FLOW/executions/ID/tasks/TASK/RUN/a.csv`.

Pure: names are made and judged here, and nobody else takes one apart. Always true: a URI that is made or accepted here
has no empty name in it, no `.` and `..`, no separator or control character behind a percent sign, and no name that a
file system would refuse for its length. No namespace or flow can be named so that its files lie among another's.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from engine.errors import FileRefused

SCHEME = "kestra:///"
MAX_NAME = 255  #: bytes of one name, as most file systems have it
MAX_URI = 4096

_EXECUTIONS = "executions"
_NAMESPACE_FILES = "_files"
_KEPT = "_kept"
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9._-]*")
_PLAIN = "-._~!$&'()*+,;=:@"  #: what stands in a URI as it is, beside letters and digits


def namespace_folder(namespace: str) -> str:
    """Where the files of a namespace are. Raises FileRefused for what cannot be a namespace."""
    if not _NAMESPACE.fullmatch(namespace):
        raise FileRefused(f"`{namespace}` is not a namespace", hint="a namespace is like company.team")
    return f"{SCHEME}{_namespace(namespace)}/{_NAMESPACE_FILES}"


def execution_folder(namespace: str, flow_id: str, execution_id: str) -> str:
    """Where everything is that belongs to an execution, and goes with it."""
    return f"{SCHEME}{_namespace(namespace)}/{_own(flow_id)}/{_EXECUTIONS}/{execution_id}"


def task_run_folder(namespace: str, flow_id: str, execution_id: str, task_id: str, task_run_id: str) -> str:
    """Where a task run puts its files."""
    return f"{execution_folder(namespace, flow_id, execution_id)}/tasks/{task_id}/{task_run_id}"


def kept_file(task_run_folder: str, name: str) -> str:
    """A file that a task keeps for later executions of its flow, by the folder of any run of that task."""
    names = segments(task_run_folder)
    flow, task_id = names[: names.index(_EXECUTIONS)], names[-2]
    return build((*flow, _KEPT, task_id, name))


def input_folder(namespace: str, flow_id: str, execution_id: str, input_id: str) -> str:
    """Where the file is that was given for an input."""
    return f"{execution_folder(namespace, flow_id, execution_id)}/inputs/{input_id}"


def trigger_folder(namespace: str, flow_id: str, execution_id: str, trigger_id: str) -> str:
    """Where a trigger puts its files for the execution that it starts."""
    return f"{execution_folder(namespace, flow_id, execution_id)}/trigger/{trigger_id}"


def segments(uri: str) -> tuple[str, ...]:
    """The names in a URI, decoded, from the top down. Raises FileRefused."""
    if not uri.startswith(SCHEME):
        raise FileRefused(f"`{shown(uri)}` is not the URI of a stored file", hint=f"such a URI begins with {SCHEME}")
    return decoded(uri.removeprefix(SCHEME), uri)


def decoded(path: str, uri: str) -> tuple[str, ...]:
    """The names in the path of a URI of any kind. Raises FileRefused."""
    if len(uri) > MAX_URI:
        raise FileRefused(f"`{shown(uri)}` cannot name a file: it is longer than {MAX_URI} characters")
    try:
        return tuple(_checked(unquote(name, errors="strict"), uri) for name in path.split("/"))
    except UnicodeDecodeError:
        raise FileRefused(f"`{shown(uri)}` cannot name a file: behind its percent signs is no UTF-8") from None


def join(folder: str, path: str) -> str:
    """The URI of a file, by its relative path below a folder. Raises FileRefused."""
    return "/".join([folder, *(quote(_checked(name, path), safe=_PLAIN) for name in path.split("/"))])


def build(names: tuple[str, ...]) -> str:
    """The URI with these names, as it is always spelled."""
    return SCHEME + "/".join(quote(name, safe=_PLAIN) for name in names)


def execution_folder_of(uri: str) -> str | None:
    """The folder of the execution that a file belongs to; None for a file of no execution."""
    names = segments(uri)
    if _EXECUTIONS not in names[:-1]:
        return None
    return build(names[: names.index(_EXECUTIONS) + 2])


def execution_of(uri: str) -> str | None:
    """The id of the execution that a file belongs to; None for a file of no execution."""
    folder = execution_folder_of(uri)
    return segments(folder)[-1] if folder is not None else None


def is_namespace_file(uri: str) -> bool:
    """Whether this names a file of a namespace."""
    return execution_folder_of(uri) is None and _NAMESPACE_FILES in segments(uri)[1:-1]


def shown(uri: str) -> str:
    """A URI, or what should have been one, as a message may show it."""
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in uri)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _namespace(namespace: str) -> str:
    return "/".join(_own(name) for name in namespace.split("."))


def _own(name: str) -> str:
    """A part of a namespace, or a flow's id, as a name that is never empty and means nothing else in a URI."""
    return name if name[:1].isalnum() and name != _EXECUTIONS else f"={name}"


def _checked(name: str, uri: str) -> str:
    problem = _problem(name)
    if problem is not None:
        raise FileRefused(
            f"`{shown(uri)}` cannot name a file: {problem}", hint="write names like folder/file.csv, without `..`"
        )
    return name


def _problem(name: str) -> str | None:
    """Why a name is refused, if it is."""
    if not name:
        return "a name in it is empty"
    if name in (".", ".."):
        return f"it has `{name}` in it"
    if any(letter in "/\\" or ord(letter) < 32 or ord(letter) == 127 for letter in name):
        return "a name in it has a separator or a control character"
    if len(name.encode("utf-8", "replace")) > MAX_NAME:
        return f"a name in it is longer than {MAX_NAME} bytes"
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return "a name in it is no text"
    return None
