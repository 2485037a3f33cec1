"""The REST interface: zones, keys, limits, queries, and the few writes that Autotask takes.

Only what the agent could use is there: of the published operations it has no webhooks, and creates nothing but adjustments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from itertools import islice

from adapters.sandbox.autotask.adjusting import Adjustments
from adapters.sandbox.autotask.budget import TIMEFRAME_MIN
from adapters.sandbox.autotask.errors import NOT_FOUND, Refusal, invalid, message, missing_page, no_permission, page, unsupported
from adapters.sandbox.autotask.fields import ENTITIES, ENTITY_BY_LOWER, Entity, udf_told
from adapters.sandbox.autotask.gate import Gate
from adapters.sandbox.autotask.paging import Cursor, body_of, cursor_of, page_url, search_of
from adapters.sandbox.autotask.query import MAX_RECORDS, Query, any_row, parse, select
from adapters.sandbox.autotask.records import Records
from adapters.sandbox.autotask.rows import Row, Table, as_date
from adapters.sandbox.autotask.shown import by_the_unit, shown
from adapters.sandbox.autotask.units import Units
from adapters.sandbox.autotask.writes import changes, missing
from adapters.sandbox.wire import Request, Response, json_response

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


class Api:
    def __init__(self, records: Records, units: Units) -> None:
        self._records = records
        self._units = units
        self._tables = records.tables()
        self._adjustments = Adjustments(records, units)
        self.gate = Gate(records.clock)
        self.tenant = self.gate.tenant

    def in_flight(self, request: Request) -> AbstractContextManager[None]:
        return self.gate.threads.flying(request, _endpoint(request.path))

    def handle(self, request: Request) -> Response:
        try:
            inside = self.gate.passes(request, _segments(request.path))
            return inside if isinstance(inside, Response) else self._route(request, inside)
        except Refusal as refusal:
            return refusal.response

    # Where it goes

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
                return self._adjust(request, entity)
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
        budget = self.gate.budget
        used = budget.used(self._records.clock.now)
        known = {"externalRequestThreshold": budget.threshold, "requestThresholdTimeframe": TIMEFRAME_MIN}
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
        query = parse(entity, search_of(request))
        self._units.refresh()
        found = self._found(entity, query)
        if more == ["count"]:
            return json_response({"queryCount": sum(1 for _ in found)})
        cursor = cursor_of(request) if more == ["next"] else Cursor(size=query.size)
        return self._page(request, entity, query, cursor, f"{entity.name}/query/next")

    def _children(self, request: Request, entity: Entity, key: str, parent: int, further: bool) -> Response:
        self._allow(entity, "query")
        self._units.refresh()
        query = Query(only=(key, [parent]))
        cursor = cursor_of(request) if further else Cursor(size=MAX_RECORDS)
        path = "/".join(_segments(request.path, lower=False)[3:6])
        return self._page(request, entity, query, cursor, f"{path}/next")

    def _page(self, request: Request, entity: Entity, query: Query, cursor: Cursor, path: str) -> Response:
        rows = list(islice(self._found(entity, query, after=cursor.after), cursor.size + 1))
        further = len(rows) > cursor.size
        rows = rows[: cursor.size]
        if further and query.include is not None and "id" not in query.include:
            raise invalid("IncludeFields must contain Id when the result has more than one page.")
        address = f"{self.gate.address(request)}/ATServicesRest/V1.0/{path}"
        after = cursor.next(rows[-1]["id"]) if further else None
        details = {
            "count": len(rows),
            "requestCount": cursor.size,
            "prevPageUrl": page_url(request, address, cursor.before()),
            "nextPageUrl": page_url(request, address, after),
        }
        items = [self._shown(entity, row, query.include) for row in rows]
        return json_response({"items": items, "pageDetails": details})

    def _found(self, entity: Entity, query: Query, after: int = -1) -> Iterable[Row]:
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
        body = body_of(request)
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

    def _adjust(self, request: Request, entity: Entity, parent: int | None = None) -> Response:
        self._allow(entity, "create")
        return json_response({"itemId": self._adjustments.create(entity, body_of(request), parent)})

    def _apply(self, entity: Entity, table: Table, row: Row, found: Row) -> None:
        end = found.pop("endDate", None)
        table.update(row["id"], found)
        if entity.name == "Contracts" and end:
            self._units.end(row, as_date(end))


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
