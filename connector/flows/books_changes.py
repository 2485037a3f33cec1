"""What people changed of ours in the books: read once an hour, kept as touched, told; never made again nor fought over.

A customer that was merged into another one is followed: the payer belongs to the one that is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connector.errors import Rejected
from connector.flows import other_writers
from connector.flows.books_case import PAYMENT
from connector.flows.books_invoices import known_payer
from connector.flows.deliver_reversals import KIND as REVERSAL
from connector.flows.desk import Desk
from connector.flows.payout_bookings import KIND as PAYOUT
from connector.flows.payout_bookings import said_of
from connector.model.bookings import Booked, BooksChange, BooksChanges, ChangedKind
from connector.model.invoice import Posted
from connector.model.ledger import EntryKind, LedgerEntry
from connector.ports import Books
from connector.store import audit, booking_dates, cursors, ledger, links, outbox, payers, touched
from connector.store.links import Link, LinkState
from connector.store.outbox import DeliveryState
from connector.store.payers import PayerRow

EVERY = timedelta(hours=1)
_BOOKINGS = (ChangedKind.JOURNAL, ChangedKind.TRANSFER, ChangedKind.DEPOSIT)


@dataclass(kw_only=True, slots=True)
class Seen:
    """What one look found. `lost`: the books did not say everything, so that all that is ours was read again."""

    touched: list[str] = field(default_factory=list)  # sentences, those that are new
    moved: list[str] = field(default_factory=list)  # payers who were merged
    lost: bool = False


def books_changes(desk: Desk) -> Seen:
    """One request an hour, and one more for every hundred records of ours that were changed, also by ourselves."""
    seen, now = Seen(), desk.now()
    if desk.books is None:
        return seen
    name = f"{desk.books.name}.changes"
    with desk.store.read() as tx:
        since, asked = cursors.get(tx, name), cursors.get(tx, f"{name}.asked")
    if asked and now - datetime.fromisoformat(asked) < EVERY:
        return seen
    if since:
        found = desk.books.changes(datetime.fromisoformat(since))
        seen.lost = found.lost
        _look(desk, desk.books, found, seen)
    with desk.store.begin() as tx:
        cursors.set(tx, name, (found.until if since else now).isoformat(), now=now)
        cursors.set(tx, f"{name}.asked", now.isoformat(), now=now)
    return seen


def _look(desk: Desk, books: Books, found: BooksChanges, seen: Seen) -> None:
    ids = {kind: {c.id for c in found.changes if c.kind is kind} for kind in ChangedKind}
    payments = _ours(desk, books, (PAYMENT,), None if found.lost else ids[ChangedKind.PAYMENT])
    bookings = _ours(desk, books, (REVERSAL, PAYOUT), None if found.lost else set().union(*(ids[k] for k in _BOOKINGS)))
    posted = books.posted([link.target for link in payments]) if payments else {}
    booked = books.booked([link.target for link in bookings]) if bookings else {}
    seen.touched += other_writers.look_in_books(desk, books, sorted(ids[ChangedKind.PAYMENT]))
    _customers(desk, books, [c for c in found.changes if c.kind is ChangedKind.CUSTOMER], seen)
    made_again = any(c.kind is ChangedKind.INVOICE and c.gone for c in found.changes)
    for link in payments:
        _note(desk, link, dict(_of_payment(desk, link, posted.get(link.target), made_again=made_again)), seen)
    for link in bookings:
        _note(desk, link, dict(_of_booking(desk, link, booked.get(link.target))), seen)


def _ours(desk: Desk, books: Books, kinds: Iterable[str], ids: set[str] | None) -> list[Link]:
    """Links to these records; to all there are without `ids`."""
    with desk.store.read() as tx:
        every = [link for kind in kinds for link in links.every(tx, kind, books.name).values()]
    made = (link for link in every if link.state is LinkState.LINKED and "by_hand" not in link.detail)
    return [link for link in made if ids is None or link.target in ids]


def _note(desk: Desk, link: Link, found: Mapping[str, str], seen: Seen) -> None:
    """`found`: what was touched -> a sentence."""
    with desk.store.begin() as tx:
        touched.as_it_was(tx, link.source, link.target, but=frozenset(found), now=desk.now())
        for what, said in found.items():
            if touched.note(tx, kind=link.kind, source=link.source, record=link.target, what=what, said=said, now=desk.now()):
                seen.touched.append(said)


# Payments


def _of_payment(desk: Desk, link: Link, posted: Posted | None, *, made_again: bool) -> Iterator[tuple[str, str]]:
    """Compared with what was entered: a payment that somebody else had entered is only missed when it is gone."""
    with desk.store.read() as tx:
        entry = ledger.get(tx, link.source)
    if entry is None:
        return
    what = f"Payment {link.target} ({_name(desk, entry)}, {entry.amount} of {entry.on.isoformat()})"
    if _taken_back(desk, entry, link):
        return
    if posted is None and _being_taken_back(desk, entry):
        return
    if posted is None:
        yield "gone", f"{what} was deleted or voided in the books; it is not made again"
    elif not link.detail.get("adopted"):
        yield from _differs(desk, entry, posted, what)
        if posted.unapplied == posted.amount and not made_again and _was_applied(desk, entry, link):
            yield "off_invoice", f"{what} was taken off its invoice in the books; it is left so"


def _differs(desk: Desk, entry: LedgerEntry, posted: Posted, what: str) -> Iterator[tuple[str, str]]:
    with desk.store.read() as tx:
        dated = booking_dates.dated(tx, entry.key, entry.on)
    if posted.amount != entry.amount:
        yield "amount", f"{what} was changed to {posted.amount} in the books"
    if posted.dated is not None and posted.dated != dated:
        yield "date", f"{what} was dated {posted.dated.isoformat()} in the books"


def _taken_back(desk: Desk, entry: LedgerEntry, link: Link) -> bool:
    """Voided by us, or lowered by a person, for money that went back: that is how it is delivered."""
    with desk.store.read() as tx:
        back = [e for e in ledger.of_payment(tx, entry.payment) if e.kind is EntryKind.REVERSAL]
        done = [d for e in back for d in outbox.of_entry(tx, e.key) if d.state is DeliveryState.DONE]
    return any(d.external_id == link.target for d in done)


def _being_taken_back(desk: Desk, entry: LedgerEntry) -> bool:
    """An agent that was killed after voiding it has not noted that yet; of a person it is how that is delivered."""
    with desk.store.read() as tx:
        back = [e for e in ledger.of_payment(tx, entry.payment) if e.kind is EntryKind.REVERSAL]
        waiting = [d for e in back for d in outbox.of_entry(tx, e.key) if d.state is not DeliveryState.DONE]
    return any(delivery.target.startswith("books:") for delivery in waiting)


def _was_applied(desk: Desk, entry: LedgerEntry, link: Link) -> bool:
    """Delivered without any of it being left as the customer's credit."""
    with desk.store.read() as tx:
        done = [d for d in outbox.of_entry(tx, entry.key) if d.external_id == link.target]
    return any(d.state is DeliveryState.DONE and not d.note for d in done)


