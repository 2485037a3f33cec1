"""Another tool that writes payments although we are the owner: looked for where it leaves traces, told once, never fought.

In the PSA a tool that brings payments from the books, before we wrote ours or after it; in the books the PSA's own sync, which
enters what we recorded in the PSA. What it wrote is left as it is: a person switches one of the two off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection

from connector.errors import ConnectorError
from connector.flows.books_case import PAYMENT
from connector.flows.books_invoices import known_payer, of_payer
from connector.flows.desk import Desk
from connector.flows.naming import name_of
from connector.model.charge import Charge
from connector.model.invoice import Posted, Received
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.money import Money, total
from connector.ports import Books
from connector.store import charges, ledger, links, outbox, payers, settings, touched
from connector.store.links import Link, LinkState
from connector.store.outbox import DeliveryState

NEAR = timedelta(days=5)  # a copy may carry the day on which it was made
RECENT = timedelta(days=7)
QUIET = timedelta(days=30)  # after a person said that it is dealt with
KIND = "other_writer"  # of what is told
LOOKED_ON = "other_writers.looked_on"


def is_copy(desk: Desk, charge: Charge, amount: Money) -> bool:
    """Whether the books have a payment of ours of this amount on the charge's invoice, and nobody else's."""
    if desk.books is None or not charge.psa_number:
        return False
    try:
        found = _received(desk, desk.books, charge)
    except ConnectorError:
        return False  # it is then told by the three-way check, at the latest
    ours = _our_payments(desk, desk.books)
    same = [one for one in found if one.amount == amount]
    return bool(same) and all(one.id in ours for one in same)


def was_exported(desk: Desk, charge: Charge, amount: Money) -> bool:
    """Whether the PSA says that its own sync took its payments of this amount to the books."""
    same = [one for one in desk.psa.received(charge.psa_invoice) if one.amount == amount] if charge.psa_invoice else []
    return bool(same) and all(one.exported for one in same)


def brought(desk: Desk, charge: Charge) -> tuple[Money, Money]:
    """What of ours stands in the PSA and in the books already by another writer, before we delivered it there."""
    currency = charge.currency
    with desk.store.read() as tx:
        link = links.find(tx, "psa_payment", charge.psa_invoice, desk.psa.name)
        late = [e for e in ledger.entries(tx, charge=charge.id) if e.kind is EntryKind.PAYMENT and _is_late(tx, e)]
    rows = [row for row in desk.psa.received(charge.psa_invoice) if row.tool] if charge.psa_invoice else []
    copies = total((row.amount for row in rows if is_copy(desk, charge, row.amount)), currency)
    in_psa = copies - Money(link.detail.get("recorded", 0) if link else 0, currency)
    exported = [e.amount for e in late if was_exported(desk, charge, e.amount) and _stands_in_books(desk, charge, e.amount)]
    return max(in_psa, Money.zero(currency), key=lambda money: money.minor), total(exported, currency)


def _is_late(tx: Connection, entry: LedgerEntry) -> bool:
    found = outbox.of_entry(tx, entry.key)
    return any(d.state is not DeliveryState.DONE and d.target.startswith("books:") for d in found)


def _stands_in_books(desk: Desk, charge: Charge, amount: Money) -> bool:
    if desk.books is None:
        return False
    ours = _our_payments(desk, desk.books)
    return any(one.amount == amount and one.id not in ours for one in _received(desk, desk.books, charge))


def _received(desk: Desk, books: Books, charge: Charge) -> Sequence[Received]:
    numbered = books.invoices([charge.psa_number]).get(charge.psa_number, ())
    mine = of_payer(desk, known_payer(desk, charge.payer), numbered, billed=lambda: None)
    return books.received(mine)[mine[0].id] if len(mine) == 1 else ()


def _our_payments(desk: Desk, books: Books) -> Mapping[str, Link]:
    """By id in the books."""
    with desk.store.read() as tx:
        every = links.every(tx, PAYMENT, books.name).values()
    return {link.target: link for link in every if link.state is LinkState.LINKED}


# In the PSA


@dataclass(frozen=True, kw_only=True, slots=True)
class _Written:
    """What we wrote on one invoice of the PSA, and what is there now."""

    link: Link
    charge: Charge
    received: Sequence[Received]


def look_in_psa(desk: Desk) -> list[str]:
    """Once a day, the invoices that we wrote to in the last week: one request for each. What is new, as it is told."""
    today = desk.today()
    with desk.store.read() as tx:
        if desk.settings.psa_payments != "connector" or settings.get(tx, LOOKED_ON) == today.isoformat():
            return []
        every = [link for link in links.every(tx, "psa_payment", desk.psa.name).values() if link.state is LinkState.LINKED]
    recent = [link for link in every if link.sent_at is not None and link.sent_at > desk.now() - RECENT]
    told = [said for link in recent if (said := _look(desk, link))]
    with desk.store.begin() as tx:
        settings.set(tx, LOOKED_ON, today.isoformat(), now=desk.now())
    return told


def _look(desk: Desk, link: Link) -> str:
    with desk.store.read() as tx:
        together = charges.by_psa_invoice(tx, link.source)
    if not together:
        return ""
    one = _Written(link=link, charge=together[0], received=desk.psa.received(link.source))
    tools = sorted({row.by for row in one.received if row.tool})
    return next((said for tool in tools if (said := _tell(desk, one, tool))), "")


def _tell(desk: Desk, one: _Written, tool: str) -> str:
    """One for each tool, whatever it has done: the first invoice stands for all."""
    with desk.store.read() as tx:
        name = name_of(tx, one.charge)
        if touched.told_since(tx, f"psa:{tool}", desk.now() - QUIET):
            return ""
    rows = [row for row in one.received if row.by == tool]
    shown = ", ".join(f"{row.amount}" for row in rows)
    said = (
        f"{tool} writes payments in {desk.psa.name} too, where the agent is their owner: seen on invoice"
        f" {one.charge.psa_number} ({name}) with {shown}. The agent leaves that as it is and writes no payment of its own beside"
        " it that it knows as the same"
    )
    with desk.store.begin() as tx:
        new = touched.note(tx, kind=KIND, source=f"psa:{tool}", record=tool, what="second_writer", said=said, now=desk.now())
    return said if new else ""


# In the books


def look_in_books(desk: Desk, books: Books, changed: Iterable[str]) -> list[str]:
    """Of payments that were entered or changed, those of others that look like one of ours. What is new, as it is told."""
    ours = _our_payments(desk, books)
    foreign = [id for id in changed if id not in ours]
    if not foreign:
        return []
    with desk.store.read() as tx:
        entries = [e for e in ledger.entries(tx) if e.kind is EntryKind.PAYMENT]
        every = links.every(tx, PAYMENT, books.name)
    there = books.posted(foreign)
    told = []
    for id in foreign:
        second = there.get(id)
        first = _first(second, entries, every, books) if second is not None else None
        told += _note_second(desk, id, second, first)
    return told


def _first(
    second: Posted, entries: Sequence[LedgerEntry], every: Mapping[str, Link], books: Books
) -> tuple[LedgerEntry, Posted] | None:
    """Ours of the same customer, amount and days; on the same invoice, or theirs is on none."""
    near = [e for e in entries if e.amount == second.amount and _is_near(second.dated, e.on)]
    ids = {every[e.key].target: e for e in near if e.key in every and every[e.key].target}
    for id, mine in books.posted(ids).items() if ids else ():
        if mine.customer == second.customer and second.invoice in ("", mine.invoice):
            return ids[id], mine
    return None


def _is_near(dated: date | None, on: date) -> bool:
    return dated is not None and abs(dated - on) <= NEAR


def _note_second(desk: Desk, id: str, second: Posted | None, first: tuple[LedgerEntry, Posted] | None) -> list[str]:
    source = f"books_payment:{id}"
    with desk.store.begin() as tx:
        if second is None or first is None:
            touched.as_it_was(tx, source, id, but=frozenset(), now=desk.now())
            return []
        entry, mine = first
        row = payers.get(tx, entry.payer)
        said = (
            f"Payment {id} of {second.amount} ({row.name if row else entry.payer}, {second.dated}) was entered in the books by"
            f" another writer, beside ours of the same money (payment {mine.id} of {entry.on.isoformat()})"
        )
        new = touched.note(tx, kind=KIND, source=source, record=id, what="second_payment", said=said, now=desk.now())
    return [said] if new else []
