"""The REST interface: zones, keys, limits, queries, and the few writes that Autotask takes.

Only what the agent could use is there: of the published operations it has no webhooks, and creates nothing but adjustments.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from adapters.sandbox.autotask.budget import TIMEFRAME_MIN, Budget, Threads
from adapters.sandbox.autotask.errors import (
    NOT_FOUND,
    THREADS,
    ZONE_UNKNOWN,
    Refusal,
    errors,
    invalid,
    message,
    missing_page,
    no_permission,
    page,
    unauthorized,
    unsupported,
)
from adapters.sandbox.autotask.fields import ENTITIES, ENTITY_BY_LOWER, Entity, udf_told
from adapters.sandbox.autotask.query import MAX_RECORDS, Query, any_row, parse, select
from adapters.sandbox.autotask.records import Kind, Records
from adapters.sandbox.autotask.rows import Row, Table, as_date, number
from adapters.sandbox.autotask.shown import by_the_unit, shown
from adapters.sandbox.autotask.units import Units
from adapters.sandbox.autotask.writes import changes, missing
from adapters.sandbox.wire import Request, Response, json_response

INTEGRATION_CODE, USER, SECRET = "SANDBOXCODE", "api@sandbox.example", "sandbox-secret"
MAX_URL = 2048  # characters
_CHILDREN = {
    ("contracts", "services"): ("ContractServices", "contractID"),
    ("contracts", "serviceunits"): ("ContractServiceUnits", "contractID"),
    ("contracts", "servicebundles"): ("ContractServiceBundles", "contractID"),
    ("contracts", "servicebundleunits"): ("ContractServiceBundleUnits", "contractID"),
    ("contracts", "serviceadjustments"): ("ContractServiceAdjustments", "contractID"),
    ("contracts", "servicebundleadjustments"): ("ContractServiceBundleAdjustments", "contractID"),
    ("companies", "contacts"): ("Contacts", "companyID"),
    ("servicebundles", "services"): ("ServiceBundleServices", "serviceBundleID"),
}
_THROUGH_THE_PARENT = {"ContractServices", "ContractServiceBundles", "Contacts", "ServiceBundleServices"}
_FIRST = -1  # before every id


@dataclass(kw_only=True)
class User:
    """`api`: has the licence of an API user; without it only the zone is told."""

    secret: str
    api: bool = True


@dataclass(kw_only=True)
class Tenant:
    """What an administrator of this Autotask can set, and where it lives."""

    zone: str = "zone2"
    wrong_zone_status: int = 401  # or 500
    price_is_extended: bool = True
    users: dict[str, User] = field(default_factory=lambda: {USER: User(secret=SECRET)})
    read_only: set[tuple[str, str]] = field(default_factory=set)
    forbidden: set[tuple[str, str]] = field(default_factory=set)  # entity and query, create or update
    hidden: set[str] = field(default_factory=set)  # entities that seem empty
    hidden_contracts: set[int] = field(default_factory=set)  # by line of business


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """One page of a query. Autotask's own page address holds the same."""

    size: int
    previous: tuple[int, ...] = ()  # where the pages before began
    after: int = _FIRST

    def before(self) -> Cursor | None:
        return replace(self, previous=self.previous[:-1], after=self.previous[-1]) if self.previous else None

    def next(self, last: int) -> Cursor:
        return replace(self, previous=(*self.previous, self.after), after=last)

    def text(self) -> str:
        return json.dumps({"pageSize": self.size, "previousIds": list(self.previous), "nextIds": [self.after]})


