"""The one place that talks HTTP: pace, timeouts, retries, limits, and errors that never carry a secret.

A partner's client gives `classify`, which reads the body of an answer and says what is wrong; status codes lie.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import requests
import urllib3.exceptions
from requests.adapters import BaseAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_before_delay, wait_random_exponential

from adapters.deadline import Patience, bounded
from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater
from connector.ports import Budget, Clock

log = logging.getLogger(__name__)
logging.getLogger("urllib3").setLevel(logging.INFO)  # its debug lines show whole addresses, query included

_CHUNK_BYTES = 64 * 1024
_WORTH_ANOTHER_TRY = frozenset({502, 503, 504})
_DEFAULT_RETRY_AFTER_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """A limit on everything. Waits longer than `longest_wait_s` are left to the caller as RetryLater."""

    attempts: int = 4
    total_retry_s: float = 60.0
    longest_wait_s: float = 5.0
    budget_wait_s: float = 300.0  # how long one request may queue for the budget
    body_bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One answer. Header names are lower-case. `write`: it answers a request that may have changed something."""

    partner: str
    method: str
    path: str  # without query
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    write: bool = False

    def json(self) -> Any:
        """Numbers with a fraction are Decimal. RetryLater (OutcomeUnknown for a write) when the body is not JSON."""
        try:
            return json.loads(self.body, parse_float=Decimal, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise self.unreadable("something that is not JSON") from None

    def text(self, limit: int = 300) -> str:
        """The body for an error message: one line, cut, without what looks like a credential."""
        return clean(self.body[: limit * 4].decode("utf-8", "replace"), limit)

    def unreadable(self, what: str) -> ConnectorError:
        """What to raise when the body cannot be understood."""
        said = f"{self.partner} answered {self.method} {self.path} with {what} (HTTP {self.status})"
        if self.write:
            return OutcomeUnknown(f"{said}, so it is not known whether it was done. It is looked up before it is sent again.")
        return RetryLater(f"{said}. It is tried again later.")


Classify = Callable[[Reply], ConnectorError | None]


def _nothing_wrong(_: Reply) -> None:
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def clean(text: str, limit: int = 300) -> str:
    """One printable line, cut to `limit`, with anything that looks like a credential replaced by `***`."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    for pattern in _SECRETS:
        line = pattern.sub(r"\1***", line)
    return line if len(line) <= limit else line[: limit - 3] + "..."


_SECRETS = (
    re.compile(r"(?i)(\b(?:basic|bearer)\s+)[\w.~+/=:-]{6,}"),
    re.compile(r"(?i)(\b[\w-]*(?:token|secret|password|private_?key|api_?key|authorization)[\"']?\s*[:=]\s*[\"']?)[^\s\"',&;}]+"),
    re.compile(r"\b([sr]k_(?:test|live)_)\w+"),
    re.compile(r"(?i)([?&](?:code|key|sig|signature)=)[^\s&\"']+"),
)


class _Broken(Exception):
    """An attempt got no usable answer. `sent` is false when the request surely never left; `wait_s` as the partner asks."""

    def __init__(self, why: str, *, sent: bool, again: bool = True, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.sent = sent
        self.again = again
        self.wait_s = wait_s


@dataclass(frozen=True, kw_only=True, slots=True)
class _Request:
    method: str
    url: str
    path: str
    body: bytes | None
    headers: Mapping[str, str]
    query: bool = False

    @property
    def reads(self) -> bool:
        return self.query or self.method in ("GET", "HEAD")


class Http:
    """One partner at one address. Safe to use from several threads: each has its own session.

    `headers` go with every request; a callable is asked before each attempt (a token that was refreshed meanwhile).
    """

    def __init__(
        self,
        partner: str,
        base_url: str,
        *,
        budget: Budget,
        clock: Clock,
        connect_timeout_s: float = 5,
        read_timeout_s: float = 60,
        total_timeout_s: float = 120,
        sleep: Callable[[float], None] = time.sleep,
        stopping: Callable[[], bool] = lambda: False,
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None,
        classify: Classify = _nothing_wrong,
        limits: Limits | None = None,
        transport: BaseAdapter | None = None,
        read_only: bool = False,
    ) -> None:
        self.partner = partner
        self.base_url = base_url.rstrip("/")
        self._base = urlsplit(self.base_url)
        if self._base.scheme not in ("http", "https") or not self._base.hostname or self._base.username or self._base.query:
            raise ValueError(f"{partner}: base_url must look like https://host/path, without user name or query")
        self._budget = budget
        self._clock = clock
        self._timeouts = (connect_timeout_s, read_timeout_s)
        self._sleep = sleep
        self._headers = headers
        self._classify = classify
        self._limits = limits or Limits()
        # As sent an answer may be as large as unpacked, and a little more: what is too large is told by the size unpacked.
        sent_bytes = self._limits.body_bytes + _CHUNK_BYTES * 2
        self._patience = Patience(answer_s=total_timeout_s, answer_bytes=sent_bytes, stopping=stopping, transport=transport)
        self._read_only = read_only
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._guard = threading.Lock()

    def close(self) -> None:
        with self._guard:
            for session in self._sessions:
                session.close()
            self._sessions.clear()
            self._local = threading.local()

    def send(
        self,
        method: str,
        path_or_url: str,
        *,
        params: Mapping[str, object] | None = None,
        json: object = None,
        data: bytes | Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool,
        query: bool = False,
    ) -> Reply:
        """Send until there is an answer that `classify` finds nothing wrong with, whatever its status below 500.

        `idempotent`: it may be sent again by itself. `query`: it only asks, though it may be a POST.
        Raises what `classify` says; RetryLater when the partner cannot answer and nothing was written; OutcomeUnknown when
        a write met silence, a 5xx, a redirect or a body that is too large; Rejected for an address outside `base_url`, and for
        every write where only reading is allowed.
        """
        body, extra = _encode(json, data)
        url = self.address(path_or_url)
        path = urlsplit(url).path
        if params:
            url += ("&" if "?" in url else "?") + urlencode(params, quote_via=quote, safe="")
        request = _Request(
            method=method.upper(), url=url, path=path, body=body, headers={**extra, **(headers or {})}, query=query
        )
        if self._read_only and not request.reads:
            raise Rejected(f"{self.partner}: {request.method} {path} was not sent: this is shadow mode.", code="shadow")
        return self._until_answered(request, idempotent=idempotent)

    def address(self, path_or_url: str) -> str:
        """The absolute address. Rejected when it is not below `base_url`: our credentials go nowhere else."""
        absolute = re.match(r"(?i)[a-z][a-z0-9+.-]*:", path_or_url) is not None
        url = path_or_url if absolute else f"{self.base_url}/{path_or_url.lstrip('/')}"
        parts = urlsplit(url)
        path = unquote(parts.path)
        same = _origin(url) == _origin(self.base_url) and f"{path}/".startswith(f"{unquote(self._base.path)}/")
        climbs = any(segment in (".", "..") for segment in re.split(r"[/\\]", path))
        if not same or climbs or parts.username is not None or parts.fragment:
            raise Rejected(f"{self.partner} named an address outside {self.base_url}; it was not called.", code="foreign_address")
        return url

    def _until_answered(self, request: _Request, *, idempotent: bool) -> Reply:
        broken: list[_Broken] = []

        def attempt() -> Reply:
            try:
                return self._once(request)
            except _Broken as error:
                broken.append(error)
                raise

        try:
            return self._retrying(idempotent)(attempt)
        except _Broken as last:
            raise self._give_up(request, broken, last) from None

    def _retrying(self, idempotent: bool) -> Retrying:
        backoff = wait_random_exponential(multiplier=0.5, max=self._limits.longest_wait_s)

        def wait(state: RetryCallState) -> float:
            asked = _asked_wait(state)
            return backoff(state) if asked is None else asked

        return Retrying(
            retry=retry_if_exception(lambda error: idempotent and self._worth_it(error)),
            stop=stop_after_attempt(self._limits.attempts) | stop_before_delay(self._limits.total_retry_s),
            wait=wait,
            sleep=self._sleep,
            reraise=True,
        )

    def _worth_it(self, error: BaseException) -> bool:
        return isinstance(error, _Broken) and error.again and (error.wait_s or 0) <= self._limits.longest_wait_s

    def _give_up(self, request: _Request, broken: list[_Broken], last: _Broken) -> ConnectorError:
        what = f"{self.partner}: {request.method} {request.path}: {last.why}"
        if not request.reads and any(error.sent for error in broken):
            return OutcomeUnknown(f"{what}. It is not known whether it was done; it is looked up before it is sent again.")
        return RetryLater(f"{what}. It is tried again later.", after_s=60.0 if last.wait_s is None else max(last.wait_s, 1.0))

    def _once(self, request: _Request) -> Reply:
        self._wait_for_budget()
        started = time.monotonic()
        reply = self._receive(request)
        took_ms = (time.monotonic() - started) * 1000
        log.debug(
            "%s %s %s: %d in %.0f ms %s", self.partner, request.method, request.path, reply.status, took_ms, _request_id(reply)
        )
        return self._judged(reply)

    def _wait_for_budget(self) -> None:
        waited = 0.0
        while (wait_s := self._budget.take(self.partner)) > 0:
            if waited + wait_s > self._limits.budget_wait_s:
                raise RetryLater(f"{self.partner}: more requests are waiting than its rate allows.", after_s=wait_s)
            self._sleep(wait_s)
            waited += wait_s

    def _receive(self, request: _Request) -> Reply:
        try:
            response = self._session().request(
                request.method,
                request.url,
                data=request.body,
                headers={**self._common_headers(), **request.headers},
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            )
            with response:
                body = self._read(response, request)
        except requests.RequestException as error:
            raise _broken(error) from None
        return Reply(
            partner=self.partner,
            method=request.method,
            path=request.path,
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            write=not request.reads,
        )

    def _read(self, response: requests.Response, request: _Request) -> bytes:
        """The body, within the limit on its size unpacked."""
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_content(_CHUNK_BYTES):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._limits.body_bytes:
                raise self._too_large(request)
        return b"".join(chunks)

    def _too_large(self, request: _Request) -> ConnectorError:
        what = f"the answer is larger than {self._limits.body_bytes} bytes and was not read"
        return self._not_an_answer(request.method, request.path, what, write=not request.reads)

    def _not_an_answer(self, method: str, path: str, what: str, *, write: bool) -> ConnectorError:
        """Said by a box in between, mostly: not the fault of the record that was asked for, so nothing is given up for it."""
        said = f"{self.partner}: {method} {path}: {what}"
        if write:
            return OutcomeUnknown(f"{said}. It is not known whether it was done; it is looked up before it is sent again.")
        return RetryLater(f"{said}. It is tried again later.")

    def _judged(self, reply: Reply) -> Reply:
        wrong = self._classify(reply)
        if wrong is not None:
            raise wrong
        if reply.status == 429:
            raise _Broken("it is throttling us (HTTP 429)", sent=False, wait_s=self._retry_after(reply))
        if reply.status >= 500:
            again = reply.status in _WORTH_ANOTHER_TRY
            raise _Broken(f"server error (HTTP {reply.status}) {reply.text(200)}".rstrip(), sent=True, again=again)
        if 300 <= reply.status < 400:
            what = "a redirect, which is not followed (is base_url right?)"
            raise self._not_an_answer(reply.method, reply.path, what, write=reply.write)
        return reply

    def _retry_after(self, reply: Reply) -> float:
        """Seconds; the header holds seconds or a date."""
        given = reply.headers.get("retry-after", "").strip()
        if re.fullmatch(r"\d{1,9}", given):
            return float(given)
        try:
            when = parsedate_to_datetime(given)
        except ValueError:
            return _DEFAULT_RETRY_AFTER_S
        aware = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(0.0, (aware - self._clock.now()).total_seconds())

    def _common_headers(self) -> Mapping[str, str]:
        if self._headers is None:
            return {}
        return self._headers() if callable(self._headers) else self._headers

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = bounded(requests.Session(), self._patience)
            self._local.session = session
            with self._guard:
                self._sessions.append(session)
        return session


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        return ("", "", None)
    return (parts.scheme.lower(), (parts.hostname or "").lower(), port or {"http": 80, "https": 443}.get(parts.scheme.lower()))


def _encode(content: object, data: bytes | Mapping[str, str] | None) -> tuple[bytes | None, dict[str, str]]:
    if content is not None:
        return json.dumps(content, default=_number).encode(), {"Content-Type": "application/json"}
    if isinstance(data, Mapping):
        return urlencode(data).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    return data, {}


def _number(value: object) -> int | float:
    """Amounts leave as JSON numbers; a float prints the shortest digits that mean the same, so no cent is lost."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} cannot be put in a body")
    return int(value) if value == value.to_integral_value() else float(value)


