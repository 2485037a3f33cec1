"""What one round of release reads once: bills, customers, books; and the facts of one charge made from it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from connector.errors import Rejected
from connector.flows import again, books_invoices, late, returned
from connector.flows.bills import UnitBills
from connector.flows.desk import Desk, Settings
from connector.flows.enrol import with_method
from connector.flows.others import NOBODY, Others, read_others
from connector.flows.supplements import left_of
from connector.model.agreement import BillingUnit, Payer, names_of
from connector.model.approval import Approval, went_out
from connector.model.charge import BreakdownLine, Charge, ChargeState
from connector.model.closed import closed_differently
from connector.model.explain import prorations
from connector.model.guards import Facts, Policy, Reason
from connector.model.invoice import BooksInvoice, Customer, GatewayInvoice, PsaInvoice
from connector.model.money import Money, total
from connector.model.other import cap_hold, is_other, questions
from connector.model.period import Period, bill_date
from connector.model.pricing import breakdown
from connector.model.release import Held, Release, decide, unreadable
from connector.model.supplement import own_bills
from connector.model.watch import method_returned
from connector.store import approvals, charges, freshness, overrules, payers
from connector.store import settings as stored_settings
from connector.store import units as billing_units

FRESH = timedelta(minutes=2)  # so long what was read for the whole round counts as read just now


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """What is read once for the whole round."""

    units: Mapping[str, BillingUnit]
    bills: Mapping[str, UnitBills]
    customers: Mapping[str, Customer]
    books: Mapping[str, Sequence[BooksInvoice]]
    unapplied: Mapping[str, Money]
    books_read: datetime
    data_age: timedelta
    paused: bool
    overruled: Mapping[str, Mapping[str, Money]] = field(default_factory=dict)  # by charge: hold -> amount
    charges: Mapping[tuple[str, Period], tuple[Charge, ...]] = field(default_factory=dict)  # by billing unit and period
    owners: Mapping[str, str] = field(default_factory=dict)  # agreement id -> billing unit that charges for it
    approvals: Mapping[str, Sequence[Approval]] = field(default_factory=dict)  # by charge
    others: Others = NOBODY
    returned: Mapping[str, Reason] = field(default_factory=dict)  # customers whose method is not to be debited
    again: frozenset[str] = frozenset()  # charges that collect again what went back


def gather(
    desk: Desk,
    units: Mapping[str, BillingUnit],
    bills: Mapping[str, UnitBills],
    pairs: Sequence[tuple[Charge, GatewayInvoice]],
) -> Round:
    with desk.store.read() as tx:
        fresh = {f.name: f.last_success for f in freshness.every(tx)}
        paused = bool(stored_settings.get(tx, "paused"))
        rows = {row.customer: row for row in payers.every(tx)}
        every = charges.every(tx)
        overruled = overrules.every(tx)
        approved = approvals.every(tx)
        collected_again = again.every(tx)
        owners = billing_units.charging(tx, {charge.unit for charge, _ in pairs})
    watched = [charge for charge in every if charge.state is ChargeState.RELEASED]
    last = fresh.get(desk.psa.name)
    base = Round(
        units=units,
        bills=bills,
        customers={},
        books={},
        unapplied={},
        books_read=desk.now(),
        data_age=desk.now() - last if last else timedelta(days=365),
        paused=paused,
        overruled=overruled,
        approvals=approved,
        again=collected_again,
        returned=_returned(desk),
        charges=_by_period(every),
        owners=owners,
    )
    due = [pair for pair in pairs if _may_be_due(desk, base, *pair)]
    customers = _customers(desk, {draft.customer for _, draft in due})
    for id, customer in customers.items():
        _remember_method(desk, rows.get(id), customer)
    base = replace(base, customers=customers, others=read_others(desk, customers))
    return read_books(desk, base, [c for c, _ in due], watched)


def _returned(desk: Desk) -> dict[str, Reason]:
    return {
        customer: method_returned(mark.payer, f"{mark.reason.replace('_', ' ')}: {mark.detail}", desk.local_date(mark.at))
        for customer, mark in returned.look(desk).items()
    }


def _by_period(every: Sequence[Charge]) -> dict[tuple[str, Period], tuple[Charge, ...]]:
    found: dict[tuple[str, Period], tuple[Charge, ...]] = {}
    for charge in every:
        key = (charge.unit, charge.period)
        found[key] = (*found.get(key, ()), charge)
    return found


def _may_be_due(desk: Desk, round_: Round, charge: Charge, draft: GatewayInvoice) -> bool:
    """Only what may be released now is worth asking the gateway and the books about; reads are metered there."""
    decision = decide(facts_of(desk, round_, charge, draft))
    return isinstance(decision, Release | Held) and not (isinstance(decision, Held) and decision.on is None)


def _customers(desk: Desk, ids: Collection[str]) -> Mapping[str, Customer]:
    """One that the gateway refuses to show is left out, so that it has no method and is held; it keeps back no other."""
    try:
        return desk.gateway.customers(ids) if ids else {}
    except Rejected:
        found: dict[str, Customer] = {}
        for id in sorted(ids):
            with suppress(Rejected):
                found.update(desk.gateway.customers([id]))
        return found


def _remember_method(desk: Desk, row: payers.PayerRow | None, customer: Customer) -> None:
    if row is not None and (new := with_method(row, customer)) != row and new.method:
        with desk.store.begin() as tx:
            payers.save(tx, new, now=desk.now())


def read_books(desk: Desk, round_: Round, due: Sequence[Charge], watched: Sequence[Charge] = ()) -> Round:
    """The round with the books as they are now, for these charges; for those that are due also what is unapplied."""
    numbers = {bill.number for c in (*due, *watched) for bill in bills_of(round_, c)}
    numbers |= {c.psa_number for c in watched if c.psa_number}  # also of agreements that left the filter
    if desk.books is None or not numbers:
        return round_
    books = desk.books.invoices(numbers)
    due_numbers = {bill.number for c in due for bill in bills_of(round_, c)}
    customers = {invoice.customer for number in due_numbers for invoice in books.get(number, ())}
    unapplied = desk.books.unapplied(customers) if customers else {}
    return replace(round_, books=books, unapplied=unapplied, books_read=desk.now())


def is_old(desk: Desk, round_: Round) -> bool:
    """A long round: somebody may have entered a cheque in the books since they were read."""
    return desk.now() - round_.books_read > FRESH


def in_books(desk: Desk, round_: Round, payer: Payer, bill: PsaInvoice) -> tuple[BooksInvoice, ...]:
    """The bill as the books have it: the payer's own, whoever else has an invoice of this number."""
    return books_invoices.of_payer(desk, payer, round_.books.get(bill.number, ()), billed=lambda: bill.total)


