"""A period billed again: which of its invoices is whose charge, and what was billed beyond what was charged. Pure.

The regular charge keeps the period's own bill. A further invoice of the period, or the positive remainder of an invoice
that grew after its charge was collected, is a supplementary charge's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

from connector.model.bills import HABIT_DAYS
from connector.model.charge import Charge, ChargeState
from connector.model.invoice import PsaInvoice
from connector.model.money import Money, total

UNFINISHED = (ChargeState.WAITING, ChargeState.HELD)


def own_bills(
    bills: Sequence[PsaInvoice], charge: Charge | None, siblings: Sequence[Charge], bill_day: date
) -> tuple[PsaInvoice, ...]:
    """Of a period's invoices, those that this charge (None: the regular one to come) may stand for: exactly one is its bill.

    `siblings`: all charges of the period. What another charge stands for is not this one's.
    """
    mine = charge.psa_invoice if charge is not None else ""
    taken = {other.psa_invoice for other in siblings if charge is None or other.id != charge.id} - {mine}
    free = tuple(bill for bill in bills if bill.id not in taken)
    own = tuple(bill for bill in free if bill.id == mine)
    if charge is None or (not charge.number and charge.state in UNFINISHED):
        return _without_additions(free, bill_day)
    return own or (free if len(free) == 1 or not charge.number else ())


def _without_additions(bills: tuple[PsaInvoice, ...], bill_day: date) -> tuple[PsaInvoice, ...]:
    """Where one is dated when the period is billed and the others days later, the others are additions to it."""
    usual = tuple(bill for bill in bills if bill.dated <= bill_day)
    later = [bill for bill in bills if bill.dated > bill_day + timedelta(days=HABIT_DAYS)]
    return usual if len(usual) == 1 and len(usual) + len(later) == len(bills) else bills


def further(bills: Sequence[PsaInvoice], of_period: Sequence[Charge]) -> Iterator[PsaInvoice]:
    """Invoices of a period that was charged, with something open for which no charge stands yet.

    None while the regular charge waits for its own release, or its bill is gone: that is made again, and then followed. One
    that was written off (nothing was owed, or a person skipped it) follows nothing: what is billed afterwards is a further one.
    """
    regular = next((charge for charge in of_period if not charge.number), None)
    there = {bill.id for bill in bills}
    if regular is None or regular.state in UNFINISHED:
        return
    if regular.psa_invoice not in there and regular.state is not ChargeState.WRITTEN_OFF:
        return
    unfinished = [charge for charge in of_period if charge.state in UNFINISHED]
    lost = [charge for charge in unfinished if charge.psa_invoice not in there]
    for bill in (bill for bill in bills if bill.total.currency == regular.currency and not bill.closed):
        on_it = [charge for charge in of_period if charge.psa_invoice == bill.id]
        if not on_it:
            if bill.balance.minor > 0 and not lost:
                yield bill
        elif _is_over(on_it) and bill.balance.minor > 0 and bill.total > charged(on_it, bill.total.currency):
            yield bill


def _is_over(on_it: Sequence[Charge]) -> bool:
    """Nothing collects it any more, and nobody closed it at the gateway."""
    return all(charge.state in (ChargeState.PAID, ChargeState.WRITTEN_OFF) for charge in on_it)


def charged(charges: Sequence[Charge], currency: str) -> Money:
    """What was released of it, collected or not: it is not released again."""
    return total((c.owed for c in charges if c.owed is not None and c.state not in UNFINISHED), currency)


def remainder(bill: PsaInvoice, *, charged: Money, late: Money) -> PsaInvoice:
    """The invoice as if it were only what is left of it: open, and beyond what was charged. `late`: collected, and not shown."""
    zero = Money.zero(bill.total.currency)
    left = max(min(bill.balance - late, bill.total - charged, key=_minor), zero, key=_minor)
    return replace(bill, subtotal=left, tax=zero, total=left, payments=zero, credits=zero, balance=left)


def _minor(money: Money) -> int:
    return money.minor
