"""Shadow: compute every charge of the period as if it were ours, look who collected it instead, and write to nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from connector.flows import agreements
from connector.flows.bills import UnitBills, read_bills
from connector.flows.desk import Desk
from connector.flows.round import Round, facts_of, policy_of
from connector.model.agreement import BillingUnit
from connector.model.bills import billed_by, following, preceding
from connector.model.charge import Charge, ChargeState, charge_id
from connector.model.explain import prorations, sum_up
from connector.model.invoice import (
    BooksInvoice,
    Customer,
    GatewayInvoice,
    GatewayInvoiceState,
    InvoiceLine,
    MethodKind,
    PaymentMethod,
    PsaInvoice,
    Received,
)
from connector.model.money import Money, total
from connector.model.period import Period, bill_date
from connector.model.pricing import breakdown, computed
from connector.model.release import Held, charge_date, decide
from connector.model.shadow import Elsewhere, ShadowCharge, beside_the_agreement
from connector.store import freshness, units
from connector.store import shadow as shadowed

BACK = timedelta(days=31)  # an invoice may be dated so long before its bill date


@dataclass(frozen=True, kw_only=True, slots=True)
class Shadowed:
    """What one round saw. Nothing was written to a partner."""

    charges: int
    collected_elsewhere: int
    held: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """What was read for the whole round."""

    round: Round
    books: Mapping[str, Sequence[BooksInvoice]]  # by number
    in_books: Mapping[str, Sequence[Received]]  # by the books' invoice id
    known: Mapping[str, ShadowCharge]


def shadow(desk: Desk) -> Shadowed:
    """One round. RetryLater when a partner cannot be read."""
    alive, _ = agreements.billing_units(desk, agreements.stored_reading(desk))
    wanted = {unit.key: unit for unit in alive if unit.collect}
    since = _since(desk)
    bills = read_bills(desk, wanted.values(), since=since - BACK)
    seen = _look(desk, wanted, bills)
    rows = [_one(desk, seen, unit, period) for unit in wanted.values() for period in _periods(desk, bills[unit.key], since)]
    with desk.store.begin() as tx:
        for row in rows:
            if seen.known.get(row.id) != row:
                shadowed.save(tx, row, now=desk.now())
        freshness.succeeded(tx, "shadow", now=desk.now())
    return Shadowed(
        charges=len(rows),
        collected_elsewhere=sum(bool(row.collected) for row in rows),
        held=sum(bool(row.holds) for row in rows),
    )


def note_mode(desk: Desk, mode: str) -> None:
    """Remember since when, and when shadow mode ends. What was billed while it was on is another product's: it is not drafted
    by hand afterwards, and held (`shadowed`) where the gateway drafts it."""
    with desk.store.read() as tx:
        on = shadowed.is_on(tx)
    if on == (mode == "shadow"):
        return
    with desk.store.begin() as tx:
        if not on:
            shadowed.begin(tx, today=desk.today(), now=desk.now())
            return
        shadowed.end(tx, today=desk.today(), now=desk.now())
        for row in units.every(tx):
            if "collect_since" in row.detail:
                detail = {**row.detail, "collect_since": desk.today().isoformat()}
                units.save(tx, replace(row, detail=detail), now=desk.now())


def _since(desk: Desk) -> date:
    with desk.store.read() as tx:
        said = shadowed.mode(tx)
    return date.fromisoformat(said["since"]) if said else desk.today()


def _look(desk: Desk, wanted: Mapping[str, BillingUnit], bills: Mapping[str, UnitBills]) -> _Seen:
    with desk.store.read() as tx:
        owners = units.by_member(tx)
        known = {row.id: row for row in shadowed.every(tx)}
        beats = {beat.name: beat.last_success for beat in freshness.every(tx)}
    read_at = beats.get(desk.psa.name)
    books = _books(desk, bills.values(), known)
    found = [invoice for of_number in books.values() for invoice in of_number]
    return _Seen(
        round=Round(
            units=wanted,
            bills=bills,
            customers={},
            books={},
            unapplied={},
            books_read=desk.now(),
            data_age=desk.now() - read_at if read_at else timedelta(days=365),
            paused=False,
            owners=owners,
        ),
        books=books,
        in_books=desk.books.received(found) if desk.books is not None and found else {},
        known=known,
    )


def _books(desk: Desk, bills: Iterable[UnitBills], known: Mapping[str, ShadowCharge]) -> Mapping[str, Sequence[BooksInvoice]]:
    """Of what is not paid up yet: reads are metered there."""
    if desk.books is None:
        return {}
    done = {row.psa_number for row in known.values() if row.decided and row.amount is not None and row.collected == row.amount}
    numbers = {bill.number for of_unit in bills for of in of_unit.bills.by_period.values() for bill in of} - done
    return desk.books.invoices(numbers) if numbers else {}


def _periods(desk: Desk, unit_bills: UnitBills, since: date) -> list[Period]:
    """Those whose bill date or bill lies in the time of shadow mode, up to today."""
    unit, today = unit_bills.unit, desk.today()
    found = {
        period for period, bills in unit_bills.bills.by_period.items() if any(since <= bill.dated <= today for bill in bills)
    }
    period = next(iter(sorted(found)), None) or billed_by(unit, since)
    while bill_date(period, unit.timing) <= today and (unit.ends is None or period.start < unit.ends):
        if bill_date(period, unit.timing) >= since and period.end > unit.starts:
            found.add(period)
        period = following(unit, period)
    return sorted(found)


def _one(desk: Desk, seen: _Seen, unit: BillingUnit, period: Period) -> ShadowCharge:
    bills = seen.round.bills[unit.key].bills.of(period)
    bill = bills[0] if len(bills) == 1 else None
    known = seen.known.get(charge_id(unit.key, period))
    row = _undecided(desk, unit, period, bill)
    paid = _paid(desk, seen, bill, known) if bill is not None else ()
    row = replace(row, payments=paid, collected=_most(paid, unit.currency))
    if known is not None and known.decided and known.psa_invoice == row.psa_invoice:
        # What would have been charged was settled on its day: what the PSA says later is no news about that.
        return replace(row, amount=known.amount, charge_date=known.charge_date, holds=known.holds, decided=True)
    return _decided(desk, seen, unit, row, bill)


def _undecided(desk: Desk, unit: BillingUnit, period: Period, bill: PsaInvoice | None) -> ShadowCharge:
    policy, day = policy_of(desk.settings, unit), bill_date(period, unit.timing)
    lines = sum_up(breakdown(unit, period), bill, bill.total - bill.credits, prorated=prorations(unit, period)) if bill else ()
    return ShadowCharge(
        id=charge_id(unit.key, period),
        unit=unit.key,
        name=unit.name,
        payer=unit.payer.key,
        period=period,
        bill_day=day,
        currency=unit.currency,
        computed=computed(unit, period),
        amount=None,
        charge_date=charge_date(policy, bill, day) if bill else None,
        decided=False,
        psa_invoice=bill.id if bill else "",
        psa_number=bill.number if bill else "",
        invoiced=bill.total if bill else None,
        tax=bill.tax if bill else None,
        balance=bill.balance if bill else None,
        collected=Money.zero(unit.currency),
        holds=(),
        payments=(),
        extra=beside_the_agreement(lines),
    )


def _decided(desk: Desk, seen: _Seen, unit: BillingUnit, row: ShadowCharge, bill: PsaInvoice | None) -> ShadowCharge:
    """By the same rules as a real charge, of a bill on which nobody has paid anything yet."""
    open_bill = replace(bill, payments=Money.zero(unit.currency), balance=bill.total - bill.credits) if bill else None
    facts = facts_of(desk, _as_if(seen, unit, row, bill, open_bill), _charge(row), _draft(row))
    day = max(desk.today(), row.charge_date or row.bill_day)
    policy = replace(
        facts.policy, collect_from=min(facts.policy.collect_from, row.bill_day, bill.dated if bill else row.bill_day)
    )
    decision = decide(replace(facts, today=day, policy=policy, previous=_previous(seen, unit, row)))
    return replace(
        row,
        amount=open_bill.balance if open_bill else None,
        holds=decision.reasons if isinstance(decision, Held) else (),
        decided=row.charge_date is not None and row.charge_date <= desk.today(),
    )


def _as_if(seen: _Seen, unit: BillingUnit, row: ShadowCharge, bill: PsaInvoice | None, open_bill: PsaInvoice | None) -> Round:
    """The round as it would be had nobody else collected: a difference between PSA and books stays one."""
    unit_bills = seen.round.bills[unit.key]
    books: dict[str, Sequence[BooksInvoice]] = {}
    if bill is not None and open_bill is not None:
        by_period = {**unit_bills.bills.by_period, row.period: (open_bill,)}
        unit_bills = replace(unit_bills, bills=replace(unit_bills.bills, by_period=by_period))
        books[bill.number] = [_unpaid(seen, invoice) for invoice in seen.books.get(bill.number, ())]
    return replace(
        seen.round,
        bills={**seen.round.bills, unit.key: unit_bills},
        books=books,
        customers={"": _enrolled(unit)},
    )


def _unpaid(seen: _Seen, invoice: BooksInvoice) -> BooksInvoice:
    """As the books would have it without the payments that they have, which may not have reached the PSA yet."""
    received = total((payment.amount for payment in seen.in_books.get(invoice.id, ())), invoice.balance.currency)
    return replace(invoice, balance=invoice.balance + received)


def _enrolled(unit: BillingUnit) -> Customer:
    """Who has not authorised a method yet is listed apart; it is not this charge's own fault."""
    method = PaymentMethod(id="", kind=MethodKind.OTHER)
    return Customer(id="", payer=unit.payer.key, name=unit.payer.name, email=unit.payer.email, default_method=method)


