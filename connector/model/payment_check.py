"""One payment of ours as it should be in the books, beside what they show. Pure.

kind                      what it means
books_payment_missing     somebody deleted or voided it
books_payment_amount      somebody changed its amount
books_payment_date        somebody gave it another day
books_payment_customer    it is another customer's
books_payment_invoice     it stands on another invoice than the one it was collected for
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from connector.model.invoice import Posted
from connector.model.mend import Mend, MendKind
from connector.model.money import Money

# What a person says is right as it is is known by the word under which the change was noted.
NOTED_AS: Mapping[str, str] = {
    "books_payment_missing": "gone",
    "books_payment_amount": "amount",
    "books_payment_date": "date",
    "books_payment_invoice": "off_invoice",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class InBooks:
    """`record`, `customer` and `invoices` are ids in the books; customer "" and no invoices where none is known.

    `accepted`: what of it somebody changed, and said that it is right so. `adopted`: somebody else entered it.
    """

    key: str
    record: str
    amount: Money
    dated: date
    customer: str
    invoices: frozenset[str]
    number: str
    found: Posted | None
    adopted: bool
    accepted: frozenset[str] = frozenset()

    @property
    def lacks(self) -> Money:
        return self.amount - self.found.amount if self.found is not None else self.amount

    @property
    def said(self) -> str:
        return f"payment {self.record} ({self.amount} of {self.dated.isoformat()})"


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentDrift:
    """`lacks`: what the books show too little of it. `accepted`: a person said that it is right so."""

    kind: str
    key: str
    message: str
    by_hand: str
    lacks: Money
    mend: Mend | None
    accepted: bool


def differences(one: InBooks) -> tuple[PaymentDrift, ...]:
    """None for what is as we entered it. What somebody else entered is only missed when it is gone."""
    if one.found is None:
        mend = Mend(kind=MendKind.ENTER_AGAIN, target="books", keys=(one.key,), record=one.record)
        said = f"{one.said} was deleted or voided in the books"
        return (_drift(one, "books_payment_missing", said, "enter it in the books again", one.lacks, mend),)
    if one.adopted:
        return ()
    nothing = Money.zero(one.amount.currency)
    return tuple(
        _drift(one, kind, said, _by_hand(one, put_back), one.lacks if kind == "books_payment_amount" else nothing, _replace(one))
        for kind, said, put_back in _changed(one, one.found)
    )


def _changed(one: InBooks, found: Posted) -> Iterator[tuple[str, str, str]]:
    """Kind, what is so, and what to change in the books."""
    if found.amount != one.amount:
        yield "books_payment_amount", f"{one.said} was changed to {found.amount} in the books", f"make it {one.amount} again"
    if found.dated is not None and found.dated != one.dated:
        on = found.dated.isoformat()
        yield "books_payment_date", f"{one.said} was dated {on} in the books", f"date it {one.dated.isoformat()} again"
    if one.customer and found.customer != one.customer:
        said = f"{one.said} belongs to another customer in the books (id {found.customer}) than its invoice {one.number}"
        yield "books_payment_customer", said, f"give it back to the invoice's customer (id {one.customer})"
    elif found.invoice and one.invoices and found.invoice not in one.invoices and not found.moved:
        said = f"{one.said} stands on another invoice in the books (id {found.invoice}) than {one.number}"
        yield "books_payment_invoice", said, f"apply it to invoice {one.number}"


def _replace(one: InBooks) -> Mend | None:
    """What is in a deposit, or partly on a journal, cannot be voided without pulling these apart."""
    assert one.found is not None  # noqa: S101 - only asked of what is there
    if one.found.deposited or one.found.moved:
        return None
    return Mend(kind=MendKind.REPLACE, target="books", keys=(one.key,), record=one.record)


def _by_hand(one: InBooks, put_back: str) -> str:
    assert one.found is not None  # noqa: S101 - only asked of what is there
    if one.found.deposited:
        return f"take payment {one.record} out of its deposit in the books, then look again: connector reconcile"
    return f"open payment {one.record} in the books and {put_back}"


def _drift(one: InBooks, kind: str, said: str, by_hand: str, lacks: Money, mend: Mend | None) -> PaymentDrift:
    accepted = NOTED_AS.get(kind, "") in one.accepted
    return PaymentDrift(kind=kind, key=one.key, message=said, by_hand=by_hand, lacks=lacks, mend=mend, accepted=accepted)
