"""What QuickBooks says is wrong: `Fault` and `fault` in JSON, XML now and then, also in answers with status 200."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.http import Reply, clean
from connector.errors import ConnectorError, Rejected, RetryLater, Unauthorized

THROTTLED = frozenset({"3001", "003001"})
TOKEN = frozenset({"3200", "003200", "100", "120"})
WRONG_CLUSTER = "130"
NOT_AUTHORIZED = frozenset({"3100", "003100"})
LAPSED = "6190"
STALE = "5010"
PERIOD_CLOSED = frozenset({"5010", "6210"})
NOT_FOUND = "610"
DEPOSITED = "6540"
_WORDS = {NOT_FOUND: "missing", STALE: "stale", DEPOSITED: "deposited", "6000": "business_rule", "6140": "duplicate_number"}
RETRY_AFTER_S = 60.0


class TokenRefused(ConnectorError):
    """The access token is too old; never leaves the client."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    code: str
    message: str
    detail: str

    @property
    def words(self) -> str:
        """The detail repeats the message most of the time."""
        said = self.detail or self.message
        return clean(said if self.message in said or not self.message else f"{self.message}: {said}", 500)


def classify(reply: Reply) -> ConnectorError | None:
    """None: nothing wrong, or a 5xx, which the transport judges by whether it was a write."""
    if reply.status >= 500:
        return None
    fault = read(reply)
    if fault is None and reply.status < 400:
        return None
    fault = fault or Fault(code="", message=f"HTTP {reply.status}", detail=reply.text())
    return _token(reply, fault) or _stop(reply, fault) or _refusal(reply, fault)


def read(reply: Reply) -> Fault | None:
    """The first fault in a body; None when there is none."""
    if b"ault" not in reply.body:
        return None
    if reply.body.lstrip().startswith(b"<"):
        return _from_xml(reply.body.decode("utf-8", "replace"))
    try:
        content = json.loads(reply.body)
    except ValueError:
        return None
    return _from_json(content) if isinstance(content, dict) else None


def _from_json(content: Mapping[str, Any]) -> Fault | None:
    envelope = content.get("Fault") or content.get("fault")
    if not isinstance(envelope, dict):
        return None
    errors = envelope.get("Error") or envelope.get("error") or [{}]
    error = errors[0] if isinstance(errors, list) else errors
    lower = {str(name).lower(): value for name, value in error.items()} if isinstance(error, dict) else {}
    return Fault(
        code=str(lower.get("code") or ""), message=str(lower.get("message") or ""), detail=str(lower.get("detail") or "")
    )


def _from_xml(text: str) -> Fault | None:
    """By pattern: three short texts are not worth a parser that can be attacked."""
    if not re.search(r"<(?:\w+:)?Fault\b", text):
        return None
    code = re.search(r"<(?:\w+:)?Error\b[^>]*\bcode=[\"'](\w*)[\"']", text)
    return Fault(code=code.group(1) if code else "", message=_element(text, "Message"), detail=_element(text, "Detail"))


def _element(text: str, name: str) -> str:
    found = re.search(rf"<(?:\w+:)?{name}>(.*?)</(?:\w+:)?{name}>", text, re.DOTALL)
    return found.group(1).strip() if found else ""


def _token(reply: Reply, fault: Fault) -> ConnectorError | None:
    if fault.code == WRONG_CLUSTER:
        return Unauthorized(
            "QuickBooks says that this company lives elsewhere (130). A sandbox company needs the sandbox address,"
            " a real one the real address: check base_url and realm_id."
        )
    if fault.code in TOKEN or (reply.status == 401 and fault.code not in NOT_AUTHORIZED):
        return TokenRefused(f"QuickBooks does not accept the access token ({fault.words})")
    return None


def _stop(reply: Reply, fault: Fault) -> ConnectorError | None:
    if fault.code in THROTTLED or reply.status == 429:
        return RetryLater(
            "QuickBooks takes no more requests just now (429). It is tried again in a minute.", after_s=RETRY_AFTER_S
        )
    if fault.code in NOT_AUTHORIZED or reply.status == 403:
        return Unauthorized(
            f"The app is not authorised for this QuickBooks company ({fault.code or reply.status}). Check realm_id, or connect"
            " the app to the company again as a company admin and put the new refresh token into the configuration."
        )
    if fault.code == LAPSED:
        return Unauthorized(
            f"QuickBooks has closed the company ({fault.words}, 6190). Its subscription has lapsed or it is read-only:"
            " settle that in QuickBooks; nothing is written until then."
        )
    return None


def _refusal(reply: Reply, fault: Fault) -> ConnectorError:
    if fault.code in PERIOD_CLOSED and "period" in fault.words.lower() and "closed" in fault.words.lower():
        return Rejected(
            f"QuickBooks' books are closed for that date ({fault.words}). Open the period, or enter it with a later date.",
            code="closed_period",
        )
    support = f", intuit_tid {reply.headers['intuit_tid']}" if reply.headers.get("intuit_tid") else ""
    code = fault.code or f"HTTP {reply.status}"
    return Rejected(f"QuickBooks refused it: {fault.words} ({code}{support})", code=_WORDS.get(fault.code, fault.code))
