"""Invoices as they are read, with what is known of the debit under way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from adapters.stripe import translate, wire
from adapters.stripe.account import Account
from adapters.stripe.client import Body
from connector.errors import Rejected
from connector.model.invoice import GatewayInvoice


class Invoices:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._api = account.api

    def drafts(self) -> Iterator[GatewayInvoice]:
        return iter(self._list({"status": "draft"}))

    def open(self) -> Iterator[GatewayInvoice]:
        return iter(self._list({"status": "open"}))

    def since(self, since: datetime) -> Iterator[GatewayInvoice]:
        return iter(self._list({"created": {"gte": int(since.timestamp())}}))

    def get(self, id: str) -> GatewayInvoice | None:
        body = self._api.find(f"read invoice {id}", self._api.v1.invoices.retrieve, id)
        if body is None or body.get("deleted"):
            return None
        invoice = self._complete(body)
        return self.translated(invoice) if self._account.owns(translate.invoice_metadata(invoice)) else None

    def _list(self, params: Body) -> list[GatewayInvoice]:
        """Complete before the first is given."""
        bodies = self._api.pages("list invoices", self._api.v1.invoices.list, params)
        ours = [body for body in bodies if self._is_ours(body)]
        return [self.translated(self._complete(body)) for body in ours]

    def _is_ours(self, body: Body) -> bool:
        return translate.is_period_invoice(wire.Invoice.model_validate(body), self._account.instance)

    def _complete(self, body: Body) -> wire.Invoice:
        """With every line: Stripe embeds the first ten only."""
        if body["lines"]["has_more"]:
            what = f"list the lines of invoice {body['id']}"
            lines = self._api.pages(what, self._api.v1.invoices.line_items.list, {}, body["id"])
            body = {**body, "lines": {"data": list(lines)}}
        return wire.Invoice.model_validate(body)

    def translated(self, invoice: wire.Invoice) -> GatewayInvoice:
        # Only an open invoice that was tried can have a debit under way; the others cost no further request.
        in_flight, error = self.attempt(invoice.id) if invoice.status == "open" and invoice.attempted else (False, None)
        return translate.gateway_invoice(invoice, self._account.instance, in_flight=in_flight, error=error)

    def attempt(self, invoice: str) -> tuple[bool, wire.ApiError | None]:
        """Whether a debit is under way, and why the last one failed."""
        params = {"invoice": invoice, "expand": ["data.payment.payment_intent"]}
        bodies = self._api.pages(f"list the payments of invoice {invoice}", self._api.v1.invoice_payments.list, params)
        payments = [wire.InvoicePayment.model_validate(body) for body in bodies]
        intents = [self._intent(payment.payment.payment_intent) for payment in payments if payment.status == "open"]
        failures = [intent.last_payment_error for intent in intents if intent and intent.last_payment_error]
        return any(intent and intent.status == "processing" for intent in intents), next(iter(failures), None)

    def _intent(self, payment_intent: Body | str | None) -> wire.PaymentIntent | None:
        if not payment_intent:
            return None
        if isinstance(payment_intent, str):
            what = f"read payment {payment_intent}"
            payment_intent = self._api.read(what, self._api.v1.payment_intents.retrieve, payment_intent)
        return wire.PaymentIntent.model_validate(payment_intent)

    def ours(self, id: str) -> wire.Invoice:
        body = self._api.read(f"read invoice {id}", self._api.v1.invoices.retrieve, id)
        invoice = self._complete(body)
        if not self._account.owns(translate.invoice_metadata(invoice)):
            raise Rejected(f"Invoice {id} does not carry our marker, so it is not changed.", code="not_ours")
        return invoice
