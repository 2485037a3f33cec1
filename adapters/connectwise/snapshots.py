"""What we remember of an agreement to know, without reading its additions, whether it is as it was.

An addition that changes does not touch its agreement, and additions have no list of their own (psa.md 2A.6). So the
additions are read again when the agreement itself, its payer or its recap (`nextInvoiceAmount`) moved, and by turns
once a day whatever the recap says.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from connector.model.agreement import Agreement, AgreementLine

HOURS = 24
_VOLATILE = frozenset({"_info", "nextInvoiceDate"})  # they move without any change to what is billed


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """`read_hour`: when the additions were last read, in hours since 1970."""

    header: str
    recap: str
    lines: str
    read_hour: int

    def __str__(self) -> str:
        return f"{self.header}.{self.recap}.{self.lines}.{self.read_hour}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None for what we did not write, or wrote in another form."""
        found = re.fullmatch(r"([0-9a-f]{16})\.([0-9a-f]{8})\.([0-9a-f]{16})\.(\d{1,9})", text)
        return cls(header=found[1], recap=found[2], lines=found[3], read_hour=int(found[4])) if found else None


def still_holds(known: Snapshot | None, *, header: str, recap: str, id: int, hour: int) -> bool:
    """Whether the additions need not be read."""
    if known is None or (known.header, known.recap) != (header, recap):
        return False
    return known.read_hour >= turn(id, hour)


def turn(id: int, hour: int) -> int:
    """The latest hour, up to this one, in which it was this agreement's turn: each once a day, evenly spread."""
    return hour - (hour - id) % HOURS


def hour_of(now: datetime) -> int:
    return int(now.timestamp()) // 3600


def header_hash(agreement: Agreement, record: Mapping[str, Any], salt: str) -> str:
    """Of the agreement as mapped (payer and group too) and as it came, since lines may be mapped from it. `salt`: the mapping."""
    raw = {name: value for name, value in record.items() if name not in ("payer", "parent", "cycle")}
    return _hash([salt, repr(replace(agreement, lines=(), snapshot="")), raw], 16)


def recap_hash(recap: Mapping[str, Any] | None) -> str:
    """Only the amount of the next invoice: the recap's other fields move with every invoice."""
    return _hash([recap is not None, (recap or {}).get("nextInvoiceAmount")], 8)


def lines_hash(lines: tuple[AgreementLine, ...]) -> str:
    return _hash([repr(line) for line in lines], 16)


def _settled(value: Any) -> Any:
    """Without what moves by itself; 45 and 45.00 are the same number."""
    if isinstance(value, dict):
        return {name: _settled(item) for name, item in value.items() if name not in _VOLATILE}
    if isinstance(value, list):
        return [_settled(item) for item in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return format(Decimal(value).normalize(), "f")
    return value


def _hash(content: Any, length: int) -> str:
    text = json.dumps(_settled(content), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
