"""A draft that no subscription makes: made by hand, once for each charge."""

from __future__ import annotations

from datetime import date, timedelta

from connector.errors import Rejected
from connector.flows.desk import Desk
from connector.model.invoice import Adjustment, GatewayInvoice, GatewayInvoiceState
from connector.model.period import Cycle
from connector.model.subscription import LiveSubscription, Subscription
from connector.ports import WriteKey
from connector.store import links
from connector.store.links import LinkState
from connector.store.units import UnitRow
from connector.store.write_once import write_once

KIND = "draft"
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
        kind=KIND,
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
    return _filled(desk, draft, charge, line)


def found_draft(desk: Desk, charge: str, draft: GatewayInvoice, line: Adjustment) -> GatewayInvoice:
    """It was made, and we died before that was noted: whoever asks next finds it in the links."""
    with desk.store.begin() as tx:
        link = links.find(tx, KIND, charge, desk.gateway.name)
        if link is not None and link.state is LinkState.INTENDED:
            links.linked(tx, link, target=draft.id, now=desk.now())
    return _filled(desk, draft, charge, line)


def _filled(desk: Desk, draft: GatewayInvoice, charge: str, line: Adjustment) -> GatewayInvoice:
    """We may have died between making it and putting its line on it; what the payer reads is the line of the first attempt."""
    if draft.state is not GatewayInvoiceState.DRAFT or draft.lines:
        return draft
    return desk.gateway.adjust(draft, [line], charge=charge)


def nothing_live(
    desk: Desk, *, unit: str, payer: str, customer: str, currency: str, day: date, description: str
) -> LiveSubscription:
    """No subscription makes the draft: there is only whom it is for."""
    nothing = Subscription(
        unit=unit,
        payer=payer,
        description=description,
        currency=currency,
        cycle=Cycle.MONTHLY,
        bills_on=day,
        items=(),
        automatic=True,
    )
    return LiveSubscription(id="", customer=customer, generation=0, subscription=nothing, status="", created=desk.now())


def collect_since(desk: Desk, row: UnitRow) -> date:
    """What was invoiced before the payer was opted in is not collected by itself: it may have been agreed otherwise."""
    opted_in = row.detail.get("collect_since")
    first = desk.settings.policy.collect_from
    return max(first, date.fromisoformat(opted_in)) if opted_in else date.max
