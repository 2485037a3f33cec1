"""QuickBooks Online as one partner of the sandbox: tokens, the company's entities, query, CDC, batch."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

from adapters.sandbox.quickbooks import query, refusals
from adapters.sandbox.quickbooks.bookkeeper import Bookkeeper
from adapters.sandbox.quickbooks.company import PACIFIC, Company, Record, stamp
from adapters.sandbox.quickbooks.refusals import Refused
from adapters.sandbox.quickbooks.reports import Reports
from adapters.sandbox.quickbooks.shapes import BY_PATH, SHAPES, Shape
from adapters.sandbox.quickbooks.tokens import Tokens
from adapters.sandbox.wire import Request, Response, Router, plain
from adapters.sandbox.world import World

REALM = "9130350000000001"
COMPANY_NAME = "Northwind Managed IT"
MAX_BATCH = 30
MAX_REQUEST_ID = 50
CDC_DAYS = 30
CDC_MOST = 1000

_ACCOUNTS = (
    # id, name, type, subtype, classification
    ("4", "Undeposited Funds", "Other Current Asset", "UndepositedFunds", "Asset"),
    ("35", "Checking", "Bank", "Checking", "Asset"),
    ("84", "Accounts Receivable (A/R)", "Accounts Receivable", "AccountsReceivable", "Asset"),
    ("90", "Sales income", "Income", "SalesOfProductIncome", "Revenue"),
    ("91", "Sales Tax Payable", "Other Current Liability", "SalesTaxPayable", "Liability"),
    ("92", "Merchant fees", "Expense", "OfficeGeneralAdministrativeExpenses", "Expense"),
    ("93", "Stripe Clearing", "Bank", "CashOnHand", "Asset"),
    ("94", "Disputed Payments", "Other Current Asset", "OtherCurrentAssets", "Asset"),
    ("95", "Stripe Reserve", "Other Current Asset", "OtherCurrentAssets", "Asset"),
    ("96", "Web Shop Clearing", "Other Current Asset", "OtherCurrentAssets", "Asset"),
    ("97", "Retained Earnings", "Equity", "RetainedEarnings", "Equity"),
)
_METHODS = (
    ("Cash", "NON_CREDIT_CARD"),
    ("Check", "NON_CREDIT_CARD"),
    ("Visa", "CREDIT_CARD"),
    ("MasterCard", "CREDIT_CARD"),
    ("Discover", "CREDIT_CARD"),
    ("Credit Card", "CREDIT_CARD"),
    ("ACH", "NON_CREDIT_CARD"),
)


class QuickBooks:
    """One company, connected to one app.

    Knobs of a test: `throttle_per_minute`, `throttle_body` (json, xml, chance), `lapsed` (6190 with HTTP 200),
    `honour_request_ids`, `tokens.rotate_always`, `company.period_closed_code`, `company.warn_duplicate_numbers`.
    """

    name = "quickbooks"

    def __init__(self, world: World) -> None:
        self._world = world
        self.company = Company(lambda: world.now)
        self.reports = Reports(self.company, lambda: world.now.astimezone(PACIFIC).date(), self._time)
        self.tokens = Tokens(lambda: world.now, world.random)
        self.bookkeeper = Bookkeeper(self.company, self.tokens)
        self.actions = self.bookkeeper.actions()
        self.throttle_per_minute: int | None = None
        self.throttle_body = "chance"
        self.honour_request_ids = True
        self.lapsed = False
        self._replies: dict[str, bytes] = {}
        self._recent: deque[datetime] = deque()
        self._served = 0
        self._router = self._routes()
        self._seed()

    def handle(self, request: Request) -> Response:
        self._served += 1
        response = self._answer(request)
        response.headers.setdefault("intuit_tid", f"1-{self._world.seed:08x}-{self._served:024x}")
        return response

    def next_wake(self) -> datetime | None:
        """Nothing happens in the books unless somebody writes."""
        return None

    def wake(self, now: datetime) -> None:
        raise AssertionError(f"QuickBooks is never woken, but was at {now}")

    def state(self) -> dict[str, Any]:
        entities = {name: [self._shown(name, r) for r in records.values()] for name, records in self.company.records.items()}
        gone = [{"kind": kind, "Id": record["Id"], "DocNumber": record.get("DocNumber")} for kind, record in self.company.deleted]
        closed = self.company.closed_through
        return {
            **entities,
            "deleted": gone,
            "closed_through": closed.isoformat() if closed else None,
            "tokens": self.tokens.state(),
        }

    def too_many_requests(self, retry_after_s: int) -> Response:
        """QuickBooks names no time to wait; the body is XML now and then whatever was asked for."""
        del retry_after_s
        kind = self.throttle_body if self.throttle_body != "chance" else self._world.random.choice(["json", "xml"])
        say = refusals.as_xml if kind == "xml" else refusals.as_json
        return say(refusals.throttled(), self._time())

    def server_error(self, status: int) -> Response:
        return refusals.as_json(refusals.server_error(status), self._time())

    def forget_request_ids(self) -> None:
        """What `requestid` remembers is not documented to last."""
        self._replies.clear()

    def _routes(self) -> Router:
        router = Router()
        router.add("GET", "/.well-known/openid_configuration", self._discovery)
        router.add("POST", "/oauth2/v1/tokens/bearer", self.tokens.answer)
        router.add("POST", "/v2/oauth2/tokens/revoke", self.tokens.revoke)
        base = "/v3/company/{realm}"
        router.add("GET", f"{base}/query", self._query_by_get)
        router.add("POST", f"{base}/query", self._query_by_post)
        router.add("GET", f"{base}/cdc", self._cdc)
        router.add("POST", f"{base}/batch", self._batch)
        router.add("GET", f"{base}/preferences", lambda request: self._read(request, entity="Preferences", id="1"))
        router.add("GET", f"{base}/reports/{{report}}", self._report)
        router.add("GET", f"{base}/{{entity}}/{{id}}", self._read)
        router.add("POST", f"{base}/{{entity}}", self._write)
        return router

    def _answer(self, request: Request) -> Response:
        found = self._router.match(request)
        if found is None:
            return Response(status=404, body=b"", headers={"content-type": "text/plain"})
        handler, names = found
        if (realm := names.pop("realm", None)) is None:
            return handler(request)
        return self._guarded(request, realm) or self._spoken(request, handler, names)

    def _guarded(self, request: Request, realm: str) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self.tokens.accepts(token):
            return refusals.unauthenticated(self._world.now)
        if realm != REALM:
            return refusals.unauthorized(self._world.now)
        return self.too_many_requests(60) if self._is_too_fast() else None

    def _is_too_fast(self) -> bool:
        now = self._world.now
        while self._recent and now - self._recent[0] >= timedelta(minutes=1):
            self._recent.popleft()
        if self.throttle_per_minute is not None and len(self._recent) >= self.throttle_per_minute:
            return True
        self._recent.append(now)
        return False

    def _spoken(self, request: Request, handler: Any, names: Mapping[str, str]) -> Response:
        try:
            if self.lapsed:
                raise refusals.lapsed()
            response: Response = handler(request, **names)
            return response
        except Refused as refused:
            return refusals.as_json(refused, self._time())
        except (json.JSONDecodeError, UnicodeDecodeError):
            detail = "Invalid JSON in the body"
            return refusals.as_json(Refused("2010", "Request has invalid or unsupported property", detail), self._time())

    # Handlers.

    def _discovery(self, request: Request) -> Response:
        base = request.base_url
        return self._json(
            {
                "issuer": f"{base}/oauth2/v1/op",
                "authorization_endpoint": f"{base}/connect/oauth2",
                "token_endpoint": f"{base}/oauth2/v1/tokens/bearer",
                "userinfo_endpoint": f"{base}/v1/openid_connect/userinfo",
                "revocation_endpoint": f"{base}/v2/oauth2/tokens/revoke",
                "jwks_uri": f"{base}/op/v1/jwks",
            }
        )

    def _read(self, request: Request, *, entity: str, id: str) -> Response:  # noqa: ARG002
        shape = self._shape(entity)
        return self._json({shape.name: self._shown(shape.name, self.company.get(shape.name, id)), "time": self._time()})

    def _report(self, request: Request, *, report: str) -> Response:
        return self._json(self.reports.report(report, request.params))

    def _write(self, request: Request, *, entity: str) -> Response:
        shape = self._shape(entity)
        request_id = request.params.get("requestid", "")
        if len(request_id) > MAX_REQUEST_ID:
            raise refusals.too_long("requestid", MAX_REQUEST_ID, len(request_id))
        if self.honour_request_ids and request_id in self._replies:
            return _response(self._replies[request_id])
        record = self._written(shape, request.json() or {}, request.params)
        response = self._json({shape.name: self._shown(shape.name, record), "time": self._time()})
        if request_id:
            self._replies[request_id] = response.body
        return response

    def _written(self, shape: Shape, body: Any, params: Mapping[str, str]) -> Record:
        if not isinstance(body, dict):
            raise refusals.missing(shape.name)
        if not shape.writable:
            raise refusals.unsupported(shape.name)
        operation, include = params.get("operation", ""), params.get("include", "")
        is_void = (operation, shape.name) == ("void", "Invoice") or (operation, include, shape.name) == (
            "update",
            "void",
            "Payment",
        )
        if is_void:
            return self.company.void(shape.name, body)
        if operation == "delete":
            return self.company.delete(shape.name, body)
        if operation not in ("", "update"):
            raise refusals.unsupported(f"operation={operation}")
        if body.get("Id"):
            return self.company.update(shape.name, body, include=include)
        return self.company.create(shape.name, body, include=include)

    def _query_by_get(self, request: Request) -> Response:
        return self._json({"QueryResponse": self._queried(request.params.get("query", "")), "time": self._time()})

    def _query_by_post(self, request: Request) -> Response:
        text = request.body.decode()
        if "urlencoded" in request.headers.get("content-type", ""):
            text = unquote_plus(text.removeprefix("query="))
        return self._json({"QueryResponse": self._queried(text), "time": self._time()})

    def _queried(self, text: str) -> dict[str, Any]:
        parsed = query.parse(text)
        found = query.run(parsed, self._candidates(parsed))
        if parsed.count:
            return {"totalCount": len(found)}
        rows = query.page(parsed, [self._shown(parsed.shape.name, record) for record in found])
        if not rows:
            return {}
        return {parsed.shape.name: rows, "startPosition": parsed.start, "maxResults": len(rows)}

    def _candidates(self, parsed: query.Query) -> list[Record]:
        """Fewer records to look at, where an index knows them."""
        kind = parsed.shape.name
        for condition in parsed.conditions:
            if condition.operator not in ("=", "IN"):
                continue
            if condition.field == "Id":
                records = self.company.records[kind]
                return [records[id] for id in dict.fromkeys(condition.values) if id in records]
            if condition.field in ("DocNumber", "PaymentRefNum", "CustomerRef", "DisplayName"):
                return self.company.found_by(kind, condition.field, condition.values)
        return list(self.company.records[kind].values())

    def _cdc(self, request: Request) -> Response:
        since = self._changed_since(request.params.get("changedSince", ""))
        groups: list[dict[str, Any]] = []
        for name in request.params.get("entities", "").split(","):
            shape = self._shape(name.strip())
            changed = self.company.changed_since(shape.name, since)[:CDC_MOST]
            shown = [record if record.get("status") == "Deleted" else self._shown(shape.name, record) for record in changed]
            groups.append({shape.name: shown, "startPosition": 1, "maxResults": len(shown)} if shown else {})
        return self._json({"CDCResponse": [{"QueryResponse": groups}], "time": self._time()})

    def _changed_since(self, text: str) -> datetime:
        try:
            moment = datetime.fromisoformat(text.replace(" ", "+"))
        except ValueError:
            raise Refused("2030", "Invalid Date", f"Invalid date : changedSince {text}") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=PACIFIC)
        if self._world.now - moment > timedelta(days=CDC_DAYS):
            raise Refused("2090", "Invalid Date", f"changedSince must be within the last {CDC_DAYS} days")
        return moment

    def _batch(self, request: Request) -> Response:
        items = (request.json() or {}).get("BatchItemRequest") or []
        if len(items) > MAX_BATCH:
            raise Refused("1040", "Batch size limit exceeded", f"At most {MAX_BATCH} operations, {len(items)} were sent")
        return self._json({"BatchItemResponse": [self._batched(item) for item in items], "time": self._time()})

    def _batched(self, item: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {"bId": item.get("bId")}
        try:
            if "Query" in item:
                return answer | {"QueryResponse": self._queried(item["Query"])}
            name = next((name for name in item if name in SHAPES), "")
            operation = "delete" if item.get("operation") == "delete" else ""
            params = {"operation": operation, "include": item.get("optionsData", "")}
            if item.get("optionsData") == "void":
                params["operation"] = "update" if name == "Payment" else "void"
            record = self._written(self._shape(name), item[name] if name else {}, params)
            return answer | {name: self._shown(name, record)}
        except Refused as refused:
            return answer | {"Fault": refused.fault()}

    # Bodies.

    def _shape(self, name: str) -> Shape:
        shape = BY_PATH.get(name.lower())
        if shape is None:
            raise refusals.unsupported(name)
        return shape

    def _shown(self, kind: str, record: Record) -> Record:
        if kind == "Account" and record["Classification"] == "Asset":
            balance = self.company.account_balance(record["Id"])
            return record | {"CurrentBalance": balance, "CurrentBalanceWithSubAccounts": balance}
        if kind == "Preferences" and self.company.closed_through:
            prefs = {**record["AccountingInfoPrefs"], "BookCloseDate": self.company.closed_through.isoformat()}
            return record | {"AccountingInfoPrefs": prefs}
        return dict(record)

    def _json(self, content: object) -> Response:
        return _response(json.dumps(content, default=plain).encode())

    def _time(self) -> str:
        return self._world.now.astimezone(PACIFIC).isoformat(timespec="milliseconds")

    def _seed(self) -> None:
        records = self.company.records
        now = stamp(self._world.now)
        common = {"domain": "QBO", "sparse": False, "SyncToken": "0", "MetaData": {"CreateTime": now, "LastUpdatedTime": now}}
        for row in _ACCOUNTS:
            records["Account"][row[0]] = _account(*row) | common
        for number, (name, type) in enumerate(_METHODS, 1):
            records["PaymentMethod"][str(number)] = {"Name": name, "Active": True, "Type": type, **common, "Id": str(number)}
        about = {"CompanyName": COMPANY_NAME, "LegalName": COMPANY_NAME, "Country": "US", "FiscalYearStartMonth": "January"}
        prefs = {"UseAccountNumbers": False, "FirstMonthOfFiscalYear": "January", "CustomerTerminology": "Customers"}
        records["Preferences"]["1"] = {"AccountingInfoPrefs": prefs, **common, "Id": "1"}
        records["CompanyInfo"][REALM] = {**about, "DefaultTimeZone": "America/New_York", **common, "Id": "1"}


def _account(id: str, name: str, type: str, subtype: str, classification: str) -> Record:
    return {
        "Id": id,
        "Name": name,
        "SubAccount": False,
        "FullyQualifiedName": name,
        "Active": True,
        "Classification": classification,
        "AccountType": type,
        "AccountSubType": subtype,
        "CurrentBalance": Decimal(0),
        "CurrentBalanceWithSubAccounts": Decimal(0),
        "CurrencyRef": {"value": "USD", "name": "United States Dollar"},
    }


def _response(body: bytes) -> Response:
    return Response(status=200, body=body, headers={"content-type": "application/json;charset=UTF-8"})
