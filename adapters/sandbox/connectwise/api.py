"""The REST interface: keys, permissions, routes."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from adapters.sandbox.connectwise import fields
from adapters.sandbox.connectwise.billing import Billing
from adapters.sandbox.connectwise.errors import Refusal, bad_request, invalid, not_found
from adapters.sandbox.connectwise.listing import page, partial, select
from adapters.sandbox.connectwise.patches import changes
from adapters.sandbox.connectwise.payments import Payments
from adapters.sandbox.connectwise.records import API_MEMBER, Records, priced
from adapters.sandbox.connectwise.tables import BASE, Row, Table
from adapters.sandbox.wire import Request, Response, Router, json_response, plain

COMPANY, PUBLIC_KEY, PRIVATE_KEY = "sandbox", "sandbox-public", "sandbox-private"
ROOT = "/v4_6_release/apis/3.0"
API_VERSION = "2026.4"
MAX_QUERY_LENGTH = 10_000  # characters; longer conditions go to POST .../search, which finance does not have
_REQUIRED = {
    "companies": frozenset({"identifier", "name"}),
    "agreements": frozenset({"name", "type", "company", "contact"}),
    "additions": frozenset({"product", "billCustomer"}),
    "contacts": frozenset({"firstName"}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of record as the interface shows it. `area` is what a security role allows or not."""

    label: str
    area: str
    fields: frozenset[str]
    rows: Callable[[], dict[int, Row]]


