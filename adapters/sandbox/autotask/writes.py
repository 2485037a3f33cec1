"""Changes that come in: which fields a body names, whether they may be written, and in which form they are kept."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.autotask.errors import invalid
from adapters.sandbox.autotask.fields import Entity, Field
from adapters.sandbox.autotask.query import moment
from adapters.sandbox.autotask.rows import Row, number

_WHOLE = {"int": int, "long": int}


def changes(entity: Entity, body: dict[str, Any], *, read_only: set[tuple[str, str]]) -> Row:
    """By our names, None for what is emptied; `_udfs` when user-defined fields are among them. Raises Refusal."""
    found: Row = {}
    for asked, value in body.items():
        name = asked.lower()
        if name in ("id", "soapparentpropertyid"):
            continue
        if name == "userdefinedfields":
            found["_udfs"] = _udfs(entity, value)
            continue
        if name not in entity.by_lower:
            raise invalid(f"Unable to find {asked} in the {entity.singular} Entity.")
        field = entity.by_lower[name]
        if not field.writable or (entity.name, field.name) in read_only:
            raise invalid(f"The field {field.name} of the {entity.singular} entity is read-only.")
        found[field.name] = _value(entity, field, value)
    return found


def missing(entity: Entity, row: Row) -> list[str]:
    return [name for name, field in entity.fields.items() if "r" in field.flags and row.get(name) is None]


def _value(entity: Entity, field: Field, value: Any) -> Any:
    if value is None:
        if "r" in field.flags:
            raise invalid(f"The field {field.name} of the {entity.singular} entity is required.")
        return None
    if field.type == "day":
        return f"{moment(value, field.name)[:10]}T00:00:00Z"  # the time of day is dropped
    if field.type == "date":
        return f"{moment(value, field.name)}Z"
    typed = _scalar(entity, field, value)
    if field.picklist and typed not in field.picklist:
        raise invalid(f"Value does not reference an existing entity for {field.name} . ")
    return typed


def _scalar(entity: Entity, field: Field, value: Any) -> Any:
    try:
        if field.type in _WHOLE:
            return int(value)
        if field.type == "num":
            return number(value)
    except (TypeError, ValueError, ArithmeticError):
        raise invalid(f"The value {value!r} of {field.name} of the {entity.singular} entity is not a number.") from None
    if field.type == "bool":
        return str(value).lower() == "true"
    return str(value)


def _udfs(entity: Entity, value: Any) -> dict[str, str | None]:
    if not isinstance(value, list):
        raise invalid("userDefinedFields must be a list.")
    found: dict[str, str | None] = {}
    for item in value:
        name = entity.udf_by_lower.get(str(item.get("name", "")).lower()) if isinstance(item, dict) else None
        if name is None:
            raise invalid(f"Unable to find the user-defined field {item!r} in the {entity.singular} Entity.")
        found[name] = None if item.get("value") is None else str(item["value"])
    return found
