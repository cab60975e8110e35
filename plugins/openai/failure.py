"""Why a call failed, whose fault it was, what to do next, and whether another try may help. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_SAMPLE = 500  #: characters of an answer that an error shows
_UNCONNECTED = {"ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol"}  #: httpcore2's names
_PASSING = {408, 409, 425, 429}
_HINTS = {
    401: "Check `apiKey`: it has to be a valid key of the service at `baseUrl`.",
    403: "The key is valid but may not do this: check its permissions, its project, and whether it may use `model`.",
    404: "Check `model`, and that `baseUrl` ends as the service wants it (mostly with /v1).",
    413: "Send a shorter prompt or fewer messages.",
    429: "Run fewer of these tasks at once, or give the task a `retry` with a longer interval.",
}
_REFUSED = "The service does not accept what the task asks for: check the property that it names."
_THEIRS = "The trouble is on the service's side: look at its status page, and give the task a `retry`."


class CallFailed(Exception):
    """One try has failed. `retry_after` is how many seconds the service asks to wait."""

    def __init__(self, message: str, *, hint: str, passing: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.passing = passing  #: another try may help
        self.retry_after = retry_after


def refused(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> CallFailed:
    """The service answered with something else than success."""
    if 300 <= status < 400:
        to = headers.get("location", "another address")
        return CallFailed(f"the service answered {status}: it has moved to {to}", hint="Set `baseUrl` to that address.")
    error = _error_object(body)
    code = next((word for word in (error.get("code"), error.get("type")) if word and isinstance(word, str)), "")
    said = one_line(str(error["message"])) if error.get("message") else sample(body)
    message = f"the service answered {status}{f' ({one_line(code)})' if code else ''}: {said}"
    if "insufficient_quota" in (error.get("code"), error.get("type")):
        return CallFailed(message, hint="The account has no credit left: waiting does not help, paying does.")
    if code in ("context_length_exceeded", "exceed_context_size_error"):
        return CallFailed(message, hint="Shorten the prompt or the messages, lower `maxTokens`, or use another model.")
    passing = (status in _PASSING or status >= 500) and headers.get("x-should-retry") != "false"
    hint = _HINTS.get(status) or (_THEIRS if status >= 500 else _REFUSED)
    return CallFailed(message, hint=hint, passing=passing, retry_after=retry_after(headers, now))


def unreachable(error: Exception, where: str) -> CallFailed:
    """No connection, or one that broke before the answer was complete."""
    reason = str(error) or type(error).__name__
    names = {type(part).__name__ for part in _causes(error)}
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        hint = "The certificate is not trusted: check `baseUrl`, or name your own authority in SSL_CERT_FILE."
        return CallFailed(f"no secure connection to {where}: {reason}", hint=hint)
    if "gaierror" in names:
        hint = "There is no such host, or no name server: check `baseUrl` and the network."
        return CallFailed(f"cannot find {where}: {reason}", hint=hint, passing=True)
    if names & _UNCONNECTED:
        hint = "Check `baseUrl`, that the service runs, and that no firewall or proxy stands in between."
        return CallFailed(f"cannot connect to {where}: {reason}", hint=hint, passing=True)
    hint = "The service, or something in between, hung up: try again, or give the task a `retry`."
    return CallFailed(f"the answer of {where} broke off: {reason}", hint=hint, passing=True)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that the service asks to wait: given as seconds or as a date. Nonsense counts as nothing."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(headers["retry-after-ms"]) / 1000 if "retry-after-ms" in headers else float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def sample(body: bytes) -> str:
    """The beginning of an answer, on one line."""
    return one_line(body[: 4 * _SAMPLE].decode("utf-8", "replace")) or "(nothing)"


def one_line(text: str) -> str:
    """A foreign text made fit to be shown: short, and without what would upset a terminal or a database."""
    text = re.sub(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]+", " ", text).strip()
    return text if len(text) <= _SAMPLE else f"{text[:_SAMPLE]}..."


def _error_object(body: bytes) -> dict[str, Any]:
    """What the service says about its error; services do not agree on where."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    error = data.get("error", data) if isinstance(data, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def _causes(error: BaseException | None) -> list[BaseException]:
    causes = []
    while error is not None:
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes
