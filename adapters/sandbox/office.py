"""The people of the simulated company, working in ConnectWise's screens and copying its invoices into QuickBooks.

Every public method of an action is what a person would click. Dates may be text, amounts text or numbers;
an invoice is named by its id or, as text, by its number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from adapters.sandbox.connectwise import ConnectWise
from adapters.sandbox.connectwise.billing import Billing
from adapters.sandbox.connectwise.entry import add_addition, add_agreement, add_company
from adapters.sandbox.connectwise.records import OFFICE, Records, invoice_balance, priced
from adapters.sandbox.connectwise.tables import Row, Table, as_date, cents, day_text, number
from adapters.sandbox.wire import Request, Response, json_response
from adapters.sandbox.world import World

EXPORT_HOUR, INVOICING_HOUR = 2, 8  # local time
_ACTIONS = """
    add_addition add_agreement add_billing_cycle add_company bill_addition_now cancel_addition cancel_agreement
    cancel_period change_price change_quantity create_credit_memo create_invoices create_other_invoice
    delete_addition delete_agreement delete_invoice delete_payment end_agreement export merge_companies
    post_payments record_payment renew_agreement set_automatic set_custom_field set_field
""".split()
_COPIED = ("id", "_info", "agreementStatus", "nextInvoiceDate", "endDate", "dateCancelled", "reasonCancelled")


class Office:
    """While `automatic`, invoices are made on each bill date (`days_ahead` of it) and exported the night after."""

    name = "office"

    def __init__(self, world: World, *, time_zone: str = "America/New_York") -> None:
        self._world = world
        self._zone = ZoneInfo(time_zone)
        self._done = world.now
        self._exported: dict[int, str] = {}  # invoice -> its number, also after it was deleted
        self._customers: set[str] = set()
        self.automatic = True
        self.days_ahead = 0
        self.actions: dict[str, Callable[..., Any]] = {name: getattr(self, name) for name in _ACTIONS}

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

    # Invoices

    def create_invoices(
        self,
        through: date | str,
        dated: date | str | None = None,
        due_days: int | None = None,
        agreements: Collection[int] | None = None,
    ) -> list[Row]:
        """Agreement Invoicing for every period that begins on or before `through`. Undated, each carries its bill date."""
        made: list[Row] = []
        for root in self._roots(agreements):
            for period in list(self._billing.due(root, as_date(through))):
                day = as_date(dated) if dated else self._billing.period(root, period).start
                invoice = self._billing.create(root, period, dated=day, due_days=due_days)
                made += [_brief(invoice)] if invoice else []
        return made

    def cancel_period(self, agreement: int | str) -> None:
        """The next period that is due for an invoice is written off."""
        root = self._agreement(agreement)
        self._billing.skip(root)

    def bill_addition_now(self, addition: int) -> Row:
        """A further invoice in the middle of a period, for one addition: its share from its effective date on."""
        row = self._records.additions.rows[addition]
        root = self._billing.root(self._records.agreements.rows[row["agreementId"]])
        return _brief(self._billing.bill_now(root, row, today=self.today()))

    def create_other_invoice(
        self,
        company: int | str,
        amount: Decimal | str | float,
        type: str = "Standard",
        dated: date | str | None = None,
        agreement: int | str | None = None,
        due_days: int | None = None,
    ) -> Row:
        """Time and materials or a product; `agreement`: applied to it, as covered work is."""
        subject = self._agreement(agreement) if agreement is not None else None
        row = {**self._other_head(self._company(company), type, subject), **_other_amounts(cents(number(amount)))}
        return _brief(self._billing.other(row, dated=as_date(dated) if dated else self.today(), due_days=due_days))

    def create_credit_memo(self, invoice: int | str, amount: Decimal | str | float, apply: bool = True) -> Row:
        """A credit memo for the invoice's company; applied, it lowers the invoice's balance."""
        target, value = self._invoice(invoice), cents(number(amount))
        head = self._other_head(self._records.companies.rows[target["billToCompany"]["id"]], "CreditMemo", None)
        memo = self._billing.other({**head, **_other_amounts(-value)}, dated=self.today(), due_days=0)
        if apply:
            self._apply(memo, target, value)
        return _brief(memo)

    def delete_invoice(self, invoice: int | str) -> None:
        """Its payments go with it; an agreement's period goes back into the queue."""
        self._billing.delete(self._invoice(invoice))

    def record_payment(
        self, invoice: int | str, amount: Decimal | str | float, dated: date | str | None = None, member: str = OFFICE
    ) -> Row:
        """A cheque entered by hand, or another integration's payment (`member`)."""
        body = {"amount": number(amount), "paymentDate": str(as_date(dated) if dated else self.today())}
        return dict(self.psa.payments.add(self._invoice(invoice), body, by=member))

    def delete_payment(self, invoice: int | str, payment: int) -> None:
        target = self._invoice(invoice)
        self.psa.payments.remove(target, self.psa.payments.find(target, payment))

    def post_payments(self, batch: str) -> int:
        """Every payment goes into a general ledger batch, and can no longer be changed. How many there were."""
        rows = [row for row in self._records.payments.rows.values() if not row.get("glBatchID")]
        for row in rows:
            self._records.payments.update(row["id"], {"glBatchID": batch, "paymentSyncStatus": "Synced"}, by=OFFICE)
        return len(rows)

    # Agreements

    def add_company(self, name: str, email: str = "", **custom: Any) -> int:
        return int(add_company(self._records, name, email=email, **custom)["id"])

    def add_agreement(self, company: int | str, name: str, starts: date | str, **fields: Any) -> int:
        """`bill_to` and `parent` are ids; other fields as `connectwise.entry.add_agreement` takes them."""
        fields |= {key: self._company(fields[key]) for key in ("bill_to",) if key in fields}
        fields |= {key: self._agreement(fields[key]) for key in ("parent",) if key in fields}
        fields |= {key: number(fields[key]) for key in ("amount", "prorateFirstBill") if key in fields}
        row = add_agreement(self._records, self._company(company), name, starts=as_date(starts), **fields)
        self._billing.changed(row["id"])
        return int(row["id"])

    def add_addition(self, agreement: int | str, product: str, **fields: Any) -> int:
        """Fields of an addition; `starts` and `ends` (inclusive) are dates, today and none by default."""
        row = self._agreement(agreement)
        for name in ("quantity", "lessIncluded", "unitPrice", "unitCost"):
            if name in fields:
                fields[name] = number(fields[name])
        addition = add_addition(self._records, row, product, **{"starts": self.today(), **fields})
        self._billing.changed(row["id"])
        return int(addition["id"])

    def add_billing_cycle(self, name: str, option: str) -> int:
        """Self-hosted sites add cycles with a `billingOptions` that no document names."""
        row = {"identifier": name[:10], "name": name, "defaultFlag": False, "billingOptions": option}
        return int(self._records.cycles.insert(row, by=OFFICE)["id"])

    def delete_addition(self, addition: int) -> None:
        agreement = self._records.additions.rows[addition]["agreementId"]
        self._records.additions.delete(addition)
        self._billing.changed(agreement)

    def delete_agreement(self, agreement: int | str) -> None:
        """Without a trace; its invoices stay. ValueError while others are bundled under it."""
        row = self._agreement(agreement)
        if len(self._billing.members(row)) > 1:
            raise ValueError(f"{row['name']} (agreement {row['id']}) has bundled agreements")
        for addition in list(self._records.additions.of(row["id"])):
            self._records.additions.delete(addition)
        self._records.agreements.delete(row["id"])
        self._billing.changed(row["id"])

    def merge_companies(self, keep: int | str, gone: int | str) -> None:
        """Everything of one company becomes the other's; its own id vanishes."""
        kept, old = self._company(keep), self._company(gone)
        reference = self._records.company_ref(kept["id"])
        for table in (self._records.agreements, self._records.invoices):
            for row in table.rows.values():
                for name in ("company", "billToCompany"):
                    if row.get(name, {}).get("id") == old["id"]:
                        row[name] = reference
        self._records.companies.delete(old["id"])

    def change_quantity(self, addition: int, quantity: Decimal | str | float) -> None:
        self._change_addition(addition, quantity=number(quantity))

    def change_price(self, addition: int, price: Decimal | str | float) -> None:
        self._change_addition(addition, unitPrice=number(price))

    def cancel_addition(self, addition: int, on: date | str) -> None:
        """`on` is its last day."""
        self._change_addition(addition, cancelledDate=day_text(as_date(on)))

    def end_agreement(self, agreement: int | str, on: date | str) -> None:
        self._change_agreement(agreement, endDate=day_text(as_date(on)), noEndingDateFlag=False)

    def cancel_agreement(self, agreement: int | str, on: date | str, reason: str = "Customer left") -> None:
        """`on` is its last day; it says `Cancelled` at once."""
        on = day_text(as_date(on))
        self._change_agreement(agreement, cancelledFlag=True, dateCancelled=on, reasonCancelled=reason)

    def renew_agreement(self, agreement: int | str, starts: date | str) -> int:
        """A copy under a new id goes on where the old one ends. Returns the new id."""
        old, begins = self._agreement(agreement), as_date(starts)
        fresh = {name: value for name, value in old.items() if name not in _COPIED}
        changed = {"startDate": day_text(begins), "billStartDate": day_text(begins), "noEndingDateFlag": True}
        new = self._records.agreements.insert({**fresh, **changed, "cancelledFlag": False}, by=OFFICE)
        for addition in list(self._records.additions.of(old["id"]).values()):
            if "cancelledDate" not in addition:
                self._copy_addition(addition, new, begins)
        self.end_agreement(old["id"], begins - timedelta(days=1))
        self._billing.changed(new["id"])
        return int(new["id"])

    def set_custom_field(self, record: str, id: int, caption: str, value: Any) -> None:
        """`record`: `companies` or `agreements`. None empties it."""
        row = self._records.tables()[record].rows[id]
        fields = [_with_value(field, value) if field["caption"] == caption else field for field in row["customFields"]]
        if caption not in {field["caption"] for field in fields}:
            raise KeyError(f"{record} have no custom field {caption!r}")
        self.set_field(record, id, "customFields", fields)

    def set_field(self, record: str, id: int, field: str, value: Any) -> None:
        """Any field of any record, as it stands in the interface; None takes it away."""
        self._records.tables()[record].update(id, {field: value}, by=OFFICE)
        if record == "agreements":
            self._billing.changed(id)

    # The night's export

    def export(self) -> None:
        """New invoices go to QuickBooks under their number and are closed here; deleted ones are deleted there."""
        books = self._world.partners.get("quickbooks")
        if books is None:
            return
        actions: dict[str, Callable[..., Any]] = books.actions  # type: ignore[attr-defined]
        for id in [id for id in self._exported if id not in self._records.invoices.rows]:
            actions["delete_invoice"](number=self._exported.pop(id))
        for invoice in list(self._records.invoices.rows.values()):
            if invoice["id"] not in self._exported and invoice["total"] > 0:
                self.export_one(actions, invoice)

    def export_one(self, actions: dict[str, Callable[..., Any]], invoice: Row) -> None:
        payer = self._records.companies.rows[invoice["billToCompany"]["id"]]
        if payer["name"] not in self._customers:
            actions["enter_customer"](name=payer["name"], email=payer.get("invoiceToEmailAddress", ""))
            self._customers.add(payer["name"])
        actions["enter_invoice"](
            number=invoice["invoiceNumber"],
            customer_name=payer["name"],
            dated=invoice["date"][:10],
            due=invoice["dueDate"][:10],
            total=str(invoice["total"]),
            tax=str(invoice["salesTax"]),
        )
        self._exported[invoice["id"]] = invoice["invoiceNumber"]
        invoice["status"] = self._billing.status("Closed")
        self._records.invoices.touch(invoice, by=OFFICE)

    def exported_before(self, invoices: Collection[Row]) -> None:
        """These were dealt with in the books long ago."""
        for invoice in invoices:
            self._exported[invoice["id"]] = invoice["invoiceNumber"]

    # Plumbing

    @property
    def psa(self) -> ConnectWise:
        psa = self._world.partners["connectwise"]
        if not isinstance(psa, ConnectWise):
            raise TypeError("the office works in a sandbox ConnectWise")
        return psa

    @property
    def _records(self) -> Records:
        return self.psa.records

    @property
    def _billing(self) -> Billing:
        return self.psa.billing

    def _roots(self, agreements: Collection[int] | None) -> list[Row]:
        rows = self._records.agreements.rows
        chosen = rows.values() if agreements is None else [self._agreement(id) for id in agreements]
        return [row for row in chosen if self._billing.is_root(row)]

    def _agreement(self, key: int | str) -> Row:
        return _by_key(self._records.agreements, key)

    def _company(self, key: int | str) -> Row:
        return _by_key(self._records.companies, key)

    def _invoice(self, key: int | str) -> Row:
        if isinstance(key, int):
            return self._records.invoices.rows[key]
        for row in self._records.invoices.rows.values():
            if row["invoiceNumber"] == key:
                return row
        raise KeyError(f"there is no invoice {key!r}")

    def _change_addition(self, addition: int, **changes: Any) -> None:
        row = self._records.additions.rows[addition]
        self._records.additions.update(addition, priced({**row, **changes}), by=OFFICE)
        self._billing.changed(row["agreementId"])

    def _change_agreement(self, agreement: int | str, **changes: Any) -> None:
        row = self._agreement(agreement)
        self._records.agreements.update(row["id"], changes, by=OFFICE)
        self._billing.changed(row["id"])

    def _copy_addition(self, addition: Row, agreement: Row, begins: date) -> None:
        fresh = {name: value for name, value in addition.items() if name not in ("id", "_info")}
        changed = {"agreementId": agreement["id"], "effectiveDate": day_text(begins)}
        self._records.additions.insert({**fresh, **changed}, by=OFFICE)

    def _apply(self, memo: Row, target: Row, amount: Decimal) -> None:
        row = {
            "source": "Default",
            "invoice": self._records.invoice_ref(target),
            "credit": self._records.invoice_ref(memo),
            "amount": amount,
            "paymentDate": day_text(self.today()),
            "appliedBy": OFFICE,
            "paymentSyncStatus": "Unapplied",
        }
        self._records.payments.insert(row, by=OFFICE)
        self.psa.payments.settle(target)
        memo["credits"] = -amount
        memo["balance"] = invoice_balance(memo)

    def _other_head(self, company: Row, type: str, agreement: Row | None) -> Row:
        reference = self._records.company_ref(company["id"])
        applied = {"applyToType": "Agreement", "applyToId": agreement["id"]} if agreement else {"applyToType": "All"}
        named = {"agreement": self._records.agreement_ref(agreement["id"])} if agreement else {}
        return {"type": type, "company": reference, "billToCompany": reference, **applied, **named}

    # A partner only so that its actions can be reached

    def handle(self, request: Request) -> Response:
        return json_response({"error": f"the office answers no {request.method} requests"}, status=404)

    def state(self) -> dict[str, Any]:
        return {"automatic": self.automatic, "days_ahead": self.days_ahead, "exported": list(self._exported.values())}

    def too_many_requests(self, retry_after_s: int) -> Response:
        return json_response({"error": f"busy for {retry_after_s} s"}, status=429)

    def server_error(self, status: int) -> Response:
        return json_response({"error": "no one is in"}, status=status)


def _by_key(table: Table, key: int | str) -> Row:
    return table.named(key) if isinstance(key, str) else table.rows[key]


def _brief(invoice: Row) -> Row:
    return {
        "id": invoice["id"],
        "number": invoice["invoiceNumber"],
        "agreement": invoice.get("applyToId"),
        "dated": invoice["date"][:10],
        "due": invoice["dueDate"][:10],
        "total": invoice["total"],
        "tax": invoice["salesTax"],
    }


def _other_amounts(amount: Decimal) -> Row:
    zero = Decimal(0)
    return {
        "agreementAmount": zero,
        "serviceTotal": amount,
        "expenseTotal": zero,
        "productTotal": zero,
        "subtotal": amount,
        "salesTax": zero,
        "total": amount,
        "payments": zero,
        "credits": zero,
        "balance": amount,
    }


def _with_value(field: Row, value: Any) -> Row:
    bare = {name: content for name, content in field.items() if name != "value"}
    return bare if value is None else {**bare, "value": value}
