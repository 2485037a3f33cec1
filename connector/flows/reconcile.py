"""Reconcile: compare PSA, gateway and books, per billing unit and period; classify every difference.

Writes nothing to a partner. What the other flows can repair by themselves is handed to them: a ledger that is behind to
`collect`, a payment whose invoice was made again to `deliver`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from connector.errors import Rejected
from connector.flows import agreements, collect, deliver_reversals, settled, told_of_reversals
from connector.flows.bills import UnitBills, read_bills
from connector.flows.books_invoices import known_payer, of_payer
from connector.flows.decisions import decision_of, reversals_of
from connector.flows.desk import Desk
from connector.flows.naming import name_of
from connector.flows.relink import relinked
from connector.flows.unplaced import unplaced_bills
from connector.model.agreement import BillingUnit
from connector.model.charge import Charge, ChargeState
from connector.model.decision import ChargeDecision
from connector.model.drift import Drift, Row, compare
from connector.model.invoice import BooksInvoice, Posted, PsaInvoice
from connector.model.ledger import EntryKind, LedgerEntry, net, went_back
from connector.model.money import Money, total
from connector.model.period import Period
from connector.store import charges, freshness, ledger, links, outbox, settings
from connector.store.outbox import Delivery, DeliveryState

KEEP_ALIVE = timedelta(days=1)
DAYS = 92
CHECKED = "reconcile.found"  # how many mismatches the last check found, for `status`
BY_HAND = "by hand: "  # begins the note of a delivery that a person took over: what they entered cannot be seen from here
NOT_CHOSEN = "write_back.psa_payments is not chosen in the configuration"
_AT_THE_GATEWAY = (ChargeState.RELEASED, ChargeState.PAID, ChargeState.ENDED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciliation:
    """Every row that was compared and every difference."""

    rows: tuple[Row, ...]
    drifts: tuple[Drift, ...]
    since: date

    @property
    def ties(self) -> bool:
        return not self.drifts


def reconcile(desk: Desk, *, since: date | None = None) -> Reconciliation:
    """Everything billed since that day (default: 92 days), each partner read anew."""
    since = max(since or desk.today() - timedelta(days=DAYS), desk.settings.policy.collect_from)
    _keep_alive(desk)
    subjects, bills = _subjects(desk, since)
    facts = _read(desk, subjects)
    _hand_over(desk, subjects, facts)
    rows = tuple(_row(desk, subject, facts) for subject in subjects)
    drifts = (*(drift for row in rows for drift in compare(row)), *unplaced_bills(desk, bills, since=since))
    waiting = sum(drift.waiting for drift in drifts)
    with desk.store.begin() as tx:
        settings.set(tx, CHECKED, {"open": len(drifts) - waiting, "waiting": waiting}, now=desk.now())
        freshness.succeeded(tx, "reconcile", now=desk.now())
    return Reconciliation(rows=rows, drifts=drifts, since=since)


def _keep_alive(desk: Desk) -> None:
    """Books that nothing was asked of for days are asked once: a permission that is not used dies (payments.md 2.2)."""
    with desk.store.read() as tx:
        seen = {beat.name: beat.last_success for beat in freshness.every(tx)}
    last = seen.get(desk.books.name) if desk.books is not None else None
    if desk.books is not None and (last is None or desk.now() - last > KEEP_ALIVE):
        desk.books.ping()


# What there is to compare


@dataclass(frozen=True, kw_only=True, slots=True)
class _Subject:
    """One period of one billing unit. `bill`: the charge's invoice, or the one that was made in its place."""

    unit: str
    name: str
    period: Period
    charge: Charge | None
    bill: PsaInvoice | None
    further: tuple[PsaInvoice, ...]
    entries: tuple[LedgerEntry, ...]
    invoices: tuple[PsaInvoice, ...] = ()  # everything billed to the unit, credit memos among it
    also: tuple[Charge, ...] = ()  # supplementary charges for what the same invoice was raised by

    @property
    def charges(self) -> tuple[Charge, ...]:
        return (self.charge, *self.also) if self.charge else ()

    @property
    def number(self) -> str:
        return self.bill.number if self.bill else self.charge.psa_number if self.charge else ""

    @property
    def payer(self) -> str:
        return (self.charge.payer if self.charge else "") or (self.bill.payer if self.bill else "")

    def moved(self) -> bool:
        """What was written for this charge stands on an invoice that is no more."""
        bound = self.charge.psa_invoice if self.charge and self.entries else ""
        return bool(bound) and self.bill is not None and self.bill.id != bound


