"""Three-way check of one (billing unit, period): PSA, gateway, books - and our ledger between them. Pure.

kind                    what it means
ledger_behind           the gateway moved money that the ledger does not have, or the other way round
psa_invoice_missing     collected, and the bill is gone
psa_payment_missing     collected, and the PSA does not show it
psa_payment_awaited     another tool writes payments to the PSA, and this one is not there (or not taken back) yet, or too late
books_payment_awaited   the same of the books
partly_paid             collected in part, which this PSA cannot hold: it shows the invoice open
psa_payment_extra       went back, and the PSA still shows it
psa_payment_date        the PSA shows it as paid on another day
psa_other_payer         the bill belongs to another company than the one that was charged
books_payment_missing   collected, and the books do not have it (any more)
books_payment_extra     the books have more than was collected
books_payment_*         amount, date, customer, invoice: changed there, see `payment_check`
books_other_customer    the books' invoice of this number is another customer's, and the payer has none
books_unapplied         the books have it as the customer's credit, not on the invoice
collected_too_much      more was collected than billed
paid_twice              somebody else paid or credited the bill too, so that not all of ours fits on it any more
overpaid_in_psa         more is recorded on the bill than it comes to
balances_differ         PSA and books do not agree on what is open, for a reason of their own
not_collected           due and open, and nothing collects it
went_back               paid, then refunded, disputed or returned: open again, and not collected again by itself
paid_outside            noted at the gateway as paid outside of it, and open
billed_more             still open after its charge was paid
refund_unclassified     refunded, and nobody has said what for: it is entered nowhere
dispute_open            a bank decides: until then the invoice stays paid
refund_beside_dispute   refunded, and the same payment is disputed: the payer may get the money twice
credit_memo_missing     refunded as a credit, and no credit memo is there yet
touched_in_books        somebody changed or removed in the books what we had entered
further_invoice         a second bill of the same period is due and open
unplaced_invoice        due and open, and it could be the bill of two periods
unreadable_invoice      one of the agreement's invoices cannot be read: nothing of it is charged or compared
invoice_uncharged       the gateway asks for money, or took some, for no period of the agreement
currency_differs        the bill is in another currency than its charge; nothing else can be compared
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from connector.model import awaited
from connector.model.charge import ChargeState
from connector.model.decision import ChargeDecision
from connector.model.mend import Mend, MendKind
from connector.model.money import Money, total
from connector.model.payment_check import PaymentDrift
from connector.model.period import Period

SYNC = "connector sync --once"
RETRY = "put that right, then: connector retry (its number: connector parked)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """Something about one row that is no difference of its amounts. `unsaid`: an amount that is entered nowhere because of it.

    `about`: which of several of its kind.
    """

    kind: str
    message: str
    repair: str
    waiting: bool = False
    unsaid: Money | None = None
    about: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What the three say about one period of one billing unit, read just now. None: that partner has no such record.

    `writes_psa`, `writes_books`: whether we write there.
    """

    unit: str
    name: str
    period: Period
    state: ChargeState | None  # None: no charge, only a bill in the PSA
    due: bool
    psa_number: str
    psa_total: Money | None
    psa_paid: Money | None  # payments of everybody
    psa_open: Money | None
    psa_recorded: Money | None  # of the payments, ours, as it was after our last write
    gateway_collected: Money  # net, read again at the gateway
    ledger: Money  # net, as our ledger has it
    went_back: Money  # of it, and stayed there
    books_open: Money | None
    books_ours: Money | None  # what we posted (or adopted) there
    books_unapplied: Money | None  # of it, not applied to an invoice
    pending_psa: bool  # a delivery is still on its way
    pending_books: bool
    parked_psa: str  # why a delivery waits for a person, "" when none does
    parked_books: str
    writes_psa: bool
    writes_books: bool
    books_others: str = ""  # customers in the books whose invoice has this number, where the payer has none
    cannot_hold_parts: str = ""  # the PSA's name, where it knows an invoice as paid or open and nothing between
    charge: str = ""
    decision: ChargeDecision | None = None  # what a person said about all that went back
    further_numbers: str = ""  # other bills of the same period that are due and open
    further_open: Money | None = None
    told: tuple[Told, ...] = ()
    number: int = 0  # of the charge: more than 0 for a supplementary one
    charges: tuple[str, ...] = ()  # ids, where several stand for one bill
    payments: tuple[PaymentDrift, ...] = ()  # what somebody changed of our payments in the books
    accepted: Money | None = None  # what the books show too little, and a person said that it is right so
    late_psa: str = ""  # since when a delivery waits that should have been there by now, and for what
    late_books: str = ""
    paid_on: date | None = None  # the day under which the PSA shows it as paid, where it keeps one
    paid_as_written: date | None = None  # the day that we wrote there
    other_payer: str = ""  # the company whose bill it is in the PSA, where another one was charged
    sync_to_books: bool = False  # the PSA's own sync brings payments there
    kept: Money | None = None  # what the PSA is to show of ours: also what was refunded as a credit, or may yet come back
    overdue: int | None = None  # the days that another writer had, once they are over

    @property
    def currency(self) -> str:
        return self.ledger.currency

    @property
    def to_show(self) -> Money:
        """What the others are to show of it by now."""
        return self.ledger + total((one.unsaid for one in self.told if one.unsaid is not None), self.currency)

    @property
    def partly_paid(self) -> bool:
        """In part by us, and not to be seen there."""
        part = self.psa_total is not None and 0 < self.ledger.minor < self.psa_total.minor
        return bool(self.cannot_hold_parts) and part and self.psa_paid is not None and not self.psa_paid


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """One difference, and the command or act that repairs it. `waiting`: it goes away by itself.

    `about`: which of several of its kind in one period (a ledger key, a record, a payout). `mend`: what `connector repair`
    does about it.
    """

    kind: str
    unit: str
    name: str
    period: Period | None
    message: str
    repair: str
    waiting: bool = False
    about: str = ""
    amount: Money | None = None
    mend: Mend | None = None

    @property
    def id(self) -> str:
        """The same each time it is found: made of what it is about, not of what is said about it."""
        parts = (self.kind, self.unit, self.period.start.isoformat() if self.period else "", self.about)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def mended_by(drift: Drift, mend: Mend) -> Drift:
    return replace(drift, mend=mend, repair=f"connector repair {drift.id}")


