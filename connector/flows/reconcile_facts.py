"""What the gateway and the books say of everything that the three-way check compares, read anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connector.errors import Rejected
from connector.flows import deliver_reversals
from connector.flows.books_invoices import known_payer, of_payer
from connector.flows.desk import Desk
from connector.flows.reconcile_subjects import Subject
from connector.flows.relink import relinked
from connector.model.charge import Charge, ChargeState
from connector.model.invoice import BooksInvoice, Posted
from connector.model.ledger import LedgerEntry
from connector.model.money import Money, total
from connector.store import touched
from connector.store.links import Link

_AT_THE_GATEWAY = (ChargeState.RELEASED, ChargeState.PAID, ChargeState.ENDED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    collected: Mapping[str, Money]  # gateway invoice -> net, read at the gateway
    numbered: Mapping[str, Sequence[BooksInvoice]]  # all that the books have of a number
    of_payer: Mapping[tuple[str, str], Sequence[BooksInvoice]]  # of these the payer's own, by payer and number
    posted: Mapping[str, Posted]  # by ledger entry key
    linked: Mapping[str, Link]  # by ledger key, to which payment in the books
    accepted: Mapping[tuple[str, str], frozenset[str]]  # by ledger key and payment, what somebody changed and said is right so
    adopted: frozenset[str]  # ledger entry keys whose payment a person had entered in the books
    journals: Mapping[str, Money]  # by ledger entry key, what our journals took away, or gave again where that was undone

    def books(self, subject: Subject) -> Sequence[BooksInvoice]:
        return self.of_payer.get((subject.payer, subject.number), ())

    def others(self, subject: Subject) -> Sequence[BooksInvoice]:
        """Where the payer has none of this number, those of other customers that have it."""
        return () if self.books(subject) else self.numbered.get(subject.number, ())

    def at_gateway(self, subject: Subject) -> Money:
        """Net of what went back."""
        found = (self.collected.get(charge.gateway_invoice) for charge in subject.charges)
        return total((amount for amount in found if amount is not None), subject.currency)

    def ours(self, entries: Iterable[LedgerEntry]) -> list[Posted]:
        """What the books hold of it: a voided or deleted payment counts nothing."""
        return [self.posted[e.key] for e in entries if e.key in self.posted]

    def unapplied(self, entries: Iterable[LedgerEntry], currency: str) -> Money:
        return total((p.unapplied for p in self.ours(e for e in entries if e.key not in self.adopted)), currency)


def read_facts(desk: Desk, subjects: Sequence[Subject]) -> Facts:
    numbers = {subject.number for subject in subjects if subject.number}
    keys = {entry.key for subject in subjects for entry in subject.entries}
    linked = _linked(desk, keys)
    posted = _posted(desk, linked)
    with desk.store.read() as tx:
        accepted = touched.accepted(tx)
    numbered = desk.books.invoices(numbers) if desk.books is not None and numbers else {}
    return Facts(
        collected=_collected(desk, [charge for s in subjects for charge in s.charges]),
        numbered=numbered,
        of_payer={(s.payer, s.number): _of_payer(desk, s, numbered.get(s.number, ())) for s in subjects if s.number},
        posted=posted,
        linked=linked,
        accepted=accepted,
        adopted=frozenset(key for key, link in linked.items() if link.detail.get("adopted")),
        journals=deliver_reversals.in_books(desk, keys),
    )


def _of_payer(desk: Desk, subject: Subject, found: Sequence[BooksInvoice]) -> Sequence[BooksInvoice]:
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
        result[id] = net_at_gateway(desk, id, currency)
    return result


def net_at_gateway(desk: Desk, invoice: str, currency: str) -> Money:
    payments = desk.gateway.payments(invoice)
    back = [r.amount for p in payments if p.moved_back for r in desk.gateway.reversals(p.payment)]
    return total((p.amount for p in payments), currency) - total(back, currency)


def _linked(desk: Desk, keys: set[str]) -> dict[str, Link]:
    if desk.books is None:
        return {}
    return {key: link for key, link in relinked(desk, desk.books.name).items() if link.target and key in keys}


def _posted(desk: Desk, linked: Mapping[str, Link]) -> dict[str, Posted]:
    found = desk.books.posted({link.target for link in linked.values()}) if desk.books is not None and linked else {}
    return {key: found[link.target] for key, link in linked.items() if link.target in found}
