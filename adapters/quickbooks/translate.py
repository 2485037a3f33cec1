"""Our payments and theirs. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from quickbooks.objects.base import LinkedTxn, Ref
from quickbooks.objects.payment import Payment, PaymentLine

from adapters.http import clean
from adapters.quickbooks import wire
from connector.errors import Rejected
from connector.model.bookings import BookingKind
from connector.model.invoice import BooksInvoice, BooksPayment, Posted, Received
from connector.model.money import Money
from connector.ports import WriteKey

MAX_NOTE = 4000
MAX_NUMBER = 21
_REQUESTS = uuid.UUID("5a0b7f0e-3a53-4d0b-9f55-0a6c1d6f2b11")  # names of our request ids; never changes
_EMPTY: tuple[Any, ...] = (None, "", [], {})


def reference(key: WriteKey) -> str:
    """The PaymentRefNum by which a payment is found again: 21 characters are all that it may have."""
    digest = base64.b32encode(hashlib.sha256(key.value.encode()).digest()).decode()
    return f"S{digest[:20]}"


def request_id(key: WriteKey) -> str:
    """The same for the same attempt, whatever the body has become: a replayed answer is better than a second payment."""
    return str(uuid.uuid5(_REQUESTS, f"{key.value}/{key.attempt}"))


def marker(instance: str) -> str:
    return f"psa-connector:{instance}"


def is_ours(note: str, instance: str) -> bool:
    return re.search(rf"(?:^|\s){re.escape(marker(instance))}(?:\s|$)", note) is not None


def note(payment: BooksPayment, key: WriteKey, instance: str) -> str:
    return f"{marker(instance)} {key.value} | {payment.memo}"[:MAX_NOTE]


def payment_body(
    payment: BooksPayment, *, customer: str, applied: Money, reference: str, note: str, account: str, method: str
) -> dict[str, Any]:
    """A new Payment. `applied` goes to `payment.invoice`; without an account QuickBooks takes Undeposited Funds."""
    made = Payment()
    made.CustomerRef = _ref(customer)
    made.TotalAmt = payment.amount.major
    made.TxnDate = payment.dated.isoformat()
    made.PaymentRefNum = reference
    made.PrivateNote = note
    made.DepositToAccountRef = _ref(account) if account else None
    made.PaymentMethodRef = _ref(method) if method else None
    made.Line = [_line(payment.invoice, applied.major)] if applied else []
    return _sent(made, "Id SyncToken sparse domain")


def apply_body(payment: wire.Payment, *, invoice: str, amount: Decimal) -> dict[str, Any]:
    """One more line. Every line is sent again: QuickBooks replaces them all together."""
    parts = payment.linked()
    target = ("Invoice", invoice)
    parts[target] = parts.get(target, Decimal(0)) + amount
    return _lines_body(payment, parts)


def moved_body(payment: wire.Payment, *, invoice: str, journal: str, amount: Decimal) -> dict[str, Any] | None:
    """`amount` of it stands on the journal, taken off the invoice first, then from the unapplied rest.

    None: it stands there already. Rejected when there is not enough; then nothing is to be sent.
    """
    parts = payment.linked()
    source, target = ("Invoice", invoice), ("JournalEntry", journal)
    missing = amount - parts.get(target, Decimal(0))
    if missing <= 0:
        return None
    off = min(missing, parts.get(source, Decimal(0)))
    if missing - off > payment.unapplied_amt:
        raise Rejected(
            f"only {off + payment.unapplied_amt} of payment {payment.id} is on invoice {invoice} or unapplied, {missing} has to"
            " be moved: somebody applied the rest elsewhere. Take it off there in QuickBooks.",
            code="applied_elsewhere",
        )
    parts |= {target: amount, source: parts.get(source, Decimal(0)) - off}
    return _lines_body(payment, {where: part for where, part in parts.items() if part})


def _lines_body(payment: wire.Payment, parts: Mapping[tuple[str, str], Decimal]) -> dict[str, Any]:
    """Sparse: the rest of the payment stays. The lines are all of them."""
    changed = Payment()
    changed.Id, changed.SyncToken, changed.sparse = payment.id, payment.sync_token, True
    changed.CustomerRef = _ref(payment.customer_ref.value)
    changed.TotalAmt = payment.total_amt
    changed.Line = [_line(id, part, kind) for (kind, id), part in parts.items()]
    return _sent(changed, "domain")


def void_body(payment: wire.Payment) -> dict[str, Any]:
    return {"Id": payment.id, "SyncToken": payment.sync_token, "sparse": True}


def posted(payment: wire.Payment, currency: str) -> Posted:
    """Of several invoices the first is named; our payments have one at most."""
    return Posted(
        id=payment.id,
        amount=money(payment.total_amt, payment.currency_ref, currency),
        unapplied=money(payment.unapplied_amt, payment.currency_ref, currency),
        invoice=next(iter(payment.applied()), ""),
        customer=payment.customer_ref.value,
        deposited=payment.deposited,
        deposit=f"{BookingKind.DEPOSIT}:{payment.deposit}" if payment.deposit else "",
        account=payment.deposit_to_account_ref.value if payment.deposit_to_account_ref else "",
        dated=date.fromisoformat(payment.txn_date[:10]) if payment.txn_date else None,
        moved={
            f"{BookingKind.JOURNAL}:{id}": money(part, payment.currency_ref, currency)
            for (kind, id), part in payment.linked().items()
            if kind == "JournalEntry"
        },
    )


def received(payment: wire.Payment, currency: str) -> list[Received]:
    """Its part of each invoice."""
    return [
        Received(
            id=payment.id,
            invoice=invoice,
            amount=money(part, payment.currency_ref, currency),
            dated=date.fromisoformat(payment.txn_date[:10]) if payment.txn_date else None,
            by=payment.payment_ref_num,
        )
        for invoice, part in payment.applied().items()
    ]


def invoice(found: wire.Invoice, currency: str) -> BooksInvoice:
    return BooksInvoice(
        id=found.id,
        number=found.doc_number,
        customer=found.customer_ref.value,
        dated=date.fromisoformat(found.txn_date[:10]),
        total=money(found.total_amt, found.currency_ref, currency),
        balance=money(found.balance, found.currency_ref, currency),
    )


def credit(record: wire.Payment | wire.CreditMemo, currency: str) -> Money:
    amount = record.unapplied_amt if isinstance(record, wire.Payment) else record.credit
    return money(amount, record.currency_ref, currency)


def money(amount: Decimal, currency: wire.Ref | None, default: str) -> Money:
    code = currency.value if currency else default
    try:
        return Money.from_major(amount, code)
    except ValueError:
        raise Rejected(
            f"QuickBooks has amounts in {clean(code, 20)}, which is not supported", code="unsupported_currency"
        ) from None


def _ref(value: str) -> Ref:
    made = Ref()
    made.value = value
    return made


def _line(id: str, amount: Decimal, kind: str = "Invoice") -> PaymentLine:
    line, link = PaymentLine(), LinkedTxn()
    link.TxnId, link.TxnType, link.TxnLineId = id, kind, None
    line.Amount, line.LinkedTxn = amount, [link]
    return line


def _sent(record: Payment, without: str) -> dict[str, Any]:
    """The library's object as a body, without the defaults that it makes up."""
    dropped = without.split()
    return {name: _clean(value) for name, value in record.to_dict().items() if name not in dropped and value not in _EMPTY}


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _clean(part) for name, part in value.items() if part not in _EMPTY}
    if isinstance(value, list):
        return [_clean(part) for part in value]
    return value
