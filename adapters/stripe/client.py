"""The official SDK behind one door: pace, timeouts, retries, paging, and errors in our five classes."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests
import stripe
from requests.adapters import BaseAdapter
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random_exponential

from adapters.deadline import Patience, bounded
from adapters.stripe.settings import StripeSettings
from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater, Unauthorized
from connector.ports import Budget

API_VERSION = "2026-05-27.dahlia"
PAGE_SIZE = 100
MAX_RETRY_S = 60.0
PARTNER = "stripe"

Body = dict[str, Any]
Method = Callable[..., Any]

stripe.enable_telemetry = False  # it would send timings of a customer's host and keep a file in its home directory


def _session(patience: Patience) -> requests.Session:
    session = bounded(requests.Session(), patience)
    session.max_redirects = 0  # our key and the amounts go nowhere else
    return session


class StripeApi:
    """`what` in every call completes the sentence "Stripe could not ..." in an error."""

    def __init__(
        self,
        settings: StripeSettings,
        budget: Budget,
        *,
        session: requests.Session | None = None,
        sleep: Callable[[float], None] = time.sleep,
        stopping: Callable[[], bool] = lambda: False,
        transport: BaseAdapter | None = None,
        read_only: bool = False,
    ) -> None:
        timeouts: Any = (settings.connect_timeout_s, settings.read_timeout_s)
        session = session or _session(Patience(answer_s=settings.total_timeout_s, stopping=stopping, transport=transport))
        self._http: Any = stripe.RequestsClient(timeout=timeouts, session=session)
        self._client = stripe.StripeClient(
            settings.secret_key.get(),
            stripe_version=API_VERSION,
            base_addresses={"api": settings.base_url.rstrip("/")},
            max_network_retries=0,  # retried here: the SDK never retries 429 and would not ask the budget
            http_client=self._http,
        )
        self._attempts = settings.attempts
        self._budget = budget
        self._sleep = sleep
        self._read_only = read_only
        self.v1 = self._client.v1

    def close(self) -> None:
        self._http.close()

    def read(self, what: str, method: Method, *arguments: Any) -> Body:
        """One object or one page. RetryLater when Stripe cannot answer; Rejected when it refuses."""
        try:
            return self._send(_may_read_again, method, *arguments)
        except stripe.StripeError as error:
            raise _read_error(what, error) from error

    def find(self, what: str, method: Method, *arguments: Any) -> Body | None:
        """One object, None where Stripe has none of this id."""
        try:
            return self.read(what, method, *arguments)
        except Rejected as error:
            if error.code == "resource_missing":
                return None
            raise

    def pages(self, what: str, method: Method, params: Mapping[str, Any], *before: Any) -> Iterator[Body]:
        """Every object of a list, newest first, page by page; complete or raises. `before`: arguments ahead of the parameters."""
        query: Body = {"limit": PAGE_SIZE, **params}
        while True:
            page = self.read(what, method, *before, query)
            yield from page["data"]
            if not page["has_more"] or not page["data"]:
                return
            query = {**query, "starting_after": page["data"][-1]["id"]}

    def write(self, what: str, method: Method, *arguments: Any, key: str = "") -> Body:
        """One write. OutcomeUnknown after silence or a 5xx; RetryLater only when surely nothing was written.

        Sent again after silence only under the same idempotency key. Without `key` (writes that converge, after a look)
        the key is fresh: a key made of the content would answer "already done" when a value goes back and forth.
        """
        if self._read_only:
            raise Rejected(f"Stripe was not asked to {what}: this is shadow mode, and nothing is written.", code="shadow")
        options = {"idempotency_key": key or f"once-{uuid.uuid4()}"}
        try:
            return self._send(_may_write_again, method, *arguments, options)
        except stripe.StripeError as error:
            raise _write_error(what, error) from error

    def _send(self, again: Callable[[BaseException], bool], method: Method, *arguments: Any) -> Body:
        retrying = Retrying(
            retry=retry_if_exception(again),
            stop=stop_after_attempt(self._attempts) | stop_after_delay(MAX_RETRY_S),
            wait=wait_random_exponential(multiplier=0.5, max=8),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._once, method, *arguments)

    def _once(self, method: Method, *arguments: Any) -> Body:
        while (wait_s := self._budget.take(PARTNER)) > 0:
            self._sleep(wait_s)
        body: Body = method(*arguments).to_dict()
        return body


def _may_read_again(error: BaseException) -> bool:
    if isinstance(error, stripe.APIConnectionError):
        return error.should_retry
    return isinstance(error, stripe.RateLimitError) or _server_side(error)


def _may_write_again(error: BaseException) -> bool:
    # Not after a 5xx: Stripe stores it under the key and would only repeat it.
    if isinstance(error, stripe.APIConnectionError):
        return error.should_retry
    return isinstance(error, stripe.RateLimitError) or _key_in_use(error)


def _server_side(error: BaseException) -> bool:
    return isinstance(error, stripe.APIError) and (error.http_status or 500) >= 500


def _key_in_use(error: BaseException) -> bool:
    """Another request with this key is being worked on. The SDK has no class for it and leaves `code` empty."""
    return isinstance(error, stripe.StripeError) and _detail(error, "code") == "idempotency_key_in_use"


def _read_error(what: str, error: stripe.StripeError) -> ConnectorError:
    if isinstance(error, stripe.InvalidRequestError | stripe.CardError | stripe.IdempotencyError):
        return _rejected(what, error)
    return _common(what, error) or RetryLater(f"Stripe could not {what}: {_brief(error)}. It is tried again later.")


def _write_error(what: str, error: stripe.StripeError) -> ConnectorError:
    if isinstance(error, stripe.InvalidRequestError | stripe.CardError):
        return _rejected(what, error)
    # A key that was used with other parameters: an earlier attempt did arrive, and may have been carried out.
    return _common(what, error) or OutcomeUnknown(
        f"It is not known whether Stripe could {what}: {_brief(error)}. It is looked up before it is sent again."
    )


def _common(what: str, error: stripe.StripeError) -> ConnectorError | None:
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return Unauthorized(
            f"Stripe did not let us {what}: the secret key is not valid or lacks a right ({_detail(error, 'code') or 'refused'})."
            " Check settings.secret_key of the Stripe adapter."
        )
    if isinstance(error, stripe.RateLimitError):
        return RetryLater(f"Stripe is busy and could not {what} now. It is tried again later.", after_s=30)
    return None


def _rejected(what: str, error: stripe.StripeError) -> Rejected:
    param = _detail(error, "param")
    where = f" (parameter {param})" if param else ""
    return Rejected(f"Stripe refused to {what}: {_message(error)}{where}", code=_detail(error, "code") or _detail(error, "type"))


def _brief(error: stripe.StripeError) -> str:
    if isinstance(error, stripe.APIConnectionError):
        return "the connection failed or no answer came in time"
    return f"{_message(error)} (HTTP {error.http_status})"


def _message(error: stripe.StripeError) -> str:
    text = _detail(error, "message") or "no reason given"
    return re.sub(r"\b([sr]k_(?:test|live)_)\S+", r"\1***", text)


def _detail(error: stripe.StripeError, field: str) -> str:
    body = error.json_body if isinstance(error.json_body, dict) else {}
    envelope = body.get("error")
    value = envelope.get(field) if isinstance(envelope, dict) else None
    return value if isinstance(value, str) else ""
