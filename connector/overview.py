"""What `connector status` and the status page show, read from the store alone: quick, and it works while partners are down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from connector.clock import SystemClock
from connector.errors import ConnectorError, Rejected, RetryLater
from connector.flows.desk import Desk
from connector.flows.settled import PARTLY_PAID
from connector.flows.warnings import warnings
from connector.model.charge import Charge, ChargeState, Hold
from connector.model.ledger import EntryKind
from connector.model.money import Money, total
from connector.store import charges, freshness, holds, ledger, outbox, payers, settings, switch, units
from connector.store.freshness import Freshness
from connector.store.outbox import Delivery
from connector.store.payers import PayerRow

NOT_DONE = (ChargeState.WAITING, ChargeState.HELD, ChargeState.RELEASED)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedCharge:
    charge: str
    name: str
    period: str
    state: str
    on: date | None
    amount: Money
    holds: tuple[Hold, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class OnItsWay:
    """A payment or reversal that one target does not have yet."""

    delivery: int
    entry: str
    target: str
    name: str
    amount: Money
    state: str
    note: str
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    now: datetime
    company: str
    connections: tuple[Freshness, ...]
    units: dict[str, int]
    awaiting: tuple[str, ...]  # payers without a payment method
    planned: tuple[PlannedCharge, ...]
    collected_this_month: Money
    on_their_way: tuple[OnItsWay, ...]
    needs_attention: tuple[str, ...]
    notices: tuple[str, ...]
    paused: str = ""  # who paused charging, since when and why


def overview(desk: Desk) -> Overview:
    now = _now(desk)
    with desk.store.read() as tx:
        names = {row.key: row.name for row in units.every(tx)}
        rows = units.every(tx)
        waiting = [row.name for row in payers.every(tx) if not row.method]
        open_charges = charges.every(tx, NOT_DONE)
        active = holds.active(tx)
        fresh = freshness.every(tx)
        entries = ledger.entries(tx, since=desk.local_date(now).replace(day=1))
        undelivered = outbox.undelivered(tx)
        attention = settings.get(tx, "needs_attention") or []
        refused = settings.get(tx, "refused") or []
        without = settings.get(tx, "due_without_invoice") or {}
        partly = settings.get(tx, PARTLY_PAID) or {}
        stopped = switch.paused(tx)
        way = [_on_its_way(desk, delivery, names) for delivery in undelivered]
    return Overview(
        now=now,
        company=str(desk.settings.time_zone),
        connections=tuple(fresh),
        units=dict(Counter(row.state for row in rows)),
        awaiting=tuple(sorted(waiting)),
        planned=tuple(_planned(charge, names, active) for charge in open_charges),
        collected_this_month=total(
            (
                e.amount if e.kind is EntryKind.PAYMENT else -e.amount
                for e in entries
                if e.amount.currency == desk.settings.currency
            ),
            desk.settings.currency,
        ),
        on_their_way=tuple(way),
        needs_attention=(*attention, *refused),
        notices=(*_notices(desk, without), *partly.values(), *warnings(desk)),
        paused=switch.sentence(stopped) if stopped else "",
    )


def _now(desk: Desk) -> datetime:
    """`status` works while the sandbox, whose clock is simulated, is down."""
    try:
        return desk.now()
    except RetryLater:
        return SystemClock().now()


def retry_all_parked(desk: Desk) -> int:
    """Everything that needs attention among the deliveries is tried again."""
    with desk.store.begin() as tx:
        parked = [d for d in outbox.undelivered(tx) if d.state == "parked"]
        for delivery in parked:
            outbox.retry_parked(tx, delivery.id, now=desk.now())
    return len(parked)


def payer_list(desk: Desk) -> Sequence[PayerRow]:
    with desk.store.read() as tx:
        return sorted(payers.every(tx), key=lambda row: row.name.casefold())


def find_payer(desk: Desk, wanted: str) -> PayerRow:
    """By key, by id, or by a name (or its beginning) that only one payer has."""
    rows = payer_list(desk)
    exact = [row for row in rows if wanted in (row.key, row.key.partition(":")[2])]
    similar = [row for row in rows if row.name.casefold().startswith(wanted.casefold())]
    found = exact or [row for row in rows if row.name.casefold() == wanted.casefold()] or similar
    if len(found) != 1:
        known = ", ".join(f"{row.name} ({row.key})" for row in (found or rows)[:10]) or "nobody is opted in yet"
        raise Rejected(f"{len(found) or 'no'} payers match {wanted!r}; payers: {known}")
    return found[0]


def ping_all(desk: Desk) -> list[tuple[str, str]]:
    """Each partner, and what is wrong with it ("" when it answers)."""
    result = []
    for adapter in (desk.psa, desk.gateway, desk.books):
        if adapter is None:
            continue
        try:
            adapter.ping()
            result.append((adapter.name, ""))
        except ConnectorError as error:
            result.append((adapter.name, str(error)))
    return result


def _planned(charge: Charge, names: dict[str, str], active: Sequence[Hold]) -> PlannedCharge:
    return PlannedCharge(
        charge=charge.id,
        name=names.get(charge.unit, charge.unit),
        period=str(charge.period),
        state=str(charge.state),
        on=charge.charge_date,
        amount=charge.owed or charge.computed,
        holds=tuple(hold for hold in active if hold.charge == charge.id),
    )


def _on_its_way(desk: Desk, delivery: Delivery, names: dict[str, str]) -> OnItsWay:
    with desk.store.read() as tx:
        entry = ledger.get(tx, delivery.entry)
        charge = charges.get(tx, entry.charge) if entry else None
    return OnItsWay(
        delivery=delivery.id,
        entry=delivery.entry,
        target=delivery.target,
        name=names.get(charge.unit, charge.unit) if charge else "",
        amount=entry.amount if entry else Money.zero(desk.settings.currency),
        state=str(delivery.state),
        note=delivery.note,
        since=delivery.created_at,
    )


def _notices(desk: Desk, without: dict[str, object]) -> list[str]:
    notices = []
    if desk.settings.psa_payments is None:
        notices.append(
            "write_back.psa_payments is not chosen, so no payment is written to the PSA: set it to 'connector' if nothing else"
            " writes payments there, or to 'accounting_sync' if your accounting sync does."
        )
    number, day = without.get("units"), without.get("day")
    if number:
        notices.append(f"{number} billing units due {day} have no invoice in the PSA yet: create the agreement invoices.")
    return notices
