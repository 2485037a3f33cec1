"""QuickBooks Online as the books: what we enter is found again, applied and taken back; nothing else is touched."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from adapters.quickbooks import translate, wire
from adapters.quickbooks.accounts import Accounts
from adapters.quickbooks.bookings import Bookings
from adapters.quickbooks.client import Client, quoted, until_fresh
from adapters.quickbooks.refused import Refusals
from adapters.quickbooks.rules import Rules
from adapters.quickbooks.settings import QuickBooksSettings
from adapters.quickbooks.tokens import PARTNER
from connector.errors import ConfigError, Rejected
from connector.model.agreement import Payer
from connector.model.bookings import Booked, Booking, BooksAccount, BooksChanges, Receivable
from connector.model.invoice import BooksInvoice, BooksPayment, Posted, Received
from connector.model.money import Money
from connector.ports import Capability, Context, WriteKey

FIND_LAG = timedelta(minutes=2)
ATTEMPTS = 3


class QuickBooks:
    """Implements `connector.ports.Books`."""

    def __init__(self, settings: QuickBooksSettings, context: Context) -> None:
        self._client = Client(settings, context)
        self._context = context
        self._rules = Rules(context.mapping)
        self._accounts = Accounts(self._client, context.currency)
        self._refusals = Refusals(self._client, self._accounts)
        self._bookings = Bookings(self._client, context, self._accounts, self._refusals, self.posted)
        self._methods: dict[str, str] = {}  # name of a payment method, without case -> its id

    @property
    def name(self) -> str:
        return PARTNER

    @property
    def can(self) -> frozenset[Capability]:
        return frozenset({Capability.PARTIAL_SETTLEMENT, Capability.REVERSAL})

    @property
    def find_lag(self) -> timedelta:
        return FIND_LAG

    def close(self) -> None:
        self._client.close()

    def ping(self) -> None:
        """One request: the deposit account (a second one, once, when the mapping names payment methods).

        ConfigError when the account is missing, inactive, of the wrong type or currency, or a payment method is not there.
        """
        self._accounts.check_for_payments(self._rules.deposit_account())
        for kind, name in self._rules.methods().items():
            if name and not self._method_id(name):
                raise ConfigError(f"payment.payment_method: {self._no_method(name)} (method {kind.value})")

    # Reading.

    def invoices(self, numbers: Collection[str]) -> Mapping[str, Sequence[BooksInvoice]]:
        """One request for every 100 numbers."""
        asked = {number.casefold(): number for number in numbers if number and len(number) <= translate.MAX_NUMBER}
        found: dict[str, list[BooksInvoice]] = {}
        for row in self._client.query_in("Invoice", "DocNumber", asked.values()):
            record = wire.read(wire.Invoice, row)
            number = asked.get(record.doc_number.casefold())
            if number is not None and not record.voided:
                found.setdefault(number, []).append(translate.invoice(record, self._context.currency))
        return found

    def unapplied(self, customers: Collection[str]) -> Mapping[str, Money]:
        """Two requests for every 100 customers, more where they have more than 1000 payments."""
        totals = {customer: Money.zero(self._context.currency) for customer in customers}
        for record in self._credits(customers):
            if not translate.is_ours(record.private_note, self._context.instance):
                customer = record.customer_ref.value
                amount = translate.credit(record, self._context.currency)
                totals[customer] = totals[customer] + amount if totals.get(customer) else amount
        return totals

    def received(self, invoices: Collection[BooksInvoice]) -> Mapping[str, Sequence[Received]]:
        """One request for every 100 customers, more where they have more than 1000 payments."""
        found: dict[str, list[Received]] = {invoice.id: [] for invoice in invoices}
        for row in self._client.query_in("Payment", "CustomerRef", {invoice.customer for invoice in invoices}):
            for received in translate.received(wire.read(wire.Payment, row), self._context.currency):
                if received.invoice in found:
                    found[received.invoice].append(received)
        return found

    def customer(self, payer: Payer) -> str | None:
        """One request."""
        match = self._rules.of_payer(payer)
        if match.id:
            return self._customer_by_id(match.id, payer)
        if not match.name:
            return None
        field = {"display_name": "DisplayName", "company_name": "CompanyName"}[match.by]
        rows = [wire.read(wire.Customer, row) for row in self._client.query("Customer", f"{field} = {quoted(match.name)}")]
        found = [customer for customer in rows if customer.active]
        if len(found) > 1:
            ids = ", ".join(f"{customer.display_name} ({customer.id})" for customer in found)
            raise Rejected(
                f"QuickBooks has {len(found)} customers named {match.name!r}: {ids}. Name the right one's id in the field mapping"
                f" for the payer {payer.name} ({payer.id}).",
                code="several_customers",
            )
        return found[0].id if found else None

    def find(self, key: WriteKey) -> Posted | None:
        """One request. A payment that somebody voided is still found, with nothing as its amount: it was written."""
        reference = translate.reference(key)
        rows = self._client.query("Payment", f"PaymentRefNum = {quoted(reference)}")
        found = [wire.read(wire.Payment, row) for row in rows]
        living = [payment for payment in found if not payment.voided]
        if len(living) > 1:
            ids = " and ".join(payment.id for payment in living)
            raise Rejected(
                f"QuickBooks has this payment {len(living)} times (payments {ids}, reference {reference}). Delete all but one.",
                code="duplicate_payment",
            )
        first = next(iter(living or found), None)
        return self._posted(first) if first else None

    def recorded_by_hand(self, invoice: BooksInvoice, amount: Money) -> Posted | None:
        """One request for every 1000 payments of the customer."""
        for row in self._client.query("Payment", f"CustomerRef = {quoted(invoice.customer)}"):
            payment = wire.read(wire.Payment, row)
            posted = self._posted(payment)
            applied = payment.applied().get(invoice.id, Decimal(0))
            by_us = translate.is_ours(payment.private_note, self._context.instance)
            if not by_us and posted.amount == amount and applied == amount.major:
                return posted
        return None

    def posted(self, ids: Collection[str]) -> Mapping[str, Posted]:
        """One request for every 100 ids."""
        rows = self._client.query_in("Payment", "Id", [id for id in ids if id.isdigit()])
        found = [wire.read(wire.Payment, row) for row in rows]
        return {payment.id: self._posted(payment) for payment in found if not payment.voided}

    # Writing.

    def post(self, payment: BooksPayment, *, key: WriteKey) -> Posted:
        """Two requests, one without an invoice. The customer is the invoice's, the applied part its balance at most.

        Rejected with code `missing` when the invoice is gone, `closed_period` when the books are closed for its date.
        """
        what = f"Payment of {payment.amount} dated {payment.dated.isoformat()}"
        with self._refusals.about(
            what, accounts=[*filter(None, [payment.deposit_to])], customers=[*filter(None, [payment.customer])]
        ):
            for step in range(ATTEMPTS):
                before = self._invoice(payment.invoice) if payment.invoice else None
                try:
                    return self._post(payment, before, key)
                except Rejected as error:
                    if step == ATTEMPTS - 1 or not self._moved(error, before):
                        raise
        raise AssertionError("the last attempt answers or raises")

    def apply(self, posted: str, *, invoice: str, amount: Money) -> Posted:
        """Three requests. Never more than is unapplied there, nor than the invoice's balance; nothing left: nothing written."""
        with self._refusals.about(f"Applying {amount} of payment {posted}"):
            return until_fresh(lambda: self._apply(posted, invoice, amount), attempts=ATTEMPTS)

    def void(self, posted: str) -> None:
        """Two requests. Gone already is as good as void. Rejected with code `deposited`, `moved` or `not_ours`."""
        with self._refusals.about(f"Voiding payment {posted}"):
            until_fresh(lambda: self._void(posted), attempts=ATTEMPTS)

    def unapply(self, posted: str, *, invoice: str, to: str, amount: Money) -> Posted:
        """Two requests, one when it stands there already. Rejected also with code `closed_period`: the payment's own date counts.

        A payment that is in a deposit can be moved as well.
        """
        with self._refusals.about(f"Moving {amount} of payment {posted} off invoice {invoice}"):
            return until_fresh(lambda: self._unapply(posted, invoice, to, amount), attempts=ATTEMPTS)

    # Bookings and accounts.

    def book(self, booking: Booking, *, key: WriteKey) -> Booked:
        return self._bookings.book(booking, key)

    def find_booking(self, key: WriteKey) -> Booked | None:
        return self._bookings.find(key)

    def booked(self, ids: Collection[str]) -> Mapping[str, Booked]:
        return self._bookings.booked(ids)

    def unbook(self, id: str) -> None:
        self._bookings.unbook(id)

    def accounts(self, ids: Collection[str]) -> Mapping[str, BooksAccount]:
        return self._accounts.read(ids)

    def undeposited_funds(self) -> str:
        return self._accounts.undeposited()

    def account_balances(self, ids: Collection[str], *, on: date) -> Mapping[str, Money]:
        return self._accounts.balances(ids, on)

    def receivables(self, *, on: date) -> Mapping[str, Receivable]:
        return self._accounts.receivables(on)

    def closed_until(self) -> date | None:
        return self._accounts.closed_until()

    def changes(self, since: datetime) -> BooksChanges:
        return self._bookings.changes(since)

    # How it is done.

    def _post(self, payment: BooksPayment, invoice: BooksInvoice | None, key: WriteKey) -> Posted:
        account, method = self._rules.of_payment(payment)
        zero = Money.zero(payment.amount.currency)
        room = min(payment.applied, payment.amount, invoice.balance, key=_minor) if invoice else zero
        body = translate.payment_body(
            payment,
            customer=invoice.customer if invoice else payment.customer,
            applied=max(room, zero, key=_minor),
            reference=translate.reference(key),
            note=translate.note(payment, key, self._context.instance),
            account=account,
            method=self._method(method) if method else "",
        )
        content, reply = self._client.write("Payment", body, request_id=translate.request_id(key))
        written = wire.read_written(wire.Payment, content, reply)
        if written.payment_ref_num != body["PaymentRefNum"]:
            raise reply.unreadable(f"payment {written.id}, which is another one")
        return self._posted(written)

    def _invoice(self, id: str) -> BooksInvoice:
        content, _ = self._client.get("Invoice", id)
        found = translate.invoice(wire.read(wire.Invoice, content), self._context.currency)
        if found.total.currency != self._context.currency:
            raise Rejected(
                f"invoice {found.number} is in {found.total.currency} in QuickBooks, payments are in {self._context.currency}",
                code="wrong_currency",
            )
        return found

    def _moved(self, error: Rejected, before: BooksInvoice | None) -> bool:
        """Whether the refusal came of a change made in between: then it is worth another look."""
        if error.code == "stale":
            return True
        return error.code == "business_rule" and before is not None and self._invoice(before.id) != before

    def _apply(self, id: str, invoice_id: str, amount: Money) -> Posted:
        payment = self._ours(id)
        invoice = self._invoice(invoice_id)
        if payment.customer_ref.value != invoice.customer:
            raise Rejected(
                f"payment {id} is of customer {payment.customer_ref.value}, invoice {invoice.number} of customer"
                f" {invoice.customer}: correct one of them in QuickBooks",
                code="wrong_customer",
            )
        part = min(amount, self._posted(payment).unapplied, invoice.balance, key=_minor)
        if part.minor <= 0:
            return self._posted(payment)
        body = translate.apply_body(payment, invoice=invoice.id, amount=part.major)
        content, reply = self._client.write("Payment", body)
        return self._posted(wire.read_written(wire.Payment, content, reply))

    def _unapply(self, id: str, invoice: str, to: str, amount: Money) -> Posted:
        payment = self._ours(id)
        journal = to.removeprefix("journal:")
        body = translate.moved_body(payment, invoice=invoice, journal=journal, amount=amount.major)
        if body is None:
            return self._posted(payment)
        content, reply = self._client.write("Payment", body)
        return self._posted(wire.read_written(wire.Payment, content, reply))

    def _void(self, id: str) -> None:
        payment = self._payment(id)
        if payment is None or payment.voided:
            return
        self._only_ours(payment)
        if payment.deposited:
            raise Rejected(
                f"payment {id} is in a deposit already. Take it out of the deposit, or enter the refund in QuickBooks.",
                code="deposited",
            )
        if payment.on_journals():
            raise Rejected(
                f"a part of payment {id} was taken back already by journal entry {', '.join(payment.on_journals())}; voiding it"
                " would take that back twice",
                code="moved",
            )
        self._client.write("Payment", translate.void_body(payment), operation="update", include="void")

    def _ours(self, id: str) -> wire.Payment:
        content, _ = self._client.get("Payment", id)
        payment = wire.read(wire.Payment, content)
        self._only_ours(payment)
        return payment

    def _payment(self, id: str) -> wire.Payment | None:
        try:
            content, _ = self._client.get("Payment", id)
        except Rejected as error:
            if error.code != "missing":
                raise
            return None
        return wire.read(wire.Payment, content)

    def _only_ours(self, payment: wire.Payment) -> None:
        if not translate.is_ours(payment.private_note, self._context.instance):
            mark = translate.marker(self._context.instance)
            raise Rejected(
                f"payment {payment.id} does not carry our mark {mark} in its memo, so it is left alone", code="not_ours"
            )

    def _posted(self, payment: wire.Payment) -> Posted:
        return translate.posted(payment, self._context.currency)

    def _credits(self, customers: Collection[str]) -> Iterator[wire.Payment | wire.CreditMemo]:
        for row in self._client.query_in("Payment", "CustomerRef", customers):
            payment = wire.read(wire.Payment, row)
            if payment.unapplied_amt:
                yield payment
        for row in self._client.query_in("CreditMemo", "CustomerRef", customers):
            memo = wire.read(wire.CreditMemo, row)
            if memo.credit:
                yield memo

    def _customer_by_id(self, id: str, payer: Payer) -> str | None:
        rows = self._client.query("Customer", f"Id = {quoted(id)} AND Active IN (true, false)")
        found = next((wire.read(wire.Customer, row) for row in rows), None)
        if found is not None and not found.active:
            raise Rejected(
                f"customer {found.display_name} ({id}) is inactive in QuickBooks, perhaps merged into another one. Name the right"
                f" customer for the payer {payer.name} ({payer.id}).",
                code="inactive_customer",
            )
        return found.id if found else None

    def _method(self, name: str) -> str:
        id = self._method_id(name)
        if not id:
            raise Rejected(self._no_method(name), code="payment_method_missing")
        return id

    def _method_id(self, name: str) -> str:
        """The list is read once; a name that is not in it makes it read again."""
        if name.casefold() not in self._methods:
            rows = [wire.read(wire.PaymentMethod, row) for row in self._client.query("PaymentMethod", "Active = true")]
            self._methods = {method.name.casefold(): method.id for method in rows}
        return self._methods.get(name.casefold(), "")

    def _no_method(self, name: str) -> str:
        known = ", ".join(sorted(self._methods)) or "none"
        return f"QuickBooks has no active payment method {name!r} (it has: {known}). Add it there or correct the field mapping."


def _minor(money: Money) -> int:
    return money.minor
