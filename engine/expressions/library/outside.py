"""Functions that call out, through what `Functions` offers. Each is absent where its field is None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.expressions.entry import declare
from engine.expressions.faults import Unavailable

if TYPE_CHECKING:
    from engine.expressions.evaluation import Evaluation


def outside(evaluation: Evaluation, field: str, name: str) -> Any:
    """What the world offers under a name, or the error that says that it does not."""
    call = getattr(evaluation.functions, field)
    if call is None:
        raise Unavailable(
            f"The function `{name}` is not available here,",
            code="function-unavailable",
            hint="It needs a running task: use it in a task's property.",
        )
    return call


def _given(**named: Any) -> dict[str, Any]:
    return {name: value for name, value in named.items() if value is not None}


@declare("function", "secret", "A secret.", "{{ secret('API_KEY') }}", "s3cr3t", evaluation=True, outside=True)
def secret(evaluation: Evaluation, key: Any, namespace: Any = None, subkey: Any = None, full: Any = None) -> Any:
    call = outside(evaluation, "secret", "secret")
    return call(key, **_given(namespace=namespace, subkey=subkey, full=full))


@declare("function", "kv", "A value of the key-value store.", "{{ kv('region') }}", "eu", evaluation=True, outside=True)
def kv(evaluation: Evaluation, key: Any, namespace: Any = None, error_on_missing: Any = None) -> Any:
    call = outside(evaluation, "kv", "kv")
    return call(key, **_given(namespace=namespace, error_on_missing=error_on_missing))


@declare(
    "function",
    "read",
    "The text of a file.",
    "{{ read(outputs.task.uri) }}",
    '{id: 1, name: "Ada"}\n{id: 2}\n',
    evaluation=True,
    outside=True,
)
def read(evaluation: Evaluation, path: Any, version: Any = None) -> Any:
    return outside(evaluation, "read", "read")(path, **_given(version=version))


@declare(
    "function",
    "fileURI",
    "The URI of a file of the namespace.",
    "{{ fileURI('data.csv') }}",
    "kestra:///company/team/_files/data.csv",
    evaluation=True,
    outside=True,
)
def file_uri(evaluation: Evaluation, path: Any) -> Any:
    return outside(evaluation, "file_uri", "fileURI")(path)


@declare(
    "function",
    "fileSize",
    "The size of a file in bytes.",
    "{{ fileSize(outputs.task.uri) }}",
    "29",
    evaluation=True,
    outside=True,
)
def file_size(evaluation: Evaluation, path: Any) -> Any:
    return outside(evaluation, "file_size", "fileSize")(path)


@declare(
    "function",
    "fileExists",
    "Whether there is such a file.",
    "{{ fileExists(outputs.task.uri) }}",
    "true",
    evaluation=True,
    outside=True,
)
def file_exists(evaluation: Evaluation, path: Any) -> Any:
    return outside(evaluation, "file_exists", "fileExists")(path)


@declare(
    "function",
    "isFileEmpty",
    "Whether a file is empty.",
    "{{ isFileEmpty(outputs.task.uri) }}",
    "false",
    evaluation=True,
    outside=True,
)
def is_file_empty(evaluation: Evaluation, path: Any) -> Any:
    return outside(evaluation, "is_file_empty", "isFileEmpty")(path)


@declare(
    "function",
    "fileEmpty",
    "The older name of `isFileEmpty`.",
    "{{ fileEmpty(outputs.task.uri) }}",
    "false",
    evaluation=True,
    outside=True,
)
def file_empty(evaluation: Evaluation, path: Any) -> Any:
    return outside(evaluation, "is_file_empty", "fileEmpty")(path)


@declare(
    "function",
    "env",
    "A variable of the environment, by its name in `envs`.",
    "{{ env('region', 'eu') }}",
    "eu",
    evaluation=True,
    outside=True,
)
def env(evaluation: Evaluation, name: Any, default: Any = None) -> Any:
    return outside(evaluation, "env", "env")(name, **_given(default=default))


@declare(
    "function",
    "http",
    "The answer of an HTTP request; JSON is parsed.",
    "{{ http('https://example.com/a.json').rows | length }}",
    "3",
    evaluation=True,
    outside=True,
)
def http(
    evaluation: Evaluation,
    uri: Any,
    method: Any = None,
    content_type: Any = None,
    body: Any = None,
    headers: Any = None,
    options: Any = None,
) -> Any:
    call = outside(evaluation, "http", "http")
    return call(uri, **_given(method=method, content_type=content_type, body=body, headers=headers, options=options))


@declare(
    "function",
    "fromIon",
    "The value of an ION text: its first row, or all.",
    "{{ fromIon(read(outputs.task.uri)).name }}",
    "Ada",
    evaluation=True,
    outside=True,
)
def from_ion(evaluation: Evaluation, ion: Any, all_rows: Any = None) -> Any:
    return outside(evaluation, "from_ion", "fromIon")(ion, **_given(all_rows=all_rows))


@declare(
    "filter",
    "toIon",
    "As ION text.",
    "{{ {'id': 1, 'name': 'Ada'} | toIon }}",
    '{id:1,name:"Ada"}',
    evaluation=True,
    outside=True,
)
def to_ion(evaluation: Evaluation, value: Any) -> Any:
    return outside(evaluation, "to_ion", "toIon")(value)


@declare(
    "function",
    "errorLogs",
    "The error lines of this execution's log.",
    "{{ errorLogs()[0].message }}",
    "no such table",
    evaluation=True,
    outside=True,
)
def error_logs(evaluation: Evaluation) -> Any:
    return outside(evaluation, "error_logs", "errorLogs")()


@declare(
    "function",
    "encrypt",
    "A text encrypted with a base64 key.",
    "{{ encrypt(secret('API_KEY'), 'text') }}",
    "c2VhbGVk",
    evaluation=True,
    outside=True,
)
def encrypt(evaluation: Evaluation, key: Any, plaintext: Any) -> Any:
    return outside(evaluation, "encrypt", "encrypt")(key, plaintext)


@declare(
    "function",
    "decrypt",
    "The reverse of `encrypt`.",
    "{{ decrypt(secret('API_KEY'), inputs.sealed) }}",
    "text",
    evaluation=True,
    outside=True,
)
def decrypt(evaluation: Evaluation, key: Any, encrypted: Any) -> Any:
    return outside(evaluation, "decrypt", "decrypt")(key, encrypted)


@declare(
    "function",
    "randomPort",
    "A free port of this machine.",
    "{{ randomPort() > 1023 }}",
    "true",
    evaluation=True,
    outside=True,
)
def random_port(evaluation: Evaluation) -> Any:
    return outside(evaluation, "random_port", "randomPort")()


@declare(
    "function",
    "subflow",
    "The outputs of another flow, which runs to its end; for the choices of an input.",
    "{{ subflow('company.team', 'choices').list }}",
    '["a","b"]',
    evaluation=True,
    outside=True,
)
def subflow(evaluation: Evaluation, namespace: Any, flow_id: Any, inputs: Any = None) -> Any:
    return outside(evaluation, "subflow", "subflow")(namespace, flow_id, **_given(inputs=inputs))
