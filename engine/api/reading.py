"""What a request says: its query, its body, and the engine that it is for.

Always true: what cannot be read is a Refusal that names it; nothing that comes in can name a file of this machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, BinaryIO

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from engine.api.answers import Refusal
from engine.api.gate import MAX_BODY
from engine.app import Engine
from engine.core.coercion import is_file_uri
from engine.errors import InputsInvalid
from engine.model.flow import Flow
from engine.model.inputs import FileInput, Input

#: Of a form: how many texts it may have, and files, and how many bytes each text.
MAX_PARTS = 200
MAX_TEXT = 1024 * 1024


class Upload:
    """A file of a form, under the name that it has there."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self.read = file.read
        self._file = file

    def digest(self) -> str:
        """That of its content, which can be read all the same."""
        self._file.seek(0)
        told = sha256()
        while chunk := self._file.read(1 << 20):
            told.update(chunk)
        self._file.seek(0)
        return told.hexdigest()


#: The parts of a form, by name.
Form = Mapping[str, str | Upload]


def engine_of(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


async def body_of(request: Request) -> bytes:
    """The body of what is no form, and may not be as large as one, whatever it says that it is. Raises Refusal."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refusal(413, f"a body that is no form may have {MAX_BODY:,} bytes")
    return bytes(body)


async def text_of(request: Request) -> str:
    """The body as text. Raises Refusal."""
    try:
        return (await body_of(request)).decode()
    except UnicodeDecodeError:
        raise Refusal(422, "the body is not UTF-8 text") from None


async def json_of(request: Request) -> Any:
    """The body as JSON. Raises Refusal."""
    body = await body_of(request)
    if not body:
        raise Refusal(422, "Required Body not specified")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(422, str(error), reason="Invalid json") from None


def object_of(value: Any) -> Mapping[str, Any]:
    """A value of JSON that is to be an object. Raises Refusal."""
    if not isinstance(value, dict):
        raise Refusal(422, "this is not the JSON object that is wanted here", reason="Invalid json")
    return value


def word_of(body: Mapping[str, Any], name: str) -> str:
    """A text in an object. Raises Refusal."""
    value = body.get(name)
    if not isinstance(value, str):
        raise Refusal(422, f"{name} is a text", reason="Invalid json")
    return value


@asynccontextmanager
async def form_in(request: Request) -> AsyncIterator[Form]:
    """The parts of a multipart body, while its files are open; none of a request without a body. Raises Refusal."""
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        if await body_of(request):
            raise Refusal(422, "inputs come as multipart/form-data")
        yield {}
        return
    async with request.form(max_fields=MAX_PARTS, max_files=MAX_PARTS, max_part_size=MAX_TEXT) as parts:
        yield {name: _part(name, parts) for name in parts}


def _part(name: str, parts: FormData) -> str | Upload:
    values = parts.getlist(name)
    if len(values) > 1:
        raise Refusal(422, f"the part {name} is given {len(values)} times")
    value = values[0]
    return Upload(value.file, value.filename or "") if isinstance(value, UploadFile) else value


def inputs_from(form: Form, flow: Flow) -> dict[str, Any]:
    """The inputs that a form gives to a flow. Raises InputsInvalid."""
    return inputs_for(form, {item.id: item for item in flow.inputs})


def inputs_for(form: Form, declared: Mapping[str, Input]) -> dict[str, Any]:
    """The same for inputs that something else declares, such as a pause."""
    problems = [
        f"{name}: a file is sent as a part of its own, or named by the URI of a stored one"
        for name, value in form.items()
        if isinstance(declared.get(name), FileInput) and isinstance(value, str) and not is_file_uri(value)
    ]
    if problems:
        raise InputsInvalid(problems)
    return {name: _value(declared.get(name), name, value) for name, value in form.items()}


def _value(declared: Input | None, name: str, value: str | Upload) -> Any:
    if isinstance(value, str) or isinstance(declared, FileInput):
        return value
    try:
        return value.read().decode()
    except UnicodeDecodeError:
        raise InputsInvalid([f"{name}: it is not UTF-8 text"]) from None


def labels_of(request: Request, parameter: str = "labels") -> dict[str, str]:
    """`labels=key:value`, as often as there are labels. Raises Refusal."""
    labels: dict[str, str] = {}
    for pair in request.query_params.getlist(parameter):
        key, colon, value = pair.partition(":")
        if not (key and colon):
            raise Refusal(422, f"{parameter} {pair!r} is not key:value")
        if labels.setdefault(key, value) != value:
            raise Refusal(422, f"the label {key} has two values")
    return labels