def compare(row: Row) -> tuple[Drift, ...]:
    """Every difference of one row; none when the three agree to the cent."""
    if row.psa_total is not None and row.psa_total.currency != row.currency:
        if row.state is ChargeState.PAID and not row.psa_open:
            return ()  # collected and shown as paid before the PSA began to call it another currency's
        said = (
            f"invoice {row.psa_number} is in {row.psa_total.currency}, its charge in {row.currency}: nothing is collected for it"
        )
        return (_drift(row, "currency_differs", said, "correct the currency in the PSA, or collect this one outside autopay"),)
    known = (*_psa(row), *_payer(row), *_books(row), *_amounts(row))
    # A difference of the balances that follows from one of these is not told twice.
    told = (_drift(row, one.kind, one.message, one.repair, waiting=one.waiting, about=one.about) for one in row.told)
    return (*_ledger(row), *known, *(() if known else _balances(row)), *_uncollected(row), *told)


def _drift(
    row: Row, kind: str, message: str, repair: str, *, waiting: bool = False, about: str = "", amount: Money | None = None
) -> Drift:
    return Drift(
        kind=kind,
        unit=row.unit,
        name=row.name,
        period=row.period,
        message=message,
        repair=repair,
        waiting=waiting,
        about=about or (str(row.number) if row.number else ""),
        amount=amount,
    )


def _ledger(row: Row) -> Iterator[Drift]:
    if row.gateway_collected != row.ledger:
        yield _drift(
            row, "ledger_behind", f"the gateway collected {row.gateway_collected}, the payment journal has {row.ledger}", SYNC
        )


def _psa(row: Row) -> Iterator[Drift]:
    """Others pay in the PSA too: less than ours is missing, more is nobody's business unless something of ours is to go."""
    if not row.writes_psa:
        yield from _awaited(row, awaited.in_psa(row))
        return
    if row.psa_paid is None:
        if row.ledger:
            repair = "create the invoice in the PSA again: the payment is then recorded on it by itself"
            yield _drift(row, "psa_invoice_missing", f"{row.ledger} was collected, the PSA has no invoice", repair)
    elif row.partly_paid and not (row.pending_psa or row.parked_psa):
        said = f"invoice {row.psa_number}: {row.ledger} of {row.psa_total} collected; partly paid, {row.cannot_hold_parts} cannot"
        repair = "when the rest is entered in the books or collected, the paid date is set by itself"
        yield _drift(row, "partly_paid", f"{said} hold this", repair)
    elif row.psa_paid < row.ledger and row.psa_open is not None and row.psa_open.minor > 0:
        said = f"invoice {row.psa_number} shows {row.psa_paid} paid in the PSA, the gateway collected {row.ledger}"
        missing = _undelivered(row, "psa_payment_missing", said, row.pending_psa, row.parked_psa, "", late=row.late_psa)
        again = Mend(kind=MendKind.DELIVER, target="psa", keys=row.charges or (row.charge,))
        yield missing if row.pending_psa or row.parked_psa else mended_by(missing, again)
    elif row.went_back and row.psa_paid > row.to_show and (row.pending_psa or row.parked_psa):
        said = f"{row.went_back} went back to the payer, invoice {row.psa_number} still shows {row.psa_paid} paid in the PSA"
        by_hand = "take the payment back in the PSA"
        yield _undelivered(row, "psa_payment_extra", said, row.pending_psa, row.parked_psa, by_hand, late=row.late_psa)
    elif row.paid_on and row.paid_as_written and row.paid_on != row.paid_as_written:
        yield _paid_date(row, row.paid_on.isoformat(), row.paid_as_written.isoformat())