def _charge(row: ShadowCharge) -> Charge:
    return Charge(
        id=row.id,
        unit=row.unit,
        period=row.period,
        number=0,
        state=ChargeState.WAITING,
        currency=row.currency,
        computed=row.computed,
    )


def _draft(row: ShadowCharge) -> GatewayInvoice:
    """The one that the gateway would have made."""
    nothing = Money.zero(row.currency)
    return GatewayInvoice(
        id="",
        number="",
        subscription="",
        unit=row.unit,
        customer="",
        state=GatewayInvoiceState.DRAFT,
        bills_on=row.bill_day,
        total=row.computed,
        amount_due=row.computed,
        amount_paid=nothing,
        amount_remaining=row.computed,
        lines=(InvoiceLine(id="", item="", slot="", description=row.name, amount=row.computed),),
    )


def _previous(seen: _Seen, unit: BillingUnit, row: ShadowCharge) -> Money | None:
    """What the PSA billed for the period before."""
    bills = seen.round.bills[unit.key].bills.of(preceding(unit, row.period))
    return bills[0].total - bills[0].credits if len(bills) == 1 else None


def _paid(desk: Desk, seen: _Seen, bill: PsaInvoice, known: ShadowCharge | None) -> tuple[Elsewhere, ...]:
    books = desk.books.name if desk.books is not None else ""
    in_books = [payment for invoice in seen.books.get(bill.number, ()) for payment in seen.in_books.get(invoice.id, ())]
    before = known.payments if known is not None else ()
    kept = tuple(p for p in before if p.where == books) if bill.number not in seen.books else _said(books, in_books)
    of_psa = tuple(p for p in before if p.where == desk.psa.name)
    if total((p.amount for p in of_psa), bill.total.currency) != bill.payments:
        of_psa = _said(desk.psa.name, desk.psa.received(bill.id))
    return (*of_psa, *kept)


def _said(where: str, payments: Iterable[Received]) -> tuple[Elsewhere, ...]:
    return tuple(Elsewhere(where=where, amount=p.amount, on=p.dated, by=p.by) for p in payments)


def _most(payments: Sequence[Elsewhere], currency: str) -> Money:
    """The same payment is in the PSA and in the books: they are not added up."""
    sums = [total((p.amount for p in payments if p.where == where), currency) for where in {p.where for p in payments}]
    return max(sums, key=lambda amount: amount.minor, default=Money.zero(currency))
