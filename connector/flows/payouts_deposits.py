"""Payouts out of undeposited funds: one deposit a payout, of exactly its payments, equal to the bank's line.

Undeposited funds stand for what of our own money the gateway holds: payments are posted there, what went back is taken from there
by a journal, and each payout takes out of it what it is made of. A payout is settled once the gateway has reconciled it; then it
waits, with what is missing, until everything of it is in the books.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from connector.errors import Rejected, RetryLater
from connector.flows import payout_bookings
from connector.flows.desk import Desk
from connector.flows.payout_bookings import DEPOSIT, PAYOUTS, Round, account_for, park, payout_of, plan_return, remember
from connector.flows.payouts_ours import OursPaid, OursPart, ours_of
from connector.model.bookings import Booking
from connector.model.clearing import Waits
from connector.model.deposit import Ends, Part, deposit
from connector.model.money import Money
from connector.model.payout import BalanceKind, BalanceLine, Payout, unexplained
from connector.model.payout_check import PATIENCE
from connector.ports import Books
from connector.store import balance, booking_dates
from connector.store.balance import Planned
from connector.store.links import Link

UNDEPOSITED = "undeposited"  # in `Planned.account`: the books' own account for payments that wait for their deposit
PASSED_ON = "passed_on"  # in the link's detail: lines of this payout that are entered by themselves: id -> net, memo
SHOWN = 5
_MADE_THERE = "make its deposit by hand, then: connector dismiss"


# Settle


def plan(desk: Desk, report: Round) -> None:
    with desk.store.read() as tx:
        found = balance.unplanned(tx, PAYOUTS)
        parked = payout_bookings.parked(desk, tx)
    lines = payout_bookings.usual(desk, found, report)
    back = {line.source for line in lines if line.kind is BalanceKind.PAYOUT_FAILURE}
    for line in lines:
        if line.kind is BalanceKind.PAYOUT_FAILURE:
            plan_return(desk, line, UNDEPOSITED)
    for line in lines:
        if line.kind is BalanceKind.PAYOUT and (_name(line) not in parked or line.source in back):
            _plan_payout(desk, line, lines, report)


def _name(line: BalanceLine) -> str:
    return f"{DEPOSIT}{line.id}"


def _plan_payout(desk: Desk, line: BalanceLine, unplanned: Iterable[BalanceLine], report: Round) -> None:
    payout = payout_of(desk, line)
    if not payout.stands:
        payout_bookings.settle_returned(desk, line, payout, unplanned)
        return
    if not payout_bookings.arrived(desk, payout) or not (payout.reconciled or not payout.automatic):
        return
    try:
        _settle(desk, line, payout)
    except RetryLater as error:
        report.waits.append(f"{_said(payout)} waits: {error}")
        report.wait_of[_name(line)] = str(error)
    except Rejected as error:
        park(desk, _name(line), error, report)


def _settle(desk: Desk, line: BalanceLine, payout: Payout) -> None:
    """Rejected with all that has no account; nothing when it is not certain yet what is ours."""
    if not payout.automatic:
        raise Rejected(
            f"{_said(payout)} was asked for by hand at the gateway, which does not know what it is made of. Enter it as a"
            f" transfer of {payout.amount} from Undeposited Funds to the bank, then: connector dismiss",
            code="not_automatic",
        )
    own, passed_on = _members(desk, payout)
    accounts = _accounts(desk, payout, own)
    if accounts is None:
        return
    planned = [(line, "bank", payout.arrives), *((one, account, payout.arrives) for one, account in accounts)]
    remember(desk, _name(line), planned, {PASSED_ON: {one.id: [one.net.minor, _memo(one)] for one in passed_on}})


def _members(desk: Desk, payout: Payout) -> tuple[list[BalanceLine], list[BalanceLine]]:
    """What it is made of, and other payouts (and returns of payouts) that the gateway settled with it.

    What a payout that came back before it was entered is made of belongs to the one that takes the money to the bank at last.
    """
    lines = desk.gateway.payout_lines(payout.id)
    if rest := unexplained(payout, lines):
        raise Rejected(f"{_said(payout)}: what the gateway lists of it comes to {payout.amount - rest}. {_MADE_THERE}")
    own, passed_on = [], []
    for line in lines:
        if line.kind not in PAYOUTS:
            own.append(line)
        elif failed := _never_entered(desk, line):
            more, further = _members_of_failed(desk, failed, payout)
            own.extend(more)
            passed_on.extend(further)
        else:
            passed_on.append(line)
    return own, passed_on


def _members_of_failed(desk: Desk, failed: Payout, payout: Payout) -> tuple[list[BalanceLine], list[BalanceLine]]:
    """Whether the gateway ever finishes the list of one that failed on its way, nobody has said: not waited for without end."""
    try:
        return _members(desk, failed)
    except RetryLater as error:
        if desk.today() - payout.arrives < PATIENCE:
            raise
        what = f"{_said(payout)} has in it the money of payout {failed.id}, which came back before it was entered"
        raise Rejected(f"{what}. {error} {_MADE_THERE.capitalize()}", code="incomplete") from None


def _never_entered(desk: Desk, line: BalanceLine) -> Payout | None:
    """The payout that came back by this line, if it was never entered and the gateway knows what it is made of."""
    with desk.store.read() as tx:
        planned = balance.planned_line(tx, line.id)
    if line.kind is not BalanceKind.PAYOUT_FAILURE or planned is None or planned.booking:
        return None
    payout = payout_of(desk, line)
    return payout if payout.automatic else None


def _accounts(desk: Desk, payout: Payout, lines: Iterable[BalanceLine]) -> list[tuple[BalanceLine, str]] | None:
    """The account of each line, by its name in the configuration; None while it cannot be told."""
    found: list[tuple[BalanceLine, str]] = []
    why: list[str] = []
    doubtful = False
    with desk.store.read() as tx:
        for line in lines:
            if balance.planned_line(tx, line.id) is not None:
                why.append(f"{line.amount} of {line.source or line.id} was entered beside a clearing account")
                continue
            match account_for(desk, tx, line):
                case str(account):
                    found.append((line, account))
                case Waits(why=said):
                    why.append(said)
                case None:
                    doubtful = True
    if why:
        raise Rejected(f"{_said(payout)} has in it: {_listed(why)}. Put that right, or {_MADE_THERE}", code="no_account")
    return None if doubtful else found


def _said(payout: Payout) -> str:
    return f"Payout {payout.id} of {payout.amount} ({payout.arrives.isoformat()})"


def _listed(said: list[str]) -> str:
    more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    return "; ".join(said[:SHOWN]) + more


# Enter


@dataclass(frozen=True, kw_only=True, slots=True)
class Deposit:
    """Everything of a payout is in the books. `paid`: by id of the posted payment, what it is."""

    books: Books
    what: str
    amount: Money
    parts: tuple[Part, ...]
    paid: dict[str, OursPaid]
    ends: Ends
    dated: date

    def checked(self) -> Booking:
        """Rejected when a payment is not there as it was posted: somebody deposited or changed it."""
        posted = self.books.posted(list(self.paid)) if self.paid else {}
        wrong = [said for id, paid in self.paid.items() if (said := paid.wrong(posted.get(id), self.ends.undeposited))]
        if wrong:
            hint = self._hint({one.deposit for one in posted.values() if one.deposit})
            raise Rejected(f"{self.what}: {_listed(wrong)}. {hint}", code="not_undeposited")
        return deposit(self.parts, self.amount, self.ends, dated=self.dated, memo=self.what)

    def _hint(self, deposits: set[str]) -> str:
        made = self.books.booked(deposits) if deposits else {}
        same = [id for id, one in made.items() if one.amount == self.amount]
        if len(deposits) == 1 and same:
            return f"{same[0].replace(':', ' ').capitalize()} is exactly this payout: leave it, then: connector dismiss"
        return "Take them out of the deposit that was made by hand and try again, or leave it as it is there: connector dismiss"


def prepared(desk: Desk, books: Books, link: Link) -> Deposit | Waits:
    """From the store alone until nothing is missing. Rejected when something of it was entered by hand."""
    with desk.store.read() as tx:
        planned = balance.of_booking(tx, link.source)
        dated = booking_dates.dated(tx, link.source, planned[0].dated)
    own = next(one.line for one in planned if _name(one.line) == link.source)
    what = f"Payout {own.source} of {-own.amount}"
    found = [_part(desk, books, one) for one in planned if one.line.id != own.id]
    missing = [one.why for one in found if isinstance(one, Waits)]
    if missing:
        return Waits(why=f"{what} waits: {_listed(missing)}")
    undeposited = undeposited_of(books)
    ours = [one for one in found if isinstance(one, OursPart)]
    parts = [one for one in found if isinstance(one, Part)]
    parts += [one.part(undeposited) for one in ours]
    parts += _passed_on(link, undeposited, own.amount.currency)
    accounts = desk.settings.accounts
    return Deposit(
        books=books,
        what=what,
        amount=-own.amount,
        parts=tuple(parts),
        paid={id: paid for one in ours for id, paid in one.paid.items()},
        ends=Ends(bank=accounts.bank, fees=accounts.fees, undeposited=undeposited),
        dated=dated,
    )


def _part(desk: Desk, books: Books, planned: Planned) -> Part | OursPart | Waits:
    if not planned.account:
        return ours_of(desk, books, planned.line)
    account: str = getattr(desk.settings.accounts, planned.account)
    if not account:
        return Waits(why=f"books.accounts.{planned.account} is not named any more")
    return Part(gross=planned.line.amount, fee=planned.line.fee, account=account, memo=_memo(planned.line))


def _passed_on(link: Link, undeposited: str, currency: str) -> list[Part]:
    """They are entered by themselves against undeposited funds, each with its own fee; here stands the other half."""
    found = link.detail.get(PASSED_ON, {}).values()
    return [Part(gross=Money(net, currency), fee=Money.zero(currency), account=undeposited, memo=memo) for net, memo in found]


def _memo(line: BalanceLine) -> str:
    return f"{line.category or line.kind} {line.source or line.id} {line.description}".strip()


def undeposited_of(books: Books) -> str:
    found = books.undeposited_funds()
    if not found:
        raise Rejected("the books have no active account Undeposited Funds: make it active again", code="inactive_account")
    return found
