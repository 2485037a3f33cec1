"""Gathering what forecast and explain are made from: agreements as last read, the PSA's invoices as they are now, our charges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from connector.flows import agreements
from connector.flows.bills import UnitBills, read_bills
from connector.flows.desk import Desk
from connector.flows.round import policy_of
from connector.model.agreement import BillingUnit
from connector.model.approval import Approval
from connector.model.bills import Bills
from connector.model.charge import Charge, Hold
from connector.model.forecast import TO_COME, Outlook
from connector.model.money import Money
from connector.store import approvals, charges, holds, overrules, payers, settings, units
from connector.store.payers import PayerRow
from connector.store.units import UnitRow

LOOK_BACK = timedelta(days=62)
NO_BILLS = Bills(by_period={}, unsure=())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored:
    """What the store knows, read once."""

    charges: Mapping[str, Sequence[Charge]]  # by billing unit
    holds: Mapping[str, tuple[Hold, ...]]  # by charge
    overruled: Mapping[str, Mapping[str, Money]]
    approvals: Mapping[str, Sequence[Approval]]
    units: Mapping[str, UnitRow]
    payers: Mapping[str, PayerRow]
    paused: bool


def living(desk: Desk) -> tuple[BillingUnit, ...]:
    """Billing units with an agreement in force or to come, as the PSA was last read."""
    alive, _ = agreements.billing_units(desk, agreements.stored_reading(desk))
    return alive


def outlooks(desk: Desk, wanted: Iterable[BillingUnit], bills: Mapping[str, UnitBills] | None = None) -> list[Outlook]:
    """Reads the PSA's invoices of those that are opted in, unless they are given; nothing is written anywhere."""
    wanted = list(wanted)
    stored = _stored(desk)
    if bills is not None:
        return [_outlook(desk, unit, bills.get(unit.key), stored) for unit in wanted]
    open_ = [c.period.start for of_unit in stored.charges.values() for c in of_unit if c.state in TO_COME]
    bills = read_bills(desk, [unit for unit in wanted if unit.collect], since=min([*open_, desk.today() - LOOK_BACK]))
    return [_outlook(desk, unit, bills.get(unit.key), stored) for unit in wanted]


def _outlook(desk: Desk, unit: BillingUnit, bills: UnitBills | None, stored: _Stored) -> Outlook:
    payer = stored.payers.get(unit.payer.key)
    return Outlook(
        unit=unit,
        policy=policy_of(desk.settings, unit),
        today=desk.today(),
        bills=bills.bills if bills else NO_BILLS,
        charges=tuple(stored.charges.get(unit.key, ())),
        holds=stored.holds,
        enrolled=payer is not None and payer.method != "",
        card_expires=payer.method_expires if payer else None,
        collect_since=_collect_since(desk, stored.units.get(unit.key)),
        paused=stored.paused,
        overruled=stored.overruled,
        approvals=stored.approvals,
    )


def _collect_since(desk: Desk, row: UnitRow | None) -> date:
    opted_in = row.detail.get("collect_since") if row else None
    first = desk.settings.policy.collect_from
    return max(first, date.fromisoformat(opted_in)) if opted_in else first


def _stored(desk: Desk) -> _Stored:
    of_units: dict[str, list[Charge]] = {}
    held: dict[str, tuple[Hold, ...]] = {}
    with desk.store.read() as tx:
        for charge in charges.every(tx):
            of_units.setdefault(charge.unit, []).append(charge)
        for hold in holds.active(tx):
            held[hold.charge] = (*held.get(hold.charge, ()), hold)
        return _Stored(
            charges=of_units,
            holds=held,
            overruled=overrules.every(tx),
            approvals=approvals.every(tx),
            units={row.key: row for row in units.every(tx)},
            payers={row.key: row for row in payers.every(tx)},
            paused=bool(settings.get(tx, "paused")),
        )
