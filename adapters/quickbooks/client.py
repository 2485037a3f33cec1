"""QuickBooks Online over HTTP: tokens, minor version, request ids, queries and their pages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from adapters.http import Http, Reply
from adapters.quickbooks.faults import TokenRefused, classify
from adapters.quickbooks.settings import QuickBooksSettings
from adapters.quickbooks.tokens import PARTNER, RECONNECT, Tokens
from connector.errors import Rejected, Unauthorized
from connector.ports import Context

MINOR_VERSION = 75
PAGE = 1000  # the most that a query returns
IN_QUERY = 100  # values in one IN (...)
Body = Mapping[str, Any]
T = TypeVar("T")


class Client:
    """One company. Reads are metered by Intuit and throttled: every method says how many requests it costs."""

    def __init__(self, settings: QuickBooksSettings, context: Context) -> None:
        self._tokens = Tokens(settings, context.tokens, context.clock, context.stopping, context.transport)
        self._company = f"v3/company/{settings.realm_id}"
        self._http = Http(
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
            classify=classify,
        )

    def close(self) -> None:
        self._http.close()

    def get(self, entity: str, id: str) -> tuple[Body, Reply]:
        """One request. Rejected with code `missing` when there is no such record or it was deleted."""
        if not id.isdigit():
            raise Rejected(f"{id!r} is not the id of a QuickBooks {entity}; ids there are digits", code="missing")
        reply = self._send("GET", f"{entity.lower()}/{id}")
        return self._entity(reply, entity), reply

    def single(self, entity: str) -> Body:
        """One request, for what every company has once."""
        return self._entity(self._send("GET", entity.lower()), entity)

    def query(self, entity: str, where: str) -> Iterator[Body]:
        """One request for every 1000 records. Complete, or raises."""
        start = 1
        while True:
            text = f"SELECT * FROM {entity} WHERE {where} ORDERBY Id STARTPOSITION {start} MAXRESULTS {PAGE}"  # noqa: S608
            rows = self._rows(self._send("GET", "query", {"query": text}), entity)
            yield from rows
            if len(rows) < PAGE:
                return
            start += PAGE

    def query_in(self, entity: str, field: str, values: Collection[str], also: str = "") -> Iterator[Body]:
        """One request for every 100 values and 1000 records."""
        ordered = sorted(set(values))
        for start in range(0, len(ordered), IN_QUERY):
            some = ", ".join(quoted(value) for value in ordered[start : start + IN_QUERY])
            yield from self.query(entity, f"{field} IN ({some}){also}")

    def write(self, entity: str, body: Body, *, request_id: str = "", **params: str) -> tuple[Body, Reply]:
        """One request. OutcomeUnknown when it met silence; Rejected with code `stale` when the record changed meanwhile."""
        more = {"requestid": request_id} if request_id else {}
        reply = self._send("POST", entity.lower(), params | more, body)
        return self._entity(reply, entity), reply

    def report(self, name: str, **params: str) -> tuple[Body, Reply]:
        """One request."""
        reply = self._send("GET", f"reports/{name}", params)
        content = reply.json()
        if not isinstance(content, dict) or not isinstance(content.get("Header"), dict):
            raise reply.unreadable("a report without a header")
        return content, reply

    def changed(self, entities: Collection[str], since: datetime) -> tuple[list[Body], Reply]:
        """One request: for each entity that changed its records, under its name. At most 1000 in all, the rest is not told."""
        reply = self._send("GET", "cdc", {"entities": ",".join(entities), "changedSince": since.isoformat(timespec="seconds")})
        content = reply.json()
        answers = content.get("CDCResponse") if isinstance(content, dict) else None
        if not isinstance(answers, list):
            raise reply.unreadable("a body without a CDCResponse")
        return [group for answer in answers for group in answer.get("QueryResponse") or ()], reply

    def _send(self, method: str, path: str, params: Mapping[str, str] | None = None, body: Body | None = None) -> Reply:
        """Once more with a new access token when QuickBooks says that ours is too old; it has done nothing then."""
        used = self._tokens.access()
        try:
            return self._once(method, path, params or {}, body, used)
        except TokenRefused:
            self._tokens.renew(used)
        try:
            return self._once(method, path, params or {}, body, self._tokens.access())
        except TokenRefused as error:
            raise Unauthorized(f"{error}, not even a fresh one. {RECONNECT}.") from None

    def _once(self, method: str, path: str, params: Mapping[str, str], body: Body | None, token: str) -> Reply:
        return self._http.send(
            method,
            f"{self._company}/{path}",
            params={**params, "minorversion": MINOR_VERSION},
            json=body,
            headers={"Accept": "application/json", "Authorization": f"Bearer {token}"},
            idempotent=method == "GET",
        )

    def _entity(self, reply: Reply, entity: str) -> Body:
        content = reply.json()
        found = content.get(entity) if isinstance(content, dict) else None
        if not isinstance(found, dict):
            raise reply.unreadable(f"a body without a {entity}")
        return found

    def _rows(self, reply: Reply, entity: str) -> list[Body]:
        content = reply.json()
        answer = content.get("QueryResponse") if isinstance(content, dict) else None
        rows = answer.get(entity, []) if isinstance(answer, dict) else None
        if not isinstance(rows, list):
            raise reply.unreadable("a body without a QueryResponse")
        return rows


def quoted(value: str) -> str:
    """A text in a query. Backslash and apostrophe both need a backslash."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def until_fresh(act: Callable[[], T], *, attempts: int = 3) -> T:
    """Read, decide and write again when somebody changed the record in between."""
    for _ in range(attempts - 1):
        try:
            return act()
        except Rejected as error:
            if error.code != "stale":
                raise
    return act()
