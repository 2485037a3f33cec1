"""Money that moved, read again at Stripe, and the events that hint at it."""

from __future__ import annotations

from datetime import timedelta

from adapters.stripe import translate, translate_reversals, wire
from adapters.stripe.account import Account
from adapters.stripe.client import Body
from connector.errors import Rejected
from connector.model.ledger import EventPage, GatewayPayment, GatewayReversal

EVENT_TYPES = (
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "checkout.session.completed",
    "customer.subscription.deleted",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.voided",
    "invoice_payment.paid",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_method.attached",
    "payout.reconciliation_completed",
    "refund.created",
    "refund.failed",
    "refund.updated",
)  # Stripe takes 20
KEPT = timedelta(days=30)  # how long Stripe lists an event
COLLECTED_HERE = frozenset({"payment_intent", "charge"})  # not `payment_record`: money that never was at Stripe


class Movements:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._api = account.api

    def payments(self, invoice: str) -> list[GatewayPayment]:
        params = {"invoice": invoice, "status": "paid"}
        bodies = self._api.pages(f"list the payments of invoice {invoice}", self._api.v1.invoice_payments.list, params)
        paid = [wire.InvoicePayment.model_validate(body) for body in bodies]
        return [self._payment(one) for one in paid if one.payment.type in COLLECTED_HERE and one.amount_paid]

    def _payment(self, paid: wire.InvoicePayment) -> GatewayPayment:
        payment = wire.id_of(paid.payment.payment_intent) or wire.id_of(paid.payment.charge)
        return translate.gateway_payment(paid, payment=payment, charge=self._charge_of(payment))

    def _charge_of(self, payment: str) -> wire.Charge | None:
        if payment.startswith("pi_"):
            params = {"expand": ["latest_charge.balance_transaction"]}
            intent = self._api.read(f"read payment {payment}", self._api.v1.payment_intents.retrieve, payment, params)
            return _charge(intent.get("latest_charge"))
        return self._charge(payment)

    def _charge(self, charge: str) -> wire.Charge | None:
        params = {"expand": ["balance_transaction"]}
        return _charge(self._api.read(f"read charge {charge}", self._api.v1.charges.retrieve, charge, params))

    def reversals(self, payment: str) -> list[GatewayReversal]:
        return [one for one in self.reversal_states(payment) if one.moved]

    def reversal_states(self, payment: str) -> list[GatewayReversal]:
        disputes = self._dispute_states(payment)
        disputed = any(dispute.moved for dispute in disputes)
        refunds = [translate_reversals.refund(one, payment, disputed=disputed) for one in self._refunds(payment)]
        return sorted([*refunds, *disputes], key=lambda one: (one.reversed_at, one.id))

    def _dispute_states(self, payment: str) -> list[GatewayReversal]:
        disputes = self._disputes(payment)
        # A dispute names its method for cards and a few others, never for bank debits: its charge does.
        charge = self._charge_of(payment) if disputes else None
        return [translate_reversals.dispute(dispute, payment, charge) for dispute in disputes]

    def _refunds(self, payment: str) -> list[wire.Refund]:
        params = {**_by_payment(payment), "expand": ["data.balance_transaction"]}
        bodies = self._api.pages(f"list the refunds of {payment}", self._api.v1.refunds.list, params)
        return [wire.Refund.model_validate(body) for body in bodies]

    def _disputes(self, payment: str) -> list[wire.Dispute]:
        bodies = self._api.pages(f"list the disputes of {payment}", self._api.v1.disputes.list, _by_payment(payment))
        return [wire.Dispute.model_validate(body) for body in bodies]

    # Events

    def events(self, after: str) -> EventPage:
        """With "" everything that Stripe still lists. The cursor is an event's id and the second of its creation."""
        if not after:
            return self._everything()
        id, _, created = after.partition("@")
        if not created.isdigit() or self._account.now - translate.moment(int(created)) > KEPT:
            return self._lost()
        try:
            return self._newer_than(id, after)
        except Rejected as error:
            if error.code != "resource_missing":
                raise
            return self._lost()

    def _everything(self) -> EventPage:
        bodies = list(self._api.pages("list events", self._api.v1.events.list, {"types": list(EVENT_TYPES)}))
        return _page(bodies[::-1], cursor="")

    def _newer_than(self, id: str, after: str) -> EventPage:
        bodies: list[Body] = []
        more = True
        while more:
            params = {"types": list(EVENT_TYPES), "limit": 100, "ending_before": id}
            page = self._api.read("list events", self._api.v1.events.list, params)
            bodies += page["data"][::-1]  # each page is newest first, the pages go forward in time
            more = page["has_more"] and bool(page["data"])
            id = bodies[-1]["id"] if bodies else id
        return _page(bodies, cursor=after)

    def _lost(self) -> EventPage:
        """A fresh start: what Stripe still lists, and word that something may be missing before it."""
        everything = self._everything()
        return EventPage(events=everything.events, cursor=everything.cursor, lost=True)


def _page(bodies: list[Body], *, cursor: str) -> EventPage:
    events = [wire.Event.model_validate(body) for body in bodies]
    if events:
        cursor = f"{events[-1].id}@{events[-1].created}"
    return EventPage(events=tuple(translate.gateway_event(event) for event in events), cursor=cursor)


def _by_payment(payment: str) -> Body:
    return {"payment_intent" if payment.startswith("pi_") else "charge": payment}


def _charge(body: Body | str | None) -> wire.Charge | None:
    if not isinstance(body, dict):
        return None
    transaction = body.get("balance_transaction")
    return wire.Charge.model_validate({**body, "balance_transaction": transaction if isinstance(transaction, dict) else None})
