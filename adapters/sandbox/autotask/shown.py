"""Rows as they leave: every field of the entity, nulls included, and the user-defined fields."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.autotask.fields import Entity
from adapters.sandbox.autotask.rows import Row, four_places


def shown(entity: Entity, row: Row, include: list[str] | None = None) -> dict[str, Any]:
    """`include` are names in lower case; with it, user-defined fields are there only as far as named."""
    if include is None:
        return {**{name: row.get(name) for name in entity.fields}, "userDefinedFields": _udfs(row, list(entity.udfs))}
    fields = [field.name for lower, field in entity.by_lower.items() if lower in include]
    every = "userdefinedfields" in include
    udfs = [name for lower, name in entity.udf_by_lower.items() if every or lower in include]
    return {**{name: row.get(name) for name in fields}, "userDefinedFields": _udfs(row, udfs)}


def _udfs(row: Row, names: list[str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": row.get("_udfs", {}).get(name)} for name in names]


def by_the_unit(row: Row) -> Row:
    """A unit row of a tenant on which `price` is for one unit."""
    if not row["units"]:
        return row
    price = four_places(row["price"] / row["units"])
    return {**row, "price": price, "internalCurrencyPrice": price}
