"""HTTP, keys, the zone, and paging (psa.md 2B). One request at a time, so that Autotask's three threads are never too few."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from adapters.autotask.allowance import Allowance, Usage
from adapters.autotask.said import ROOT, classify, is_maybe_elsewhere
from adapters.autotask.settings import AutotaskSettings
from adapters.http import Http, Reply
from connector.errors import ConnectorError, Rejected, RetryLater, Unauthorized
from connector.ports import Context

PARTNER = "autotask"
PAGE = 500  # rows, and also the most conditions that may be joined by OR
ZONE = "/atservicesrest/v1.0/zoneInformation"

Record = dict[str, Any]
Condition = Mapping[str, Any]


class Client:
    def __init__(self, settings: AutotaskSettings, *, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._zone: Http | None = None
        self._elsewhere = False
        self._front = self._http(settings.base_url, lambda reply: classify(reply, settings.user_name))
        self._allowance = Allowance(
            share_percent=settings.budget_share_percent, clock=context.clock, sleep=context.sleep, ask=self._usage
        )

    def close(self) -> None:
        self._front.close()
        if self._zone is not None:
            self._zone.close()

    def reserve(self, count: int) -> None:
        """Before a long read: RetryLater when our share of the tenant's requests is too small for it just now."""
        self._allowance.reserve(count)

    @property
    def taken(self) -> int:
        """Requests so far."""
        return self._allowance.taken

    def fields(self, entity: str) -> dict[str, Record]:
        """What Autotask tells of an entity's fields, by name."""
        found = _object(self._send("GET", f"/{entity}/entityInformation/fields"))
        if not isinstance(found.get("fields"), list):
            raise RetryLater(f"Autotask did not tell the fields of {entity}. It is asked again later.")
        return {str(field.get("name")): field for field in found["fields"] if isinstance(field, dict)}

    def get(self, entity: str, id: int | str) -> Record | None:
        """One record. None when it does not exist: a 404, or an item that is null."""
        reply = self._send("GET", f"/{entity}/{id}")
        if reply.status == 404:
            return None
        found = _object(reply)
        if "item" not in found or not isinstance(found["item"], dict | None):
            raise reply.unreadable("no item")
        return None if found["item"] is None else tidy(found["item"])

    def count(self, entity: str, filter: Sequence[Condition]) -> int:
        found = _object(self._ask(f"/{entity}/query/count", filter))
        if not isinstance(found.get("queryCount"), int):
            raise RetryLater(f"Autotask did not count the {entity}. It is asked again later.")
        return int(found["queryCount"])

    def query(self, entity: str, *filter: Condition) -> Iterator[Record]:
        """Every record that meets all conditions, by ascending id; complete or raises."""
        path, last = f"/{entity}/query", -1
        while path:
            reply = self._ask(path, filter)
            rows, path = _page(reply, after=last)
            yield from rows
            last = rows[-1]["id"] if rows else last

    def among(self, entity: str, field: str, ids: Collection[int], *also: Condition) -> Iterator[Record]:
        """Every record whose `field` is one of `ids`, in as many queries as their limit on conditions asks for."""
        wanted = sorted(set(ids))
        for start in range(0, len(wanted), PAGE):
            yield from self.query(entity, {"op": "in", "field": field, "value": wanted[start : start + PAGE]}, *also)

    def patch(self, entity: str, changes: Mapping[str, object]) -> None:
        """To the collection's address, with the id and what changes. Sent again by itself: it sets values, it adds nothing."""
        reply = self._send("PATCH", f"/{entity}", content=changes, query=False)
        if reply.status == 404:
            raise Rejected(f"Autotask has no {entity} {changes.get('id')} any more.", code="NotFound")

    # Where it goes

    def _ask(self, path: str, filter: Sequence[Condition]) -> Reply:
        """By POST: lists of ids are longer than an address may be. The pages after the first want the same body."""
        reply = self._send("POST", path, content={"MaxRecords": PAGE, "Filter": list(filter)})
        if reply.status == 404:
            raise RetryLater(f"Autotask does not know {reply.path}. If this stays, check settings.base_url of the PSA.")
        return reply

    def _send(self, method: str, path: str, *, content: object = None, query: bool = True) -> Reply:
        self._allowance.take()
        return self._in_zone(lambda zone: self._once(zone, method, path, content=content, query=query))

    def _once(self, zone: Http, method: str, path: str, *, content: object = None, query: bool = True) -> Reply:
        address = path if "://" in path else f"{ROOT}{path}"
        return zone.send(method, address, json=content, headers=self._headers(), idempotent=True, query=query)

    def _in_zone(self, send: Callable[[Http], Reply]) -> Reply:
        """In the zone where the database was; if it seems to have moved, the zone is asked for once more."""
        zone = self._zone = self._zone or self._found()
        self._elsewhere = False
        try:
            return send(zone)
        except ConnectorError:
            if not self._elsewhere:
                raise
            fresh = self._found()
            if fresh.base_url == zone.base_url:
                raise
        zone.close()
        self._zone = fresh
        return send(fresh)

    def _usage(self) -> Usage:
        reply = self._in_zone(lambda zone: self._once(zone, "GET", "/ThresholdInformation"))
        usage = Usage.read(_object(reply))
        if usage is None:
            raise RetryLater("Autotask did not say how many requests its tenant has left. It is asked again later.")
        return usage

    def _found(self) -> Http:
        """The zone of our user. The address is taken only where Autotask's own zones are."""
        reply = self._front.send("GET", ZONE, params={"user": self._settings.user_name}, idempotent=True)
        url = _object(reply).get("url") if reply.status == 200 else None
        if not isinstance(url, str):
            raise RetryLater(
                "Autotask did not say in which zone the database is. If this stays, check settings.base_url of the PSA."
            )
        return self._http(_zone_root(url, self._settings.base_url), self._classify)

    def _classify(self, reply: Reply) -> ConnectorError | None:
        self._elsewhere = is_maybe_elsewhere(reply)
        return classify(reply, self._settings.user_name)

    def _headers(self) -> dict[str, str]:
        """Keys are read anew each time, so that rotated ones are seen."""
        return {
            "ApiIntegrationCode": self._settings.integration_code.get(),
            "UserName": self._settings.user_name,
            "Secret": self._settings.secret.get(),
            "Accept": "application/json",
        }

    def _http(self, url: str, check: Callable[[Reply], ConnectorError | None]) -> Http:
        return Http(
            PARTNER,
            url,
            budget=self._context.budget,
            clock=self._context.clock,
            sleep=self._context.sleep,
            stopping=self._context.stopping,
            transport=self._context.transport,
            read_only=self._context.read_only,
            connect_timeout_s=self._settings.connect_timeout_s,
            read_timeout_s=self._settings.read_timeout_s,
            total_timeout_s=self._settings.total_timeout_s,
            classify=check,
        )


