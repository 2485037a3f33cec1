"""Skip: a person says that nothing is to be collected for a period whose invoice was closed differently, or never made."""

from __future__ import annotations

from connector.errors import Rejected
from connector.flows.desk import Desk
from connector.flows.overrule import HeldCharge, the_held
from connector.model.money import Money
from connector.model.release import SKIPPABLE
from connector.store import audit, holds, overrules


def skip(desk: Desk, charge: str, *, who: str, why: str) -> HeldCharge:
    """The agent's next round gives the draft up, unless the PSA has an invoice for it again by then. The charge as it was.

    Rejected for a charge that is not held because its invoice is missing.
    """
    one = the_held(desk, charge)
    found = [hold for hold in one.holds if hold.name in SKIPPABLE]
    if not found:
        said = "; ".join(f"{hold.name} ({hold.message}): {hold.way_on}" for hold in one.holds)
        raise Rejected(
            f"{one.name}: only a charge whose invoice is missing or was closed differently can be skipped. It is held for {said}",
            code="not_skippable",
        )
    with desk.store.begin() as tx:
        overrules.add(tx, charge, [hold.name for hold in found], Money.zero(one.amount.currency), now=desk.now())
        for hold in found:
            holds.lift(tx, charge, hold.name, by=who, why=why, now=desk.now())
        before = {"hold": "; ".join(hold.message for hold in found)}
        audit.write(tx, who=who, what=f"skipped charge {charge}", why=why, before=before, now=desk.now())
    return one