def bills_of(round_: Round, charge: Charge) -> tuple[PsaInvoice, ...]:
    """Those that this charge may stand for; exactly one is its bill."""
    unit_bills = round_.bills.get(charge.unit)
    if unit_bills is None:
        return ()
    found = unit_bills.bills.of(charge.period)
    return own_bills(found, charge, siblings(round_, charge), bill_date(charge.period, unit_bills.unit.timing))


def siblings(round_: Round, charge: Charge) -> tuple[Charge, ...]:
    """All charges of the same period, this one too."""
    return round_.charges.get((charge.unit, charge.period), (charge,))


def facts_of(desk: Desk, round_: Round, charge: Charge, draft: GatewayInvoice, bill: PsaInvoice | None = None) -> Facts:
    """`bill`: as it was read again just now, instead of the round's."""
    unit, unit_bills = round_.units[charge.unit], round_.bills[charge.unit]
    bills = (bill,) if bill is not None else bills_of(round_, charge)
    of_books = tuple(b for bill in bills for b in in_books(desk, round_, unit.payer, bill))
    customer = round_.customers.get(draft.customer) or Customer(
        id=draft.customer, payer=unit.payer.key, name=unit.payer.name, email="", default_method=None
    )
    facts = Facts(
        name=unit.name,
        policy=policy_of(desk.settings, unit),
        today=desk.today(),
        bill_day=bill_date(charge.period, unit.timing),
        draft=draft,
        computed=charge.computed,
        computed_lines=breakdown(unit, charge.period),
        bills=bills,
        unsure=unit_bills.bills.unsure if not bills else (),
        books_bills=of_books,
        books_unapplied=_unapplied(round_, of_books, charge.currency),
        customer=customer,
        collect=unit.collect,
        data_age=round_.data_age,
        previous=_previous(desk, charge),
        paused=is_paused(desk),
        returned=round_.returned.get(draft.customer),
        reversed=_reversed(charge),
        unit=unit.key,
        owners=round_.owners,
        closed=closed_differently(charge, (*bills, *(() if bills else unit_bills.bills.unsure))),
        prorated=prorations(unit, charge.period),
        released_by_person=round_.overruled.get(charge.id, {}),
        approvals=tuple(round_.approvals.get(charge.id, ())),
        earlier=len(_earlier(desk, charge)),
        covered=_covered(round_, charge),
        others=round_.others.holds(unit.key, draft.customer, bills, bill_date(charge.period, unit.timing)),
    )
    facts = replace(facts, asked=unreadable(unit_bills.unreadable))
    facts = _of_supplement(desk, round_, charge, facts) if charge.number else facts
    return _of_other(desk, charge, facts) if is_other(charge.unit) else facts


