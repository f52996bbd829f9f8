"""Asking a vendor's service: bounded, timed, patient with a service that is busy, and never redirected.

Repeated: no connection, 429, 500, 502, 503, 504, with growing pauses or the service's own `Retry-After` (RFC 9110 section 10.2.3),
all within one deadline. Not repeated: any other answer, since the same question would get it again. Proxies are httpx's
(`HTTPS_PROXY`, `NO_PROXY`) or the one given. Left to others: what is asked, and what an answer means.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from confide.codes import Code
from confide.errors import CollateralError

CONNECT, WHOLE = 10.0, 60.0  # seconds
ATTEMPTS = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0  # seconds
MAX_HEADER = 64 << 10  # bytes of one header that is kept; Intel sends certificate chains in headers
BUSY = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Answer:
    """What a service said with status 200: at most the asked-for bytes, and headers by lower-case name."""

    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)


@dataclass(frozen=True)
class Question:
    """One request. `body`: POST it as `content_type`; None: GET."""

    url: str
    limit: int
    body: bytes | None = field(default=None, repr=False)
    content_type: str = ""
    accept: str = "*/*"

    @property
    def place(self) -> str:
        """The address without its query, for messages."""
        return self.url.split("?", 1)[0]


class Fetcher(Protocol):
    """Anything that answers questions: `HttpFetcher`, a cache in front of it, a folder."""

    def ask(self, question: Question, /) -> Answer:
        """The answer.

        Raises:
            CollateralError: `collateral.unreachable`, `collateral.refused` or `collateral.too_large`.
        """
        ...


class _BusyError(Exception):
    """One attempt failed in a way that the next may not. `wait`: seconds the service asks for."""

    def __init__(self, found: str, wait: float | None = None) -> None:
        super().__init__(found)
        self.found, self.wait = found, wait


class HttpFetcher:
    """`Fetcher` over httpx, a connection for each question: vendors are asked a few times a day. Safe for several threads."""

    def __init__(
        self,
        *,
        timeout: float = WHOLE,
        proxy: str | None = None,
        attempts: int = ATTEMPTS,
        pause: Callable[[float], object] = time.sleep,
        headers: Mapping[str, str] | None = None,
        direct: bool = False,
    ) -> None:
        """`headers`: sent with each question. `direct`: never through a proxy of the environment, for services of this host."""
        self._timeout, self._attempts, self._pause, self._proxy = timeout, attempts, pause, proxy
        self._headers, self._direct = dict(headers or {}), direct

    def ask(self, question: Question, /) -> Answer:
        """As `Fetcher.ask`, within the timeout, pauses included."""
        deadline = time.monotonic() + self._timeout
        wait, found = FIRST_PAUSE, "no attempt"
        for attempt in range(self._attempts):
            try:
                return self._once(question, deadline)
            except _BusyError as busy:
                found, pause = busy.found, wait if busy.wait is None else busy.wait
            if attempt + 1 == self._attempts or time.monotonic() + pause >= deadline:
                break
            self._pause(pause)
            wait = min(2 * wait, LONGEST_PAUSE)
        hint = "try again later, name a cache of your own, or use a bundle that was completed before"
        raise CollateralError(Code.COLLATERAL_UNREACHABLE, found=f"{question.place}: {found}", wanted="an answer", hint=hint)

    def _opened(self) -> httpx.Client:
        times = httpx.Timeout(self._timeout, connect=min(CONNECT, self._timeout))
        return httpx.Client(timeout=times, proxy=self._proxy, trust_env=not self._direct, follow_redirects=False)

    def _once(self, question: Question, deadline: float) -> Answer:
        headers = {"accept": question.accept, **self._headers}
        if question.body is not None:
            headers["content-type"] = question.content_type
        method = "GET" if question.body is None else "POST"
        try:
            with (
                self._opened() as client,
                client.stream(method, question.url, content=question.body, headers=headers) as response,
            ):
                _require_success(response, question)
                return Answer(_read(response, question, deadline), _kept(response))
        except httpx.TimeoutException:
            raise _BusyError("no answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _BusyError(type(error).__name__) from None


def _require_success(response: httpx.Response, question: Question) -> None:
    status = response.status_code
    if status in BUSY:
        raise _BusyError(f"status {status}", _retry_after(response))
    if status != 200:
        hint = "the service knows nothing of this platform" if status == 404 else "look at the address, or ask its operator"
        raise CollateralError(Code.COLLATERAL_REFUSED, found=f"{question.place}: status {status}", wanted="status 200", hint=hint)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds, where the service gives them as a number; a date is left to the growing pauses."""
    value = response.headers.get("retry-after", "")
    return min(float(value), LONGEST_PAUSE) if value.isascii() and value.isdigit() and len(value) < 6 else None


def _read(response: httpx.Response, question: Question, deadline: float) -> bytes:
    pieces, size = [], 0
    for piece in response.iter_bytes():
        size += len(piece)
        if size > question.limit:
            found = f"{question.place}: more than {question.limit} bytes"
            raise CollateralError(Code.COLLATERAL_TOO_LARGE, found=found, wanted=f"at most {question.limit}")
        if time.monotonic() > deadline:
            raise _BusyError("an answer that drips")
        pieces.append(piece)
    return b"".join(pieces)


def _kept(response: httpx.Response) -> Mapping[str, str]:
    return {name.lower(): value for name, value in response.headers.items() if len(value) <= MAX_HEADER}
