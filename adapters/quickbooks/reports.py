"""QuickBooks' reports: rows of texts under headings, read for what each account or customer has. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import InvalidOperation
from typing import Any

from adapters.http import Reply, clean
from connector.errors import Rejected
from connector.model.money import Money

Cells = list[Mapping[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    name: str
    amounts: tuple[Money, ...]


def figures(report: Mapping[str, Any], reply: Reply, columns: int, currency: str) -> dict[str, Figures]:
    """Id of each account or customer -> the last `columns` figures of its row; an empty cell is nothing. Totals are left out.

    RetryLater when a figure belongs to nobody: no answer is better than one that lacks it.
    """
    header = report["Header"]
    if header.get("Currency", currency) != currency:
        raise Rejected(
            f"QuickBooks' report is in {clean(str(header['Currency']), 20)}, the connector works in {currency}",
            code="wrong_currency",
        )
    try:
        rows = list(_rows(report.get("Rows") or {}))
        return {cells[0]["id"]: _figures(cells, columns, currency) for cells in rows}
    except (KeyError, TypeError, AttributeError, InvalidOperation):
        raise reply.unreadable("a report whose rows cannot be read") from None


def _figures(cells: Cells, columns: int, currency: str) -> Figures:
    return Figures(name=cells[0]["value"], amounts=tuple(_money(cell["value"], currency) for cell in cells[-columns:]))


def _rows(part: Mapping[str, Any]) -> Iterator[Cells]:
    """Rows with an id, also those under headings; headings themselves where they have figures of their own."""
    for row in part.get("Row") or ():
        if not row.keys() & {"ColData", "Rows", "Summary"}:
            raise KeyError("ColData")
        for cells in (row.get("ColData"), (row.get("Header") or {}).get("ColData")):
            if cells and _is_somebodys(cells):
                yield cells
        yield from _rows(row.get("Rows") or {})


def _is_somebodys(cells: Cells) -> bool:
    if not cells[0].get("id") and any(cell.get("value") for cell in cells[1:]):
        raise KeyError("id")
    return bool(cells[0].get("id"))


def _money(text: str, currency: str) -> Money:
    return Money.from_major(text.replace(",", "") or "0", currency)
