"""Rows of other tools on an invoice: which of them stand for our money. Pure.

Tools that bring payments from the books (Wise-Sync, Gozynta Mobius, Alternative Payments) do not look at who entered a payment:
what we booked they bring to ConnectWise, before or after we write it there; Gozynta removes every row first (billing_domain.md,
pain 10).
Known by the API member that applied the row: its name has the vendor's in it, or is among the configured ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import combinations

from adapters.connectwise.paid import Row, Token, sums
from connector.model.money import Money, total

VENDORS = ("wise", "gozynta", "mobius", "altpay", "alternativepay")
MOST = 8  # rows that are tried together


def is_tool(applied_by: str, members: Collection[str]) -> bool:
    name = applied_by.strip().casefold()
    return bool(name) and (name in {m.strip().casefold() for m in members} or any(vendor in name for vendor in VENDORS))


def replaced(found: Sequence[Row], own: Iterable[str], recorded: Money | None) -> list[Row]:
    """A row that stood for our money is gone, and others come to exactly what it was: it was removed and written anew."""
    ids = {Token.parse(text).id for text in own if not text.startswith("asked:")}
    if recorded is None or ids <= {row.payment.id for row in found}:
        return list(found)
    now = sums(found, recorded.currency)
    lost = recorded - now.ours - now.adopted
    foreign = [row for row in found if row.token is None and row.foreign.minor > 0][:MOST]
    for number in range(1, len(foreign) + 1):
        for some in combinations(foreign, number):
            if lost.minor > 0 and total((row.foreign for row in some), lost.currency) == lost:
                return [_adopted(row) if row in some else row for row in found]
    return list(found)


def copied(
    found: Sequence[Row], missing: Money, members: Collection[str], is_ours: Callable[[Money], bool], *, own: str
) -> list[Row]:
    """Rows of a tool of which the books have ours and nobody else's of that amount (`is_ours`). `own`: our API member."""
    result = []
    for row in found:
        tool = is_tool(row.payment.applied_by, members) and row.payment.applied_by.strip().casefold() != own.casefold()
        if tool and row.token is None and 0 < row.foreign.minor <= missing.minor and is_ours(row.foreign):
            missing = missing - row.foreign
            row = _adopted(row)
        result.append(row)
    return result


def _adopted(row: Row) -> Row:
    return replace(row, adopted=row.foreign, foreign=row.adopted)
