"""Autotask's query language: a filter becomes one test of a row, and maybe a hint at which rows to look.

Names of fields and operators come in any case, values as the entity's types demand. Nothing but `notExist` is true of a
field that is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.sandbox.autotask.errors import Refusal, invalid
from adapters.sandbox.autotask.fields import Entity, Field
from adapters.sandbox.autotask.rows import Row

Test = Callable[[Row], bool]
MAX_CONDITIONS = 500  # joined by OR
MAX_RECORDS = 500
_SECONDS = 19  # characters of a moment that are compared: up to its seconds
_KEYS = {"filter", "maxrecords", "includefields"}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda ours, theirs: ours == theirs,
    "noteq": lambda ours, theirs: ours != theirs,
    "gt": lambda ours, theirs: ours > theirs,
    "gte": lambda ours, theirs: ours >= theirs,
    "lt": lambda ours, theirs: ours < theirs,
    "lte": lambda ours, theirs: ours <= theirs,
}
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "beginswith": lambda ours, theirs: ours.startswith(theirs),
    "endswith": lambda ours, theirs: ours.endswith(theirs),
    "contains": lambda ours, theirs: theirs in ours,
}
_EMPTY, _LISTS = ("exist", "notexist"), ("in", "notin")


def any_row(_row: Row) -> bool:
    return True


@dataclass(kw_only=True)
class Query:
    test: Test = any_row
    size: int = MAX_RECORDS  # of a page
    include: list[str] | None = None  # fields, lower case; None for all
    only: tuple[str, list[Any]] | None = None  # a field that must have one of these values


@dataclass
class _Counts:
    alternatives: int = 0
    udfs: set[str] = field(default_factory=set)


def parse(entity: Entity, body: Any) -> Query:
    """Raises Refusal for what Autotask refuses."""
    if not isinstance(body, dict):
        raise invalid("The query is missing or is not valid JSON.")
    given = _lower(body)
    if unknown := given.keys() - _KEYS:
        raise invalid(f"Unexpected property in the query: {', '.join(sorted(unknown))}.")
    filters = given.get("filter")
    if not isinstance(filters, list) or not filters:
        raise invalid("The query must have a filter with at least one condition.")
    counts = _Counts()
    test = _all([_condition(entity, item, counts) for item in filters])
    if counts.alternatives > MAX_CONDITIONS:
        raise invalid(f"The query exceeds the limit of {MAX_CONDITIONS} OR conditions.")
    if len(counts.udfs) > 1:
        raise invalid("Only one user-defined field is allowed in a query.")
    include = _include(entity, given.get("includefields"))
    return Query(test=test, size=_size(given.get("maxrecords")), include=include, only=_only(entity, filters))


def _lower(item: dict[str, Any]) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in item.items()}


def _size(value: Any) -> int:
    if value is None:
        return MAX_RECORDS
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_RECORDS:
        raise invalid(f"MaxRecords must be between 1 and {MAX_RECORDS}.")
    return value


def _include(entity: Entity, value: Any) -> list[str] | None:
    if value is None or value == []:
        return None
    if not isinstance(value, list):
        raise invalid("IncludeFields must be a list of field names.")
    names = [str(name).lower() for name in value]
    for name, asked in zip(names, value, strict=True):
        if name not in entity.by_lower and name not in entity.udf_by_lower and name != "userdefinedfields":
            raise _unknown(entity, asked)
    return names


def _only(entity: Entity, filters: list[Any]) -> tuple[str, list[Any]] | None:
    """A condition of the outermost AND that names few rows; which fields are indexed is the table's affair."""
    for given in map(_lower, filters):
        found = entity.by_lower.get(str(given.get("field", "")).lower())
        op = str(given.get("op", "")).lower()
        if found and found.type in ("int", "long") and op in ("eq", "in") and not given.get("udf"):
            values = given["value"] if op == "in" else [given["value"]]
            return found.name, sorted({_number(entity, found, value) for value in values})
    return None


