"""Deliver money that went back to the books: never twice against the receivable, and the invoice ages again where it is owed.

A payment that is in no deposit yet, and went back whole, is voided where the books hold payments only. Everything else is a
journal: the receivable (or the account for disputed funds) against the account that the payment went to, and the payment's
application moved off the invoice onto that journal. What a journal is made of is written down before it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import date, timedelta

from connector.errors import Rejected
from connector.flows.books_case import Case
from connector.flows.desk import Desk
from connector.flows.meanings import meanings_of, unsaid
from connector.flows.outcome import Done, Later, Outcome
from connector.flows.relink import relinked
from connector.model.invoice import Posted
from connector.model.ledger import (
    EntryKind,
    LedgerEntry,
    ReversalReason,
    ReversalStage,
    is_reinstated,
    reversal_key,
    reversed_payment,
    undone,
)
from connector.model.money import Money
from connector.model.reversal import Meaning, Sides, Source, journal, parts
from connector.ports import WriteKey
from connector.store import ledger, links, outbox, stages
from connector.store.links import Link, LinkState
from connector.store.write_once import write_once

KIND = "reversal_booking"  # of links: a reversal (or its undoing) and the journal that it is in the books
WAIT = timedelta(hours=1)
RECEIVABLE = ""
_MOVED = (Meaning.TAKEN_BACK, Meaning.OVERPAID)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reversal:
    """A reversal with the payment that it takes back, as the books hold it."""

    case: Case
    means: Meaning
    payment: LedgerEntry
    posted: Posted
    adopted: bool  # somebody else entered the payment

    @property
    def entry(self) -> LedgerEntry:
        return self.case.entry

    @property
    def said(self) -> str:
        e = self.entry
        return f"{e.amount} of payment {self.posted.id} ({self.posted.amount}) went back to the payer on {e.on} ({e.detail})"

    @property
    def account(self) -> str:
        """Where the money of the payment is, or was: it left from there."""
        accounts = self.case.desk.settings.accounts
        return accounts.clearing if accounts.method == "clearing_account" else self.posted.account


def reverse(case: Case) -> Outcome:
    """Safe to repeat: looked up, and moved no further than it has to be."""
    begun = booking(case, case.entry.key)
    if undone(case.entries, case.entry) and begun is None:
        return Done(external_id="", note="undone at the gateway before it was entered here")
    with case.desk.store.read() as tx:
        means = meanings_of(tx, case.desk, [case.entry])[case.entry.key]
    if means is Meaning.UNSAID:
        return Later(note=unsaid(case.entry), after=WAIT)
    payment = _payment(case)
    link = _link(case, payment) if payment else None
    if payment is None or link is None or not link.target:
        return Later(note="waits for the payment that it reverses to be posted", after=WAIT)
    posted = case.books.posted([link.target]).get(link.target)
    if posted is None:
        return _gone(case, link, begun)
    one = _Reversal(case=case, means=means, payment=payment, posted=posted, adopted=bool(link.detail.get("adopted")))
    return _enter(one) if begun is not None or not _lowered(one) else _by_hand(one)


def _payment(case: Case) -> LedgerEntry | None:
    """The latest one before it that is a payment in the books: what was undone by a journal, or never entered, is none."""
    entries = [e for e in case.entries if not (is_reinstated(e) and e.key != case.entry.key and case.link(e) is None)]
    return reversed_payment(entries, case.entry)


def _link(case: Case, payment: LedgerEntry) -> Link | None:
    if case.link(payment) is None:
        relinked(case.desk, case.books.name)
    return case.link(payment)


def _gone(case: Case, link: Link, begun: Link | None) -> Outcome:
    """Whoever deleted the payment opened the invoice; a journal beside that would take it back twice."""
    if begun is None:
        return Done(external_id=link.target, note=_void_note(link.target))
    raise Rejected(
        f"payment {link.target} was deleted or voided in the books although {begun.target or 'a journal'} took"
        f" {case.entry.amount} of it back already: delete one of the two, whichever the customer's account shows twice",
        code="payment_gone",
    )


def _void_note(payment: str) -> str:
    """The same whoever did it: after a crash nobody can tell."""
    return f"payment {payment} is void in the books"


def _lowered(one: _Reversal) -> bool:
    """Whether somebody lowered the payment by what went back of it and was not entered by us."""
    entries = one.case.entries
    since, until = entries.index(one.payment), entries.index(one.entry)
    back = [e for e in entries[since : until + 1] if e.kind is EntryKind.REVERSAL and e.payment == one.entry.payment]
    open_ = [e for e in back if not undone(entries, e) and booking(one.case, e.key) is None]
    due = sum(e.amount.minor for e in open_)
    return (one.payment.amount - one.posted.amount).minor >= due > 0


def _by_hand(one: _Reversal) -> Outcome:
    return Done(
        external_id=one.posted.id, note=f"payment {one.posted.id} was lowered to {one.posted.amount} in the books by hand"
    )


def _enter(one: _Reversal) -> Outcome:
    if _is_voided(one):
        return _void(one)
    if one.adopted and one.means is not Meaning.DISPUTED:
        raise Rejected(f"{one.said}: somebody else entered that payment in the books, so it is left alone; take it back there")
    return _journals(one)


# Void


def _is_voided(one: _Reversal) -> bool:
    """Only where the books hold payments alone: beside payouts the payment and the refund each reach the bank."""
    return (
        one.case.desk.settings.accounts.method == "payments_only"
        and one.means is Meaning.TAKEN_BACK
        and one.entry.amount == one.posted.amount
        and not one.posted.deposited
        and not one.posted.moved
        and booking(one.case, one.entry.key) is None
        and one.case.dated() == one.entry.on  # what is void is void on the payment's day; another one was chosen for this
    )


def _void(one: _Reversal) -> Outcome:
    try:
        one.case.books.void(one.posted.id)
    except Rejected as error:
        raise Rejected(f"{one.said}: {error}", code=error.code) from None
    return Done(external_id=one.posted.id, note=_void_note(one.posted.id))


# Journals


def _journals(one: _Reversal) -> Outcome:
    """Dated on the day of the event: the withdrawal, and for a dispute that was lost the day of the loss as well."""
    if not one.account:
        raise Rejected(f"{one.said}: the books do not say to which account the payment went; enter it there by hand")
    disputed = one.case.desk.settings.accounts.disputed
    aside = disputed if disputed and _of_card_dispute(one) else RECEIVABLE
    made = _book(one, one.entry.key, Sides(debit=aside, credit=one.account), own=one.entry.on)
    sides = _sides(made)
    if sides.debit != RECEIVABLE and one.means is Meaning.TAKEN_BACK:
        lost = Sides(debit=RECEIVABLE, credit=sides.debit)
        made = _book(one, lost_key(one.entry), lost, own=_lost_on(one))
    if one.means in _MOVED:
        _move(one, made.target)
    return Done(external_id=made.target, note=_note(one, made))


def _of_card_dispute(one: _Reversal) -> bool:
    """Also one that is lost by now: the money went on one day, the invoice is open from another one on."""
    with one.case.desk.store.read() as tx:
        seen = stages.latest(tx, [one.entry.key]).get(one.entry.key)
    return seen is not None and seen.reason is ReversalReason.DISPUTE


def _lost_on(one: _Reversal) -> date:
    with one.case.desk.store.read() as tx:
        lost = [s for s in stages.history(tx, one.entry.key) if s.stage is ReversalStage.LOST]
    return one.case.desk.local_date(lost[0].at) if lost else one.entry.on


def lost_key(entry: LedgerEntry) -> str:
    return f"{entry.key}:lost"


def booking(case: Case, name: str) -> Link | None:
    """The journal of this name, if it was made or may have been."""
    with case.desk.store.read() as tx:
        link = links.find(tx, KIND, name, case.books.name)
    return link if link is not None and (link.state is LinkState.LINKED or link.sent_at is not None) else None


def _sides(link: Link) -> Sides:
    return Sides(debit=link.detail["debit"], credit=link.detail["credit"])


def _book(one: _Reversal, name: str, sides: Sides, *, own: date) -> Link:
    try:
        return _book_once(one.case, name, sides, customer=one.posted.customer, own=own, means=one.means)
    except Rejected as error:
        raise Rejected(f"{one.said}: {error}", code=error.code) from None


def _book_once(case: Case, name: str, sides: Sides, *, customer: str, own: date, means: str) -> Link:
    """Of a journal that may have been sent already the same one is sent again, whatever is configured by now."""
    plan = {
        "debit": sides.debit,
        "credit": sides.credit,
        "customer": customer,
        "dated": case.dated(own).isoformat(),
        "means": str(means),
    }
    begun = booking(case, name)
    if begun is None:
        with case.desk.store.begin() as tx:
            link = links.intend(tx, KIND, name, case.books.name, now=case.desk.now(), detail=plan)
            links.applied(tx, link, fingerprint="", detail=plan, now=case.desk.now())
    else:
        plan = begun.detail
    wanted = journal(
        Sides(debit=plan["debit"], credit=plan["credit"]),
        case.entry.amount,
        customer=plan["customer"],
        dated=date.fromisoformat(plan["dated"]),
        memo=_memo(case, name),
    )
    return write_once(
        case.desk.store,
        kind=KIND,
        source=name,
        target_system=case.books.name,
        now=case.desk.now,
        find=lambda key: _found(case, key),
        send=lambda key: case.books.book(wanted, key=key).id,
        find_lag=case.books.find_lag,
    )


def _memo(case: Case, name: str) -> str:
    entry, charge = case.entry, case.charge
    return f"{name} {entry.detail}; {entry.payment} {entry.invoice}; charge {charge.id}; invoice {charge.psa_number}"


def _found(case: Case, key: WriteKey) -> str | None:
    found = case.books.find_booking(key)
    return found.id if found else None


def _move(one: _Reversal, to: str) -> None:
    """The payment's application goes where the journal's debt is: the invoice is open by that much, and nothing is owed twice."""
    found, missing = parts((_source(one, posted, to) for posted in _payments(one)), one.entry.amount)
    for source, part in found:
        try:
            one.case.books.unapply(source.id, invoice=source.invoice, to=to, amount=part)
        except Rejected as error:
            raise Rejected(f"{one.said}. {_half_done(to)}: {error}", code=_not_of_its_day(error.code)) from None
    if missing:
        raise Rejected(f"{one.said}. {_half_done(to)}: {missing} of it is on no payment of ours in the books", code="not_moved")


def _half_done(to: str) -> str:
    return f"It is entered as {to}, but the payment could not be taken off its invoice, which still shows as paid"


def _not_of_its_day(code: str) -> str:
    """The payment's own day is meant, which no other day for the journal can help."""
    return "payment_closed" if code == "closed_period" else code


