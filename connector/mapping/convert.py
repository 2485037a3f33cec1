"""The closed list of converters, and the automatic conversion to a field's type. Dates are calendar dates, never shifted."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from connector.mapping.spec import FieldType

TRUE, FALSE = frozenset({"true", "yes", "y", "1", "on"}), frozenset({"false", "no", "n", "0", "off"})
MAX_DIGITS = 30
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ][0-9]{2}:[0-9]{2}.*)?")


class NotConvertible(ValueError):
    """`str()` says in words what the value should have been."""


def is_empty(value: Any) -> bool:
    """No value: null, blank text, or a list of nothing (a path with a filter that found nothing)."""
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def text(value: Any) -> str:
    match value:
        case str():
            return str(value)
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return _written(Decimal(str(value)))
        case datetime():
            return value.date().isoformat()
        case date():
            return value.isoformat()
        case list():
            raise NotConvertible(f"{shown(value)} is a list; take one of it by ending the path with | [0]")
    raise NotConvertible(f"{shown(value)} is not one value; go on with the path to one of its fields")


def decimal(value: Any) -> Decimal:
    written = text(value).strip()
    if not _NUMBER.fullmatch(written):
        raise NotConvertible(f"{shown(value)} is not a number")
    number = Decimal(written)
    if number and abs(number.adjusted()) > MAX_DIGITS:
        raise NotConvertible(f"{shown(value)} is too large or too small a number")
    return number


def integer(value: Any) -> int:
    number = decimal(value)
    if number != number.to_integral_value():
        raise NotConvertible(f"{shown(value)} is not a whole number")
    return int(number)


def calendar_date(value: Any) -> date:
    """The day as it is written: a time of day or an offset after it does not move it."""
    found = _DATE.fullmatch(text(value).strip())
    try:
        return date.fromisoformat(found[1] if found else "")
    except ValueError:
        raise NotConvertible(f"{shown(value)} is not a date like 2026-01-31") from None


def boolean(value: Any) -> bool:
    word = text(value).strip().casefold()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise NotConvertible(f"{shown(value)} is neither yes nor no")


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


def word_of(value: Any) -> str:
    """How a value is compared: 1, 1.0 and "1" are one word, so are true and "true"; 007 and 1E3 are codes, capitals count."""
    written = text(value).strip()
    return _written(Decimal(written)) if _PLAIN_NUMBER.fullmatch(written) else written


def shown(value: Any) -> str:
    """For messages: short, whatever the record holds."""
    written = repr(value)
    return written if len(written) <= 60 else written[:57] + "..."


def _written(number: Decimal) -> str:
    """Without an exponent and trailing zeros: 12.50 is 12.5."""
    if not number.is_finite() or abs(number.adjusted()) > MAX_DIGITS:
        return str(number)
    written = f"{number:f}"
    written = written.rstrip("0").rstrip(".") if "." in written else written
    return "0" if written == "-0" else written