def _payer(row: Row) -> Iterator[Drift]:
    if row.other_payer and row.ledger:
        said = f"invoice {row.psa_number} is billed to company {row.other_payer} in the PSA, and another one was charged for it"
        repair = "bill it to the company that was charged, or refund the payment in the gateway's dashboard"
        yield _drift(row, "psa_other_payer", said, repair)


def _paid_date(row: Row, shown: str, written: str) -> Drift:
    """Whoever entered another day has to take it away: the agent changes only what it wrote itself."""
    said = f"invoice {row.psa_number} was paid on {written}; somebody changed that to {shown} in the PSA"
    return _drift(row, "psa_payment_date", said, f"set the paid date of invoice {row.psa_number} to {written} in the PSA")


def _books(row: Row) -> Iterator[Drift]:
    if row.books_others:
        said = f"invoice {row.psa_number} in the books belongs to another customer there (id {row.books_others})"
        repair = (
            "renumber that invoice in the books, or change its customer to the payer; name the payer's customer in the mapping"
        )
        yield _drift(row, "books_other_customer", f"{said}, and the payer has none of this number", repair)
    if not row.writes_books:
        yield from _awaited(row, awaited.in_books(row) if row.sync_to_books else None)
        return
    yield from (_changed(row, one) for one in row.payments if not one.accepted)
    ours = row.books_ours or Money.zero(row.currency)
    if ours + total((one.lacks for one in row.payments), row.currency) != row.to_show:
        kind = "books_payment_missing" if ours < row.ledger else "books_payment_extra"
        said = f"the books have {ours} of it, the gateway collected {row.ledger}"
        by_hand = "correct the payment in the books"
        yield _undelivered(row, kind, said, row.pending_books, row.parked_books, by_hand, late=row.late_books)
    elif row.books_unapplied:
        said = f"{row.books_unapplied} of our payment is the customer's credit in the books, not applied to an invoice"
        by_hand = "refund it to the payer, or apply it to another invoice of theirs"
        found = _undelivered(row, "books_unapplied", said, row.pending_books, row.parked_books, by_hand, late=row.late_books)
        again = Mend(kind=MendKind.DELIVER, target="books", keys=row.charges or (row.charge,))
        fits = row.books_open is not None and row.books_open.minor > 0 and not (row.pending_books or row.parked_books)
        yield mended_by(found, again) if fits else found


def _changed(row: Row, one: PaymentDrift) -> Drift:
    found = _drift(row, one.kind, one.message, one.by_hand, about=one.key, amount=one.lacks or None)
    return mended_by(found, one.mend) if one.mend is not None else found


def _awaited(row: Row, one: awaited.Awaited | None) -> Iterator[Drift]:
    if one is not None:
        yield _drift(row, one.kind, one.message, one.repair, waiting=one.waiting)


def _undelivered(row: Row, kind: str, said: str, pending: bool, parked: str, by_hand: str, *, late: str) -> Drift:
    """What should have been there long ago does not go away by itself any more."""
    if parked:
        return _drift(row, kind, f"{said}: {parked}", RETRY)
    if pending and late:
        return _drift(row, kind, f"{said}; stale: {late}", "put that right; connector status shows what it waits for")
    return _drift(row, kind, said, SYNC if pending else by_hand, waiting=pending)


