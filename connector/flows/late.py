"""What was collected and is still on its way to PSA and books: their balances do not show it yet."""

from __future__ import annotations

from collections.abc import Iterable

from connector.flows.desk import Desk
from connector.model.charge import Charge
from connector.model.ledger import EntryKind
from connector.model.money import Money, total
from connector.store import ledger, outbox
from connector.store.outbox import DeliveryState


def undelivered(desk: Desk, charge: Charge) -> tuple[Money, Money]:
    """Collected, and not yet shown by the PSA, by the books."""
    late = {"psa": Money.zero(charge.currency), "books": Money.zero(charge.currency)}
    with desk.store.read() as tx:
        for entry in ledger.entries(tx, charge=charge.id):
            signed = entry.amount if entry.kind is EntryKind.PAYMENT else -entry.amount
            for delivery in outbox.of_entry(tx, entry.key):
                if delivery.state is not DeliveryState.DONE:
                    late[delivery.target.partition(":")[0]] += signed
    return late["psa"], late["books"]


def of_all(desk: Desk, together: Iterable[Charge], currency: str) -> tuple[Money, Money]:
    """The same of several charges on one invoice."""
    found = [undelivered(desk, charge) for charge in together]
    return total((psa for psa, _ in found), currency), total((books for _, books in found), currency)
