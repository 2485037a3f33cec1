"""Deliver one ledger entry to the books: one payment, applied to the invoice there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from connector.errors import ConnectorError, Rejected
from connector.flows import deliver_reversals, other_writers
from connector.flows.books_case import Case, Invoices
from connector.flows.books_invoices import look_up, of_payer
from connector.flows.desk import Desk
from connector.flows.follow import follow_bill
from connector.flows.outcome import Done, Later, Outcome
from connector.model.charge import Charge
from connector.model.invoice import BooksInvoice, BooksPayment, Posted
from connector.model.ledger import EntryKind, LedgerEntry, is_reinstated
from connector.model.money import Money
from connector.ports import WriteKey
from connector.store import charges, ledger, links
from connector.store.links import Link, LinkState
from connector.store.write_once import write_key, write_once

WAIT = timedelta(hours=1)
WAIT_UNAPPLIED = timedelta(hours=6)
REPLACES = "replaces"  # in the link's detail: the payment that is voided before this one is entered in its place


def look_ahead(desk: Desk, entries: Iterable[LedgerEntry]) -> Invoices:
    """The invoices of many payments in one request; nothing when the books do not answer, each then asks for itself."""
    with desk.store.read() as tx:
        found = [charges.get(tx, entry.charge) for entry in entries if entry.kind is EntryKind.PAYMENT]
    numbers = {charge.psa_number for charge in found if charge is not None and charge.psa_number}
    if desk.books is None or len(numbers) < 2:
        return {}
    try:
        answer = desk.books.invoices(numbers)
    except ConnectorError:
        return {}
    return {number: tuple(answer.get(number, ())) for number in numbers}


def deliver(desk: Desk, entry: LedgerEntry, ahead: Invoices) -> Outcome:
    """Post once, then see that it is applied. A payment without its invoice waits, then is posted unapplied.

    `ahead`: invoices by number, as they were read for the whole batch a moment ago.
    """
    case = _case(desk, entry, ahead)
    if entry.kind is EntryKind.REVERSAL:
        return deliver_reversals.reverse(case)
    undoing = deliver_reversals.reinstate(case) if is_reinstated(entry) else None
    return undoing or _pay(case)


def _case(desk: Desk, entry: LedgerEntry, ahead: Invoices) -> Case:
    with desk.store.read() as tx:
        charge = charges.get(tx, entry.charge)
        entries = tuple(ledger.entries(tx, charge=entry.charge))
    if desk.books is None or charge is None:
        raise Rejected(f"the charge {entry.charge} of {entry.key} is not in the store, or the configuration names no books")
    return Case(desk=desk, books=desk.books, charge=charge, entry=entry, entries=entries, ahead=ahead)


# A payment


def _pay(case: Case) -> Outcome:
    link = case.link()
    if link is not None and link.state is LinkState.INTENDED and link.detail.get(REPLACES):
        case.books.void(link.detail[REPLACES])
        case = replace(case, ahead={})  # the invoice is open again by as much
    invoice = _invoice(case, case.charge)
    if link is not None and link.state is LinkState.LINKED:
        return _apply(case, link, invoice)
    if invoice is None and case.entry.at + timedelta(days=case.desk.settings.wait_days) > case.desk.now():
        return Later(note=f"waits for invoice {case.charge.psa_number or 'of ' + case.charge.id} in the books", after=WAIT)
    return _post(case, invoice)


def _invoice(case: Case, charge: Charge) -> BooksInvoice | None:
    """By number. Where it is not there the bill may have been made again in the PSA, under another number."""
    found = _of_number(case, charge)
    if found is not None:
        return found
    moved = follow_bill(case.desk, charge)
    return _of_number(case, moved) if moved is not None and moved.psa_number != charge.psa_number else None


def _of_number(case: Case, charge: Charge) -> BooksInvoice | None:
    number = charge.psa_number
    mine = of_payer(case.desk, case.payer(), case.invoices(number), billed=lambda: _billed(case, charge))
    if len(mine) > 1:
        raise Rejected(f"the books have {len(mine)} invoices numbered {number} of one customer; renumber or delete one of them")
    return mine[0] if mine else None


def _billed(case: Case, charge: Charge) -> Money | None:
    bill = case.desk.psa.invoice(charge.psa_invoice) if charge.psa_invoice else None
    return bill.total if bill else None


def _post(case: Case, invoice: BooksInvoice | None) -> Outcome:
    if invoice is not None and _may_stand_there(case, invoice) and not _sent_before(case):
        adopted = case.books.recorded_by_hand(invoice, case.entry.amount)
        if adopted is not None:
            return _adopt(case, adopted)
    customer = invoice.customer if invoice else look_up(case.desk, case.payer())
    if not customer:
        name = f"{case.payer().name} ({case.entry.payer})"
        return Later(note=f"the books have no customer for {name}: create one, or name its id in the field mapping", after=WAIT)
    posted = _post_once(case, _booking(customer, case, invoice))
    link = case.link()
    assert link is not None  # noqa: S101 - write_once linked it
    return _applied(posted, invoice) if posted is not None else _apply(case, link, invoice)


def _may_stand_there(case: Case, invoice: BooksInvoice) -> bool:
    """There is no room for it any more; or a part was paid, and the PSA's own sync took ours of this amount to the books."""
    if invoice.balance < case.entry.amount:
        return True
    return invoice.balance < invoice.total and other_writers.was_exported(case.desk, case.charge, case.entry.amount)


