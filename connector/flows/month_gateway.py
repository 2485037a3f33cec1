"""What a month end asks the gateway: its balance at both ends of the month, every movement, and bank debits on their way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from connector.errors import RetryLater
from connector.flows.desk import Desk
from connector.flows.naming import name_of
from connector.model.charge import Charge, ChargeState
from connector.model.invoice import MethodKind
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.money import Money
from connector.model.month_end import GatewayMonth, OnItsWay, gateway_month
from connector.model.payout import BalanceLine, by_currency
from connector.model.period import Period
from connector.store import charges, ledger

BEFORE = timedelta(days=40)  # a movement of the month before may be entered in this one
_TRIES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """`now` by currency, after all of `lines`, which are the gateway's since some time before the month, oldest first."""

    now: Mapping[str, Money]
    lines: tuple[BalanceLine, ...]
    taken_at: datetime


def begins(desk: Desk, day: date) -> datetime:
    """The first moment of the company's day."""
    return datetime.combine(day, time(), desk.settings.time_zone)


def read_balance(desk: Desk, month: Period) -> Balance:
    return read_since(desk, begins(desk, month.start - BEFORE))


def read_since(desk: Desk, since: datetime) -> Balance:
    """RetryLater when money moves each time while it is read."""
    for _ in range(_TRIES):
        before = dict(desk.gateway.balance())
        until = desk.now() + timedelta(seconds=1)  # the last second's lines too
        lines = tuple(desk.gateway.balance_lines(since, until))
        if dict(desk.gateway.balance()) == before:
            return Balance(now=before, lines=lines, taken_at=desk.now())
    raise RetryLater("the gateway's balance moved each time it was read; try again in a moment")


def gateway_months(desk: Desk, month: Period, balance: Balance, frozen: Mapping[str, Money]) -> tuple[GatewayMonth, ...]:
    """One for each currency in which the gateway holds or moved anything. `frozen`: closings of the month before."""
    groups = by_currency(balance.lines)
    wanted = sorted({desk.settings.currency, *groups, *(name for name, held in balance.now.items() if held)})
    return tuple(_one(desk, month, currency, balance, groups.get(currency, ()), frozen) for currency in wanted)


def _one(
    desk: Desk, month: Period, currency: str, balance: Balance, lines: Sequence[BalanceLine], frozen: Mapping[str, Money]
) -> GatewayMonth:
    start, end = begins(desk, month.start), begins(desk, month.end)
    return gateway_month(
        balance.now.get(currency, Money.zero(currency)),
        [line for line in lines if start <= line.at < end],
        [line for line in lines if line.at >= end],
        frozen.get(currency),
    )


# Bank debits on their way over the month's end


def on_its_way(desk: Desk, month: Period) -> tuple[OnItsWay, ...]:
    """Released in time, and by bank debit collected later or still being collected."""
    end = begins(desk, month.end)
    with desk.store.read() as tx:
        released = [c for c in charges.every(tx) if c.released_at is not None and c.released_at < end]
        paid = {c.id: _first_payment(ledger.entries(tx, charge=c.id)) for c in released if c.state is not ChargeState.ENDED}
    flying = {one.id for one in desk.gateway.open_invoices() if one.in_flight} if _is_recent(desk, month) else set()
    found = [(charge, _said(charge, paid.get(charge.id), end, flying)) for charge in released]
    return tuple(_row(desk, charge, said) for charge, said in found if said)


def _is_recent(desk: Desk, month: Period) -> bool:
    """A bank debit is on its way for days; what is on its way today was made after an older month's end."""
    return desk.today() < month.end + timedelta(days=14)


def _first_payment(entries: Sequence[LedgerEntry]) -> LedgerEntry | None:
    return next((entry for entry in entries if entry.kind is EntryKind.PAYMENT), None)


def _said(charge: Charge, paid: LedgerEntry | None, end: datetime, flying: set[str]) -> str:
    if paid is not None:
        late = paid.method is MethodKind.BANK_DEBIT and paid.at >= end
        return f"arrived {paid.on.isoformat()}" if late else ""
    return "still on its way" if charge.gateway_invoice in flying else ""


def _row(desk: Desk, charge: Charge, said: str) -> OnItsWay:
    assert charge.released_at is not None  # noqa: S101 - `on_its_way` looked
    with desk.store.read() as tx:
        name = name_of(tx, charge)
    return OnItsWay(
        payer=name,
        charge=charge.id,
        invoice=charge.psa_number,
        amount=charge.owed or charge.computed,
        released=desk.local_date(charge.released_at),
        now=said,
    )