class Api:
    def __init__(self, records: Records, units: Units) -> None:
        self._records = records
        self._units = units
        self._tables = records.tables()
        self.tenant = Tenant()
        self.budget = Budget()
        self.threads = Threads()

    def in_flight(self, request: Request) -> AbstractContextManager[None]:
        return self.threads.flying(request, _endpoint(request.path))

    def handle(self, request: Request) -> Response:
        self.threads.delay_s = 0.0
        try:
            return self._answer(request, _segments(request.path))
        except Refusal as refusal:
            return refusal.response

    # Where it goes

    def _answer(self, request: Request, path: list[str]) -> Response:
        if path[:1] == ["atservicesrest"]:
            return self._anywhere(request, path[1:])
        if path[1:2] != ["atservicesrest"]:
            raise missing_page()
        if path[2:] == ["versioninformation"]:
            return json_response({"apiVersions": ["V1.0", "V2.0"]})
        if path[2:3] != ["v1.0"]:
            raise missing_page()  # V2.0 is listed, and is not there
        if path[3:] == ["zoneinformation"]:
            return self._zone(request)
        if path[0] != self.tenant.zone:
            raise Refusal(self._wrong_zone())
        self._admit(request)
        return self._route(request, path[3:])

    def _anywhere(self, request: Request, path: list[str]) -> Response:
        """What the address knows that every integration begins with: no zone, no database."""
        if path == ["versioninformation"]:
            return json_response({"apiVersions": ["V1.0", "V2.0"]})
        if path == ["v1.0", "zoneinformation"]:
            return self._zone(request)
        if path[:1] == ["v1.0"]:
            raise Refusal(self._wrong_zone())
        raise missing_page()

    def _zone(self, request: Request) -> Response:
        if request.method != "GET":
            raise unsupported(request.method)
        name = {key.lower(): value for key, value in request.params.items()}.get("user", "").lower()
        if name not in self.tenant.users:
            raise invalid(ZONE_UNKNOWN)
        zone = self.tenant.zone
        address = f"{request.base_url}/{zone}"
        return json_response({"zoneName": zone, "url": f"{address}/ATServicesRest/", "webUrl": f"{address}/", "ci": 30595})

    def _wrong_zone(self) -> Response:
        if self.tenant.wrong_zone_status == 500:
            return page(500, "500 - Internal server error.")
        return Response(status=401)

    def _admit(self, request: Request) -> None:
        headers = request.headers
        user = self.tenant.users.get(headers.get("username", "").lower())
        if headers.get("apiintegrationcode") != INTEGRATION_CODE or user is None or user.secret != headers.get("secret"):
            raise unauthorized()
        if not user.api:
            raise unauthorized()
        if self.threads.refuses(request):
            raise invalid(THREADS)
        now = self._records.clock.now
        if self.budget.is_spent(now):
            raise Refusal(self.threshold_exceeded(retry_after_s=60))
        self.budget.take(now)
        self.threads.delay_s = self.budget.latency(now)
        self.budget.latency_s += self.threads.delay_s

    def threshold_exceeded(self, retry_after_s: int) -> Response:
        text = f"You have exceeded the threshold of {self.budget.threshold} requests in {TIMEFRAME_MIN} minutes."
        return errors(text, status=429, headers={"retry-after": str(retry_after_s)})

    def _route(self, request: Request, path: list[str]) -> Response:
        match path:
            case ["thresholdinformation"]:
                return self._only_get(request, self._threshold)
            case [name, child, *rest] if (name, child) in _CHILDREN:
                raise missing_page()  # the parent's id is missing
            case [name, id, child, *rest] if (name, child) in _CHILDREN:
                entity, key = _CHILDREN[name, child]
                return self._child(request, ENTITIES[entity], key, _id(id), rest)
            case [name, *rest] if name in ENTITY_BY_LOWER:
                return self._entity(request, ENTITY_BY_LOWER[name], rest)
        raise missing_page()

    def _entity(self, request: Request, entity: Entity, rest: list[str]) -> Response:
        match request.method, rest:
            case (("GET" | "POST"), ["query", *more]) if entity.can_query and more in ([], ["count"], ["next"]):
                return self._query(request, entity, more)
            case "GET", ["entityinformation", *more]:
                return self._told(entity, more)
            case "GET", [id] if entity.can_query:
                return self._item(entity, _id(id))
            case (("PATCH" | "PUT"), []) if entity.can_update and entity.name not in _THROUGH_THE_PARENT:
                return self._change(request, entity)
            case "POST", [] if entity.name.endswith("Adjustments"):
                return self._adjust(request, entity, None)
        raise unsupported(request.method)

    def _child(self, request: Request, entity: Entity, key: str, parent: int, rest: list[str]) -> Response:
        match request.method, rest:
            case "GET", [] | ["next"] if entity.can_query:
                return self._children(request, entity, key, parent, bool(rest))
            case "GET", ["entityinformation", *more]:
                return self._told(entity, more)
            case "GET", [id] if entity.can_query:
                return self._item(entity, _id(id), of=(key, parent))
            case (("PATCH" | "PUT"), []) if entity.can_update:
                return self._change(request, entity, of=(key, parent))
            case "POST", [] if entity.name.endswith("Adjustments"):
                return self._adjust(request, entity, parent)
        raise unsupported(request.method)

    def _only_get(self, request: Request, handler: Callable[[], Response]) -> Response:
        if request.method != "GET":
            raise unsupported(request.method)
        return handler()

    # Reading

    def _threshold(self) -> Response:
        used = self.budget.used(self._records.clock.now)
        known = {"externalRequestThreshold": self.budget.threshold, "requestThresholdTimeframe": TIMEFRAME_MIN}
        return json_response({**known, "currentTimeframeRequestCount": used})

    def _told(self, entity: Entity, more: list[str]) -> Response:
        self._allow(entity, "query")
        match more:
            case []:
                return json_response({"info": self._information(entity)})
            case ["fields"]:
                found = entity.fields.values()
                fixed = self.tenant.read_only
                told = [field.told(read_only=(entity.name, field.name) in fixed) for field in found]
                return json_response({"fields": told})
            case ["userdefinedfields"]:
                return json_response({"fields": [udf_told(name, type) for name, type in entity.udfs.items()]})
        raise missing_page()

    def _information(self, entity: Entity) -> Row:
        may = {"Create": entity.can_create, "Delete": False, "Query": entity.can_query, "Update": entity.can_update}
        can = {f"can{name}": allowed for name, allowed in may.items()}
        access = {f"userAccessFor{name}": "All" if allowed else "None" for name, allowed in may.items()}
        webhooks = entity.name in ("Companies", "Contacts")
        more = {"hasUserDefinedFields": bool(entity.udfs), "supportsWebhookCallouts": webhooks}
        return {"name": entity.singular, **can, **access, **more}

    def _query(self, request: Request, entity: Entity, more: list[str]) -> Response:
        self._allow(entity, "query")
        if len(request.query) > MAX_URL and more != ["next"]:
            raise Refusal(page(414, "Request-URI Too Long"))
        query = parse(entity, _search(request))
        self._units.refresh()
        found = self._found(entity, query)
        if more == ["count"]:
            return json_response({"queryCount": sum(1 for _ in found)})
        cursor = _cursor(request, query.size) if more == ["next"] else Cursor(size=query.size)
        return self._page(request, entity, query, cursor, f"{entity.name}/query/next")

    def _children(self, request: Request, entity: Entity, key: str, parent: int, further: bool) -> Response:
        self._allow(entity, "query")
        self._units.refresh()
        query = Query(only=(key, [parent]))
        cursor = _cursor(request, MAX_RECORDS) if further else Cursor(size=MAX_RECORDS)
        path = "/".join(_segments(request.path, lower=False)[3:6])
        return self._page(request, entity, query, cursor, f"{path}/next")

    def _page(self, request: Request, entity: Entity, query: Query, cursor: Cursor, path: str) -> Response:
        rows = list(islice(self._found(entity, query, after=cursor.after), cursor.size + 1))
        further = len(rows) > cursor.size
        rows = rows[: cursor.size]
        if further and query.include is not None and "id" not in query.include:
            raise invalid("IncludeFields must contain Id when the result has more than one page.")
        address = f"{request.base_url}/{self.tenant.zone}/ATServicesRest/V1.0/{path}"
        after = cursor.next(rows[-1]["id"]) if further else None
        details = {
            "count": len(rows),
            "requestCount": cursor.size,
            "prevPageUrl": _page_url(request, address, cursor.before()),
            "nextPageUrl": _page_url(request, address, after),
        }
        items = [self._shown(entity, row, query.include) for row in rows]
        return json_response({"items": items, "pageDetails": details})

    def _found(self, entity: Entity, query: Query, after: int = _FIRST) -> Iterable[Row]:
        if entity.name in self.tenant.hidden:
            return ()
        rows = select(query, self._candidates(self._tables[entity.name], query, after))
        return filter(self._is_visible(entity), rows) if self.tenant.hidden_contracts else rows

    def _candidates(self, table: Table, query: Query, after: int) -> Iterable[Row]:
        name, values = query.only or ("", [])
        if name == "id":
            return [table.rows[id] for id in values if id in table.rows and id > after]
        if name and table.is_indexed(name):
            rows = [row for value in values for row in table.of(name, value) if row["id"] > after]
            return sorted(rows, key=lambda row: row["id"])
        return table.after(after)

    def _is_visible(self, entity: Entity) -> Callable[[Row], bool]:
        key, hidden = "id" if entity.name == "Contracts" else "contractID", self.tenant.hidden_contracts
        return (lambda row: row.get(key) not in hidden) if key in entity.fields else any_row

    def _item(self, entity: Entity, id: int, of: tuple[str, int] | None = None) -> Response:
        self._allow(entity, "query")
        self._units.refresh()
        row = next(iter(self._found(entity, Query(only=("id", [id])))), None)
        if row is not None and of and row.get(of[0]) != of[1]:
            row = None
        return json_response({"item": None if row is None else self._shown(entity, row)})

    def _shown(self, entity: Entity, row: Row, include: list[str] | None = None) -> Row:
        if not self.tenant.price_is_extended and entity.name.endswith("Units"):
            row = by_the_unit(row)
        return shown(entity, row, include)

    def _allow(self, entity: Entity, doing: str) -> None:
        if (entity.name, doing) in self.tenant.forbidden:
            raise no_permission(doing)

    # Writing

    def _change(self, request: Request, entity: Entity, of: tuple[str, int] | None = None) -> Response:
        self._allow(entity, "update")
        body = _body(request)
        id = {name.lower(): value for name, value in body.items()}.get("id")
        table = self._tables[entity.name]
        row = table.rows.get(_id(str(id)))
        if row is None or (of and row.get(of[0]) != of[1]):
            raise invalid(NOT_FOUND)
        found = changes(entity, body, read_only=self.tenant.read_only)
        if request.method == "PUT":  # what is left out is emptied
            found = {**{name: None for name, field in entity.fields.items() if field.writable}, **found}
        udfs = found.pop("_udfs", {})
        if lacking := missing(entity, {**row, **found}):
            raise invalid(f"The field {lacking[0]} of the {entity.singular} entity is required.")
        self._apply(entity, table, row, found)
        if udfs:
            kept = {**row.get("_udfs", {}), **udfs}
            table.update(row["id"], {"_udfs": {name: value for name, value in kept.items() if value is not None}})
        self._records.touched(table, row["id"])
        return json_response({"itemId": row["id"]})

    def _apply(self, entity: Entity, table: Table, row: Row, found: Row) -> None:
        end = found.pop("endDate", None)
        table.update(row["id"], found)
        if entity.name == "Contracts" and end:
            self._units.end(row, as_date(end))

    def _adjust(self, request: Request, entity: Entity, parent: int | None) -> Response:
        """Units of a service change from a day on; a service that the contract has not yet is added."""
        self._allow(entity, "create")
        kind = self._records.kinds["bundle" if "Bundle" in entity.name else "service"]
        given = changes(entity, _body(request), read_only=set())
        if parent is not None:
            given["contractID"] = parent
        if lacking := missing(entity, {**given, "id": 0}):
            raise invalid(f"The field {lacking[0]} of the {entity.singular} entity is required.")
        self._adjusted(kind, given)
        self._records.adjustments += 1
        return json_response({"itemId": self._records.adjustments - 1})

    def _adjusted(self, kind: Kind, given: Row) -> None:
        on, change = as_date(given["effectiveDate"]), given["unitChange"]
        price = given.get("adjustedUnitPrice")
        sold = self._sold(kind, given)
        if sold is not None:
            self._units.adjust(kind, sold, on, change, price)
            return
        contract = self._records.contracts.rows.get(given.get("contractID", 0))
        product = kind.products.rows.get(given.get(kind.product_key, 0))
        if contract is None or product is None:
            raise invalid(f"Value does not reference an existing entity for {kind.product_key} . ")
        unit_price = product["unitPrice"] if price is None else number(price)
        self._units.sell(kind, contract, product, units=change, price=unit_price, starts=on)

    def _sold(self, kind: Kind, given: Row) -> Row | None:
        if kind.sold_key in given:
            found = kind.sold.rows.get(given[kind.sold_key])
            if found is None:
                raise invalid(f"Value does not reference an existing entity for {kind.sold_key} . ")
            return found
        if given.get("allowRepeatService") or given.get("allowRepeatServiceBundle"):
            return None
        rows = kind.sold.of("contractID", given.get("contractID"))
        return next((row for row in rows if row[kind.product_key] == given.get(kind.product_key)), None)


