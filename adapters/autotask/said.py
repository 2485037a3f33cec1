"""What Autotask's refusals mean: three shapes, and a 500 for nearly everything (psa.md 2B.4). Bodies are read, not statuses."""

from __future__ import annotations

import re
from typing import Any

from adapters.http import Reply, clean
from connector.errors import ConnectorError, Rejected, RetryLater, Unauthorized

ROOT = "/ATServicesRest/V1.0"
THREADS_WAIT_S = 60.0

_THREADS = re.compile(r"(?i)thread threshold|itgenatr005")
_PERMISSION = re.compile(r"(?i)adequate permission|not authorized to|do(es)? not have (the )?(permission|access)")
_PASSING = re.compile(r"(?i)deadlock|timed? ?out|try again later|temporarily unavailable")  # the only 500s worth another try
_NO_ZONE = re.compile(r"(?i)zone information could not be determined")
_GONE = re.compile(r"(?i)no matching records")


def said(reply: Reply) -> str:
    """Autotask's own words on one line; "" when it gave none (an empty body, or a page of HTML)."""
    body = _object(reply)
    found = body.get("errors") if isinstance(body.get("errors"), list) else [body.get("Message") or body.get("message")]
    return clean(" ".join(_text(item) for item in found or () if item))


def classify(reply: Reply, user: str) -> ConnectorError | None:
    """None: it is an answer, or a failure of the server that says nothing of our request."""
    if reply.status < 400 or reply.status in (404, 429):
        return None
    text = said(reply)
    if _NO_ZONE.search(text):
        return unknown_user(user)
    if reply.status == 401:
        return keys_refused(user)
    if _THREADS.search(text):
        return RetryLater(f"Autotask works on too many calls of ours at once ({_place(reply)}).", after_s=THREADS_WAIT_S)
    if reply.status == 403 or _PERMISSION.search(text):
        return _no_right(reply, text)
    if reply.status >= 500 and (not text or reply.status > 500 or _PASSING.search(text)):
        return None
    code = "NotFound" if _GONE.search(text) else str(reply.status)
    return Rejected(f"Autotask refused to {_doing(reply)} {_place(reply)}: {text or 'it gave no reason'}", code=code)


def unknown_user(user: str) -> Unauthorized:
    return Unauthorized(
        f"Autotask knows no API user {user!r}. Check settings.user_name of the PSA: it is the user name of the API user in"
        " Admin > Resources, and looks like an e-mail address."
    )


def keys_refused(user: str) -> Unauthorized:
    """A wrong secret, a wrong integration code and a missing licence look the same."""
    return Unauthorized(
        f"Autotask knows the user {user!r}, but does not accept the secret or the integration code. Check settings.secret"
        " and settings.integration_code of the PSA, that the user is active and not locked, and that its licence is"
        " API User (system)."
    )


def is_maybe_elsewhere(reply: Reply) -> bool:
    """How a zone answers that does not hold our database: 401, or a 500 that is none of Autotask's own."""
    return reply.status == 401 or (reply.status == 500 and not _object(reply))


def _no_right(reply: Reply, text: str) -> Unauthorized:
    right = "view" if _doing(reply) == "read" else "edit"
    return Unauthorized(
        f"Autotask does not let the API user {_doing(reply)} {_place(reply)}. Give its security level the right to {right}"
        f" {_entity(reply)} (Admin > Security Levels). ({text or f'HTTP {reply.status}'})"
    )


def _doing(reply: Reply) -> str:
    return "change" if reply.write else "read"


def _place(reply: Reply) -> str:
    return re.split(r"(?i)/atservicesrest/v1\.0/", reply.path)[-1]


_AREAS = (
    ("contract", "contracts and their services"),
    ("service", "services and service bundles"),
    ("compan", "companies"),
    ("contact", "contacts"),
    ("invoice", "invoices"),
    ("billingitem", "invoices and posted billing items"),
)


def _entity(reply: Reply) -> str:
    place = _place(reply).lower()
    return next((area for begins, area in _AREAS if place.startswith(begins)), _place(reply).partition("/")[0])


def _object(reply: Reply) -> dict[str, Any]:
    try:
        body = reply.json()
    except ConnectorError:
        return {}
    return body if isinstance(body, dict) else {}


def _text(item: Any) -> str:
    """Items of `errors` are texts, sometimes objects."""
    if isinstance(item, dict):
        return str(item.get("message") or item.get("Message") or item)
    return str(item)