def _payments(one: _Reversal) -> list[Posted]:
    """That of the reversal first, then others of the same payment at the gateway; of money paid too much the charge's others."""
    until = one.case.entries.index(one.entry)
    paid = [e for e in one.case.entries[:until] if e.kind is EntryKind.PAYMENT and e.key != one.payment.key]
    if one.means is not Meaning.OVERPAID:
        paid = [e for e in paid if e.payment == one.entry.payment]
    ids = [link.target for e in reversed(paid) if (link := one.case.link(e)) is not None and link.target]
    found = one.case.books.posted(ids) if ids else {}
    return [one.posted, *(found[id] for id in ids if id in found and id != one.posted.id)]


def _source(one: _Reversal, posted: Posted, to: str) -> Source:
    """What stands on this journal already was free before."""
    zero = Money.zero(posted.amount.currency)
    here = posted.moved.get(to, zero)
    if one.means is Meaning.OVERPAID:
        return Source(id=posted.id, invoice="", free=posted.unapplied + here)
    elsewhere = sum((part for id, part in posted.moved.items() if id != to), zero)
    return Source(id=posted.id, invoice=posted.invoice, free=posted.amount - elsewhere)


def _note(one: _Reversal, made: Link) -> str:
    what = {
        Meaning.DISPUTED: "set apart as disputed funds; the invoice stays paid until the bank has decided",
        Meaning.CREDIT: "the invoice stays paid, a credit memo is expected",
        Meaning.OVERPAID: "taken from money that was on no invoice",
        Meaning.TAKEN_BACK: "the invoice is open again",
        Meaning.UNSAID: "",
    }[one.means]
    return f"entered as {made.target} ({one.entry.detail}): {what}"