def _subjects(desk: Desk, since: date) -> tuple[list[_Subject], Collection[UnitBills]]:
    with desk.store.read() as tx:
        recorded = _by_invoice([c for c in charges.every(tx) if c.period.end >= since])
    alive, _ = agreements.billing_units(desk, agreements.stored_reading(desk))
    charged = {unit for unit, _, _ in recorded}
    known = {unit.key: unit for unit in alive if unit.collect or unit.key in charged}
    # A year's bill is dated long before the days in question, and its charge is among them.
    bills = read_bills(desk, known.values(), since=min([since, *(period.start for _, period, _ in recorded)]))
    keys = recorded.keys() | {(unit, period, 0) for unit, period in _billed(bills, since)}
    ordered = sorted(keys, key=lambda key: (key[0], key[1].start, key[2]))
    of_period: dict[tuple[str, Period], list[Charge]] = {}
    for charge in (charge for together in recorded.values() for charge in together):
        of_period.setdefault((charge.unit, charge.period), []).append(charge)
    found = [_subject(desk, known, bills, recorded.get(key, ()), of_period.get(key[:2], []), *key[:2]) for key in ordered]
    return found, bills.values()


def _by_invoice(every: Sequence[Charge]) -> dict[tuple[str, Period, int], tuple[Charge, ...]]:
    """By unit, period and number of the first one: charges for one invoice of the PSA are compared with it together."""
    first: dict[tuple[str, Period, str], int] = {}
    found: dict[tuple[str, Period, int], tuple[Charge, ...]] = {}
    for charge in every:
        invoice = charge.psa_invoice or charge.id
        number = first.setdefault((charge.unit, charge.period, invoice), charge.number)
        key = (charge.unit, charge.period, number)
        found[key] = (*found.get(key, ()), charge)
    return found


def _billed(bills: Mapping[str, UnitBills], since: date) -> set[tuple[str, Period]]:
    return {
        (key, period)
        for key, unit_bills in bills.items()
        for period, invoices in unit_bills.bills.by_period.items()
        if any(invoice.dated >= since for invoice in invoices)
    }


def _subject(
    desk: Desk,
    known: Mapping[str, BillingUnit],
    bills: Mapping[str, UnitBills],
    together: Sequence[Charge],
    of_period: Sequence[Charge],
    unit: str,
    period: Period,
) -> _Subject:
    charge = together[0] if together else None
    others = {c.psa_invoice for c in of_period if c not in together}
    found = [invoice for invoice in bills[unit].bills.of(period) if invoice.id not in others] if unit in bills else []
    bill = _bill(desk, charge, found)
    with desk.store.read() as tx:
        called = name_of(tx, charge) if charge is not None else unit
        entries = tuple(entry for c in together for entry in ledger.entries(tx, charge=c.id))
    name = known[unit].name if unit in known else called
    return _Subject(
        unit=unit,
        name=f"{name}, billed in addition" if charge is not None and charge.number else name,
        period=period,
        charge=charge,
        bill=bill,
        further=tuple(other for other in found if bill is not None and other.id != bill.id and not (charge and charge.number)),
        entries=entries,
        invoices=bills[unit].invoices if unit in bills else (),
        also=tuple(together[1:]),
    )


def _bill(desk: Desk, charge: Charge | None, found: Sequence[PsaInvoice]) -> PsaInvoice | None:
    """The agreement may have left the filter since; its invoice is there all the same."""
    bound = charge.psa_invoice if charge else ""
    mine = next((invoice for invoice in found if invoice.id == bound), None)
    lost = mine is None and bound and not found
    return desk.psa.invoice(bound) if lost else mine or (found[0] if found else None)


# What the gateway and the books say


@dataclass(frozen=True, kw_only=True, slots=True)
class _Facts:
    collected: Mapping[str, Money]  # gateway invoice -> net, read at the gateway
    numbered: Mapping[str, Sequence[BooksInvoice]]  # all that the books have of a number
    of_payer: Mapping[tuple[str, str], Sequence[BooksInvoice]]  # of these the payer's own, by payer and number
    posted: Mapping[str, Posted]  # by ledger entry key
    adopted: frozenset[str]  # ledger entry keys whose payment a person had entered in the books
    journals: Mapping[str, Money]  # by ledger entry key, what our journals took away, or gave again where that was undone

    def books(self, subject: _Subject) -> Sequence[BooksInvoice]:
        return self.of_payer.get((subject.payer, subject.number), ())

    def others(self, subject: _Subject) -> Sequence[BooksInvoice]:
        """Where the payer has none of this number, those of other customers that have it."""
        return () if self.books(subject) else self.numbered.get(subject.number, ())

    def ours(self, entries: Iterable[LedgerEntry]) -> list[Posted]:
        """What the books hold of it: a voided or deleted payment counts nothing."""
        return [self.posted[e.key] for e in entries if e.key in self.posted]

    def unapplied(self, entries: Iterable[LedgerEntry], currency: str) -> Money:
        return total((p.unapplied for p in self.ours(e for e in entries if e.key not in self.adopted)), currency)


