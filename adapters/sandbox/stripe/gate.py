"""What every request passes: key, version, idempotency, parameters. Then its handler, and the answer."""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.sandbox.stripe import expand
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError, invalid
from adapters.sandbox.stripe.eventlog import API_VERSION
from adapters.sandbox.stripe.params import decode
from adapters.sandbox.stripe.periods import DAY_S
from adapters.sandbox.stripe.routes import ROUTES, Route
from adapters.sandbox.wire import Request, Response, json_response

SECRET_KEY = "sk_test_sandbox"  # noqa: S105 - the sandbox's published key
KEY_LIFE_S = DAY_S
MAX_KEY = 255


@dataclass(frozen=True)
class Kept:
    fingerprint: str
    at: int
    request_id: str
    status: int
    body: bytes


class Memory:
    """Answers by idempotency key, for 24 hours."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._order: deque[tuple[int, str]] = deque()

    def get(self, key: str, now: int) -> Kept | None:
        while self._order and self._order[0][0] <= now - KEY_LIFE_S:
            at, old = self._order.popleft()
            if old in self._kept and self._kept[old].at == at:
                del self._kept[old]
        return self._kept.get(key)

    def put(self, key: str, kept: Kept) -> None:
        self._kept[key] = kept
        self._order.append((kept.at, key))


class Gate:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._memory = Memory()

    def handle(self, request: Request) -> Response:
        request_id = self._account.id("req_", 14)
        headers = {"request-id": request_id, "stripe-version": API_VERSION}
        try:
            _authenticate(request.headers)
            _check_version(request.headers)
            status, body, extra = self._once(request, request_id)
        except StripeError as error:
            status, body, extra = error.status, json.dumps(error.body(request_id)).encode(), {}
        if status >= 400:
            headers["stripe-should-retry"] = "false"
        return Response(status=status, body=body, headers={"content-type": "application/json", **headers, **extra})

    def _once(self, request: Request, request_id: str) -> tuple[int, bytes, dict[str, str]]:
        """A POST with a key that was answered before gets that answer again."""
        key = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
        if not key:
            return *self._execute(request, request_id, None), {}
        if len(key) > MAX_KEY:
            raise invalid(f"Idempotency keys can be at most {MAX_KEY} characters.")
        echo = {"idempotency-key": key}
        fingerprint = _fingerprint(request)
        kept = self._memory.get(key, self._account.now)
        if kept is None:
            status, body = self._execute(request, request_id, key)
            self._memory.put(key, Kept(fingerprint, self._account.now, request_id, status, body))
            return status, body, {**echo, "original-request": request_id}
        if kept.fingerprint != fingerprint:
            raise StripeError(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using "
                f"a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        return kept.status, kept.body, {**echo, "original-request": kept.request_id, "idempotent-replayed": "true"}

    def _execute(self, request: Request, request_id: str, key: str | None) -> tuple[int, bytes]:
        """Raises what is wrong with the parameters; what goes wrong later is an answer like any other."""
        route, names = _find(request)
        sent = decode(request.query if request.method == "GET" else request.body.decode() or request.query)
        accepted = route.params.read(sent)
        account = self._account
        account.request = (request_id, key)
        try:
            body = route.handler(account, accepted, **names)
            return 200, _text(expand.expanded(account, body, accepted.get("expand", [])))
        except StripeError as error:
            if error.before_execution:
                raise
            return error.status, _text(error.body(request_id))
        finally:
            account.request = (None, None)

    def answered(self, request: Request, instead: Response) -> None:
        """The reply that the caller really got: an error after the work is kept under its key like any result."""
        key = request.headers.get("idempotency-key", "")
        kept = self._memory.get(key, self._account.now) if request.method == "POST" else None
        if kept is not None:
            self._memory.put(key, Kept(kept.fingerprint, kept.at, kept.request_id, instead.status, instead.body))


def _text(body: Body) -> bytes:
    return json.dumps(body).encode()


def _fingerprint(request: Request) -> str:
    return hashlib.sha256(f"{request.path}\n{request.query}\n".encode() + request.body).hexdigest()


def _authenticate(headers: Mapping[str, str]) -> None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise StripeError(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth.",
            status=401,
        )
    if key != SECRET_KEY:
        raise StripeError(f"Invalid API Key provided: {key[:8]}****{key[-4:]}", status=401)


def _check_version(headers: Mapping[str, str]) -> None:
    version = headers.get("stripe-version", API_VERSION)
    if version != API_VERSION:
        raise StripeError(f"Invalid Stripe API version: {version}. This sandbox speaks {API_VERSION}.")


def _find(request: Request) -> tuple[Route, dict[str, str]]:
    path = re.sub(r"/$", "", request.path)
    for route in ROUTES:
        if route.method == request.method and (match := route.pattern.match(path)):
            return route, match.groupdict()
    raise StripeError(
        f"Unrecognized request URL ({request.method}: {request.path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
        status=404,
        before_execution=True,
    )


def too_many_requests() -> Response:
    message = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
    return _refusal(StripeError(message, status=429, code="rate_limit"))


def server_error(status: int) -> Response:
    return _refusal(StripeError("An unknown error occurred.", status=status, kind="api_error"), retry="true")


def _refusal(error: StripeError, retry: str = "false") -> Response:
    body: dict[str, Any] = error.body("req_sandbox")
    body["error"].pop("request_log_url", None)
    return json_response(body, error.status, {"request-id": "req_sandbox", "stripe-should-retry": retry})
