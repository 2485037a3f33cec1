"""What a charge is called on screens: by its billing unit, or by its invoice where no agreement bills it."""

from __future__ import annotations

from sqlalchemy import Connection

from connector.model.charge import Charge
from connector.model.other import is_other, named
from connector.store import charges, payers, units


def unit_names(tx: Connection) -> dict[str, str]:
    """By billing unit, those of single invoices too."""
    of_payers = {row.key: row.name for row in payers.every(tx)}
    of_invoices = {c.unit: named(of_payers.get(c.payer, c.payer), c.psa_number) for c in charges.of_invoices(tx)}
    return {**of_invoices, **{row.key: row.name for row in units.every(tx)}}


def name_of(tx: Connection, charge: Charge) -> str:
    if is_other(charge.unit):
        row = payers.get(tx, charge.payer)
        return named(row.name if row else charge.payer, charge.psa_number)
    unit = units.get(tx, charge.unit)
    return unit.name if unit else charge.unit
