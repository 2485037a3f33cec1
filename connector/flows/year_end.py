"""Year end: what the gateway charged in each month, bridged to what arrived at the bank. Asked anew, and compared with the
months that were frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from connector.errors import Rejected
from connector.flows.desk import Desk
from connector.flows.month_end import load
from connector.flows.month_gateway import BEFORE, Balance, begins, read_since
from connector.model.ledger import EntryKind
from connector.model.money import Money
from connector.model.month_end import month_name
from connector.model.payout import by_currency
from connector.model.period import Period
from connector.model.year_end import Facts, YearMonth, months_of, year_months, year_of
from connector.store import ledger, month_end


@dataclass(frozen=True, kw_only=True, slots=True)
class YearEnd:
    """By currency, a row for each month. `open`: months that are over and not frozen. `running`: the one that is not over."""

    year: str
    time_zone: str
    taken_at: datetime
    months: dict[str, tuple[YearMonth, ...]]
    open: tuple[str, ...]
    running: str

    @property
    def problems(self) -> tuple[str, ...]:
        rows = [(currency, row) for currency, of in self.months.items() for row in of if not row.ties]
        return tuple(_said(currency, row) for currency, row in rows)

    @property
    def ties(self) -> bool:
        return not self.problems


def _said(currency: str, row: YearMonth) -> str:
    if row.frozen not in (None, row.closing):
        return f"{row.month} was frozen with {row.frozen} at the gateway, and now ends with {row.closing}"
    return f"{row.month} in {currency} does not add up: a payout is not known to the gateway any more"


def parse_year(text: str, today: date) -> Period:
    """ "" is the last year that is over. Rejected for anything that is not a year, and for one that has not begun."""
    try:
        year = year_of(text or str(today.year - 1))
    except ValueError as error:
        raise Rejected(f"--year: {error}") from None
    if year.start > today:
        raise Rejected(f"{year.start.year} has not begun")
    return year


def year_end(desk: Desk, year: Period) -> YearEnd:
    balance = read_since(desk, begins(desk, year.start - BEFORE))
    frozen = _frozen(desk, year)
    return YearEnd(
        year=str(year.start.year),
        time_zone=desk.settings.time_zone.key,
        taken_at=balance.taken_at,
        months=by_months(desk, year, balance, frozen),
        running=month_name(desk.today()) if desk.today() in year else "",
        open=tuple(name for name in _names(desk, year) if name not in frozen and name != month_name(desk.today())),
    )


def _frozen(desk: Desk, year: Period) -> dict[str, dict[str, Money]]:
    """By month, the closing balance by currency."""
    with desk.store.read() as tx:
        found = [month_end.get(tx, name) for name in _names(desk, year)]
    return {one.month: {g.currency: g.closing for g in load(one).gateway} for one in found if one is not None}


def _names(desk: Desk, year: Period) -> list[str]:
    return [month_name(month.start) for month in months_of(year, desk.today())]


def by_months(
    desk: Desk, year: Period, balance: Balance, frozen: dict[str, dict[str, Money]]
) -> dict[str, tuple[YearMonth, ...]]:
    """By currency. `year`: twelve months from the first of any; `balance` reaches back to some time before it."""
    with desk.store.read() as tx:
        entries = ledger.entries(tx, since=year.start - BEFORE)
    methods = {e.payment: e.method for e in entries if e.kind is EntryKind.PAYMENT}
    payouts = {payout.id: payout for payout in desk.gateway.payouts(begins(desk, year.start - BEFORE))}
    groups = by_currency(balance.lines)
    found = {}
    for currency in sorted({desk.settings.currency, *groups}):
        facts = Facts(
            now=balance.now.get(currency, Money.zero(currency)),
            lines=groups.get(currency, ()),
            payouts=payouts,
            methods=methods,
            today=desk.today(),
            day=lambda line: desk.local_date(line.at),
            day_utc=lambda line: line.at.astimezone(UTC).date(),
        )
        closings = {month: of[currency] for month, of in frozen.items() if currency in of}
        found[currency] = year_months(facts, year, closings)
    return found
