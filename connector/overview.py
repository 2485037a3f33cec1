"""What `connector status` and the status page show, read from the store alone: quick, and it works while partners are down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from connector.clock import SystemClock
from connector.errors import ConnectorError, Rejected, RetryLater
from connector.flows.attention import parked, signed
from connector.flows.decisions import asked
from connector.flows.desk import Desk
from connector.flows.naming import unit_names
from connector.flows.reconcile import CHECKED
from connector.flows.settled import PARTLY_PAID
from connector.flows.warnings import warnings
from connector.model.approval import WAITS, waiting_sentences
from connector.model.charge import Charge, ChargeState, Hold
from connector.model.ledger import net
from connector.model.money import Money
from connector.store import (
    charges,
    freshness,
    high_water,
    holds,
    ledger,
    other_invoices,
    outbox,
    payers,
    settings,
    shadow,
    switch,
    units,
)
from connector.store.freshness import Freshness
from connector.store.other_invoices import Uncollected
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
    amount: Money  # less than nothing when it went back
    state: str
    note: str
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    now: datetime
    time_zone: str  # the company's
    connections: tuple[Freshness, ...]  # the partners, and those flows that do not work
    units: dict[str, int]
    awaiting: tuple[str, ...]  # payers without a payment method
    planned: tuple[PlannedCharge, ...]
    collected_this_month: Money
    on_their_way: tuple[OnItsWay, ...]
    needs_attention: tuple[str, ...]
    notices: tuple[str, ...]
    paused: str = ""  # who paused charging, since when and why
    shadow: str = ""  # since when shadow mode is on (a date)
    uncollected: tuple[Uncollected, ...] = ()  # open invoices that no agreement bills


def overview(desk: Desk) -> Overview:
    now = _now(desk)
    with desk.store.read() as tx:
        names = unit_names(tx)
        rows = units.every(tx)
        waiting = [row.name for row in payers.every(tx) if not row.method]
        open_charges = charges.every(tx, NOT_DONE)
        active = holds.active(tx)
        fresh = freshness.every(tx)
        entries = ledger.entries(tx, since=desk.local_date(now).replace(day=1))
        undelivered = outbox.undelivered(tx)
        attention = settings.get(tx, "needs_attention") or []
        refused = settings.get(tx, "refused") or []
        payouts = settings.get(tx, "payouts.waits") or []
        stopped = switch.paused(tx)
        behind = high_water.behind(tx)
        in_shadow = str(shadow.mode(tx)["since"]) if shadow.is_on(tx) else ""
        way = [_on_its_way(desk, delivery, names) for delivery in undelivered]
    return Overview(
        now=now,
        time_zone=str(desk.settings.time_zone),
        connections=_connections(desk, fresh),
        units=dict(Counter(row.state for row in rows)),
        awaiting=tuple(sorted(waiting)),
        planned=tuple(_planned(charge, names, active) for charge in open_charges),
        collected_this_month=net((e for e in entries if e.amount.currency == desk.settings.currency), desk.settings.currency),
        on_their_way=tuple(way),
        needs_attention=(*([behind] if behind else []), *attention, *refused, *payouts),
        notices=_noted(desk, fresh),
        paused=switch.sentence(stopped) if stopped else "",
        shadow=in_shadow,
        uncollected=_uncollected(desk),
    )


def _noted(desk: Desk, fresh: Sequence[Freshness]) -> tuple[str, ...]:
    """Sentences, the most urgent first."""
    with desk.store.read() as tx:
        waits = settings.get(tx, WAITS) or []
        without = settings.get(tx, "due_without_invoice") or {}
        checked = settings.get(tx, CHECKED) or {}
        partly = settings.get(tx, PARTLY_PAID) or {}
    told = (*waiting_sentences(waits), *_notices(desk, without), *_parked(desk), *_mismatches(checked, fresh))
    return (*told, *partly.values(), *asked(desk), *warnings(desk))


def _uncollected(desk: Desk) -> tuple[Uncollected, ...]:
    with desk.store.read() as tx:
        return tuple(other_invoices.every(tx))


def _now(desk: Desk) -> datetime:
    """`status` works while the sandbox, whose clock is simulated, is down."""
    try:
        return desk.now()
    except RetryLater:
        return SystemClock().now()


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


def _connections(desk: Desk, fresh: Sequence[Freshness]) -> tuple[Freshness, ...]:
    """A partner that was never reached is listed too; a flow that works says nothing that its partners do not."""
    known = {one.name: one for one in fresh}
    partners = [adapter.name for adapter in (desk.psa, desk.gateway, desk.books) if adapter is not None]
    never = {name: Freshness(name=name, last_success=None, last_failure=None, error="") for name in partners}
    failing = [one for one in fresh if one.name not in never and one.error]
    return (*(known.get(name, never[name]) for name in partners), *failing)


def _parked(desk: Desk) -> list[str]:
    number = len(parked(desk))
    if not number:
        return []
    what = "1 thing failed each time and needs" if number == 1 else f"{number} things failed each time and need"
    return [f"{what} attention: why, and what to type for each: connector parked"]


def _mismatches(checked: dict[str, int], fresh: Sequence[Freshness]) -> list[str]:
    number = checked.get("open", 0)
    if not number:
        return []
    when = next(
        (f" of {one.last_success:%Y-%m-%d %H:%M} UTC" for one in fresh if one.name == "reconcile" and one.last_success), ""
    )
    what = "1 mismatch" if number == 1 else f"{number} mismatches"
    return [f"{what} in the three-way check{when}: see what repairs it with: connector reconcile"]


def _on_its_way(desk: Desk, delivery: Delivery, names: dict[str, str]) -> OnItsWay:
    with desk.store.read() as tx:
        entry = ledger.get(tx, delivery.entry)
        charge = charges.get(tx, entry.charge) if entry else None
    return OnItsWay(
        delivery=delivery.id,
        entry=delivery.entry,
        target=delivery.target,
        name=names.get(charge.unit, charge.unit) if charge else "",
        amount=signed(entry) if entry else Money.zero(desk.settings.currency),
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