class Api:
    def __init__(self, records: Records, billing: Billing, payments: Payments) -> None:
        self._records = records
        self._billing = billing
        self._payments = payments
        self.forbidden: set[str] = set()  # areas, or `area.write`
        self.hidden: set[str] = set()  # areas whose lists are empty to us, without an error
        self._answered = 0
        self._router = Router()
        self._add_routes()

    def handle(self, request: Request) -> Response:
        self._answered += 1
        try:
            response = self._answer(request)
        except Refusal as refusal:
            response = refusal.response()
        response.body = response.body.replace(BASE.encode(), (request.base_url + ROOT).encode())
        response.headers |= {
            "api-current-version": API_VERSION,
            "x-cw-request-id": f"00000000-0000-4000-8000-{self._answered:012x}",
        }
        return response

    def _answer(self, request: Request) -> Response:
        if request.path.startswith("/login/companyinfo/"):
            return _company_info(request.path.rpartition("/")[2])
        _authenticate(request)
        if len(request.query) > MAX_QUERY_LENGTH:
            raise Refusal(414, "RequestUriTooLong", "The request URI is too long.")
        inside = Request(**{**vars_of(request), "path": request.path.removeprefix(ROOT)})
        found = self._router.match(inside) if request.path.startswith(ROOT) else None
        if found is None:
            raise self._unrouted(inside)
        handler, names = found
        ids = {name: _id(value) for name, value in names.items()}
        return handler(request, **ids)

    def _unrouted(self, request: Request) -> Refusal:
        if self._router.knows_path(request.path):
            return Refusal(405, "MethodNotAllowed", f"The requested resource does not support http method '{request.method}'.")
        return Refusal(404, "NotFound", "The resource you requested was not found.")

    # Routes

    def _add_routes(self) -> None:
        records = self._records
        self._router.add("GET", "/system/info", self._system_info)
        self._add_kind("/company/companies", self._kind(records.companies, "companies", fields.COMPANY), patch=True)
        self._add_kind("/company/contacts", self._kind(records.contacts, "contacts", fields.CONTACT), patch=True)
        self._add_kind("/finance/agreements/types", self._kind(records.types, "setup", fields.AGREEMENT_TYPE))
        self._add_kind("/finance/agreements", self._agreements(), patch=True)
        self._add_kind("/finance/agreementrecap", self._recaps())
        self._add_kind("/finance/invoices", self._kind(records.invoices, "invoices", fields.INVOICE))
        for table, names in self._setup_tables():
            self._add_kind(table.path, self._kind(table, "setup", names))
        self._add_kind("/system/callbacks", self._kind(records.callbacks, "callbacks", fields.CALLBACK))
        self._router.add("POST", "/system/callbacks", self._add_callback)
        self._router.add("DELETE", "/system/callbacks/{id}", self._delete_callback)
        self._add_addition_routes("/finance/agreements/{parent}/additions")
        self._add_payment_routes("/finance/invoices/{parent}/payments")

    def _setup_tables(self) -> list[tuple[Table, frozenset[str]]]:
        records = self._records
        return [
            (records.cycles, fields.BILLING_CYCLE),
            (records.terms, fields.BILLING_TERM),
            (records.statuses, fields.BILLING_STATUS),
            (records.tax_codes, fields.TAX_CODE),
            (records.currencies, fields.CURRENCY),
            (records.fields, fields.USER_DEFINED_FIELD),
        ]

    def _kind(self, table: Table, area: str, names: frozenset[str]) -> Kind:
        return Kind(label=table.label, area=area, fields=names, rows=lambda: table.rows)

    def _agreements(self) -> Kind:
        def rows() -> dict[int, Row]:
            self._billing.refresh()
            return self._records.agreements.rows

        return Kind(label="Agreement", area="agreements", fields=fields.AGREEMENT, rows=rows)

    def _recaps(self) -> Kind:
        def rows() -> dict[int, Row]:
            self._billing.refresh()
            return self._billing.recaps

        return Kind(label="AgreementRecap", area="agreements", fields=fields.RECAP, rows=rows)

    def _add_kind(self, path: str, kind: Kind, *, patch: bool = False) -> None:
        def listed(request: Request) -> Response:
            return self._list(request, kind, self._visible(kind))

        def counted(request: Request) -> Response:
            self._allow(kind.area)
            return json_response({"count": len(select(request, self._visible(kind), kind.fields))})

        def read(request: Request, id: int) -> Response:
            self._allow(kind.area)
            return _one(request, _found(kind.rows(), kind.label, id))

        def patched(request: Request, id: int) -> Response:
            return self._patch(request, kind, id)

        self._router.add("GET", path, listed)
        self._router.add("GET", f"{path}/count", counted)
        self._router.add("GET", f"{path}/{{id}}", read)
        if patch:
            self._router.add("PATCH", f"{path}/{{id}}", patched)

    def _visible(self, kind: Kind) -> Iterable[Row]:
        return () if kind.area in self.hidden else kind.rows().values()

    def _allow(self, *areas: str) -> None:
        for area in areas:
            if area in self.forbidden:
                raise Refusal(403, "Forbidden", f"Your security role does not allow this: {area}")

    def _list(self, request: Request, kind: Kind, rows: Iterable[Row]) -> Response:
        self._allow(kind.area)
        found = page(request, rows, kind.fields)
        shown = [partial(row, wanted) for row in found.rows] if (wanted := request.params.get("fields")) else found.rows
        return _json(shown, headers={"link": found.link} if found.link else {})

    # Writes

    def _patch(self, request: Request, kind: Kind, id: int) -> Response:
        self._allow(kind.area, f"{kind.area}.write")
        row = _found(kind.rows(), kind.label, id)
        required = _REQUIRED.get(kind.area, frozenset())
        found = changes(_body(request), resource=kind.label.lower(), row=row, fields=kind.fields, required=required)
        table = {"companies": self._records.companies, "contacts": self._records.contacts}.get(
            kind.area, self._records.agreements
        )
        table.update(id, found, by=API_MEMBER)
        if table is self._records.agreements:
            self._billing.changed(id)
        return _one(request, row)

    def _add_callback(self, request: Request) -> Response:
        self._allow("callbacks", "callbacks.write")
        body = _body(request)
        for name in ("url", "objectId", "type", "level"):
            if not isinstance(body, dict) or body.get(name) in (None, ""):
                raise invalid("callback", name, "MissingRequired", f"{name} is required")
        given = {name: value for name, value in body.items() if name in fields.CALLBACK and name not in ("id", "_info")}
        return _json(self._records.callbacks.insert({"inactiveFlag": False, **given}, by=API_MEMBER), status=201)

    def _delete_callback(self, _request: Request, id: int) -> Response:
        self._allow("callbacks", "callbacks.write")
        _found(self._records.callbacks.rows, "Callback", id)
        self._records.callbacks.delete(id)
        return Response(status=204)

    # Additions

    def _add_addition_routes(self, path: str) -> None:
        self._router.add("GET", path, self._list_additions)
        self._router.add("GET", f"{path}/count", self._count_additions)
        self._router.add("GET", f"{path}/{{id}}", self._read_addition)
        self._router.add("PATCH", f"{path}/{{id}}", self._patch_addition)

    def _additions(self, parent: int) -> Kind:
        _found(self._records.agreements.rows, "Agreement", parent)
        return Kind(label="Addition", area="agreements", fields=fields.ADDITION, rows=lambda: self._records.additions.of(parent))

    def _list_additions(self, request: Request, parent: int) -> Response:
        self._allow("agreements")
        kind = self._additions(parent)
        return self._list(request, kind, self._visible(kind))

    def _count_additions(self, request: Request, parent: int) -> Response:
        self._allow("agreements")
        kind = self._additions(parent)
        return json_response({"count": len(select(request, self._visible(kind), kind.fields))})

    def _read_addition(self, request: Request, parent: int, id: int) -> Response:
        self._allow("agreements")
        return _one(request, _found(self._additions(parent).rows(), "Addition", id))

    def _patch_addition(self, request: Request, parent: int, id: int) -> Response:
        self._allow("agreements", "agreements.write")
        row = _found(self._additions(parent).rows(), "Addition", id)
        required = _REQUIRED["additions"]
        found = changes(_body(request), resource="addition", row=row, fields=fields.ADDITION, required=required)
        self._records.additions.update(id, priced({**row, **found}), by=API_MEMBER)
        self._billing.changed(parent)
        return _one(request, row)

    # Payments

    def _add_payment_routes(self, path: str) -> None:
        self._router.add("GET", path, self._list_payments)
        self._router.add("POST", path, self._post_payment)
        self._router.add("GET", f"{path}/{{id}}", self._read_payment)
        self._router.add("PUT", f"{path}/{{id}}", self._put_payment)
        self._router.add("PATCH", f"{path}/{{id}}", self._patch_payment)
        self._router.add("DELETE", f"{path}/{{id}}", self._delete_payment)

    def _invoice(self, id: int, *, write: bool = False) -> Row:
        self._allow("invoices", "payments", *(["payments.write"] if write else []))
        return _found(self._records.invoices.rows, "Invoice", id)

    def _list_payments(self, request: Request, parent: int) -> Response:
        invoice = self._invoice(parent)
        rows = [self._payments.shown(invoice, row) for row in self._records.payments.of(parent).values()]
        kind = Kind(label="Payment", area="payments", fields=fields.PAYMENT, rows=dict)
        return self._list(request, kind, rows)

    def _read_payment(self, request: Request, parent: int, id: int) -> Response:
        invoice = self._invoice(parent)
        return _one(request, self._payments.shown(invoice, self._payments.find(invoice, id)))

    def _post_payment(self, request: Request, parent: int) -> Response:
        invoice = self._invoice(parent, write=True)
        payment = self._payments.add(invoice, _body(request), by=API_MEMBER)
        return _json(self._payments.shown(invoice, payment), status=201)

    def _put_payment(self, request: Request, parent: int, id: int) -> Response:
        return self._change_payment(request, parent, id, _body(request), whole=True)

    def _patch_payment(self, request: Request, parent: int, id: int) -> Response:
        invoice = self._invoice(parent, write=True)
        row = self._payments.find(invoice, id)
        found = changes(_body(request), resource="payment", row=row, fields=fields.PAYMENT, required=frozenset({"amount"}))
        return self._change_payment(request, parent, id, found, whole=False)

    def _change_payment(self, request: Request, parent: int, id: int, body: Any, *, whole: bool) -> Response:
        invoice = self._invoice(parent, write=True)
        payment = self._payments.change(invoice, self._payments.find(invoice, id), body, by=API_MEMBER, whole=whole)
        return _one(request, self._payments.shown(invoice, payment))

    def _delete_payment(self, _request: Request, parent: int, id: int) -> Response:
        invoice = self._invoice(parent, write=True)
        self._payments.remove(invoice, self._payments.find(invoice, id))
        return Response(status=204)

    def _system_info(self, _request: Request) -> Response:
        if "system" in self.forbidden:
            raise Refusal(401, "UserNotAuthenticated", "The user is not authenticated for this resource.")
        content = {
            "version": "v2026.4.31415",
            "isCloud": True,
            "serverTimeZone": "Eastern Standard Time",
            "licenseBits": [{"name": "Finance", "activeFlag": True}],
            "cloudRegion": "NA",
        }
        return json_response(content)


