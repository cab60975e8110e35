"""One call of the service: all its tries, all its waits, within one deadline.

Always true: the call ends within `timeout` seconds, repetitions included; it ends soon after the task is told to stop;
what a repetition cannot mend is tried once; a wait that does not fit is handed back to the engine as `RetryLater`, so
that it holds no worker; the key is in nothing that comes out.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import engine.sdk as sdk
from plugins.openai import failure
from plugins.openai.failure import CallFailed

LONGEST_WAIT = 3600.0  #: seconds; a service that asks for more is asked again after this
_FIRST_WAIT, _LAST_WAIT = 0.5, 8.0  #: seconds between tries, doubled each time
_MASK = "******"
_SHORTEST_SECRET = 8  #: shorter keys are placeholders like "none", and are words of answers too


@dataclass(frozen=True, slots=True)
class Target:
    """Where to call, and as whom."""

    api_key: str = field(repr=False)
    base_url: str
    organization: str | None = None
    project: str | None = None

    @classmethod
    def of(cls, api_key: str, base_url: str, organization: str | None, project: str | None) -> Target:
        """Raises TaskFailed for what cannot be sent."""
        api_key, base_url = api_key.strip(), base_url.strip()
        if not api_key:
            raise sdk.TaskFailed("`apiKey` is empty", hint="Look at what its expression renders to.")
        for name, value in {"apiKey": api_key, "organization": organization, "project": project}.items():
            if value and not (value.isascii() and value.isprintable()):
                raise sdk.TaskFailed(
                    f"`{name}` has a line break or a character in it that cannot be sent",
                    hint="It was probably copied or decoded wrongly.",
                )
        try:
            url = urlsplit(base_url)
            usable = url.scheme in ("http", "https") and url.hostname and url.port != 0
        except ValueError:
            usable = False
        if not usable or not base_url.isprintable():
            hint = "It has to look like https://api.openai.com/v1"
            raise sdk.TaskFailed(f"`baseUrl` is no web address: {base_url!r}", hint=hint)
        return cls(api_key, base_url, organization or None, project or None)

    @property
    def where(self) -> str:
        """The address for people, without a password that may stand in it."""
        url = urlsplit(self.base_url)
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"

    def masked(self, body: bytes) -> bytes:
        """What the service wrote, without the key that it may have echoed."""
        if len(self.api_key) < _SHORTEST_SECRET:
            return body
        return body.replace(self.api_key.encode(), _MASK.encode())


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer as it came."""

    body: bytes
    content_type: str
    request_id: str | None


@dataclass
class Call:
    """Makes one call for one attempt of a task. `monotonic` and `jitter` (0 to 1) are for tests to set."""

    ctx: sdk.RunContext
    target: Target
    timeout: int
    max_retries: int
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    _deadline: float = field(default=0.0, init=False)

    def complete(self, body: dict[str, Any]) -> Reply:
        """Raises TaskFailed, RetryLater or TaskCancelled."""
        import openai  # noqa: F401  # loading it takes half a second, which is not the service's to answer for

        self._deadline = self.monotonic() + self.timeout
        last: CallFailed | None = None
        tries = 0
        while True:
            tries += 1
            try:
                return self._try(body)
            except CallFailed as error:
                last = error
            except _TooLate:
                raise self._too_late(last) from None
            wait = self._wait(tries, last)
            text = "at once" if wait == 0 else f"in {wait:.1f} s"
            self.ctx.logger.warning("try %d of %d: %s; trying again %s", tries, self.max_retries + 1, last, text)
            self.ctx.sleep(wait)

    def _try(self, body: dict[str, Any]) -> Reply:
        import openai

        from plugins.openai import transport

        self._check()
        watching = transport.WATCH.set(transport.Watch(self._check, self._remaining))
        try:
            response = self._client().chat.completions.with_raw_response.create(**body, extra_headers=self._headers())
        except openai.APIStatusError as error:
            answered = error.response
            content = self.target.masked(answered.content)
            raise failure.refused(error.status_code, answered.headers, content, now=self.ctx.now()) from None
        except transport.ConnectionFailed as error:
            self._check()  # a deadline that passed while connecting is told as such
            raise failure.unreachable(error, self.target.where) from None
        except UnicodeEncodeError as error:
            hint = "Half a surrogate pair came in with `model`, `prompt` or another property: it was decoded wrongly."
            raise CallFailed(f"the request has a character in it that cannot be sent: {error}", hint=hint) from None
        except transport.BodyTooLarge:
            hint = "No chat completion is that large: check `baseUrl`."
            most = transport.LARGEST_BODY // 2**20
            raise CallFailed(f"the answer of {self.target.where} is larger than {most} MiB", hint=hint) from None
        finally:
            transport.WATCH.reset(watching)
        http = response.http_response
        return Reply(
            self.target.masked(http.content), http.headers.get("content-type", ""), http.headers.get("x-request-id")
        )

    def _client(self) -> Any:
        import openai

        from plugins.openai.transport import CLIENT

        return openai.OpenAI(
            api_key=self.target.api_key, base_url=self.target.base_url, max_retries=0, http_client=CLIENT
        )

    def _headers(self) -> dict[str, Any]:
        """What the SDK would otherwise take from the environment: a flow means the same on every machine."""
        import openai

        foreign = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
        return {line.partition(":")[0].strip(): openai.omit for line in foreign} | {
            "Authorization": f"Bearer {self.target.api_key}",
            "OpenAI-Organization": self.target.organization or openai.omit,
            "OpenAI-Project": self.target.project or openai.omit,
        }

    def _remaining(self) -> float:
        return self._deadline - self.monotonic()

    def _check(self) -> None:
        self.ctx.check_cancelled()
        if self._remaining() <= 0:
            raise _TooLate

    def _wait(self, tries: int, last: CallFailed) -> float:
        """The seconds until the next try; raises when there will be none in this attempt."""
        backoff = min(_FIRST_WAIT * 2 ** (tries - 1), _LAST_WAIT) * (1 - self.jitter() / 4)
        wait = backoff if last.retry_after is None else last.retry_after
        if last.passing and tries <= self.max_retries and wait < self._remaining():
            return wait
        later = last.passing and last.retry_after is not None and last.retry_after >= self._remaining()
        if later and self.ctx.attempt <= self.max_retries:
            raise sdk.RetryLater(
                f"{last.message}; the service asks to wait {wait:.0f} s, longer than `clientTimeout` leaves",
                seconds=min(wait, LONGEST_WAIT),
                hint=last.hint,
            )
        raise sdk.TaskFailed(f"{last.message}{f' (after {tries} tries)' if tries > 1 else ''}", hint=last.hint)

    def _too_late(self, last: CallFailed | None) -> sdk.TaskFailed:
        before = f"; before that, {last.message}" if last else ""
        return sdk.TaskFailed(
            f"no complete answer from {self.target.where} within `clientTimeout` ({self.timeout} s){before}",
            hint=f"Language models are often slower than that: try `clientTimeout: {max(60, self.timeout * 2)}`.",
        )


class _TooLate(Exception):
    """The deadline has passed."""
