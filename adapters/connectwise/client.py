"""HTTP, keys, paging, and what ConnectWise's answers mean (psa.md 2A; statuses lie, so bodies are read)."""

from __future__ import annotations

import base64
import builtins
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from adapters.connectwise.settings import ROOT, ConnectWiseSettings
from adapters.http import Http, Reply, clean
from connector.errors import ConnectorError, Rejected, RetryLater, Unauthorized
from connector.ports import Context

PARTNER = "connectwise"
PAGE_SIZE = 1000
MAX_CONDITION = 1500  # characters once encoded: the guide advises addresses below 2,000
IN_USE_WAIT_S = 300.0

Record = dict[str, Any]


class _UnknownList(RetryLater):
    pass


class Client:
    def __init__(self, settings: ConnectWiseSettings, *, context: Context, http: Http | None = None) -> None:
        self._settings = settings
        self._http = http or Http(
            PARTNER,
            settings.base_url,
            budget=context.budget,
            clock=context.clock,
            sleep=context.sleep,
            stopping=context.stopping,
            transport=context.transport,
            read_only=context.read_only,
            connect_timeout_s=settings.connect_timeout_s,
            read_timeout_s=settings.read_timeout_s,
            total_timeout_s=settings.total_timeout_s,
            classify=self._classify,
        )

    def close(self) -> None:
        self._http.close()

    def ping(self) -> None:
        """Whether the keys are accepted. A role without the right to /system/info may still do everything that we need."""
        reply = self._send("GET", "/system/info", idempotent=True)
        if reply.status == 404:
            raise self._keys_refused()
        reply.json()

    def get(self, path: str) -> Record | None:
        """One record; None when it does not exist. Unauthorized when the 404 only means that our keys are wrong."""
        reply = self._send("GET", path, idempotent=True)
        if reply.status != 404:
            return _record(reply)
        self.ping()
        return None

    def count(self, path: str, conditions: str = "") -> int:
        reply = self._listed(f"{path}/count", {"conditions": conditions} if conditions else {})
        found = reply.json()
        if not isinstance(found, dict) or not isinstance(found.get("count"), int):
            raise reply.unreadable("no count")
        return int(found["count"])

    def list(self, path: str, conditions: str = "") -> Iterator[Record]:
        """Every record, by ascending id; complete or raises. Forward-only paging loses and repeats nothing on the way."""
        last = 0
        while True:
            params: dict[str, object] = {"pageSize": PAGE_SIZE, "pageId": last}
            if conditions:
                params["conditions"] = conditions
            page = _page(self._listed(path, params), after=last)
            yield from page
            # A next link is always given, so that only a short page says that this was the last one.
            if len(page) < PAGE_SIZE:
                return
            last = int(page[-1]["id"])

    def list_of(self, record: str, name: str) -> builtins.list[Record] | None:
        """Every record of a list that belongs to another record; None when that one does not exist."""
        try:
            return builtins.list(self.list(f"{record}/{name}"))
        except _UnknownList:
            if self.get(record) is None:
                return None
            raise

    def among(self, path: str, field: str, ids: Iterable[int], also: str = "") -> Iterator[Record]:
        """Every record whose `field` is one of `ids`, in as many lists as the length of an address allows."""
        for chunk in chunked(sorted(set(ids))):
            conditions = f"{field} in ({','.join(map(str, chunk))})"
            yield from self.list(path, f"{conditions} and {also}" if also else conditions)

    def post(self, path: str, content: Mapping[str, object]) -> Record:
        return _record(self._written("POST", path, content, idempotent=False))

    def patch(self, path: str, changes: Mapping[str, object]) -> Record:
        """Replace top-level fields. ConnectWise takes an array, paths without a leading slash."""
        operations = [{"op": "replace", "path": name, "value": value} for name, value in changes.items()]
        return _record(self._written("PATCH", path, operations, idempotent=True))

    def delete(self, path: str) -> None:
        """Already gone: as wished."""
        if self._send("DELETE", path, idempotent=True).status == 404:
            self.ping()

    def _written(self, method: str, path: str, content: object, *, idempotent: bool) -> Reply:
        reply = self._send(method, path, content=content, idempotent=idempotent)
        if reply.status == 404:
            self.ping()
            raise Rejected(f"ConnectWise has no record at {path} any more; it was deleted there.", code="NotFound")
        return reply

    def _listed(self, path: str, params: Mapping[str, object]) -> Reply:
        reply = self._send("GET", path, params=params, idempotent=True)
        if reply.status == 404:
            self.ping()
            raise _UnknownList(f"ConnectWise does not know the list {path}. If this stays, check base_url and api_version.")
        return reply

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        content: object = None,
        idempotent: bool,
    ) -> Reply:
        return self._http.send(method, ROOT + path, params=params, json=content, headers=self._headers(), idempotent=idempotent)

    def _headers(self) -> dict[str, str]:
        """Keys are read anew each time, so that rotated ones are seen."""
        settings = self._settings
        pair = f"{settings.company_id}+{settings.public_key.get()}:{settings.private_key.get()}"
        return {
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "clientId": settings.client_id,
            "Accept": f"application/vnd.connectwise.com+json; version={settings.api_version}",
            "pagination-type": "forward-only",
        }

    def _keys_refused(self) -> Unauthorized:
        """On the cloud a wrong company id and wrong keys are both a 404; the login page's service tells them apart."""
        company = self._settings.company_id
        reply = self._http.send("GET", f"/login/companyinfo/{quote(company, safe='')}", idempotent=True)
        if reply.status == 200 and reply.json() is None:
            return Unauthorized(f"ConnectWise knows no company id {company!r}. Check settings.company_id of the PSA.")
        return Unauthorized(
            f"ConnectWise does not accept the keys of company {company!r}. Check settings.public_key, private_key and client_id"
            " of the PSA, and that the API member is active."
        )

    def _classify(self, reply: Reply) -> ConnectorError | None:
        if reply.status < 400 or reply.status in (404, 429):
            return None
        body = _error_body(reply)
        if _no_right_to_info(reply, body):
            return None
        if body.get("message") == "SSL is required.":
            return Unauthorized(
                "ConnectWise's cloud is reached by hosts that begin with api-. Check settings.base_url of the PSA."
            )
        if reply.status == 401:
            return self._401()
        if reply.status >= 500:
            return None
        return _refused(reply, body)

    def _401(self) -> Unauthorized:
        return Unauthorized(
            f"ConnectWise does not accept the keys of company {self._settings.company_id!r}."
            " Check settings.public_key, private_key and client_id of the PSA."
        )


