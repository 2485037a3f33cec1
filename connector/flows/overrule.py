"""Overrule: a person says that a held charge goes out all the same. Kept in the store; the agent's next round acts on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from connector.errors import Rejected
from connector.flows.desk import Desk
from connector.flows.naming import unit_names
from connector.flows.outlook import living
from connector.flows.round import policy_of
from connector.model.agreement import names_of
from connector.model.approval import Approval, needed, people
from connector.model.charge import Charge, ChargeState, Hold
from connector.model.money import Money
from connector.model.release import OVERRULABLE
from connector.store import approvals, audit, charges, holds, overrules, units
from connector.store.units import UnitRow


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldCharge:
    """A charge with the holds that keep it back (or, once released, that tell why it is not paid)."""

    charge: str
    name: str
    payer: str
    period: str
    state: str
    on: date | None
    amount: Money
    holds: tuple[Hold, ...]

    @property
    def overrulable(self) -> tuple[Hold, ...]:
        waits = self.state in (ChargeState.HELD, ChargeState.WAITING)
        return tuple(hold for hold in self.holds if waits and hold.name in OVERRULABLE)

    @property
    def others(self) -> tuple[Hold, ...]:
        return tuple(hold for hold in self.holds if hold not in self.overrulable)


def held(desk: Desk, *, name: str = "", payer: str = "") -> list[HeldCharge]:
    """Charges with holds, the longest held first. `payer`: key, id or the beginning of the name."""
    with desk.store.read() as tx:
        active = holds.active(tx)
        rows = {row.key: row for row in units.every(tx)}
        names = unit_names(tx)
        found = [charges.get(tx, id) for id in dict.fromkeys(hold.charge for hold in active)]
    listed = [
        _held(charge, names.get(charge.unit, charge.unit), rows.get(charge.unit), active)
        for charge in found
        if charge is not None
    ]
    return [
        one
        for one in listed
        if (not name or name in {hold.name for hold in one.holds}) and (not payer or _is_of(rows, one, payer))
    ]


def _held(charge: Charge, name: str, row: UnitRow | None, active: Sequence[Hold]) -> HeldCharge:
    return HeldCharge(
        charge=charge.id,
        name=name,
        payer=row.payer if row else charge.payer,
        period=str(charge.period),
        state=str(charge.state),
        on=charge.charge_date,
        amount=_amount(charge),
        holds=tuple(hold for hold in active if hold.charge == charge.id),
    )


def _amount(charge: Charge) -> Money:
    return charge.owed if charge.owed is not None else charge.computed


def _is_of(rows: dict[str, UnitRow], one: HeldCharge, payer: str) -> bool:
    names = [row.payer_name for row in rows.values() if row.payer == one.payer]
    return payer in names_of(one.payer) or any(n.casefold().startswith(payer.casefold()) for n in names)


def overrule(desk: Desk, charge: str, *, name: str = "", amount: Money | None = None, who: str, why: str) -> HeldCharge:
    """The named hold, or all that a person may overrule, keep the charge back no longer, at the amount it has now.

    The charge as it was. `amount`: what the person was shown. Rejected when it changed since, or when a hold cannot be
    overruled, which says what to do instead.
    """
    one = the_held(desk, charge)
    chosen = [hold for hold in one.holds if not name or hold.name == name]
    _check(one, chosen, name)
    names = [hold.name for hold in chosen if hold in one.overrulable]
    if amount is not None and amount != one.amount:
        raise Rejected(
            f"{one.name}: the amount is {one.amount} now and no longer {amount}; look at it again", code="amount_changed"
        )
    waits = _second_person(desk, one, names, who, why)
    if waits:
        raise Rejected(waits, code="second_person")
    with desk.store.begin() as tx:
        overrules.add(tx, charge, names, one.amount, now=desk.now())
        for hold in names:
            holds.lift(tx, charge, hold, by=who, why=why, now=desk.now())
            audit.write(
                tx,
                who=who,
                what=f"overruled hold {hold} of charge {charge}",
                why=why,
                before={"hold": next(h.message for h in chosen if h.name == hold)},
                after={"amount": str(one.amount)},
                now=desk.now(),
            )
        if not holds.active(tx, charge) and one.state == ChargeState.HELD:
            charges.update(tx, charge, state=ChargeState.WAITING, now=desk.now())  # for the next round, which looks again
    return one


def _second_person(desk: Desk, one: HeldCharge, names: Sequence[str], who: str, why: str) -> str:
    """Above the limit two people have to overrule a hold: the first one is remembered. Why it is not done yet, or ""."""
    above = _second_above(desk, one.charge)
    if needed(one.amount, above) < 2:
        return ""
    with desk.store.begin() as tx:
        for name in names:
            if who.strip().casefold() not in {p.casefold() for p in people(approvals.of(tx, one.charge), name, one.amount)}:
                given = Approval(charge=one.charge, what=name, amount=one.amount, who=who.strip(), why=why, at=desk.now())
                approvals.add(tx, given)
                what = f"asked to overrule hold {name} of charge {one.charge}"
                audit.write(tx, who=who, what=what, why=why, after={"amount": str(one.amount)}, now=desk.now())
        said = approvals.of(tx, one.charge)
    if all(len(people(said, name, one.amount)) > 1 for name in names):
        return ""
    return (
        f"{one.name}, {one.amount}: noted for {who}. Above {above} a second person has to overrule it too:"
        f" connector release {one.charge} --as THEIR-NAME --why TEXT"
    )


def _second_above(desk: Desk, charge: str) -> Money | None:
    with desk.store.read() as tx:
        stored = charges.get(tx, charge)
    unit = next((unit for unit in living(desk) if stored is not None and unit.key == stored.unit), None)
    return (policy_of(desk.settings, unit) if unit is not None else desk.settings.policy).second_above


def the_held(desk: Desk, charge: str) -> HeldCharge:
    """Rejected when there is no such charge, or nothing holds it."""
    found = next((one for one in held(desk) if one.charge == charge), None)
    if found is not None:
        return found
    with desk.store.read() as tx:
        stored = charges.get(tx, charge)
    if stored is None:
        raise Rejected(f"there is no charge {charge!r}; `connector holds` lists those that are held", code="unknown_charge")
    raise Rejected(f"charge {charge} is {stored.state} and has no hold", code="not_held")


def _check(one: HeldCharge, chosen: Sequence[Hold], name: str) -> None:
    if not chosen:
        there = ", ".join(hold.name for hold in one.holds)
        raise Rejected(f"{one.name} has no hold {name!r}; it has: {there}", code="not_held")
    if not any(hold in one.overrulable for hold in chosen):
        said = "; ".join(f"{hold.name} ({hold.message}): {hold.way_on}" for hold in chosen)
        raise Rejected(f"{one.name}: this hold is not a person's to overrule. What to do instead: {said}", code="not_overrulable")