def _name(desk: Desk, entry: LedgerEntry) -> str:
    with desk.store.read() as tx:
        row = payers.get(tx, entry.payer)
    return row.name if row else entry.payer


# Journals, transfers, deposits


def _of_booking(desk: Desk, link: Link, booked: Booked | None) -> Iterator[tuple[str, str]]:
    what = _booking_name(desk, link)
    if booked is None:
        yield "gone", f"{what} was deleted in the books; it is not made again"
        return
    wanted = link.detail.get("dated")
    if wanted and booked.dated.isoformat() != wanted:
        yield "date", f"{what} was dated {booked.dated.isoformat()} in the books instead of {wanted}"
    with desk.store.read() as tx:
        entry = ledger.get(tx, link.source.removesuffix(":lost"))
    if entry is not None and booked.amount != entry.amount:
        yield "amount", f"{what} was changed to {booked.amount} in the books"


def _booking_name(desk: Desk, link: Link) -> str:
    with desk.store.read() as tx:
        entry = ledger.get(tx, link.source.removesuffix(":lost"))
    if entry is None:
        return f"{said_of(link.source)} ({link.target})"
    said = f"{_name(desk, entry)}, {entry.amount} that went back on {entry.on.isoformat()}"
    return f"{link.target.replace(':', ' ').capitalize()} ({said})"


# Customers


def _customers(desk: Desk, books: Books, changed: Iterable[BooksChange], seen: Seen) -> None:
    """Merged: what was theirs names the one that is left. Made inactive: a person says who the payer is now."""
    gone = {change.id: change.gone for change in changed}
    with desk.store.read() as tx:
        rows = [row for row in payers.every(tx) if row.books_customer]
    for row in rows:
        _known_again(desk, row, active=gone.get(row.books_customer) is False)
        if gone.get(row.books_customer):
            _follow(desk, books, row, seen)


def _known_again(desk: Desk, row: PayerRow, *, active: bool) -> None:
    """The customer is active again, or the payer has another one by now."""
    with desk.store.begin() as tx:
        told = [one for one in touched.open_(tx) if one.source == row.key]
        for one in (one for one in told if active or one.record != row.books_customer):
            touched.settle(tx, one.id, by=touched.AS_IT_WAS, now=desk.now())


def _follow(desk: Desk, books: Books, row: PayerRow, seen: Seen) -> None:
    old, new = row.books_customer, _survivor(desk, books, row)
    if new and new != old:
        with desk.store.begin() as tx:
            payers.save(tx, replace(row, books_customer=new), now=desk.now())
            what = f"{row.name}: customer {old} in {books.name} was merged, the payer is customer {new} now"
            audit.write(
                tx, who=desk.settings.worker, what=what, before={"customer": old}, after={"customer": new}, now=desk.now()
            )
        seen.moved.append(row.key)
        return
    said = (
        f"{row.name}: customer {old} was made inactive in the books, and nothing of theirs names another one. Make it active"
        " again there, or name the right customer's id in the field mapping (payer.books_id)"
    )
    with desk.store.begin() as tx:
        if touched.note(tx, kind="payer", source=row.key, record=old, what="customer", said=said, now=desk.now()):
            seen.touched.append(said)


def _survivor(desk: Desk, books: Books, row: PayerRow) -> str:
    """Whom our payments of this payer name by now; else whom the field mapping finds. "" when it cannot be told."""
    with desk.store.read() as tx:
        mine = [e.key for e in ledger.entries(tx) if e.payer == row.key and e.kind is EntryKind.PAYMENT]
        every = links.every(tx, PAYMENT, books.name)
    ids = [every[key].target for key in mine if key in every and every[key].target][-20:]
    named = {posted.customer for posted in books.posted(ids).values()} - {row.books_customer} if ids else set()
    if len(named) == 1:
        return named.pop()
    try:
        return books.customer(known_payer(desk, row.key)) or ""
    except Rejected:
        return ""