def _condition(entity: Entity, item: Any, counts: _Counts) -> Test:
    if not isinstance(item, dict):
        raise invalid("A condition of the filter is not an object.")
    given = _lower(item)
    op = str(given.get("op", "")).lower()
    if op in ("and", "or"):
        return _group(entity, op, given.get("items"), counts)
    if op not in _ORDER and op not in _TEXT and op not in _EMPTY and op not in _LISTS:
        raise invalid(f"The operator {given.get('op')!r} is not valid.")
    if not isinstance(given.get("field"), str):
        raise invalid("A condition of the filter names no field.")
    if given.get("udf"):
        return _udf_test(entity, given["field"], op, given.get("value"), counts)
    found = entity.by_lower.get(given["field"].lower())
    if found is None:
        raise _unknown(entity, given["field"])
    if not found.queryable:
        raise invalid(f"The field {found.name} of the {entity.singular} entity cannot be queried.")
    return _field_test(entity, found, op, given.get("value"), counts)


def _group(entity: Entity, op: str, items: Any, counts: _Counts) -> Test:
    if not isinstance(items, list) or not items:
        raise invalid(f"The group {op!r} has no items.")
    tests = [_condition(entity, item, counts) for item in items]
    if op == "and":
        return _all(tests)
    counts.alternatives += len(tests)
    return lambda row: any(test(row) for test in tests)


def _all(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)


def _field_test(entity: Entity, found: Field, op: str, value: Any, counts: _Counts) -> Test:
    name = found.name
    if op in _EMPTY:
        return (lambda row: name in row) if op == "exist" else (lambda row: name not in row)
    if op in _LISTS:
        return _list_test(entity, found, op, value, counts)
    if op in _TEXT:
        if found.type != "str":
            raise invalid(f"The operator {op!r} needs a text field, and {name} is none.")
        holds, text = _TEXT[op], str(value).lower()
        return lambda row: name in row and holds(row[name].lower(), text)
    compare, wanted = _ORDER[op], _typed(entity, found, value)
    read = _reader(found)
    return lambda row: name in row and compare(read(row[name]), wanted)


def _list_test(entity: Entity, found: Field, op: str, value: Any, counts: _Counts) -> Test:
    if not isinstance(value, list) or not value:
        raise invalid(f"The operator {op!r} needs a list of values.")
    counts.alternatives += len(value)
    wanted, read, name = {_typed(entity, found, item) for item in value}, _reader(found), found.name
    if op == "in":
        return lambda row: name in row and read(row[name]) in wanted
    return lambda row: name in row and read(row[name]) not in wanted


def _udf_test(entity: Entity, asked: str, op: str, value: Any, counts: _Counts) -> Test:
    name = entity.udf_by_lower.get(asked.lower())
    if name is None:
        raise _unknown(entity, asked)
    counts.udfs.add(name)
    inner = _field_test(entity, Field(name=name, type="str"), op, value, counts)
    return lambda row: inner(row["_udfs"])


def _reader(found: Field) -> Callable[[Any], Any]:
    """How a value of ours is brought into the form in which values are compared."""
    if found.type == "str":
        return lambda value: str(value).lower()
    if found.type in ("date", "day"):
        return lambda value: value[:_SECONDS]
    return lambda value: value


def _typed(entity: Entity, found: Field, value: Any) -> Any:
    match found.type:
        case "str":
            return str(value).lower()
        case "bool":
            if not isinstance(value, bool):
                raise invalid(f"The value of {found.name} must be true or false.")
            return value
        case "date" | "day":
            return moment(value, found.name)
    return _number(entity, found, value)


def _number(entity: Entity, found: Field, value: Any) -> int | Decimal:
    try:
        if isinstance(value, bool) or value is None:
            raise ValueError
        return int(value) if found.type in ("int", "long") else Decimal(str(value))
    except (TypeError, ValueError, InvalidOperation):
        raise invalid(f"The value {value!r} of {found.name} of the {entity.singular} entity is not a number.") from None


def moment(value: Any, name: str) -> str:
    """In UTC, to the second; without an offset it is taken as it stands. Raises Refusal."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise invalid(f"The value {value!r} of {name} is not a date.") from None
    return f"{found.astimezone(UTC) if found.tzinfo else found:%Y-%m-%dT%H:%M:%S}"


def _unknown(entity: Entity, asked: Any) -> Refusal:
    return invalid(f"Unable to find {asked} in the {entity.singular} Entity.")


def select(query: Query, rows: Iterable[Row]) -> Iterable[Row]:
    test = query.test
    return (row for row in rows if test(row))
