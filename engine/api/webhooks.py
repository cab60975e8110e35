"""The routes by which others start flows: whoever knows a webhook's key may, and needs no token.

Always true: a call that names itself starts one execution, however often it comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from anyio.to_thread import run_sync as in_thread
from starlette.requests import Request
from starlette.responses import Response

from engine.api.answers import Json
from engine.api.executions import url_of
from engine.api.reading import body_of, engine_of
from engine.present import execution_json

#: By which of its headers a call names itself, whoever sends it.
DELIVERY_HEADERS = ("idempotency-key", "webhook-id", "x-github-delivery")


async def call(request: Request, namespace: str, flow_id: str, key: str) -> Response:
    """Start what a webhook starts; 204 when its conditions say no."""
    engine, body = engine_of(request), await body_of(request)
    headers, parameters = _gathered(request.headers.items()), _gathered(request.query_params.multi_items())
    delivery = next((request.headers[name] for name in DELIVERY_HEADERS if name in request.headers), None)

    def begun() -> Response:
        started = engine.webhooks.call(namespace, flow_id, key, body, headers, parameters, delivery)
        if started is None:
            return Response(status_code=204)
        execution = engine.execution(started[1])
        return Json({"tenantId": "main", **execution_json(execution), "url": url_of(request, execution)})

    answer: Response = await in_thread(begun)
    return answer


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, Sequence[str]]:
    gathered: dict[str, list[str]] = {}
    for name, value in pairs:
        gathered.setdefault(name, []).append(value)
    return dict(gathered)


ROUTES = tuple((method, "/executions/webhook/{namespace}/{flow_id}/{key}", call) for method in ("GET", "POST", "PUT"))