def _amounts(row: Row) -> Iterator[Drift]:
    if row.psa_total is not None and row.ledger > row.psa_total:
        yield _drift(
            row,
            "collected_too_much",
            f"{row.ledger} was collected for a bill of {row.psa_total} (invoice {row.psa_number})",
            "refund the difference in the gateway's dashboard",
        )
    elif row.psa_recorded is not None and _did_not_fit(row):
        shown = row.kept if row.kept is not None else row.ledger
        too_much = shown - row.psa_recorded
        yield _drift(
            row,
            "paid_twice",
            f"invoice {row.psa_number} shows {row.psa_recorded} of the {shown} collected: a payment or credit memo of"
            f" somebody else took the room of the other {too_much}",
            f"refund {too_much} in the gateway's dashboard, with the metadata"
            " psa_connector_intent=overpayment, or keep it as the payer's credit",
        )
    if row.psa_open is not None and row.psa_open.minor < 0:
        yield _drift(
            row,
            "overpaid_in_psa",
            f"invoice {row.psa_number} is overpaid by {-row.psa_open} in the PSA",
            "remove the payment that was entered twice in the PSA",
        )


def _did_not_fit(row: Row) -> bool:
    is_settled = row.psa_open is not None and row.psa_open.minor <= 0 and not (row.pending_psa or row.parked_psa)
    shown = row.kept if row.kept is not None else row.ledger
    return is_settled and row.writes_psa and row.psa_recorded is not None and row.psa_recorded < shown


def _balances(row: Row) -> Iterator[Drift]:
    if row.books_open is None or row.psa_open is None or row.books_open == row.psa_open:
        return
    if row.accepted is not None and row.books_open - row.psa_open == row.accepted:
        return  # a person said that the books are right so
    said = f"invoice {row.psa_number} is open with {row.psa_open} in the PSA and {row.books_open} in the books"
    yield _drift(row, "balances_differ", said, "enter the missing payment or credit where it is missing")


def _uncollected(row: Row) -> Iterator[Drift]:
    """Open in the PSA, due, and nothing collects it any more."""
    if row.further_open is not None:
        yield _drift(
            row,
            "further_invoice",
            f"invoice {row.further_numbers} of the same period is due and open with {row.further_open}",
            f"{SYNC} makes a supplementary charge for it; if its agreement has ended: collect it outside autopay",
        )
    if row.psa_open is None or row.psa_open.minor <= 0:
        return
    if row.state is ChargeState.PAID:
        yield from () if row.partly_paid else _open_though_paid(row)
    elif row.state not in (ChargeState.WAITING, ChargeState.HELD, ChargeState.RELEASED) and row.due:
        yield _drift(row, "not_collected", *_not_collected(row))


def _not_collected(row: Row) -> tuple[str, str]:
    said = f"invoice {row.psa_number} is due and open with {row.psa_open}"
    match row.state:
        case ChargeState.WRITTEN_OFF:
            return f"{said}; its charge was written off when nothing was owed", "collect it outside autopay"
        case ChargeState.ENDED:
            return f"{said}; its charge was voided or given up at the gateway", "collect it outside autopay"
        case _:
            return (
                f"{said}, and no charge was made for it",
                "connector status shows whether a subscription is missing; collect it outside autopay if it is older than that",
            )


def _went_back(row: Row) -> Drift:
    """What a person has decided waits for what that means in the PSA."""
    said = f"{row.went_back} went back to the payer; invoice {row.psa_number} is open with {row.psa_open}"
    then = {
        ChargeDecision.RECOLLECT: "it was decided to collect it again: connector holds shows whether something keeps it back",
        ChargeDecision.CREDIT: "it was decided to credit it: credit the invoice in the PSA",
        ChargeDecision.WRITE_OFF: "it was decided to write it off: write the invoice off in the PSA",
    }
    if row.decision is not None:
        return _drift(row, "went_back", said, then[row.decision], waiting=True)
    ask = f"connector decide {row.charge} recollect, credit or write-off" if row.charge else "agree with the payer on another way"
    return _drift(row, "went_back", said, f"it is not collected again by itself: {ask}")


def _open_though_paid(row: Row) -> Iterator[Drift]:
    if row.went_back:
        yield _went_back(row)
    elif row.pending_psa or row.parked_psa or not row.writes_psa:
        return
    elif not row.ledger:
        yield _drift(
            row,
            "paid_outside",
            f"the charge is marked as paid outside the gateway; invoice {row.psa_number} is open with {row.psa_open} in the PSA",
            "enter the payment in the PSA and the books",
        )
    elif row.psa_paid is not None and row.psa_paid >= row.ledger:
        yield _drift(
            row,
            "billed_more",
            f"invoice {row.psa_number} is still open with {row.psa_open} after its charge was paid",
            f"a line was added after the charge: {SYNC} makes a supplementary charge for the rest",
        )
