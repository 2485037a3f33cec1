"""Explain: what a charge is made of, to the cent, and why it differs from the period before. Writes nothing anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from connector.errors import ConnectorError, Rejected
from connector.flows.desk import Desk
from connector.flows.forecast import last_read
from connector.flows.invoices_to_come import coming as coming_invoice
from connector.flows.naming import name_of
from connector.flows.outlook import living, outlooks
from connector.model.bills import billed_by, following
from connector.model.charge import BreakdownLine, Charge
from connector.model.explain import OF_AGREEMENT, Difference, compare, complete, prorations, sum_up
from connector.model.forecast import TO_COME, Coming, Outlook, coming, next_of
from connector.model.invoice import GatewayInvoice
from connector.model.ledger import LedgerEntry
from connector.model.money import Money, total
from connector.model.period import Period, bill_date
from connector.model.pricing import breakdown
from connector.store import charges, ledger, units
from connector.store.units import UnitRow

LOOK_AHEAD = timedelta(days=400)  # a yearly agreement's next charge is found too


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """The period that a charge is compared with."""

    period: Period
    amount: Money


@dataclass(frozen=True, kw_only=True, slots=True)
class Happened:
    """`invoice` is the gateway's as it is now; None when it is gone or the gateway could not be asked (`problem`)."""

    charge: Charge
    invoice: GatewayInvoice | None
    problem: str
    entries: tuple[LedgerEntry, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """`lines` sum to `amount`. `differences` sum to `amount - before.amount`, of what is compared.

    `happened` or `coming`, never both. While nobody billed it the comparison is of what the agreements say, before tax.
    """

    unit: str
    name: str
    period: Period
    amount: Money
    lines: tuple[BreakdownLine, ...]
    before: Before | None
    differences: tuple[Difference, ...]
    happened: Happened | None
    coming: Coming | None
    read_at: datetime | None
    supplements: tuple[Charge, ...] = ()  # what was billed in addition for the period


def explain(desk: Desk, wanted: str, *, period: date | None = None) -> Explanation:
    """`wanted`: an agreement's id, a billing unit's key, a name's beginning, or a charge for an invoice that no agreement
    bills (also by `invoice` and its number). `period`: any day of it; none: the next charge.

    Rejected when there is no one such agreement, or no such charge.
    """
    of_invoice = _of_invoice(desk, wanted)
    if of_invoice is not None:
        return _of_one_invoice(desk, of_invoice)
    row = find_unit(desk, wanted)
    with desk.store.read() as tx:
        every = charges.of_unit(tx, row.key)
    of_unit = [charge for charge in every if not charge.number]
    done = [charge for charge in of_unit if charge.state not in TO_COME]
    asked = next((c for c in done if period is not None and period in c.period), None)
    said = _of_charge(desk, row, asked, done) if asked is not None else _of_coming(desk, row, period, done)
    return replace(said, supplements=tuple(charge for charge in every if charge.number and charge.period == said.period))


def find_unit(desk: Desk, wanted: str) -> UnitRow:
    with desk.store.read() as tx:
        rows = units.every(tx)
    exact = [row for row in rows if wanted == row.key or wanted in row.members or wanted == row.key.partition(":")[2]]
    going_on = [row for row in exact if row.state != "ended"] or exact
    named = [row for row in rows if _is_called(row, wanted)]
    found = going_on or named
    if len(found) != 1:
        known = ", ".join(f"{row.name} ({row.members[0]})" for row in (found or rows)[:10]) or "none: run connector sync first"
        raise Rejected(f"{len(found) or 'no'} agreements match {wanted!r}; agreements: {known}")
    return found[0]


def _is_called(row: UnitRow, wanted: str) -> bool:
    names = (row.name, row.payer_name, row.name.removeprefix(f"{row.payer_name}: "))
    return bool(wanted) and any(name.casefold().startswith(wanted.casefold()) for name in names)


# A charge for an invoice that no agreement bills


def _of_invoice(desk: Desk, wanted: str) -> Charge | None:
    number = wanted.removeprefix("invoice").strip() if wanted.startswith("invoice ") else ""
    with desk.store.read() as tx:
        found = [c for c in charges.of_invoices(tx) if wanted in (c.id, c.unit) or (number and number == c.psa_number)]
    return found[-1] if found else None


def _of_one_invoice(desk: Desk, charge: Charge) -> Explanation:
    amount = charge.owed if charge.owed is not None else charge.computed
    to_come = charge.state in TO_COME
    bill = desk.psa.invoice(charge.psa_invoice) if to_come else None
    if bill is not None:
        amount = bill.balance
        own = BreakdownLine(
            kind="base", description=f"Invoice {bill.number}", amount=bill.subtotal, source=f"invoice {bill.number}"
        )
    lines = sum_up((own,), bill, amount) if bill is not None else complete(charge.breakdown, amount)
    with desk.store.read() as tx:
        name = name_of(tx, charge)
    return Explanation(
        unit=charge.unit,
        name=name,
        period=charge.period,
        amount=amount,
        lines=lines,
        before=None,
        differences=(),
        happened=None if to_come else _happened(desk, charge),
        coming=replace(coming_invoice(desk, charge), amount=amount) if to_come else None,
        read_at=last_read(desk),
    )


# A charge that happened


def _of_charge(desk: Desk, row: UnitRow, charge: Charge, done: Sequence[Charge]) -> Explanation:
    amount = charge.owed if charge.owed is not None else charge.computed
    lines = complete(charge.breakdown, amount)
    before = _last_before(done, charge.period)
    return Explanation(
        unit=row.key,
        name=row.name,
        period=charge.period,
        amount=amount,
        lines=lines,
        before=_before(before),
        differences=compare(_lines(before), lines, charge.currency) if before else (),
        happened=_happened(desk, charge),
        coming=None,
        read_at=last_read(desk),
    )


def _happened(desk: Desk, charge: Charge) -> Happened:
    with desk.store.read() as tx:
        entries = tuple(ledger.entries(tx, charge=charge.id))
    try:
        invoice, problem = desk.gateway.invoice(charge.gateway_invoice), ""
    except ConnectorError as error:
        invoice, problem = None, str(error)
    return Happened(charge=charge, invoice=invoice, problem=problem, entries=entries)


def _last_before(done: Sequence[Charge], period: Period) -> Charge | None:
    earlier = [c for c in done if c.period < period and c.owed and c.breakdown]
    return max(earlier, key=lambda c: c.period, default=None)


def _lines(charge: Charge) -> tuple[BreakdownLine, ...]:
    return complete(charge.breakdown, charge.owed if charge.owed is not None else charge.computed)


def _before(charge: Charge | None) -> Before | None:
    return Before(period=charge.period, amount=charge.owed or charge.computed) if charge is not None else None


# A charge to come


def _of_coming(desk: Desk, row: UnitRow, period: date | None, done: Sequence[Charge]) -> Explanation:
    outlook = _outlook(desk, row)
    until = max(desk.today(), period or desk.today()) + LOOK_AHEAD
    rows = [one for one in coming(outlook, until) if not one.supplementary]
    chosen = next_of(rows) if period is None else next((one for one in rows if period in one.period), None)
    if chosen is None:
        raise Rejected(_nothing(outlook, row, period, done))
    bill = next(iter(outlook.bills.of(chosen.period)), None) if chosen.billed else None
    own = breakdown(outlook.unit, chosen.period)
    lines = sum_up(own, bill, chosen.amount, prorated=prorations(outlook.unit, chosen.period) if bill else ())
    before, was = _compared(chosen, done)
    return Explanation(
        unit=row.key,
        name=row.name,
        period=chosen.period,
        amount=chosen.amount,
        lines=lines,
        before=before,
        differences=compare(was, lines, chosen.amount.currency) if before else (),
        happened=None,
        coming=replace(chosen, change=chosen.amount - before.amount) if before else replace(chosen, change=None),
        read_at=last_read(desk),
    )


def _outlook(desk: Desk, row: UnitRow) -> Outlook:
    unit = next((unit for unit in living(desk) if unit.key == row.key), None)
    if unit is None:
        raise Rejected(f"{row.name} has ended: there is no charge to come. For an earlier one: --period with a day of it")
    return outlooks(desk, [unit])[0]


def _compared(chosen: Coming, done: Sequence[Charge]) -> tuple[Before | None, tuple[BreakdownLine, ...]]:
    """The last charge before it; while it is not billed, only what that one's agreements came to."""
    last = _last_before(done, chosen.period)
    if last is None or last.currency != chosen.amount.currency:
        return None, ()
    if chosen.billed:
        return _before(last), _lines(last)
    own = tuple(line for line in last.breakdown if line.kind in OF_AGREEMENT)
    return Before(period=last.period, amount=total((line.amount for line in own), last.currency)), own


def _nothing(outlook: Outlook, row: UnitRow, period: date | None, done: Sequence[Charge]) -> str:
    if period is None:
        covering = billed_by(outlook.unit, outlook.today)
        on = bill_date(following(outlook.unit, covering), outlook.unit.timing)
        return f"{row.name} has no charge to come; its next bill date is {on.isoformat()}"
    known = ", ".join(str(charge.period) for charge in done[-6:]) or "none yet"
    return f"{row.name} has no charge for the period of {period.isoformat()}, or it was paid elsewhere; charged so far: {known}"
