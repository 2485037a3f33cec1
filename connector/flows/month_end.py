"""Month end: gather what the partners and the store say of a month, and freeze it so that it can be shown for ever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import TypeAdapter

from connector.errors import Rejected
from connector.flows import month_books, month_gateway, month_owed
from connector.flows.desk import Desk
from connector.flows.month_books import Entered
from connector.flows.month_gateway import Balance, begins
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.money import Money
from connector.model.month_end import Clearing, GatewayMonth, MonthEnd, clearing, month_name, month_of
from connector.model.payout import BalanceKind
from connector.model.period import Period, add_months
from connector.store import audit, freshness, ledger, month_end, payers
from connector.store.month_end import Frozen

BY_ITSELF = "connector month-end"  # who closes a month that ties
_report: TypeAdapter[MonthEnd] = TypeAdapter(MonthEnd)


@dataclass(frozen=True, kw_only=True, slots=True)
class Late:
    """What belongs to a month that was frozen before it was known."""

    payer: str
    what: str
    on: date
    amount: Money


@dataclass(frozen=True, kw_only=True, slots=True)
class Closing:
    """`frozen` None: the report is a preview, or could not be frozen. `since`: what has changed after it was frozen."""

    report: MonthEnd
    frozen: Frozen | None
    newly: bool = False
    late: tuple[Late, ...] = ()
    since: tuple[str, ...] = ()


def close(desk: Desk, month: Period, *, preview: bool = False, who: str = "", why: str = "") -> Closing:
    """Freeze a month that is over and ties; with `who` and `why` also one that does not. Frozen already: as it was then.

    Rejected when the month is not over, or the agent has not read the gateway since it ended.
    """
    with desk.store.read() as tx:
        frozen = month_end.get(tx, month_name(month.start))
    if frozen is not None and not preview:
        return _again(desk, month, frozen)
    if not preview:
        _require_over(desk, month)
    report = report_of(desk, month)
    if preview or not (report.ties or (who and why)):
        return Closing(report=report, frozen=None)
    return Closing(report=report, frozen=_freeze(desk, report, who=who, why=why), newly=True)


def _require_over(desk: Desk, month: Period) -> None:
    name = month_name(month.start)
    if desk.today() < month.end:
        raise Rejected(
            f"{name} is not over: its last day is {month.end - timedelta(days=1)}, and today is {desk.today()} at the company."
            f" What is known so far: connector month-end --period {name} --preview"
        )
    flows = ["payouts"] if desk.settings.accounts.method == "clearing_account" else []
    with desk.store.read() as tx:
        last = {row.name: row.last_success for row in freshness.every(tx)}
    end = begins(desk, month.end)
    for flow in (f"{desk.gateway.name}.events", *flows):
        read = last.get(flow)
        if read is None or read < end:
            raise Rejected(
                f"{name} cannot be closed yet: the agent has not looked at the gateway since the month ended,"
                " so that money of its last day may be missing. Type `connector sync`, then this again."
            )


# The report


def report_of(desk: Desk, month: Period) -> MonthEnd:
    """Everything is asked anew."""
    balance = month_gateway.read_balance(desk, month)
    known = month_books.entered(desk, month)
    open_ = month_books.unbooked(desk, month, balance.lines, known)
    loose = month_owed.unapplied(desk, known)
    gateway = month_gateway.gateway_months(desk, month, balance, _frozen_closings(desk, month))
    return MonthEnd(
        month=month_name(month.start),
        time_zone=desk.settings.time_zone.key,
        taken_at=balance.taken_at,
        method=desk.settings.accounts.method if desk.books is not None else "",
        gateway=gateway,
        clearing=_clearing(desk, month, balance, known, gateway),
        unbooked=open_,
        on_its_way=month_gateway.on_its_way(desk, month),
        unapplied=loose,
        owed=month_owed.owed(desk, month, known, open_, loose),
        entries=tuple(entry.key for entry in _journal(desk, month)),
        notes=_notes(desk, month, balance, known),
    )


def _frozen_closings(desk: Desk, month: Period) -> dict[str, Money]:
    before = Period(add_months(month.start, -1), month.start)
    with desk.store.read() as tx:
        frozen = month_end.get(tx, month_name(before.start))
    return {one.currency: one.closing for one in load(frozen).gateway} if frozen is not None else {}


def _clearing(desk: Desk, month: Period, balance: Balance, known: Entered, gateway: Iterable[GatewayMonth]) -> Clearing | None:
    accounts, books = desk.settings.accounts, desk.books
    if books is None or accounts.method != "clearing_account":
        return None
    own = next(one for one in gateway if one.currency == desk.settings.currency)
    named = books.accounts([accounts.clearing]).get(accounts.clearing)
    if named is None:
        raise Rejected(f"books.accounts.clearing: the books have no account {accounts.clearing}")
    day = timedelta(days=1)
    opening, closing = (books.account_balances([accounts.clearing], on=on - day) for on in (month.start, month.end))
    moved = month_books.movements(desk, month, balance.lines, known)
    zero = Money.zero(desk.settings.currency)
    return clearing(
        moved,
        month,
        own,
        account=f"{named.name} ({named.id})",
        opening=opening.get(named.id, zero),
        closing=closing.get(named.id, zero),
    )


def _notes(desk: Desk, month: Period, balance: Balance, known: Entered) -> tuple[str, ...]:
    zone = desk.settings.time_zone.key
    said = [f"Days are the company's ({zone}). The gateway's own reports count in UTC unless that is changed there."]
    if desk.books is None:
        said.append("No books are configured: the gateway is compared with the payment journal alone.")
    elif desk.settings.accounts.method != "clearing_account":
        said.append(
            f"With books.method: {desk.settings.accounts.method} no account in the books stands for the gateway's balance,"
            " so the two cannot be compared; payments are compared one by one."
        )
    elif known.begun is not None and desk.local_date(known.begun) >= month.start:
        on = desk.local_date(known.begun).isoformat()
        said.append(f"The agent enters the gateway's balance in the books since {on}; what moved before is not compared.")
    return (*said, *_foreign(desk, month, balance, known))


def _foreign(desk: Desk, month: Period, balance: Balance, known: Entered) -> Iterable[str]:
    start, end = begins(desk, month.start), begins(desk, month.end)
    ours = {entry.payment for entry in known.entries}
    found = [
        line for line in balance.lines if start <= line.at < end and line.kind is BalanceKind.CHARGE and line.payment not in ours
    ]
    for currency in sorted({line.amount.currency for line in found}):
        amount = sum(line.amount.minor for line in found if line.amount.currency == currency)
        yield f"{Money(amount, currency)} of the charges were not made by the agent (a web shop, or an invoice made by hand)."


# Frozen


def _freeze(desk: Desk, report: MonthEnd, *, who: str, why: str) -> Frozen:
    content = _report.dump_python(report, mode="json")
    by = who or BY_ITSELF
    frozen = Frozen(month=report.month, content=content, digest=digest_of(content), who=by, why=why, frozen_at=desk.now())
    with desk.store.begin() as tx:
        if month_end.freeze(tx, frozen):
            after = {"digest": frozen.digest, "problems": list(report.problems)}
            audit.write(tx, who=by, what=f"month end {report.month} frozen", why=why, after=after, now=desk.now())
        kept = month_end.get(tx, report.month)
    assert kept is not None  # noqa: S101 - it was written just now, or before
    return kept


def digest_of(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def load(frozen: Frozen) -> MonthEnd:
    """Rejected when it is no longer what was written."""
    if digest_of(frozen.content) != frozen.digest:
        raise Rejected(f"the frozen report of {frozen.month} was changed in the database: restore it from a backup")
    return _report.validate_python(frozen.content)


def _again(desk: Desk, month: Period, frozen: Frozen) -> Closing:
    then, now = load(frozen), report_of(desk, month)
    return Closing(report=then, frozen=frozen, late=_late(desk, month, then), since=_since(then, now))


def _late(desk: Desk, month: Period, then: MonthEnd) -> tuple[Late, ...]:
    """In the payment journal and dated in the month, and not there yet when it was frozen."""
    with desk.store.read() as tx:
        names = {row.key: row.name for row in payers.every(tx)}
    return tuple(_one_late(entry, names) for entry in _journal(desk, month) if entry.key not in then.entries)


def _journal(desk: Desk, month: Period) -> list[LedgerEntry]:
    with desk.store.read() as tx:
        return [entry for entry in ledger.entries(tx, since=month.start) if entry.on < month.end]


def _one_late(entry: LedgerEntry, names: Mapping[str, str]) -> Late:
    back = entry.kind is EntryKind.REVERSAL
    what = f"{entry.detail or 'money that went back'}" if back else "payment"
    amount = -entry.amount if back else entry.amount
    return Late(payer=names.get(entry.payer, entry.payer), what=what, on=entry.on, amount=amount)


def _since(then: MonthEnd, now: MonthEnd) -> tuple[str, ...]:
    """Sentences, for each figure that is not what it was."""
    before, after = _figures(then), _figures(now)
    said = [f"{name}: {before.get(name, '-')} then, {after.get(name, '-')} now" for name in before | after]
    return tuple(one for one, name in zip(said, before | after, strict=True) if before.get(name) != after.get(name))


def _figures(report: MonthEnd) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in report.gateway:
        found |= {f"gateway, opening {one.currency}": str(one.opening), f"gateway, closing {one.currency}": str(one.closing)}
        found |= {f"gateway, {figure.name} {one.currency}": str(figure.amount) for figure in one.figures}
    if report.clearing is not None:
        found[report.clearing.account] = str(report.clearing.closing)
    found |= {f"owed in the books by {one.payer}": str(one.books) for one in report.owed if one.books is not None}
    return found | {"entries not booked": str(len(report.unbooked))}


def parse_month(text: str, today: date) -> Period:
    """ "" is the last month that is over. Rejected for anything that is not a month."""
    if not text:
        first = today.replace(day=1)
        return Period(add_months(first, -1), first)
    try:
        return month_of(text)
    except ValueError as error:
        raise Rejected(f"--period: {error}") from None