def _read(desk: Desk, subjects: Sequence[_Subject]) -> _Facts:
    numbers = {subject.number for subject in subjects if subject.number}
    keys = {entry.key for subject in subjects for entry in subject.entries}
    posted, adopted = _posted(desk, keys)
    numbered = desk.books.invoices(numbers) if desk.books is not None and numbers else {}
    return _Facts(
        collected=_collected(desk, [charge for s in subjects for charge in s.charges]),
        numbered=numbered,
        of_payer={(s.payer, s.number): _of_payer(desk, s, numbered.get(s.number, ())) for s in subjects if s.number},
        posted=posted,
        adopted=adopted,
        journals=deliver_reversals.in_books(desk, keys),
    )


def _of_payer(desk: Desk, subject: _Subject, found: Sequence[BooksInvoice]) -> Sequence[BooksInvoice]:
    """None where several customers of the books could be the payer: nobody can tell which is meant."""
    billed = subject.bill.total if subject.bill else None
    try:
        return of_payer(desk, known_payer(desk, subject.payer), found, billed=lambda: billed)
    except Rejected:
        return ()


def _collected(desk: Desk, recorded: Sequence[Charge]) -> dict[str, Money]:
    """What the gateway says now, net of what went back."""
    result: dict[str, Money] = {}
    wanted = {c.gateway_invoice: c.currency for c in recorded if c.state in _AT_THE_GATEWAY and c.gateway_invoice}
    for number, (id, currency) in enumerate(sorted(wanted.items()), start=1):
        desk.settings.progress("charges", number, len(wanted))
        payments = desk.gateway.payments(id)
        back = [r.amount for p in payments if p.moved_back for r in desk.gateway.reversals(p.payment)]
        result[id] = total((p.amount for p in payments), currency) - total(back, currency)
    return result


def _posted(desk: Desk, keys: set[str]) -> tuple[dict[str, Posted], frozenset[str]]:
    if desk.books is None:
        return {}, frozenset()
    mine = {key: link for key, link in relinked(desk, desk.books.name).items() if link.target and key in keys}
    found = desk.books.posted({link.target for link in mine.values()}) if mine else {}
    posted = {key: found[link.target] for key, link in mine.items() if link.target in found}
    return posted, frozenset(key for key, link in mine.items() if link.detail.get("adopted"))


# What the other flows repair


def _hand_over(desk: Desk, subjects: Sequence[_Subject], facts: _Facts) -> None:
    behind = [c.id for s in subjects if _at_gateway(s, facts) != net(s.entries, _currency(s)) for c in s.charges]
    if behind:
        collect.look_again(desk, behind)
    for subject in subjects:
        if subject.moved():
            _deliver_again(desk, subject, "")
        elif _can_be_applied(subject, facts) and not told_of_reversals.left_alone(desk, subject.entries, facts.journals):
            _deliver_again(desk, subject, "books:")
        elif _is_settled_by_others(desk, subject, facts):
            _deliver_again(desk, subject, "psa:")


def _at_gateway(subject: _Subject, facts: _Facts) -> Money:
    found = (facts.collected.get(charge.gateway_invoice) for charge in subject.charges)
    return total((amount for amount in found if amount is not None), _currency(subject))


def _can_be_applied(subject: _Subject, facts: _Facts) -> bool:
    """The invoice was deleted in the books and entered again, so that our payment on it became the customer's credit."""
    open_ = [invoice for invoice in facts.books(subject) if invoice.balance.minor > 0]
    return bool(open_) and facts.unapplied(subject.entries, _currency(subject)).minor > 0


def _is_settled_by_others(desk: Desk, subject: _Subject, facts: _Facts) -> bool:
    """We collected a part, which this PSA cannot hold, and there or in the books the rest has arrived since."""
    if subject.charge is None or subject.bill is None or subject.charge.id not in settled.partly_paid(desk):
        return False
    currency, in_books = _currency(subject), facts.books(subject)
    if not subject.bill.balance or len(in_books) != 1:
        return not subject.bill.balance
    ours = total((posted.on_invoices for posted in facts.ours(subject.entries)), currency)
    return net(subject.entries, currency) + settled.paid_by_others(in_books[0], ours) >= subject.bill.total


def _deliver_again(desk: Desk, subject: _Subject, target: str) -> None:
    """`deliver` looks at the target and writes what is missing there, if anything is."""
    paid = [entry for entry in subject.entries if entry.kind is EntryKind.PAYMENT]
    with desk.store.begin() as tx:
        for delivery in (d for entry in paid for d in outbox.of_entry(tx, entry.key)):
            if delivery.target.startswith(target) and delivery.external_id:
                outbox.reopen(tx, delivery.id, now=desk.now())


