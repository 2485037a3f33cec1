"""What is done to invoices: made by hand, made equal to what is owed, released, reduced, written off. Never `/pay`:
Stripe retries by itself, and a second hand would debit twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from adapters.stripe import forms, translate, wire
from adapters.stripe.account import Account
from adapters.stripe.customers import CLOCK_SKEW, Customers
from adapters.stripe.invoices import Invoices
from adapters.stripe.translate import CHARGE_AUTOMATICALLY, OWNER, SEND_INVOICE
from connector.errors import Rejected, RetryLater
from connector.model.invoice import Adjustment, GatewayInvoice
from connector.model.money import Money
from connector.model.subscription import LiveSubscription
from connector.ports import WriteKey

CONVERGE_ROUNDS = 3
SAME_KEY_S = 900
WRITTEN_OFF = "written_off"  # slot of the line that brings a draft to nothing


class Collecting:
    def __init__(self, account: Account, invoices: Invoices, customers: Customers) -> None:
        self._account = account
        self._api = account.api
        self._invoices = invoices
        self._customers = customers

    # Drafts

    def draft(
        self, subscription: LiveSubscription, *, bills_on: date, charge: str, lines: Sequence[Adjustment], key: WriteKey
    ) -> GatewayInvoice:
        draft = self.find_draft(key, customer=subscription.customer)
        if draft is None:
            form = forms.hand_draft(
                subscription,
                bills_on=bills_on,
                charge=charge,
                key=key,
                instance=self._account.instance,
                days=self._account.settings.days_until_due,
            )
            what = f"make a draft for {bills_on} of subscription {subscription.id}"
            body = self._api.write(what, self._api.v1.invoices.create, form, key=forms.idempotency_key(key))
            draft = self._invoices.translated(wire.Invoice.model_validate(body))
        return self.adjust(draft, lines, charge=charge)

    def find_draft(self, key: WriteKey, *, customer: str) -> GatewayInvoice | None:
        """Also when it is no draft any more."""
        params = {"customer": customer, "created": {"gte": int((key.since - CLOCK_SKEW).timestamp())}}
        for body in self._api.pages("list invoices", self._api.v1.invoices.list, params):
            metadata = body.get("metadata") or {}
            if self._account.owns(metadata) and metadata.get("write_key") == key.value:
                return self._invoices.get(body["id"])
        return None

    def adjust(self, draft: GatewayInvoice, adjustments: Sequence[Adjustment], *, charge: str) -> GatewayInvoice:
        """Looks, writes what differs, and looks again until nothing does."""
        for turn in range(CONVERGE_ROUNDS):
            invoice = self._invoices.ours(draft.id)
            seen = self._invoices.translated(invoice)
            writes = forms.slot_writes(seen.lines, adjustments, invoice=invoice, instance=self._account.instance)
            taxed = invoice.automatic_tax.enabled
            if not writes and not taxed and seen.charge == charge:
                _refuse_tax(invoice)
                return seen
            if invoice.status != "draft":
                raise Rejected(f"Invoice {draft.id} is {invoice.status} already and cannot be adjusted.", code="not_a_draft")
            if taxed:
                self._update(invoice.id, forms.NO_TAX)  # the PSA's tax is a line; Stripe would add its own to that, too
            for write in writes:
                self._write_slot(invoice.id, write, turn)
            if seen.charge != charge:
                form = {"metadata": {OWNER: self._account.instance, "charge": charge}}
                self._api.write(f"note the charge on invoice {invoice.id}", self._api.v1.invoices.update, invoice.id, form)
        raise RetryLater(f"Invoice {draft.id} does not show the lines that were written to it yet. It is looked at again later.")

    def _write_slot(self, invoice: str, write: forms.SlotWrite, turn: int) -> None:
        items = self._api.v1.invoice_items
        if not write.item:
            # The same key for a while, so that a request that Stripe still holds cannot add the line a second time;
            # not for ever, because Stripe would repeat a stored breakdown for a day.
            while_held = int(self._account.now.timestamp() // SAME_KEY_S)
            key = forms.once("line", invoice, write.form, turn, while_held)
            self._api.write(f"add the line {write.slot} to invoice {invoice}", items.create, write.form, key=key)
        elif write.form:
            self._api.write(f"change the line {write.slot} of invoice {invoice}", items.update, write.item, write.form)
        else:
            self._remove_line(invoice, write)

    def _remove_line(self, invoice: str, write: forms.SlotWrite) -> None:
        try:
            what = f"remove the line {write.slot} from invoice {invoice}"
            self._api.write(what, self._api.v1.invoice_items.delete, write.item, {})
        except Rejected as error:
            if error.code != "resource_missing":
                raise

    # Released

    def release(self, draft: GatewayInvoice) -> GatewayInvoice:
        invoice = self._invoices.ours(draft.id)
        if invoice.status == "draft":
            if invoice.collection_method == SEND_INVOICE and self._has_method(invoice.customer):
                self._update(invoice.id, {"collection_method": CHARGE_AUTOMATICALLY})
            self._finalize(invoice.id, go_on=True)
        elif invoice.status == "open" and not invoice.auto_advance:
            self._update(invoice.id, {"auto_advance": True})
        else:
            return self._invoices.translated(invoice)
        return self._invoices.translated(self._invoices.ours(draft.id))

    def stop(self, invoice: GatewayInvoice) -> GatewayInvoice:
        found = self._invoices.ours(invoice.id)
        if found.status in ("draft", "open") and found.auto_advance:
            self._update(found.id, {"auto_advance": False})
            found = self._invoices.ours(found.id)
        return self._invoices.translated(found)

    def _has_method(self, customer: str) -> bool:
        found = self._customers.get(customer)
        return found is not None and found.invoice_settings.default_payment_method is not None

    def _update(self, invoice: str, form: forms.Form) -> None:
        self._api.write(f"update invoice {invoice}", self._api.v1.invoices.update, invoice, form)

    def _finalize(self, invoice: str, *, go_on: bool) -> None:
        """`go_on`: Stripe collects it by itself."""
        try:
            form = {"auto_advance": go_on}
            self._api.write(f"finalize invoice {invoice}", self._api.v1.invoices.finalize_invoice, invoice, form)
        except Rejected:
            if self._invoices.ours(invoice).status == "draft":
                raise

    def write_off(self, invoice: GatewayInvoice) -> GatewayInvoice:
        found = self._invoices.ours(invoice.id)
        self._refuse_paid(found)
        if found.status == "draft":
            self._close_draft(found)
            found = self._invoices.ours(invoice.id)
        if found.status == "open":
            self._refuse_in_flight(found, "written off")
            self._api.write(f"void invoice {found.id}", self._api.v1.invoices.void_invoice, found.id, {})
            found = self._invoices.ours(invoice.id)
        return self._invoices.translated(found)

    def _refuse_paid(self, found: wire.Invoice) -> None:
        if found.amount_paid > 0:
            if found.status == "open" and found.auto_advance:
                self._update(found.id, {"auto_advance": False})  # what remains of it is not to be collected either
            paid = translate.money(found.amount_paid, found.currency)
            raise Rejected(
                f"{paid} of invoice {_named(found)} is paid already: refund it instead of writing it off.", code="already_paid"
            )

    def _close_draft(self, draft: wire.Invoice) -> None:
        """Finalized without collection: the draft of a subscription cannot be deleted."""
        self._update(draft.id, {"auto_advance": False})
        self._spare_credit(draft)
        self._finalize(draft.id, go_on=False)

    def _spare_credit(self, draft: wire.Invoice) -> None:
        """Stripe spends the customer's credit when it finalizes, and what became paid by it cannot be voided."""
        customer = self._customers.get(draft.customer)
        if draft.total <= 0 or customer is None or customer.balance >= 0:
            return
        lines = self._invoices.translated(draft).lines
        ours = [Adjustment(slot=line.slot, description=line.description, amount=line.amount) for line in lines if line.slot]
        nothing = Adjustment(slot=WRITTEN_OFF, description="Not collected", amount=-translate.money(draft.total, draft.currency))
        self.adjust(self._invoices.translated(draft), [*ours, nothing], charge=draft.metadata.get("charge", ""))

    def _refuse_in_flight(self, invoice: wire.Invoice, done: str) -> None:
        in_flight, _ = self._invoices.attempt(invoice.id)
        if in_flight:
            raise Rejected(
                f"A debit for invoice {_named(invoice)} is under way at the bank, so it cannot be {done} now. "
                "Wait for the outcome, then refund what was too much.",
                code="payment_in_flight",
            )

    def reduce(self, invoice: GatewayInvoice, by: Money, *, reason: str, key: WriteKey) -> GatewayInvoice:
        if not self._was_reduced(invoice.id, key):
            found = self._invoices.ours(invoice.id)
            self._refuse_reduction(found, by)
            form = {
                "invoice": invoice.id,
                "amount": by.minor,
                "memo": reason,
                "email_type": "none",
                "metadata": {OWNER: self._account.instance, "write_key": key.value},
            }
            what = f"reduce invoice {_named(found)} by {by}"
            self._api.write(what, self._api.v1.credit_notes.create, form, key=forms.idempotency_key(key))
        return self._invoices.translated(self._invoices.ours(invoice.id))

    def _was_reduced(self, invoice: str, key: WriteKey) -> bool:
        params = {"invoice": invoice}
        notes = self._api.pages(f"list the credit notes of invoice {invoice}", self._api.v1.credit_notes.list, params)
        return any((note.get("metadata") or {}).get("write_key") == key.value and note["status"] == "issued" for note in notes)

    def _refuse_reduction(self, found: wire.Invoice, by: Money) -> None:
        remaining = translate.money(found.amount_remaining, found.currency)
        if found.status != "open" or not Money.zero(by.currency) < by <= remaining:
            raise Rejected(
                f"Invoice {_named(found)} is {found.status} with {remaining} remaining, so it cannot be reduced by {by}.",
                code="not_reducible",
            )
        self._refuse_in_flight(found, "reduced")


def _refuse_tax(draft: wire.Invoice) -> None:
    """A rate on the subscription's items or prices, which is not ours to take off."""
    added = sum(tax.amount for tax in draft.total_taxes or ())
    if added and draft.status == "draft":
        raise Rejected(
            f"Stripe adds {translate.money(added, draft.currency)} of tax to draft {draft.id}, beside the tax on the PSA's"
            " invoice. Remove the tax rate from the subscription and its items in Stripe's dashboard.",
            code="gateway_tax",
        )


def _named(invoice: wire.Invoice) -> str:
    return f"{invoice.number} ({invoice.id})" if invoice.number else invoice.id