# What was undone


def reinstate(case: Case) -> Outcome | None:
    """A dispute won, a refund that came back. None: the invoice is open in the books, so that it is a payment again."""
    key = reversal_key(case.entry.key.removeprefix("reinstated:"))
    begun = booking(case, key)
    if begun is None:
        if _was_taken_back(case, key):
            return None
        return Done(external_id="", note="the reversal that was undone had never been entered in the books")
    opened = begun.detail["debit"] == RECEIVABLE and begun.detail["means"] == Meaning.TAKEN_BACK
    if opened or booking(case, f"{key}:lost") is not None:
        return None
    sides = _sides(begun).turned()
    customer = begun.detail["customer"]
    made = _book_once(case, case.entry.key, sides, customer=customer, own=case.entry.on, means=begun.detail["means"])
    return Done(external_id=made.target, note=f"entered as {made.target}: {begun.target} is undone ({case.entry.detail})")


def _was_taken_back(case: Case, key: str) -> bool:
    """Whether the reversal that was undone had voided or lowered the payment in the books."""
    with case.desk.store.read() as tx:
        found = [d for d in outbox.of_entry(tx, key) if d.target == f"books:{case.books.name}"]
    return bool(found and found[0].external_id)


# What there is of it


def is_missing(desk: Desk, entries: Set[str], found: Mapping[str, Money]) -> bool:
    """Whether a journal of theirs was made and is not among those `found` in the books: somebody deleted it."""
    with desk.store.read() as tx:
        every = links.every(tx, KIND, desk.books.name if desk.books is not None else "")
    return any(link.target and key not in found for key, link in every.items() if key in entries)


def in_books(desk: Desk, entries: Set[str]) -> dict[str, Money]:
    """By ledger key, what its journal took away (less than nothing), or gave again. One request if there are any."""
    if desk.books is None:
        return {}
    with desk.store.read() as tx:
        every = links.every(tx, KIND, desk.books.name)
        amounts = {key: entry.amount for key in entries & every.keys() if (entry := ledger.get(tx, key)) is not None}
    named = {every[key].target: key for key in amounts if every[key].target}
    found = desk.books.booked(named) if named else {}
    keys = (named[id] for id in found)
    return {key: amounts[key] if key.startswith("reinstated:") else -amounts[key] for key in keys}
