"""Adopt: join an existing book of business. Proposes what belongs together, writes nothing until a person has confirmed it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector.flows import agreements
from connector.flows.bills import read_bills
from connector.flows.desk import Desk
from connector.flows.others import NOT_THE_SAME
from connector.flows.outlook import LOOK_BACK
from connector.flows.takeover import ADOPTED
from connector.model.adopt import Proposal, candidates, confidence, pair
from connector.model.agreement import BillingUnit, Payer
from connector.model.invoice import Customer
from connector.model.money import Money
from connector.model.others import ForeignSubscription
from connector.model.plan import same_days
from connector.model.pricing import computed, desired, next_period
from connector.store import links, payers


@dataclass(frozen=True, kw_only=True, slots=True)
class Book:
    """Everything that there is to join, read just now. `books`: payer -> customer in the books, and how it was found."""

    units: Mapping[str, BillingUnit]
    customers: Mapping[str, Customer]
    subscriptions: Mapping[str, ForeignSubscription]
    linked: Mapping[str, str]  # payer -> the gateway's customer that we know already
    adopted: Mapping[str, str]  # unit -> foreign subscription that a person confirmed
    unrelated: frozenset[str]
    books: Mapping[str, tuple[str, str]]

    def payers(self) -> dict[str, Payer]:
        return {unit.payer.key: unit.payer for unit in self.units.values()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposals:
    """`strangers`: customers at the gateway that no payer was found for. `linked`: payers whose customer is known already;
    `beside`: those of them who seem to be charged through another customer too."""

    rows: tuple[Proposal, ...]
    books: Mapping[str, tuple[str, str]]
    strangers: tuple[Customer, ...]
    beside: tuple[str, ...]
    linked: int


def propose(desk: Desk) -> Proposals:
    """RetryLater when a partner cannot be read: half a book is never proposed from."""
    book = read_book(desk)
    todo = {key: payer for key, payer in book.payers().items() if key not in book.linked}
    found = {key: candidates(payer, list(book.customers.values())) for key, payer in todo.items()}
    asked = Counter(customer.id for those, _ in found.values() for customer in those)
    rows: list[Proposal] = []
    for key in sorted(todo, key=lambda k: todo[k].name.casefold()):
        rows += _of_payer(desk, book, todo[key], *found[key], asked)
    return Proposals(
        rows=tuple(rows),
        books=book.books,
        strangers=tuple(c for c in book.customers.values() if c.id not in asked),
        beside=tuple(_beside(book)),
        linked=len(book.linked),
    )


def _beside(book: Book) -> Iterator[str]:
    for key, payer in sorted(book.payers().items()):
        if key not in book.linked:
            continue
        others = {c.id: c for c in candidates(payer, list(book.customers.values()))[0] if c.id != book.linked[key]}
        for one in book.subscriptions.values():
            if one.customer in others and one.charges and one.id not in (*book.unrelated, *book.adopted.values()):
                other = f"{others[one.customer].name} ({one.customer})"
                yield (
                    f"{payer.name} ({key}) is charged through {book.linked[key]}, and {other}"
                    f" has another product's subscription: {one}. If it is the same payer, end that subscription at the gateway."
                )


def read_book(desk: Desk) -> Book:
    alive, _ = agreements.billing_units(desk, agreements.read(desk))
    customers = {customer.id: customer for customer in desk.gateway.foreign_customers()}
    with desk.store.read() as tx:
        linked = {row.key: row.customer for row in payers.every(tx) if row.customer}
        adopted = {unit: link.target for unit, link in links.every(tx, ADOPTED, desk.gateway.name).items()}
        unrelated = frozenset(links.every(tx, NOT_THE_SAME, desk.gateway.name))
    subscriptions = desk.gateway.foreign_subscriptions({*customers, *linked.values()})
    return Book(
        units={unit.key: unit for unit in alive},
        customers=customers,
        subscriptions={one.id: one for one in subscriptions},
        linked=linked,
        adopted=adopted,
        unrelated=unrelated,
        books=_in_books(desk, alive),
    )


def _in_books(desk: Desk, alive: Sequence[BillingUnit]) -> dict[str, tuple[str, str]]:
    """By the number of an invoice that both have; else as the mapping says (id or name)."""
    if desk.books is None:
        return {}
    bills = read_bills(desk, alive, since=desk.today() - LOOK_BACK)
    payer_of = {bill.number: bill.payer for of_unit in bills.values() for bill in of_unit.invoices if bill.number}
    found: dict[str, tuple[str, str]] = {}
    for number, invoices in (desk.books.invoices(payer_of) if payer_of else {}).items():
        if len(invoices) == 1:
            found.setdefault(payer_of[number], (invoices[0].customer, f"invoice {number}"))
    for payer in {unit.payer.key: unit.payer for unit in alive}.values():
        if payer.key not in found and payer.books_id:
            found[payer.key] = (payer.books_id, "id")
    return found


def _of_payer(
    desk: Desk, book: Book, payer: Payer, those: Sequence[Customer], ground: str, asked: Mapping[str, int]
) -> list[Proposal]:
    units = [(unit, amount_of(desk, unit)) for unit in book.units.values() if unit.payer.key == payer.key]
    if not those:
        return [_proposal(payer, unit, amount, None, None, "", "none", "") for unit, amount in units]
    rows = []
    for customer in those:
        sure = confidence(ground, len(those), asked[customer.id])
        own = [one for one in book.subscriptions.values() if one.customer == customer.id and one.charges]
        for unit, amount, subscription in pair(units, own):
            note = obstacle(desk, unit, subscription) if unit is not None and subscription is not None else ""
            rows.append(_proposal(payer, unit, amount, customer, subscription, ground, sure, note))
    return rows


def _proposal(
    payer: Payer,
    unit: BillingUnit | None,
    amount: Money | None,
    customer: Customer | None,
    subscription: ForeignSubscription | None,
    ground: str,
    sure: str,
    note: str,
) -> Proposal:
    return Proposal(
        payer=payer,
        unit=unit,
        amount=amount,
        customer=customer,
        subscription=subscription,
        matched_by=ground,
        confidence=sure,
        note=note,
    )


def amount_of(desk: Desk, unit: BillingUnit) -> Money:
    return computed(unit, next_period(unit, desk.today()))


def obstacle(desk: Desk, unit: BillingUnit, subscription: ForeignSubscription) -> str:
    """Why this subscription cannot be taken over for this unit; "" when it can."""
    want = desired(unit, today=desk.today(), automatic=True)
    if subscription.amount.currency != want.currency:
        return f"it is in {subscription.amount.currency}, the agreement in {want.currency}"
    if subscription.cycle is None or subscription.cycle is not want.cycle:
        return f"it bills {subscription.cycle or 'in another rhythm'}, the agreement {want.cycle}: it cannot be moved"
    if not same_days(subscription.bills_on, want.bills_on, want.cycle):
        return f"it bills on day {subscription.bills_on.day}, the agreement on day {want.bills_on.day}: it cannot be moved"
    return ""
