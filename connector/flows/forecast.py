"""Forecast: every charge to come, with what keeps it back. Writes nothing anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from connector.flows.desk import Desk
from connector.flows.invoices_to_come import invoices_to_come
from connector.flows.left_out import left_out
from connector.flows.outlook import living, outlooks
from connector.model.forecast import Coming, Total, coming, totals
from connector.store import freshness, other_invoices, settings
from connector.store.other_invoices import Uncollected


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """`read_at`: when the agreements were last read. `unusable`: agreements that cannot be mirrored, each in a sentence."""

    today: date
    until: date
    read_at: datetime | None
    paused: bool
    rows: tuple[Coming, ...]
    totals: tuple[Total, ...]
    unusable: tuple[str, ...]
    uncollected: tuple[Uncollected, ...] = ()  # open invoices that no agreement bills, as they were last read


def forecast(desk: Desk, *, days: int) -> Forecast:
    """By date, then name. RetryLater when the PSA cannot be asked for its invoices."""
    until = desk.today() + timedelta(days=days)
    units = living(desk)
    rows = [row for outlook in outlooks(desk, units) for row in coming(outlook, until)]
    rows += [row for row in (*invoices_to_come(desk), *left_out(desk, units)) if row.on <= until]
    rows.sort(key=lambda row: (row.on, row.name.casefold(), row.period))
    with desk.store.read() as tx:
        unusable = settings.get(tx, "needs_attention") or []
        paused = bool(settings.get(tx, "paused"))
        uncollected = tuple(other_invoices.every(tx))
    return Forecast(
        today=desk.today(),
        until=until,
        read_at=last_read(desk),
        paused=paused,
        rows=tuple(rows),
        totals=totals(rows),
        unusable=tuple(unusable),
        uncollected=uncollected,
    )


def last_read(desk: Desk) -> datetime | None:
    with desk.store.read() as tx:
        return next((beat.last_success for beat in freshness.every(tx) if beat.name == desk.psa.name), None)