def _post_once(case: Case, payment: BooksPayment) -> Posted | None:
    """None when it was found to be there already, from an earlier attempt."""
    answer: list[Posted] = []

    def send(key: WriteKey) -> str:
        answer.append(case.books.post(payment, key=key))
        return answer[-1].id

    write_once(
        case.desk.store,
        kind="books_payment",
        source=case.entry.key,
        target_system=case.books.name,
        now=case.desk.now,
        find=lambda key: found.id if (found := case.books.find(key)) else None,
        send=send,
        find_lag=case.books.find_lag,
    )
    return answer[-1] if answer else None


def _booking(customer: str, case: Case, invoice: BooksInvoice | None) -> BooksPayment:
    entry, zero = case.entry, Money.zero(case.entry.amount.currency)
    applied = min(entry.amount, max(invoice.balance, zero, key=_minor), key=_minor) if invoice else zero
    number = invoice.number if invoice else case.charge.psa_number
    return BooksPayment(
        customer=customer,
        invoice=invoice.id if invoice else "",
        applied=applied,
        amount=entry.amount,
        dated=case.dated(),
        method=entry.method,
        memo=f"{entry.key} {entry.payment} {entry.invoice}; charge {case.charge.id}; invoice {number or 'not made yet'}",
        deposit_to=_deposit_to(case.desk),
    )


def _deposit_to(desk: Desk) -> str:
    accounts = desk.settings.accounts
    return accounts.clearing if accounts.method == "clearing_account" else ""


def _minor(money: Money) -> int:
    return money.minor


def _sent_before(case: Case) -> bool:
    """What covers the invoice may then be our own payment, not yet visible: not adopted before looking it up finds nothing."""
    link = case.link()
    if link is None or link.sent_at is None:
        return False
    if link.sent_at + case.books.find_lag > case.desk.now():
        return True
    found = case.books.find(write_key(link))
    return found is not None and found.id not in link.past


def _adopt(case: Case, adopted: Posted) -> Outcome:
    now = case.desk.now()
    with case.desk.store.begin() as tx:
        link = links.intend(tx, "books_payment", case.entry.key, case.books.name, now=now)
        links.linked(tx, link, target=adopted.id, detail={"adopted": True}, now=now)
    return Done(external_id=adopted.id, note=f"payment {adopted.id} was recorded in the books by hand already; not written again")


def _apply(case: Case, link: Link, invoice: BooksInvoice | None) -> Outcome:
    """Posted. What is not applied yet is applied as far as the invoice is open; the rest stays the customer's credit."""
    posted = case.books.posted([link.target]).get(link.target)
    if posted is None:
        return Done(external_id=link.target, note="somebody deleted or voided this payment in the books; it is not made again")
    if posted.unapplied and invoice is not None and invoice.balance:
        amount = min(posted.unapplied, invoice.balance, key=_minor)
        posted = case.books.apply(posted.id, invoice=invoice.id, amount=amount)
    return _applied(posted, invoice)


def _applied(posted: Posted, invoice: BooksInvoice | None) -> Outcome:
    if posted.unapplied and invoice is None:
        return Later(note=f"posted as {posted.id}, unapplied: waits for its invoice in the books", after=WAIT_UNAPPLIED)
    note = f"{posted.unapplied} of it is the customer's credit in the books" if posted.unapplied else ""
    return Done(external_id=posted.id, note=note)
