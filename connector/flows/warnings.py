"""What will go wrong if nobody looks: told by `status` before a charge is held for it. From the store alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connector.flows.desk import Desk
from connector.model.agreement import names_of
from connector.model.charge import ChargeState
from connector.model.explain import last_day
from connector.store import charges, payers, units
from connector.store.units import UnitRow


def warnings(desk: Desk) -> list[str]:
    with desk.store.read() as tx:
        rows = units.every(tx)
    return [*_expiring_cards(desk, rows), *_unknown_names(desk, rows)]


def _expiring_cards(desk: Desk, rows: Iterable[UnitRow]) -> Iterator[str]:
    """A card that is good no longer on the day of a charge that waits."""
    of_unit = {row.key: row for row in rows}
    with desk.store.read() as tx:
        waiting = [c for c in charges.every(tx, [ChargeState.WAITING]) if c.charge_date is not None and c.unit in of_unit]
        known = {row.key: row for row in payers.every(tx)}
    for charge in waiting:
        payer = known.get(of_unit[charge.unit].payer)
        if payer and payer.method_expires and charge.charge_date and payer.method_expires <= charge.charge_date:
            yield (
                f"{of_unit[charge.unit].name}: the card is good until {last_day(payer.method_expires)}, the charge is due on"
                f" {charge.charge_date.isoformat()}. Send the payer the link that `connector enrol {payer.key}` shows."
            )


def _unknown_names(desk: Desk, rows: Iterable[UnitRow]) -> Iterator[str]:
    """A limit that a typing mistake keeps from anybody."""
    rows = list(rows)
    if not rows:
        return
    payer_ids = {name for row in rows for name in names_of(row.payer)}
    psas = {row.key.partition(":")[0] for row in rows}
    members = {member for row in rows for member in row.members}
    agreement_ids = members | {f"{psa}:{m}" for psa in psas for m in members} | {row.key for row in rows}
    agreement_ids |= {row.key.partition(":")[2] for row in rows}
    for setting, given, known in (
        ("payers", desk.settings.payer_policies, payer_ids),
        ("agreements", desk.settings.agreement_policies, agreement_ids),
    ):
        for id in sorted(given.keys() - known):
            yield f"charging.{setting}.{id}: no agreement that the field mapping takes has this id, so it holds for nobody."
    for id in sorted(desk.settings.other.payers.keys() - payer_ids):
        yield f"collect.payers.{id}: no agreement that the field mapping takes is billed to this company, so it holds for nobody."
