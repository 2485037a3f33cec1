"""Agreement Invoicing: what is due, what goes on an invoice, and how an invoice goes back into the queue.

How ConnectWise bills, as far as published (the rest is marked):
- a period is billed in advance, at the additions in force on its first day; a root and its bundled children on one invoice;
- last days (`cancelledDate`, `endDate`, `dateCancelled`) are inclusive (not verified);
- an agreement that prorates bills an addition that began inside the last period, and credits one that ended inside it,
  by days, on the next invoice (the method is not verified); one that does not prorate bills neither;
- an addition whose dates lie inside one period is a one-time charge, billed in full once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from adapters.sandbox.connectwise.periods import MONTHS, WEEKS, Span, number_on, span
from adapters.sandbox.connectwise.queue import Queue
from adapters.sandbox.connectwise.records import OFFICE, Clock, Records, currency_ref, invoice_balance
from adapters.sandbox.connectwise.tables import Row, as_date, cents, day_text

ZERO = Decimal(0)
_RECURRING = MONTHS.keys() | WEEKS.keys()
_Key = tuple[str, int, int]  # what was charged: kind, addition, number of the period


@dataclass(frozen=True, kw_only=True, slots=True)
class BillLine:
    description: str
    amount: Decimal
    taxable: bool
    charges: _Key | None = None  # what it settles, so that it is not billed again


class Billing:
    def __init__(self, records: Records, clock: Clock) -> None:
        self.records = records
        self._clock = clock
        self.queues: dict[int, Queue] = {}
        self.recaps: dict[int, Row] = {}
        self._charged: dict[_Key, tuple[int, Decimal]] = {}  # -> invoice, amount
        self._periods: dict[int, tuple[int, int, list[_Key]]] = {}  # invoice -> root, period, what it charged
        self._last: dict[int, list[int]] = {}  # agreement -> its invoices
        self._children: dict[int, list[int]] | None = None
        self._stale: set[int] = set()
        self._as_of: date | None = None
        self._next_number = 10401

    # What a change elsewhere must say

    def changed(self, agreement: int) -> None:
        self._stale.add(agreement)
        self._children = None

    def charged_through(self, root: Row, day: date) -> None:
        """Every period that begins before `day` counts as invoiced, outside of what we remember."""
        number = 0
        while self.period(root, number).start < day:
            number += 1
        self.queues[root["id"]] = Queue(next=number, tracked_from=number)
        self.changed(root["id"])

    # What is due

    def today(self) -> date:
        return self._clock.now.date()

    def is_root(self, agreement: Row) -> bool:
        return "parentAgreement" not in agreement

    def root(self, agreement: Row) -> Row:
        while "parentAgreement" in agreement:
            agreement = self.records.agreements.rows[agreement["parentAgreement"]["id"]]
        return agreement

    def members(self, root: Row) -> list[Row]:
        """The root and its bundled children."""
        if self._children is None:
            self._children = {}
            for row in self.records.agreements.rows.values():
                if not self.is_root(row):
                    self._children.setdefault(self.root(row)["id"], []).append(row["id"])
        return [root, *(self.records.agreements.rows[id] for id in self._children.get(root["id"], ()))]

    def period(self, root: Row, number: int) -> Span:
        anchor = _anchor(root)
        if self._once(root):
            return Span(anchor + timedelta(days=number), anchor + timedelta(days=number + 1))
        return span(anchor, self.records.billing_option(root), number)

    def due(self, root: Row, through: date) -> Iterator[int]:
        """Numbers of the periods to be invoiced that begin on or before `through`."""
        queue = self.queues.setdefault(root["id"], Queue())
        queue.count_in(self.records.billing_option(root), lambda number: self.period(root, number))
        yield from (number for number in sorted(queue.returned) if self._billable(root, number, through))
        number = queue.next
        while self._billable(root, number, through):
            yield number
            number += 1

    def _billable(self, root: Row, number: int, through: date) -> bool:
        start = self.period(root, number).start
        return start <= through and (number == 0 or not self._once(root)) and in_force(root, start)

    def _once(self, root: Row) -> bool:
        """Billed once; so is what has a cycle that ConnectWise does not name, as sites add them in the database."""
        return bool(root["billOneTimeFlag"]) or self.records.billing_option(root) not in _RECURRING

    # What goes on an invoice

    def lines(self, root: Row, number: int) -> list[BillLine]:
        return [line for member in self.members(root) for line in self.own_lines(root, member, number)]

    def own_lines(self, root: Row, agreement: Row, number: int) -> list[BillLine]:
        period, before = self.period(root, number), self.period(root, number - 1)
        lines: list[BillLine] = []
        if in_force(agreement, period.start):
            lines += self._base(agreement, first=not in_force(agreement, before.start))
            lines += self._recurring(agreement, period, number)
        if agreement.get("prorateFlag") and number > 0 and in_force(agreement, before.start):
            lines += self._prorated(agreement, before, number - 1)
        return lines

    def _base(self, agreement: Row, *, first: bool) -> list[BillLine]:
        amount = agreement.get("billAmount", ZERO)
        if first and agreement.get("prorateFirstBill"):
            amount = agreement["prorateFirstBill"]  # an amount; it stands in for billAmount only
        return [BillLine(description=agreement["name"], amount=amount, taxable=agreement["taxable"])] if amount else []

    def _recurring(self, agreement: Row, period: Span, number: int) -> Iterator[BillLine]:
        start, last = period.start.isoformat(), (period.end - timedelta(days=1)).isoformat()
        for addition in self.records.additions.of(agreement["id"]).values():
            if addition["billCustomer"] != "Billable":
                continue
            begins, ends = addition.get("effectiveDate", "")[:10], addition.get("cancelledDate", "9999")[:10]
            only = self._only_period(agreement, addition)
            if only is not None:
                key = ("line", addition["id"], only)
                if begins <= last and key not in self._charged and only >= self._tracked_from(agreement):
                    yield _line(addition, addition["extPrice"], key)
            elif begins <= start <= ends:
                yield _line(addition, addition["extPrice"], ("line", addition["id"], number))

    def _only_period(self, agreement: Row, addition: Row) -> int | None:
        """The number of the one period that its dates lie inside of, if they do."""
        if "effectiveDate" not in addition or "cancelledDate" not in addition:
            return None
        root = self.root(agreement)
        if self._once(root):
            return 0
        number = number_on(_anchor(root), self.records.billing_option(root), as_date(addition["effectiveDate"]))
        return number if self.period(root, number).holds(as_date(addition["cancelledDate"])) else None

    def _tracked_from(self, agreement: Row) -> int:
        return self.queues[self.root(agreement)["id"]].tracked_from

    def _prorated(self, agreement: Row, period: Span, number: int) -> Iterator[BillLine]:
        for addition in self.records.additions.of(agreement["id"]).values():
            if addition["billCustomer"] == "Billable" and self._only_period(agreement, addition) is None:
                yield from self._late_start(agreement, addition, period, number)
                yield from self._early_end(addition, period, number)

    def _late_start(self, agreement: Row, addition: Row, period: Span, number: int) -> Iterator[BillLine]:
        key = ("line", addition["id"], number)
        if "effectiveDate" not in addition or key in self._charged:
            return
        begins = as_date(addition["effectiveDate"])
        if self._backdated(agreement, addition, period, number):
            yield _line(addition, addition["extPrice"], key)
        elif period.start < begins < period.end:
            days = (period.end - begins).days
            yield _line(addition, _share(addition["extPrice"], days, period), key, f" ({days} of {period.days} days)")

    def _backdated(self, agreement: Row, addition: Row, period: Span, number: int) -> bool:
        """Entered after the period had been invoiced, to be in force from its first day."""
        start = period.start.isoformat()
        tracked = number >= self._tracked_from(agreement)
        in_force_then = addition["effectiveDate"][:10] <= start <= addition.get("cancelledDate", "9999")[:10]
        return tracked and in_force_then and addition["_info"]["dateEntered"][:10] > start

    def _early_end(self, addition: Row, period: Span, number: int) -> Iterator[BillLine]:
        key = ("credit", addition["id"], number)
        if "cancelledDate" not in addition or key in self._charged:
            return
        last = as_date(addition["cancelledDate"])
        unused = (period.end - last).days - 1
        began_before = as_date(addition.get("effectiveDate", "0001-01-01")) <= period.start
        if period.holds(last) and unused > 0 and began_before:
            _, charged = self._charged.get(("line", addition["id"], number), (0, addition["extPrice"]))
            yield _line(addition, -_share(charged, unused, period), key, f" (credit for {unused} of {period.days} days)")

    # Making and taking back invoices

    def create(self, root: Row, number: int, *, dated: date, due_days: int | None = None) -> Row | None:
        """The invoice of one period; None when it comes to nothing and the agreement does not bill that."""
        lines = self.lines(root, number)
        self._take_from_queue(root, number)
        if sum(line.amount for line in lines) == 0 and not root.get("billZeroAmountFlag"):
            return None
        return self.enter(root, number, lines, dated=dated, due_days=due_days)

    def enter(self, root: Row, number: int, lines: list[BillLine], *, dated: date, due_days: int | None) -> Row:
        amount = sum((line.amount for line in lines), ZERO)
        taxable = sum((line.amount for line in lines if line.taxable), ZERO)
        tax = cents(taxable * self.records.tax_rate(root.get("taxCode")) / 100)
        row = {**self._agreement_head(root), **self._amounts(agreement=amount, tax=tax), **self._dates(root, dated, due_days)}
        invoice = self.records.invoices.insert(row, by=OFFICE)
        keys = [line.charges for line in lines if line.charges]
        for line in lines:
            if line.charges:
                self._charged[line.charges] = (invoice["id"], line.amount)
        self._periods[invoice["id"]] = (root["id"], number, keys)
        self._last.setdefault(root["id"], []).append(invoice["id"])
        self._mark_members(root)
        return invoice

    def bill_now(self, root: Row, addition: Row, *, today: date) -> Row:
        """One addition's share of the period that covers today, on an invoice of its own."""
        number = number_on(_anchor(root), self.records.billing_option(root), today)
        period, begins = self.period(root, number), as_date(addition["effectiveDate"])
        days = (period.end - max(begins, period.start)).days
        line = _line(addition, _share(addition["extPrice"], days, period), ("line", addition["id"], number))
        return self.enter(root, number, [line], dated=today, due_days=None)

    def skip(self, root: Row) -> None:
        """The next period due is written off without an invoice."""
        number = next(self.due(root, date.max), None)
        if number is not None:
            self._take_from_queue(root, number)
            self._mark_members(root)

    def other(self, row: Row, *, dated: date, due_days: int | None) -> Row:
        """An invoice that no period stands behind (T&M, product, credit memo)."""
        terms = self.records.terms.named("Net 30")
        due = dated + timedelta(days=terms["dueDays"] if due_days is None else due_days)
        head = {"invoiceNumber": self._number(), "status": self.status("New"), "currency": currency_ref()}
        terms_ref = self.records.terms.reference(terms, "name")
        full = {**head, "billingTerms": terms_ref, **row, "date": day_text(dated), "dueDate": day_text(due)}
        return self.records.invoices.insert(full, by=OFFICE)

    def delete(self, invoice: Row) -> None:
        """The period goes back into the queue, and with it everything that the invoice had charged."""
        for payment in list(self.records.payments.of(invoice["id"])):
            self.records.payments.delete(payment)
        self.records.invoices.delete(invoice["id"])
        root_id, number, keys = self._periods.pop(invoice["id"], (0, 0, []))
        if root_id not in self.records.agreements.rows:
            return
        for key in keys:
            self._charged.pop(key)
        self._last[root_id].remove(invoice["id"])
        if not any(period[:2] == (root_id, number) for period in self._periods.values()):
            self.queues[root_id].returned.add(number)
        self._mark_members(self.records.agreements.rows[root_id])

    def _mark_members(self, root: Row) -> None:
        self._stale.update(member["id"] for member in self.members(root))

    def _take_from_queue(self, root: Row, number: int) -> None:
        queue = self.queues.setdefault(root["id"], Queue())
        queue.invoiced(number, self.records.billing_option(root), lambda number: self.period(root, number))

    def _agreement_head(self, root: Row) -> Row:
        return {
            "invoiceNumber": self._number(),
            "type": "Agreement",
            "status": self.status("New"),
            "company": root["company"],
            "billToCompany": root.get("billToCompany", root["company"]),
            "applyToType": "Agreement",
            "applyToId": root["id"],
            "billingTerms": root["billingTerms"],
            "reference": root["name"],
            "customerPO": "",
            "taxableFlag": root["taxable"],
            "taxCode": root.get("taxCode"),
            "currency": root["currency"],
            "specialInvoiceFlag": False,
            "agreement": self.records.agreement_ref(root["id"]),
        }

    def _dates(self, root: Row, dated: date, due_days: int | None) -> Row:
        days = self.records.term_days(root["billingTerms"]["id"]) if due_days is None else due_days
        return {"date": day_text(dated), "dueDate": day_text(dated + timedelta(days=days))}

    def _amounts(self, *, agreement: Decimal, tax: Decimal) -> Row:
        amounts = {
            "serviceTotal": ZERO,
            "expenseTotal": ZERO,
            "productTotal": ZERO,
            "downpaymentApplied": ZERO,
            "agreementAmount": agreement,
            "subtotal": agreement,
            "salesTax": tax,
            "total": agreement + tax,
            "payments": ZERO,
            "credits": ZERO,
        }
        return {**amounts, "balance": invoice_balance(amounts)}

    def _number(self) -> str:
        self._next_number += 1
        return str(self._next_number - 1)

    def status(self, name: str) -> Row:
        row = self.records.statuses.named(name)
        return {**self.records.statuses.reference(row, "name"), "isClosed": row["closedFlag"]}

    # What is derived from it all

    def refresh(self) -> None:
        """Bring the agreements' derived fields and the recaps up to date. Costs as much as what changed, or a full turn a day."""
        rows = self.records.agreements.rows
        if self._as_of != self.today():
            self._as_of = self.today()
            self._stale |= rows.keys()
        for id in sorted(self._stale & rows.keys()):
            self._derive(rows[id])
        for id in self._stale - rows.keys():
            self.recaps.pop(id, None)
        self._stale.clear()

    def _derive(self, agreement: Row) -> None:
        root = self.root(agreement)
        due = next(self.due(root, date.max), None)
        starts = None if due is None else self.period(root, due).start
        agreement["agreementStatus"] = self._agreement_status(agreement)
        agreement.pop("nextInvoiceDate", None)
        if starts is not None and in_force(agreement, starts):
            agreement["nextInvoiceDate"] = day_text(starts)
        lines = [] if due is None else self.own_lines(root, agreement, due)
        self.recaps[agreement["id"]] = self._recap(agreement, sum((line.amount for line in lines), ZERO))

    def _agreement_status(self, agreement: Row) -> str:
        if agreement["cancelledFlag"]:
            return "Cancelled"
        ends = agreement.get("endDate")
        return "Expired" if ends and as_date(ends) < self.today() else "Active"

    def _recap(self, agreement: Row, upcoming: Decimal) -> Row:
        recap: Row = {
            "id": agreement["id"],
            "name": agreement["name"],
            "companyName": agreement["company"]["name"],
            "agreementStatus": agreement["agreementStatus"],
            "isUnlimited": "True" if agreement.get("applicationUnlimitedFlag") else "False",
            "nextInvoiceAmount": upcoming,
            "unbilledPeriods": len(list(self.due(agreement, self.today()))) if self.is_root(agreement) else 0,
            "adjustmentAmount": ZERO,
            "availableAmount": ZERO,
            "startingAmount": ZERO,
            "usedAmount": ZERO,
            "remainingAmount": ZERO,
            "overrunAmount": ZERO,
            "unbilledOverageAmount": ZERO,
        }
        if "nextInvoiceDate" in agreement:
            recap["nextInvoiceDate"] = agreement["nextInvoiceDate"]
        last = self._last.get(agreement["id"])
        return {**recap, **_last_invoice(self.records.invoices.rows[last[-1]])} if last else recap


def in_force(agreement: Row, day: date) -> bool:
    """Whether a period that begins on this day is billed. Last days count."""
    text = day.isoformat()
    if text < _anchor(agreement).isoformat() or text > agreement.get("endDate", "9999")[:10]:
        return False
    return not agreement["cancelledFlag"] or text <= agreement.get("dateCancelled", "")[:10]


def _anchor(agreement: Row) -> date:
    """A period begins on this day."""
    return as_date(agreement.get("billStartDate", agreement["startDate"]))


def _last_invoice(invoice: Row) -> Row:
    return {
        "lastInvoiceAmount": f"{invoice['total']:.2f}",
        "lastInvoiceDate": invoice["date"],
        "lastInvoiceNumber": invoice["invoiceNumber"],
    }


def _line(addition: Row, amount: Decimal, key: _Key, note: str = "") -> BillLine:
    text = addition.get("invoiceDescription") or addition["product"]["identifier"]
    return BillLine(description=text + note, amount=amount, taxable=addition["taxableFlag"], charges=key)


def _share(amount: Decimal, days: int, period: Span) -> Decimal:
    return cents(amount * days / period.days)