def _of_other(desk: Desk, charge: Charge, facts: Facts) -> Facts:
    """One invoice that no agreement bills, even if it is applied to one: compared with nothing, and never computed."""
    rules, bill = desk.settings.other, facts.bills[0] if facts.bills else None
    approve = "always" if facts.policy.approve == "always" else "never"  # it has no first periods
    return replace(
        facts,
        owners={},
        asked=questions(rules, bill, charge.psa_number, charge.payer),
        others=(*facts.others, *(cap_hold(rules, bill, charge.payer) if bill is not None else ())),
        policy=replace(facts.policy, computed_when_missing=False, approve=approve),
    )


def _of_supplement(desk: Desk, round_: Round, charge: Charge, facts: Facts) -> Facts:
    """Only what was billed beyond what the period's other charges stand for; nothing is computed, nothing compared."""
    others = [other for other in siblings(round_, charge) if other.id != charge.id]
    on_it = {bill.id: [other for other in others if other.psa_invoice == bill.id] for bill in facts.bills}
    shared = [other for of_bill in on_it.values() for other in of_bill]
    late_books = late.of_all(desk, shared, charge.currency)[1]
    said = again.describe(charge, round_.again)
    held = facts.policy.supplementary_held and charge.id not in round_.again  # who decided to collect again has approved it
    return replace(
        facts,
        bills=tuple(left_of(desk, bill, others) for bill in facts.bills),
        books_bills=tuple(replace(b, balance=b.balance - late_books) for b in facts.books_bills),
        unsure=(),
        computed_lines=(BreakdownLine(kind="supplement", description=said, amount=charge.computed, source="PSA invoice"),),
        prorated=(),
        previous=None,
        policy=replace(facts.policy, computed_when_missing=False, supplementary_held=held),
        supplementary=True,
    )


def is_paused(desk: Desk) -> bool:
    """Asked again for each charge: a long round stops in the middle of it."""
    with desk.store.read() as tx:
        return bool(stored_settings.get(tx, "paused"))


def policy_of(settings: Settings, unit: BillingUnit) -> Policy:
    """The configured one, the payer's own over it, what the PSA says of the agreement over that, and its configured own last.

    The agreement may have its own charge date (a rule's name, or a day of the month) and its own first day.
    """
    policy = _with_own(settings.policy, settings.payer_policies, names_of(unit.payer.key))
    rule = unit.root.charge_date
    if rule.isdigit():
        policy = replace(policy, charge_date="day_of_month", day=int(rule))
    elif rule:
        policy = replace(policy, charge_date=rule)
    if unit.root.collect_from is not None:
        policy = replace(policy, collect_from=max(policy.collect_from, unit.root.collect_from))
    members = [str(agreement.ref) for agreement in reversed(unit.agreements)]
    names = (name for key in (unit.key, *members) for name in (key.partition(":")[2], key))
    return _with_own(policy, settings.agreement_policies, names)


def _with_own(policy: Policy, own: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> Policy:
    """`own` names a record by its id, or by its key with the PSA's name before it."""
    for name in names:
        policy = replace(policy, **own.get(name, {}))
    return policy


def _unapplied(round_: Round, of_books: Sequence[BooksInvoice], currency: str) -> Money | None:
    amounts = [round_.unapplied[c] for c in {b.customer for b in of_books} if c in round_.unapplied]
    return total(amounts, currency) if amounts else None


def _previous(desk: Desk, charge: Charge) -> Money | None:
    """What the last period before this one came to."""
    with desk.store.read() as tx:
        earlier = [c for c in charges.of_unit(tx, charge.unit) if c.period < charge.period and c.owed and c.number == 0]
    return max(earlier, key=lambda c: c.period).owed if earlier else None


def _covered(round_: Round, charge: Charge) -> Period | None:
    asked = (ChargeState.RELEASED, ChargeState.PAID)
    return next(
        (
            period
            for (unit, period), found in round_.charges.items()
            if unit == charge.unit and period != charge.period and any(c.state in asked for c in found)
            if period.start <= charge.period.start and charge.period.end <= period.end
        ),
        None,
    )


def _earlier(desk: Desk, charge: Charge) -> tuple[Charge, ...]:
    """The regular charges of periods before this one that went out."""
    with desk.store.read() as tx:
        return went_out(charges.of_unit(tx, charge.unit), before=charge.period)


def _reversed(charge: Charge) -> bool:
    return charge.collected is not None and charge.collected.minor == 0 and charge.released_at is not None
