"""The closed list of converters, and the automatic conversion to a field's type. Dates are calendar dates, never shifted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from connector.mapping.spec import FieldType

TRUE, FALSE = frozenset({"true", "yes", "y", "1", "on"}), frozenset({"false", "no", "n", "0", "off", ""})


class NotConvertible(ValueError):
    """`str()` says in words what the value should have been."""


def text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal | float):
        return _plain(Decimal(str(value)))
    if isinstance(value, str):
        return value
    raise NotConvertible(f"{_shown(value)} is not one value")


def decimal(value: Any) -> Decimal:
    try:
        number = Decimal(text(value).strip())
    except (InvalidOperation, NotConvertible):
        raise NotConvertible(f"{_shown(value)} is not a number") from None
    if not number.is_finite():
        raise NotConvertible(f"{_shown(value)} is not a number")
    return number


def integer(value: Any) -> int:
    number = decimal(value)
    if abs(number) > 10**18 or number != number.to_integral_value():
        raise NotConvertible(f"{_shown(value)} is not a whole number")
    return int(number)


def calendar_date(value: Any) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(text(value).strip()[:10])
    except (ValueError, NotConvertible):
        raise NotConvertible(f"{_shown(value)} is not a date like 2026-01-31") from None


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = text(value).strip().casefold() if isinstance(value, str | int | Decimal) else None
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise NotConvertible(f"{_shown(value)} is neither yes nor no")


CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "text": text,
    "trim": lambda value: text(value).strip(),
    "lower": lambda value: text(value).strip().lower(),
    "upper": lambda value: text(value).strip().upper(),
    "decimal": decimal,
    "integer": integer,
    "date": calendar_date,
    "boolean": boolean,
}

TO_TYPE: dict[FieldType, Callable[[Any], Any]] = {
    FieldType.TEXT: text,
    FieldType.DECIMAL: decimal,
    FieldType.INTEGER: integer,
    FieldType.DATE: calendar_date,
    FieldType.BOOLEAN: boolean,
}


def same(left: Any, right: Any) -> bool:
    """As an admin would compare: 1, 1.0 and "1" are the same, so are true and "true"; capitals count."""
    if left is None or right is None or isinstance(left, dict | list) or isinstance(right, dict | list):
        return left is right
    return key_of(left) == key_of(right)


def key_of(value: Any) -> str:
    """How a value is written as a key of `values:`."""
    written = text(value).strip()
    try:
        return _plain(Decimal(written))
    except InvalidOperation:
        return written


def _plain(number: Decimal) -> str:
    if not number.is_finite() or abs(number.adjusted()) > 40:
        return str(number)
    written = f"{number:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def _shown(value: Any) -> str:
    written = repr(value)
    return written if len(written) <= 60 else written[:57] + "..."
