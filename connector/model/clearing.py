"""How lines of the gateway's balance are entered in the books beside a clearing account that stands for that balance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from connector.model.bookings import AccountKind, BookingLine, BooksAccount, JournalBooking, TransferBooking
from connector.model.money import Money, total
from connector.model.payout import BalanceKind, BalanceLine

_OF_PAYMENTS = frozenset(
    (BalanceKind.CHARGE, BalanceKind.REFUND, BalanceKind.REFUND_FAILURE, BalanceKind.DISPUTE, BalanceKind.DISPUTE_REVERSAL)
)
# An adjustment by the gateway is its bill or its credit, as its fees are.
_ALWAYS = {BalanceKind.FEE: "fees", BalanceKind.ADJUSTMENT: "fees"}
_RIGHT_KIND = {
    "clearing": (AccountKind.BANK, AccountKind.OTHER_CURRENT_ASSET),
    "bank": (AccountKind.BANK,),
    "fees": (AccountKind.EXPENSE, AccountKind.OTHER),
    "disputed": (AccountKind.OTHER_CURRENT_ASSET,),
    "reserves": (AccountKind.OTHER_CURRENT_ASSET,),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Waits:
    why: str


def account_of(line: BalanceLine, *, ours: bool, books_foreign: bool, reserves: bool) -> str | Waits:
    """Against which account (its name in the configuration) the gross is booked; "" when it is booked elsewhere.

    `ours`: the ledger knows the payment behind it, so that the payment and its reversals are delivered by themselves.
    """
    if line.kind in _ALWAYS:
        return _ALWAYS[line.kind]
    if line.kind in _OF_PAYMENTS:
        if ours or books_foreign:
            return "" if ours else "foreign"
        return Waits(why=f"{_said(line)} is not ours: name books.accounts.foreign and set books.foreign: book")
    if line.kind is BalanceKind.RESERVE:
        return "reserves" if reserves else Waits(why=f"{_said(line)}: name the account in books.accounts.reserves")
    return Waits(why=f"{_said(line)} is of a kind that the agent cannot enter: enter it by hand, against the clearing account")


def _said(line: BalanceLine) -> str:
    what = line.description or line.source or line.id
    return f"{line.amount} of {line.at.date().isoformat()} on the gateway's balance ({line.category or line.kind}, {what})"


def journal(lines: Iterable[tuple[BalanceLine, str]], accounts: Mapping[str, str], *, dated: date) -> JournalBooking | None:
    """One journal for lines (with the account of each) of one currency; None when there is nothing to book.

    `accounts`: ids in the books by name, with `clearing` and `fees`. Both sides of a fee that came back stay visible only
    in the gateway's own list: a journal has one line for each account.
    """
    kept = tuple(lines)
    if not kept:
        return None
    sides = _sides(kept)
    booked = tuple(
        BookingLine(account=accounts[name], amount=amount, memo=_memo(name)) for name, amount in sides.items() if amount
    )
    said = f"{len(kept)} movements on the gateway's balance, {dated.isoformat()}"
    return JournalBooking(dated=dated, memo=said, lines=booked) if booked else None


def _sides(lines: tuple[tuple[BalanceLine, str], ...]) -> dict[str, Money]:
    """By account name, debits less credits; they come to nothing."""
    currency = lines[0][0].amount.currency
    sides = {"fees": total((line.fee for line, _ in lines), currency)}
    for line, name in lines:
        if name:
            sides[name] = sides.get(name, Money.zero(currency)) - line.amount
    return {**sides, "clearing": -total(sides.values(), currency)}


def _memo(name: str) -> str:
    return {"fees": "Gateway fees", "foreign": "Not collected by PSA Connector", "reserves": "Held back by the gateway"}.get(
        name, ""
    )


def payout_booking(line: BalanceLine, accounts: Mapping[str, str], *, dated: date) -> TransferBooking | JournalBooking:
    """From clearing to the bank, or back where `amount` is positive on the gateway's side. Equal to the bank's line."""
    memo = f"Payout {line.source} {line.description}".strip()
    if line.fee:
        sides = {"bank": -line.amount, "fees": line.fee, "clearing": line.net}
        named = (BookingLine(account=accounts[name], amount=amount, memo=_memo(name)) for name, amount in sides.items())
        return JournalBooking(dated=dated, memo=memo, lines=tuple(named))
    ends = (accounts["clearing"], accounts["bank"])
    source, target = ends if line.amount.minor < 0 else ends[::-1]
    amount = Money(abs(line.amount.minor), line.amount.currency)
    return TransferBooking(from_account=source, to_account=target, amount=amount, dated=dated, memo=memo)


def wrong_accounts(named: Mapping[str, str], found: Mapping[str, BooksAccount], *, currency: str) -> tuple[str, ...]:
    """What is wrong with the accounts of the configuration, each with its setting. `named`: id by name, "" for none."""
    given = {name: id for name, id in named.items() if id}
    return tuple(f"books.accounts.{n}: {said}" for n, id in given.items() if (said := _wrong(n, id, found.get(id), currency)))


def _wrong(name: str, id: str, account: BooksAccount | None, currency: str) -> str:
    if account is None:
        return f"the books have no account {id}"
    called = f"account {id} ({account.name})"
    if not account.active:
        return f"{called} is inactive: make it active again, or name another one"
    if account.currency != currency:
        return f"{called} is kept in {account.currency}, the company's currency is {currency}"
    right = _RIGHT_KIND.get(name)
    if right is not None and account.kind not in right:
        wanted = " or ".join(kind.replace("_", " ") for kind in right)
        return f"{called} is of the kind {account.kind.replace('_', ' ')}; it has to be {wanted}"
    return ""