# One row


def _decision(desk: Desk, subject: _Subject) -> ChargeDecision | None:
    """The last charge of the invoice of which money is away speaks for it."""
    with desk.store.read() as tx:
        gone = [c for c in subject.charges if c.collected is not None and reversals_of(tx, c.id)]
        found = decision_of(tx, gone[-1]) if gone else None
    return found.decision if found is not None else None


def _row(desk: Desk, subject: _Subject, facts: _Facts) -> Row:
    bill, entries, currency = subject.bill, subject.entries, _currency(subject)
    in_books = facts.books(subject)
    to_psa, to_books = _undelivered(desk, entries, "psa:"), _undelivered(desk, entries, "books:")
    open_ = [other for other in subject.further if other.balance.minor > 0 and _is_due(desk, other)]
    return Row(
        unit=subject.unit,
        name=subject.name,
        period=subject.period,
        state=_state(subject),
        due=bill is not None and _is_due(desk, bill),
        psa_number=bill.number if bill else "",
        psa_total=bill.total if bill else None,
        psa_paid=bill.payments if bill else None,
        psa_open=bill.balance if bill else None,
        psa_recorded=_recorded(desk, subject),
        gateway_collected=_at_gateway(subject, facts),
        ledger=net(entries, currency),
        went_back=went_back(entries, currency),
        charge=subject.charge.id if subject.charge else "",
        decision=_decision(desk, subject),
        books_open=total((b.balance for b in in_books), currency) if in_books else None,
        books_ours=_in_books(desk, entries, facts, currency) if desk.books is not None else None,
        books_unapplied=facts.unapplied(entries, currency) if desk.books is not None else None,
        books_others=", ".join(sorted(other.customer for other in facts.others(subject))),
        pending_psa=any(d.state is not DeliveryState.PARKED for d in to_psa),
        pending_books=any(d.state is not DeliveryState.PARKED for d in to_books),
        parked_psa=_parked(to_psa) or (NOT_CHOSEN if to_psa and desk.settings.psa_payments is None else ""),
        parked_books=_parked(to_books),
        writes_psa=desk.settings.psa_payments != "accounting_sync",
        writes_books=desk.books is not None and desk.settings.books_payments,
        cannot_hold_parts="" if settled.holds_parts(desk) else desk.psa.name.capitalize(),
        further_numbers=", ".join(other.number for other in open_),
        further_open=total((other.balance for other in open_), currency) if open_ else None,
        told=told_of_reversals.told(desk, subject.payer, entries, subject.invoices),
    )


def _state(subject: _Subject) -> ChargeState | None:
    """Of several charges for one invoice the one that is still to be collected, else the latest."""
    states = [charge.state for charge in subject.charges]
    going_on = [state for state in states if state in (ChargeState.WAITING, ChargeState.HELD, ChargeState.RELEASED)]
    return (going_on or states)[-1] if states else None


def _currency(subject: _Subject) -> str:
    known = subject.charge.currency if subject.charge else ""
    return known or (subject.bill.total.currency if subject.bill else "")


def _is_due(desk: Desk, bill: PsaInvoice) -> bool:
    return (bill.due_date or bill.dated) < desk.today()


def _recorded(desk: Desk, subject: _Subject) -> Money | None:
    if subject.charge is None or subject.bill is None:
        return None
    with desk.store.read() as tx:
        link = links.find(tx, "psa_payment", subject.bill.id, desk.psa.name)
    minor = link.detail.get("recorded") if link else None
    return Money(minor, subject.charge.currency) if minor is not None else None


def _in_books(desk: Desk, entries: Sequence[LedgerEntry], facts: _Facts, currency: str) -> Money:
    """What we posted (or adopted), and what a person said that they entered for us."""
    with desk.store.read() as tx:
        done = {e.key: [d.note for d in outbox.of_entry(tx, e.key) if d.target.startswith("books:")] for e in entries}
    by_hand = [e for e in entries if e.key not in facts.journals and any(n.startswith(BY_HAND) for n in done[e.key])]
    taken = (facts.journals[e.key] for e in entries if e.key in facts.journals)
    return total((*(p.amount for p in facts.ours(entries)), *taken), currency) + net(by_hand, currency)


def _undelivered(desk: Desk, entries: Iterable[LedgerEntry], target: str) -> list[Delivery]:
    with desk.store.read() as tx:
        found = [d for entry in entries for d in outbox.of_entry(tx, entry.key)]
    return [d for d in found if d.state is not DeliveryState.DONE and d.target.startswith(target)]


def _parked(deliveries: Sequence[Delivery]) -> str:
    return next((d.note for d in deliveries if d.state is DeliveryState.PARKED), "")