def _asked_wait(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.wait_s if isinstance(error, _Broken) else None


def _broken(error: requests.RequestException) -> _Broken:
    """Why an attempt failed, in our words: the library's texts contain the address with its query."""
    if isinstance(error, requests.exceptions.SSLError):
        return _Broken("no trusted TLS connection could be made", sent=not _certificate(error), again=False)
    if isinstance(error, ValueError):
        return _Broken("the request could not be made of this address and these headers", sent=False, again=False)
    if isinstance(error, requests.ConnectTimeout):
        return _Broken("no connection in time", sent=False)
    if _cause(error, urllib3.exceptions.NewConnectionError):
        return _Broken("the connection was refused or the host is not known", sent=False)
    if isinstance(error, requests.Timeout) or _cause(error, urllib3.exceptions.ReadTimeoutError):
        return _Broken("no answer in time", sent=True)
    return _Broken("the connection broke before the answer was complete", sent=True)


def _certificate(error: BaseException) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error) or "Hostname mismatch" in str(error)


def _cause(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether `kind` is somewhere in what the library wrapped."""
    todo: list[object] = [error]
    for _ in range(20):
        if not todo:
            return False
        current = todo.pop()
        if isinstance(current, kind):
            return True
        if isinstance(current, BaseException):
            todo += [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
    return False


def _request_id(reply: Reply) -> str:
    """What the partner's support asks for."""
    names = ("x-cw-request-id", "intuit_tid", "request-id", "x-request-id")
    return next((reply.headers[name] for name in names if name in reply.headers), "")


class LocalBudget:
    """A token bucket per partner within this process. `rates`: requests per minute; a partner without one is not limited.

    A tenth of a minute's requests may go in one burst.
    """

    def __init__(self, rates: Mapping[str, int], clock: Clock) -> None:
        self._rates = dict(rates)
        self._clock = clock
        self._guard = threading.Lock()
        started = clock.now()
        self._buckets = {partner: (self._burst(partner), started) for partner in self._rates}

    def take(self, partner: str) -> float:
        if partner not in self._rates:
            return 0.0
        with self._guard:
            tokens = self._refilled(partner)
            per_second = self._rates[partner] / 60
            wait_s = 0.0 if tokens >= 1 else (1 - tokens) / per_second
            self._buckets[partner] = (tokens - 1 if not wait_s else tokens, self._clock.now())
            return wait_s

    def _refilled(self, partner: str) -> float:
        tokens, since = self._buckets[partner]
        elapsed_s = max(0.0, (self._clock.now() - since).total_seconds())
        return min(self._burst(partner), tokens + elapsed_s * self._rates[partner] / 60)

    def _burst(self, partner: str) -> float:
        return max(1.0, self._rates[partner] / 10)
