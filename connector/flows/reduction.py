"""Lower an open invoice at the gateway, once for each time that it has to become smaller."""

from __future__ import annotations

from datetime import timedelta

from connector.flows.desk import Desk
from connector.model.charge import Charge
from connector.model.invoice import GatewayInvoice, GatewayInvoiceState
from connector.model.money import Money
from connector.ports import WriteKey
from connector.store import links
from connector.store.links import LinkState
from connector.store.write_once import write_once

FIND_LAG = timedelta(seconds=30)
_KIND = "reduction"


def reduce_once(desk: Desk, charge: Charge, invoice: GatewayInvoice, by: Money) -> None:
    """A refused reduction is sent under a new key the next time, one without an answer is looked up before that.

    RetryLater while it is not known whether it happened; Rejected when the gateway refuses.
    """
    source = f"{charge.id}:{invoice.amount_remaining.minor}"

    def send(key: WriteKey) -> str:
        return desk.gateway.reduce(invoice, by, reason="paid elsewhere", key=key).id

    def find(_key: WriteKey) -> str | None:
        seen = desk.gateway.invoice(invoice.id)
        lower = seen is not None and seen.amount_remaining < invoice.amount_remaining
        return invoice.id if lower or (seen is not None and seen.state is not GatewayInvoiceState.OPEN) else None

    write_once(
        desk.store,
        kind=_KIND,
        source=source,
        target_system=desk.gateway.name,
        now=desk.now,
        find=find,
        send=send,
        find_lag=FIND_LAG,
        generation=_generation(desk, source),
    )


def _generation(desk: Desk, source: str) -> int:
    """One more where it was lowered from this very amount before: somebody has taken that back at the gateway."""
    with desk.store.begin() as tx:
        link = links.find(tx, _KIND, source, desk.gateway.name)
        if link is not None and link.state is LinkState.LINKED:
            links.retire(tx, link, now=desk.now())
        elif link is not None:
            return link.generation
        return links.latest_generation(tx, _KIND, source, desk.gateway.name) + 1
