"""Adjustments: units of what is sold change from a day on; what the contract has not yet is added. They cannot be read."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.autotask.errors import Refusal, invalid
from adapters.sandbox.autotask.fields import Entity
from adapters.sandbox.autotask.records import Kind, Records
from adapters.sandbox.autotask.rows import Row, as_date
from adapters.sandbox.autotask.units import Units
from adapters.sandbox.autotask.writes import changes, missing

_FIRST_ID = 3001


class Adjustments:
    def __init__(self, records: Records, units: Units) -> None:
        self._records = records
        self._units = units
        self._next_id = _FIRST_ID

    def create(self, entity: Entity, body: dict[str, Any], parent: int | None) -> int:
        """The adjustment's id. Raises Refusal."""
        given = changes(entity, body, read_only=set())
        if parent is not None:
            given["contractID"] = parent
        if lacking := missing(entity, given):
            raise invalid(f"The field {lacking[0]} of the {entity.singular} entity is required.")
        self._carry_out(self._records.kinds["bundle" if "Bundle" in entity.name else "service"], given)
        self._next_id += 1
        return self._next_id - 1

    def _carry_out(self, kind: Kind, given: Row) -> None:
        on, change, price = as_date(given["effectiveDate"]), given["unitChange"], given.get("adjustedUnitPrice")
        sold = self._sold(kind, given)
        if sold is not None:
            self._units.adjust(kind, sold, on, change, price)
            return
        contract = self._records.contracts.rows.get(given.get("contractID", 0))
        product = kind.products.rows.get(given.get(kind.product_key, 0))
        if contract is None or product is None:
            raise _no_such(kind.product_key)
        unit_price = product["unitPrice"] if price is None else price
        self._units.sell(kind, contract, product, units=change, price=unit_price, starts=on)

    def _sold(self, kind: Kind, given: Row) -> Row | None:
        if kind.sold_key in given:
            found = kind.sold.rows.get(given[kind.sold_key])
            if found is None:
                raise _no_such(kind.sold_key)
            return found
        if given.get("allowRepeatService") or given.get("allowRepeatServiceBundle"):
            return None
        rows = kind.sold.of("contractID", given.get("contractID"))
        return next((row for row in rows if row[kind.product_key] == given.get(kind.product_key)), None)


def _no_such(field: str) -> Refusal:
    return invalid(f"Value does not reference an existing entity for {field} . ")