def _segments(path: str, *, lower: bool = True) -> list[str]:
    return [part.lower() if lower else part for part in path.split("/") if part]


def _endpoint(path: str) -> str:
    """What threads are counted by: the entity, a child's own one for children. None for the zone."""
    segments = _segments(path)[3:]
    if len(segments) > 2 and (segments[0], segments[2]) in _CHILDREN:
        return _CHILDREN[segments[0], segments[2]][0]
    name = segments[0] if segments else ""
    return ENTITY_BY_LOWER[name].name if name in ENTITY_BY_LOWER else ""


def _id(text: str) -> int:
    if not text.lstrip("-").isdigit():
        raise Refusal(message(f"The request is invalid: '{text}' is not an id.", 400))
    return int(text)


def _body(request: Request) -> dict[str, Any]:
    try:
        found = request.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise invalid("The body is missing or is not valid JSON.")
    return found


def _search(request: Request) -> Any:
    """The query: a parameter of a GET, the body of a POST; the page after keeps both verb and query."""
    if request.method == "POST":
        return _body(request)
    text = {name.lower(): value for name, value in request.params.items()}.get("search")
    if text is None:
        raise unsupported("GET")
    try:
        return json.loads(text)
    except ValueError:
        raise invalid("The search parameter is not valid JSON.") from None


def _cursor(request: Request, size: int) -> Cursor:
    try:
        found = json.loads(request.params["paging"])
        return Cursor(size=size, previous=tuple(map(int, found["previousIds"])), after=int(found["nextIds"][0]))
    except (KeyError, ValueError, TypeError, IndexError):
        raise invalid("The paging parameter is missing or is not valid.") from None


def _page_url(request: Request, address: str, cursor: Cursor | None) -> str | None:
    if cursor is None:
        return None
    search = {name: value for name, value in request.params.items() if name.lower() == "search"}
    return f"{address}?{urlencode({'paging': cursor.text(), **search})}"
