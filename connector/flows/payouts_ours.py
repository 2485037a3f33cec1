"""What of a payout is ours, as the books have it: payments that wait for their deposit, and what went back of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from connector.errors import Rejected
from connector.flows.books_case import PAYMENT
from connector.flows.deliver_reversals import KIND as REVERSAL
from connector.flows.desk import Desk
from connector.flows.payout_bookings import events_read
from connector.flows.reconcile_rows import BY_HAND
from connector.model.clearing import Waits
from connector.model.deposit import Part
from connector.model.invoice import Posted
from connector.model.ledger import EntryKind, LedgerEntry, is_reinstated, reinstated_key, reversal_key
from connector.model.money import Money, total
from connector.model.payout import BalanceKind, BalanceLine
from connector.ports import Books
from connector.store import charges, ledger, links, outbox, payers
from connector.store.links import LinkState
from connector.store.outbox import Delivery, DeliveryState

_CAME_BACK = (BalanceKind.REFUND_FAILURE, BalanceKind.DISPUTE_REVERSAL)
LATE = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class OursPaid:
    """A payment that was posted for a ledger entry. `said`: whose, and how much."""

    id: str
    amount: Money
    said: str

    def wrong(self, posted: Posted | None, undeposited: str) -> str:
        """Why it cannot go into the payout's deposit; "" when it can."""
        if posted is None:
            return f"{self.said} was deleted or voided"
        if posted.deposited:
            return f"{self.said} is in {posted.deposit.replace(':', ' ') or 'a deposit'} already"
        if posted.account != undeposited:
            return f"{self.said} went to account {posted.account} and not to Undeposited Funds"
        return "" if posted.amount == self.amount else f"{self.said} was changed to {posted.amount}"


@dataclass(frozen=True, kw_only=True, slots=True)
class OursPart:
    """`paid`: by id in the books; without any, the gross stands against `account` ("": undeposited funds)."""

    line: BalanceLine
    paid: dict[str, OursPaid]
    account: str = ""
    memo: str = ""

    def part(self, undeposited: str) -> Part:
        payments = {id: one.amount for id, one in self.paid.items()}
        gross, fee = self.line.amount, self.line.fee
        return Part(gross=gross, fee=fee, payments=payments, account=self.account or undeposited, memo=self.memo)


def ours_of(desk: Desk, books: Books, line: BalanceLine) -> OursPart | Waits:
    """Waits with what is missing. Rejected when a person entered it in a way that the agent cannot follow."""
    with desk.store.read() as tx:
        if line.kind is BalanceKind.CHARGE:
            return _payment(tx, books, line)
        reversal = reversal_key(line.source)
        key = reinstated_key(reversal) if line.kind in _CAME_BACK else reversal
        entry = ledger.get(tx, key)
        if entry is None:
            read = events_read(desk, tx, line.at + LATE)
            return _against(line, "", None) if read else Waits(why=f"{_what(line)} is not in the payment journal yet")
        return _went_back(tx, books, line, entry)


def _payment(tx: Connection, books: Books, line: BalanceLine) -> OursPart | Waits:
    entries = [e for e in ledger.of_payment(tx, line.payment) if e.kind is EntryKind.PAYMENT and not is_reinstated(e)]
    known = total((e.amount for e in entries), line.amount.currency)
    if known != line.amount:
        return Waits(why=f"of {_what(line)} the payment journal knows {known}")
    paid = [_paid(tx, books, entry) for entry in entries]
    missing = [one.why for one in paid if isinstance(one, Waits)]
    if missing:
        return Waits(why="; ".join(missing))
    return OursPart(line=line, paid={one.id: one for one in paid if isinstance(one, OursPaid)})


def _paid(tx: Connection, books: Books, entry: LedgerEntry) -> OursPaid | Waits:
    link = links.find(tx, PAYMENT, entry.key, books.name)
    if link is None or not link.target:
        return Waits(why=f"{_said(tx, entry)} is not in the books yet{_note(tx, books, entry)}")
    return OursPaid(id=link.target, amount=entry.amount, said=f"payment {link.target} ({_said(tx, entry)})")


def _went_back(tx: Connection, books: Books, line: BalanceLine, entry: LedgerEntry) -> OursPart | Waits:
    """The journal took it out of undeposited funds, or gave it back; the deposit does the opposite."""
    if entry.amount.minor != abs(line.amount.minor):
        raise Rejected(f"{_what(line)} is {entry.amount} in the payment journal: make this payout's deposit by hand")
    journal = links.find(tx, REVERSAL, entry.key, books.name)
    if journal is not None and journal.state is LinkState.LINKED:
        side = "debit" if entry.kind is EntryKind.PAYMENT else "credit"
        return _against(line, journal.detail[side], entry)
    paid = _paid(tx, books, entry) if entry.kind is EntryKind.PAYMENT else None
    if isinstance(paid, OursPaid):
        return OursPart(line=line, paid={paid.id: paid})
    if any(d.state is not DeliveryState.DONE for d in _deliveries(tx, books, entry)):
        return Waits(why=f"{_said(tx, entry)} is not in the books yet{_note(tx, books, entry)}")
    return _without_journal(tx, books, line, entry)


def _without_journal(tx: Connection, books: Books, line: BalanceLine, entry: LedgerEntry) -> OursPart:
    """What was undone before it was entered is on no account: what this payout lacks, the one with its return has."""
    if any(d.external_id or d.note.startswith(BY_HAND) for d in _deliveries(tx, books, entry)):
        raise Rejected(f"{_said(tx, entry)} was taken back by hand in the books: make this payout's deposit by hand as well")
    return _against(line, "", entry)


def _against(line: BalanceLine, account: str, entry: LedgerEntry | None) -> OursPart:
    detail = f" ({entry.detail})" if entry is not None and entry.detail else ""
    return OursPart(line=line, paid={}, account=account, memo=f"{line.kind.replace('_', ' ')} {line.source}{detail}")


def _deliveries(tx: Connection, books: Books, entry: LedgerEntry) -> list[Delivery]:
    return [d for d in outbox.of_entry(tx, entry.key) if d.target == f"books:{books.name}"]


def _note(tx: Connection, books: Books, entry: LedgerEntry) -> str:
    notes = [d.note for d in _deliveries(tx, books, entry) if d.note]
    return f" ({notes[0]})" if notes else ""


def _what(line: BalanceLine) -> str:
    return f"the {line.kind.replace('_', ' ')} {line.source or line.id} of {line.amount}"


def _said(tx: Connection, entry: LedgerEntry) -> str:
    charge, row = charges.get(tx, entry.charge), payers.get(tx, entry.payer)
    name = row.name if row is not None else entry.payer
    invoice = f", invoice {charge.psa_number}" if charge is not None and charge.psa_number else ""
    what = "" if entry.kind is EntryKind.PAYMENT else "what went back: "
    return f"{what}{entry.amount} of {entry.on.isoformat()} by {name}{invoice}"