def _zone_root(url: str, base_url: str) -> str:
    """`https://webservices6.autotask.net/ATServicesRest/` -> its beginning. Our secret goes to no other host."""
    root = re.sub(r"(?i)/atservicesrest/?$", "", url)
    zone, base = urlsplit(root), urlsplit(base_url)
    same = (zone.scheme, zone.netloc) == (base.scheme, base.netloc) and zone.path.startswith(base.path)
    sibling = zone.scheme == base.scheme == "https" and _is_autotask(zone.netloc) and _is_autotask(base.netloc)
    if (same or sibling) and not zone.query and not zone.fragment and "@" not in zone.netloc:
        return root
    raise Unauthorized(
        f"Autotask was asked for the zone at {base_url} and named an address that is not Autotask's; it was not called."
        " Check settings.base_url of the PSA."
    )


def _is_autotask(host: str) -> bool:
    return re.fullmatch(r"(?i)webservices\d*\.autotask\.net", host) is not None


def _object(reply: Reply) -> Record:
    found = reply.json()
    if not isinstance(found, dict) or reply.status >= 400:
        raise reply.unreadable("no object")
    return found


def _page(reply: Reply, *, after: int) -> tuple[list[Record], str]:
    """The rows, and the address of the next page ("" for none)."""
    found = _object(reply)
    rows, details = found.get("items"), found.get("pageDetails")
    if not isinstance(rows, list) or not isinstance(details, dict) or not all(map(_is_row, rows)):
        raise reply.unreadable("no list of records")
    ids = [row["id"] for row in rows]
    further = details.get("nextPageUrl") or ""
    if ids != sorted(set(ids)) or (ids and ids[0] <= after) or len(ids) > PAGE or (further and not ids):
        raise reply.unreadable("a page that does not follow the one before")
    return [tidy(row) for row in rows], str(further)


def _is_row(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), int)


_STRAY = dict.fromkeys(map(ord, "\x00\u200b\u200c\u200d\ufeff"))


def tidy(value: Any) -> Any:
    """Texts without the NUL and zero-width characters that some records hold; no user-defined fields is an empty list."""
    if isinstance(value, str):
        return value.translate(_STRAY)
    if isinstance(value, list):
        return [tidy(item) for item in value]
    if isinstance(value, dict):
        return {name: tidy(item or []) if name == "userDefinedFields" else tidy(item) for name, item in value.items()}
    return value
