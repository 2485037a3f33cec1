"""The people of the simulated company, working in Autotask's screens and copying its invoices into QuickBooks.

Every action is what a person would click. Dates may be text, amounts text or numbers; a company or a contract is named
by its id or its name, an invoice by its id or, as text, by its number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from adapters.sandbox.autotask import Autotask
from adapters.sandbox.autotask.entry import add_bundle, add_company, add_contract, add_service
from adapters.sandbox.autotask.periods import YEARLY, span
from adapters.sandbox.autotask.records import Kind, Records
from adapters.sandbox.autotask.rows import Row, Table, as_date, day_text, number
from adapters.sandbox.wire import Request, Response, json_response
from adapters.sandbox.world import World

EXPORT_HOUR, INVOICING_HOUR = 2, 8  # local time
_ACTIONS = """
    add_bundle add_charge add_company add_contract add_service adjust approve_and_post clear_paid create_invoices
    end_contract export merge_companies renew_contract sell set_automatic set_field set_paid set_status set_udf void_invoice
    write_off_items
""".split()
_COPIED = ("id", "startDate", "endDate", "renewedContractID", "status")
Key = int | str
Amount = Decimal | str | float


class AutotaskOffice:
    """While `automatic`, what falls due is posted and invoiced each morning (`days_ahead` of it), and exported at night.

    A payer's contracts with the same `Invoice Group` share an invoice, as do those named together; every other contract
    has its own. Work without a contract goes on the payer's next invoice.
    """

    def __init__(self, world: World, *, name: str = "office", time_zone: str = "America/New_York") -> None:
        self.name = name
        self._world = world
        self._zone = ZoneInfo(time_zone)
        self._done = world.now
        self._exported: dict[int, str] = {}  # invoice -> its number in QuickBooks
        self._customers: set[str] = set()
        self.automatic = True
        self.days_ahead = 0
        self.actions: dict[str, Callable[..., Any]] = {action: getattr(self, action) for action in _ACTIONS}

    # Their working day

    def next_wake(self) -> datetime | None:
        if not self.automatic:
            return None
        today = self._done.astimezone(self._zone).date()
        days = (today, today + timedelta(days=1))
        moments = (self._local(day, hour) for day in days for hour in (EXPORT_HOUR, INVOICING_HOUR))
        return min(moment for moment in moments if moment > self._done)

    def wake(self, now: datetime) -> None:
        self._done = now
        if now.astimezone(self._zone).hour < INVOICING_HOUR:
            self.export()
        else:
            self.create_invoices(self.today() + timedelta(days=self.days_ahead))

    def set_automatic(self, on: bool, days_ahead: int | None = None) -> None:
        """What fell due while they were away is not made up for hour by hour: the next morning covers it."""
        self.automatic = on
        self._done = self._world.now
        self.days_ahead = self.days_ahead if days_ahead is None else days_ahead

    def today(self) -> date:
        return self._world.now.astimezone(self._zone).date()

    def _local(self, day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour), self._zone).astimezone(self._world.now.tzinfo)

    # Posting and invoices

    def approve_and_post(self, through: date | str, contracts: Collection[Key] | None = None) -> list[int]:
        """Units of periods that begin on or before `through` become billing items. Their ids."""
        ids = None if contracts is None else {self._contract(key)["id"] for key in contracts}
        return [item["id"] for item in self.psa.posting.approve_and_post(as_date(through), ids)]

    def create_invoices(
        self,
        through: date | str,
        dated: date | str | None = None,
        due_days: int | None = None,
        contracts: Collection[Key] | None = None,
        together: bool = False,
        numbered: bool = True,
    ) -> list[Row]:
        """Approve & Post, then invoices of all open items, undated each by its first item's date.

        `together`: one invoice for each payer, whatever the groups say. `numbered=False`: without invoice numbers.
        """
        self.approve_and_post(through, contracts)
        ids = None if contracts is None else {self._contract(key)["id"] for key in contracts}
        items = [item for item in self.psa.posting.open_items() if ids is None or item.get("contractID") in ids]
        made: list[Row] = []
        for group in self._groups(items, together=together):
            day = as_date(dated) if dated else min(as_date(item["itemDate"]) for item in group)
            made.append(_brief(self.psa.posting.invoice(group, dated=day, due_days=due_days, numbered=numbered), group))
        return made

    def add_charge(
        self,
        company: Key,
        amount: Amount,
        name: str = "Project work",
        contract: Key | None = None,
        dated: date | str | None = None,
        taxed: bool = True,
    ) -> int:
        """A one-off that waits for the next invoice; below zero it is a credit. The billing item's id."""
        day = as_date(dated) if dated else self.today()
        row = self._contract(contract) if contract is not None else None
        payer = self._company(company)
        return int(self.psa.posting.charge(payer, name, number(amount), dated=day, contract=row, taxed=taxed)["id"])

    def void_invoice(self, invoice: Key) -> None:
        """Its items wait for an invoice again; where they were approved and posted, they stay so."""
        self.psa.posting.void(self._invoice(invoice), dated=self.today())

    def write_off_items(self, contract: Key) -> None:
        """What of a contract waits for an invoice will have none: somebody decided not to bill it."""
        self.psa.posting.drop(self._contract(contract)["id"])

    def set_paid(self, invoice: Key, dated: date | str | None = None) -> None:
        """Somebody enters the paid date by hand."""
        self._records.invoices.update(self._invoice(invoice)["id"], {"paidDate": day_text(as_date(dated or self.today()))})

    def clear_paid(self, invoice: Key) -> None:
        self._records.invoices.update(self._invoice(invoice)["id"], {"paidDate": None})

    # Contracts

    def add_company(self, name: str, email: str = "", **fields: Any) -> int:
        """Fields as `autotask.entry.add_company` takes them; `udfs` by name."""
        return int(add_company(self._records, name, email=email, **fields)["id"])

    def merge_companies(self, keep: Key, gone: Key) -> None:
        """Contracts, contacts and invoices of one company become the other's; its own id vanishes (not verified)."""
        kept, old = self._company(keep)["id"], self._company(gone)["id"]
        for table in (self._records.contracts, self._records.invoices, self._records.contacts):
            for row in list(table.rows.values()):
                moved = {name: kept for name in ("companyID", "billToCompanyID") if row.get(name) == old}
                if moved:
                    table.update(row["id"], moved)
        self._records.companies.delete(old)

    def add_service(self, name: str, price: Amount, cost: Amount = 0, **fields: Any) -> int:
        """`period_type`: 2 monthly, 3 quarterly, 4 semi-annual, 5 yearly. `taxed`: yes unless said otherwise."""
        return int(add_service(self._records, name, number(price), cost=number(cost), **fields)["id"])

    def add_bundle(self, name: str, price: Amount, services: Collection[Key], **fields: Any) -> int:
        rows = [_by_key(self._records.services, "name", key) for key in services]
        return int(add_bundle(self._records, name, number(price), rows, **fields)["id"])

    def add_contract(
        self,
        company: Key,
        name: str,
        starts: date | str,
        ends: date | str | None = None,
        bill_to: Key | None = None,
        **fields: Any,
    ) -> int:
        """A recurring service contract of a year, unless `ends` (its last day) says otherwise."""
        first = as_date(starts)
        last = as_date(ends) if ends else _year_later(first)
        payer = self._company(bill_to) if bill_to is not None else None
        row = add_contract(self._records, self._company(company), name, starts=first, ends=last, bill_to=payer, **fields)
        return int(row["id"])

    def sell(
        self,
        contract: Key,
        product: Key,
        units: int = 1,
        price: Amount | None = None,
        starts: date | str | None = None,
        bundle: bool = False,
        invoice_description: str = "",
    ) -> int:
        """A service (or a bundle) goes on a contract from a day on. The id of what hangs on the contract then."""
        kind = self._kind(bundle)
        row, of = self._contract(contract), _by_key(kind.products, "name", product)
        each = of["unitPrice"] if price is None else number(price)
        first = as_date(starts) if starts else as_date(row["startDate"])
        sold = self.psa.units.sell(kind, row, of, units=units, price=each, starts=first)
        if invoice_description:
            sold["invoiceDescription"] = invoice_description
        return int(sold["id"])

    def adjust(
        self, sold: int, units: int = 0, price: Amount | None = None, on: date | str | None = None, bundle: bool = False
    ) -> None:
        """So many units more (or fewer) and perhaps another unit price, from a day on."""
        kind = self._kind(bundle)
        day = as_date(on) if on else self.today()
        self.psa.units.adjust(kind, kind.sold.rows[sold], day, units, None if price is None else number(price))

    def end_contract(self, contract: Key, on: date | str) -> None:
        """`on` is its last day, earlier or later than it was."""
        self.psa.units.end(self._contract(contract), as_date(on))

    def renew_contract(self, contract: Key, starts: date | str, ends: date | str | None = None, points_back: bool = True) -> int:
        """A copy goes on where the old one ends. Its `renewedContractID` is the old one's id (not verified), or the other
        way round with `points_back=False`. The new id."""
        old, first = self._contract(contract), as_date(starts)
        last = as_date(ends) if ends else _year_later(first)
        self.end_contract(old["id"], first - timedelta(days=1))
        fresh = {name: value for name, value in old.items() if name not in _COPIED}
        dates = {"startDate": day_text(first), "endDate": day_text(last), "status": 1}
        new = self._records.contracts.insert({**fresh, **dates, "_udfs": dict(old["_udfs"])})
        later, earlier = (new, old) if points_back else (old, new)
        self._records.contracts.update(later["id"], {"renewedContractID": earlier["id"]})
        for kind in self._records.kinds.values():
            self._copy_sold(kind, old, new, first)
        return int(new["id"])

    def set_status(self, contract: Key, active: bool) -> None:
        """An inactive contract posts nothing; its units stay as they are."""
        self._records.contracts.update(self._contract(contract)["id"], {"status": int(active)})

    def set_udf(self, entity: str, key: Key, name: str, value: str | None) -> None:
        """`entity`: `Companies` or `Contracts`. None empties it."""
        row = self._company(key) if entity == "Companies" else self._contract(key)
        kept = {other: text for other, text in row["_udfs"].items() if other != name}
        self._records.tables()[entity].update(row["id"], {"_udfs": kept if value is None else {**kept, name: value}})
        self._records.touched(self._records.tables()[entity], row["id"])

    def set_field(self, entity: str, id: int, field: str, value: Any) -> None:
        """Any field of any row, as it stands in the interface; None empties it."""
        table = self._records.tables()[entity]
        table.update(id, {field: value})
        self._records.touched(table, id)

    # The night's export

    def export(self) -> None:
        """New invoices go to QuickBooks under their number and get their web service date; voided ones are voided there."""
        books = self._world.partners.get("quickbooks")
        if books is None:
            return
        actions: dict[str, Callable[..., Any]] = books.actions  # type: ignore[attr-defined]
        for invoice in list(self._records.invoices.rows.values()):
            if invoice["isVoided"] and invoice["id"] in self._exported:
                actions["void_invoice"](number=self._exported.pop(invoice["id"]))
            elif not invoice["isVoided"] and invoice["id"] not in self._exported and invoice["invoiceTotal"] > 0:
                self.export_one(actions, invoice)

    def export_one(self, actions: dict[str, Callable[..., Any]], invoice: Row) -> str:
        """An invoice without a number goes under its id, as Autotask's screens call it. The number in QuickBooks."""
        payer = self._records.companies.rows[invoice["companyID"]]
        if payer["companyName"] not in self._customers:
            email = next((row["emailAddress"] for row in self._records.contacts.of("companyID", payer["id"])), "")
            actions["enter_customer"](name=payer["companyName"], email=email)
            self._customers.add(payer["companyName"])
        number = str(invoice.get("invoiceNumber") or invoice["id"])
        actions["enter_invoice"](
            number=number,
            customer_name=payer["companyName"],
            dated=invoice["invoiceDateTime"][:10],
            due=invoice["dueDate"][:10],
            total=str(invoice["invoiceTotal"]),
            tax=str(invoice["totalTaxValue"]),
        )
        self._exported[invoice["id"]] = number
        self._records.invoices.update(invoice["id"], {"webServiceDate": self._records.now_text()})
        return number

    def exported_before(self, invoices: Iterable[Row]) -> None:
        """These were dealt with in the books long ago."""
        for invoice in invoices:
            self._exported[invoice["id"]] = str(invoice.get("invoiceNumber") or invoice["id"])
            self._records.invoices.update(invoice["id"], {"webServiceDate": invoice["createDateTime"]})

    # Plumbing

    @property
    def psa(self) -> Autotask:
        psa = self._world.partners["autotask"]
        if not isinstance(psa, Autotask):
            raise TypeError("this office works in a sandbox Autotask")
        return psa

    @property
    def _records(self) -> Records:
        return self.psa.records

    def _kind(self, bundle: bool) -> Kind:
        return self._records.kinds["bundle" if bundle else "service"]

    def _company(self, key: Key) -> Row:
        return _by_key(self._records.companies, "companyName", key)

    def _contract(self, key: Key) -> Row:
        return _by_key(self._records.contracts, "contractName", key)

    def _invoice(self, key: Key) -> Row:
        return _by_key(self._records.invoices, "invoiceNumber", key)

    def _groups(self, items: list[Row], *, together: bool) -> list[list[Row]]:
        """Items that go on one invoice; work without a contract joins the payer's first group."""
        groups: dict[tuple[int, str], list[Row]] = {}
        loose: list[Row] = []
        for item in items:
            if "contractID" not in item:
                loose.append(item)
                continue
            group = "" if together else self._group(self._records.contracts.rows[item["contractID"]])
            groups.setdefault((self.psa.posting.payer(item), group), []).append(item)
        for item in loose:
            payer = self.psa.posting.payer(item)
            key = next((key for key in groups if key[0] == payer), (payer, ""))
            groups.setdefault(key, []).append(item)
        return list(groups.values())

    def _group(self, contract: Row) -> str:
        return str(contract["_udfs"].get("Invoice Group") or f"contract {contract['id']}")

    def _copy_sold(self, kind: Kind, old: Row, new: Row, first: date) -> None:
        last = (first - timedelta(days=1)).isoformat()
        for sold in kind.sold.of("contractID", old["id"]):
            rows = kind.units.of(kind.sold_key, sold["id"])
            units = sum(row["units"] for row in rows if row["startDate"][:10] <= last <= row["endDate"][:10])
            if units:
                product = kind.products.rows[sold[kind.product_key]]
                self.psa.units.sell(kind, new, product, units=units, price=sold["unitPrice"], starts=first)

    # A partner only so that its actions can be reached

    def handle(self, request: Request) -> Response:
        return json_response({"error": f"the office answers no {request.method} requests"}, status=404)

    def state(self) -> dict[str, Any]:
        return {"automatic": self.automatic, "days_ahead": self.days_ahead, "exported": list(self._exported.values())}

    def too_many_requests(self, retry_after_s: int) -> Response:
        return json_response({"error": f"busy for {retry_after_s} s"}, status=429)

    def server_error(self, status: int) -> Response:
        return json_response({"error": "no one is in"}, status=status)


def _by_key(table: Table, field: str, key: Key) -> Row:
    return table.named(field, key) if isinstance(key, str) else table.rows[key]


def _year_later(first: date) -> date:
    """The last day of a year that begins then."""
    return span(first, YEARLY, 0).last


def _brief(invoice: Row, items: list[Row]) -> Row:
    return {
        "id": invoice["id"],
        "number": invoice.get("invoiceNumber", ""),
        "contracts": sorted({item["contractID"] for item in items if "contractID" in item}),
        "dated": invoice["invoiceDateTime"][:10],
        "due": invoice["dueDate"][:10],
        "total": invoice["invoiceTotal"],
        "tax": invoice["totalTaxValue"],
    }