def too_many_requests(retry_after_s: int) -> Response:
    message = f"Too many requests. Please try again in {retry_after_s} seconds."
    body = {"error": "ConnectWiseAPI", "message": message}
    return json_response(body, status=429, headers={"retry-after": str(retry_after_s)})


def server_error(status: int) -> Response:
    return Refusal(status, "InternalServerError", "An unexpected error has occurred.\r\n").response()


def vars_of(request: Request) -> dict[str, Any]:
    names = ("method", "path", "query", "headers", "body", "base_url")
    return {name: getattr(request, name) for name in names}


def _company_info(company: str) -> Response:
    if company.lower() != COMPANY:
        return json_response(None)
    return json_response(
        {
            "CompanyName": "Sandbox MSP",
            "Codebase": "v4_6_release/",
            "VersionCode": "v2026.4",
            "VersionNumber": "v4.6.31415",
            "CompanyID": COMPANY,
            "IsCloud": "True",
        }
    )


def _authenticate(request: Request) -> None:
    """The cloud says 404 for wrong keys."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(token, validate=True).decode() if scheme.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        given = ""
    if given != f"{COMPANY}+{PUBLIC_KEY}:{PRIVATE_KEY}":
        raise Refusal(404, "NotFound", "The resource you requested was not found.")
    if not request.headers.get("clientid", "").strip():
        raise Refusal(401, "Unauthorized", "A valid clientId header is required to access this API.")


def _id(text: str) -> int:
    if not text.isdigit():
        raise Refusal(404, "NotFound", "The resource you requested was not found.")
    return int(text)


def _found(rows: dict[int, Row], label: str, id: int) -> Row:
    if id not in rows:
        raise not_found(label, id)
    return rows[id]


def _body(request: Request) -> Any:
    try:
        return request.json()
    except ValueError as error:
        raise bad_request("The body is not JSON") from error


def _one(request: Request, row: Row) -> Response:
    wanted = request.params.get("fields")
    return _json(partial(row, wanted) if wanted else row)


def _json(content: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(content, default=plain).encode()
    kind = f"application/vnd.connectwise.com+json; version={API_VERSION}; charset=utf-8"
    return Response(status=status, body=body, headers={"content-type": kind, **(headers or {})})