def chunked(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Pieces whose encoded list stays within the length that an address should have."""
    start, length = 0, 0
    for number, id in enumerate(ids):
        length += len(str(id)) + len("%2C")
        if length > MAX_CONDITION:
            yield ids[start:number]
            start, length = number, len(str(id)) + len("%2C")
    if start < len(ids):
        yield ids[start:]


def _no_right_to_info(reply: Reply, body: Record) -> bool:
    """The keys are good, the role alone is too small for /system/info; we need nothing of it."""
    small = reply.status == 403 or (reply.status == 401 and body.get("code") == "UserNotAuthenticated")
    return small and reply.path.endswith("/system/info")


def _refused(reply: Reply, body: Record) -> ConnectorError:
    said = _said(body) or reply.text()
    if reply.status == 403:
        return Unauthorized(
            f"ConnectWise does not let the API member {_doing(reply)}: its security role lacks {_right(reply)}. ({said})"
        )
    if reply.status == 409:
        return RetryLater(
            f"ConnectWise has the record at {_place(reply)} in use and did not change it: {said}", after_s=IN_USE_WAIT_S
        )
    return Rejected(f"ConnectWise refused to {_doing(reply)}: {said}", code=str(body.get("code") or reply.status))


_RIGHTS = (
    (r"/finance/invoices/\d+/payments", "Finance > Invoicing and Finance > Accounting Interface"),
    (r"/finance/(invoices|closedInvoices)", "Finance > Invoicing"),
    (r"/finance/agreement", "Finance > Agreements"),
    (r"/finance/billingCycles", "System > Table Setup > Billing Cycle"),
    (r"/company/companies", "Companies > Company Maintenance"),
)


def _right(reply: Reply) -> str:
    level = {"GET": "Inquire", "POST": "Add", "DELETE": "Delete"}.get(reply.method, "Edit")
    area = next((area for pattern, area in _RIGHTS if re.search(pattern, reply.path)), "the area of this record")
    return f"{level} (All) on {area}"


def _doing(reply: Reply) -> str:
    verb = {"GET": "read", "POST": "add to", "DELETE": "delete"}.get(reply.method, "change")
    return f"{verb} {_place(reply)}"


def _place(reply: Reply) -> str:
    return reply.path.partition(ROOT)[2] or reply.path


def _error_body(reply: Reply) -> Record:
    try:
        body = reply.json()
    except ConnectorError:
        return {}
    return body if isinstance(body, dict) else {}


def _said(body: Record) -> str:
    """`message` and the messages of `errors` (which may be null), without their line ends."""
    errors = body.get("errors")
    parts = [body.get("message"), *(error.get("message") for error in errors or () if isinstance(error, dict))]
    return clean(" ".join(str(part) for part in parts if part))


def _record(reply: Reply) -> Record:
    found = tidy(reply.json())
    if not isinstance(found, dict) or reply.status >= 400:
        raise reply.unreadable("no record")
    return found


def _page(reply: Reply, *, after: int) -> Sequence[Record]:
    found = tidy(reply.json())
    if not isinstance(found, list) or not all(isinstance(row, dict) and isinstance(row.get("id"), int) for row in found):
        raise reply.unreadable("no list of records")
    ids = [row["id"] for row in found]
    if ids != sorted(set(ids)) or (ids and ids[0] <= after) or len(ids) > PAGE_SIZE:
        raise reply.unreadable("a page that does not follow the one before")
    return found


_STRAY = dict.fromkeys(map(ord, "\x00\u200b\u200c\u200d\ufeff"))


def tidy(value: Any) -> Any:
    """Texts without the NUL and zero-width characters that some records hold."""
    if isinstance(value, str):
        return value.translate(_STRAY)
    if isinstance(value, list):
        return [tidy(item) for item in value]
    if isinstance(value, dict):
        return {name: tidy(item) for name, item in value.items()}
    return value
