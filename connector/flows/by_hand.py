"""A draft that no subscription makes: made by hand, once for each charge."""

from __future__ import annotations

from datetime import date, timedelta

from connector.errors import Rejected
from connector.flows.desk import Desk
from connector.model.invoice import Adjustment, GatewayInvoice
from connector.model.subscription import LiveSubscription
from connector.ports import WriteKey
from connector.store.units import UnitRow
from connector.store.write_once import write_once

FIND_LAG = timedelta(seconds=30)


def draft_by_hand(desk: Desk, live: LiveSubscription, charge: str, day: date, line: Adjustment) -> GatewayInvoice:
    """Rejected when the gateway refuses it, or when it was made and is gone; OutcomeUnknown, RetryLater: look again later."""

    def send(key: WriteKey) -> str:
        return desk.gateway.draft(live, bills_on=day, charge=charge, lines=[line], key=key).id

    def find(key: WriteKey) -> str | None:
        found = desk.gateway.find_draft(key, customer=live.customer)
        return found.id if found else None

    link = write_once(
        desk.store,
        kind="draft",
        source=charge,
        target_system=desk.gateway.name,
        now=desk.now,
        find=find,
        send=send,
        find_lag=FIND_LAG,
    )
    draft = desk.gateway.invoice(link.target)
    if draft is None:
        raise Rejected(f"the draft {link.target} that was made for {charge} is gone at the gateway")
    return draft


def collect_since(desk: Desk, row: UnitRow) -> date:
    """What was invoiced before the payer was opted in is not collected by itself: it may have been agreed otherwise."""
    opted_in = row.detail.get("collect_since")
    first = desk.settings.policy.collect_from
    return max(first, date.fromisoformat(opted_in)) if opted_in else date.max
