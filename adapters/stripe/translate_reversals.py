"""Stripe's refunds and disputes to ours, each with the stage it has reached. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.stripe import wire
from adapters.stripe.translate import method_kind, moment, money
from connector.model.invoice import MethodKind
from connector.model.ledger import GatewayReversal, RefundIntent, ReversalReason, ReversalStage
from connector.model.money import Money

INTENT = "psa_connector_intent"  # metadata key of a refund by which a person says what it is for
DISPUTE_STAGES: Mapping[str, ReversalStage] = {
    "warning_needs_response": ReversalStage.INQUIRY,
    "warning_under_review": ReversalStage.INQUIRY,
    "warning_closed": ReversalStage.WON,
    "needs_response": ReversalStage.OPENED,
    "under_review": ReversalStage.UNDER_REVIEW,
    "prevented": ReversalStage.WON,
    "won": ReversalStage.WON,
    "lost": ReversalStage.LOST,
}
REFUND_STAGES: Mapping[str, ReversalStage] = {
    "pending": ReversalStage.PENDING,
    "requires_action": ReversalStage.REQUIRES_ACTION,
    "succeeded": ReversalStage.SUCCEEDED,
    "failed": ReversalStage.FAILED,
    "canceled": ReversalStage.CANCELED,
}
WAITS_FOR_FUNDS = ("insufficient_funds", "charge_pending")  # a pending refund for which nothing left the balance yet


def refund(body: wire.Refund, payment: str, *, disputed: bool) -> GatewayReversal:
    """`disputed`: a dispute of the same payment has taken its money too."""
    transaction = body.balance_transaction
    return GatewayReversal(
        id=body.id,
        payment=payment,
        amount=money(body.amount, body.currency),
        reason=ReversalReason.REFUND,
        detail=(body.failure_reason or body.reason).replace("_", " "),
        reversed_at=moment(body.created),
        stage=REFUND_STAGES.get(body.status, ReversalStage.PENDING),  # a new word: not over yet
        status=body.status,
        moved=_has_left(body),
        fee=money(transaction.fee, transaction.currency) if transaction else None,
        intent=intent(body.metadata),
        on_open_dispute=disputed and body.status not in ("failed", "canceled"),
    )


def _has_left(body: wire.Refund) -> bool:
    """Not with a refund that failed, was cancelled, waits for the customer, or waits for funds: that money is with us."""
    return body.status == "succeeded" or (body.status == "pending" and body.pending_reason not in WAITS_FOR_FUNDS)


def intent(metadata: Mapping[str, str]) -> str:
    """What somebody wrote there, if it is one of the words; anything else says nothing."""
    said = metadata.get(INTENT, "").strip().lower()
    return said if said in tuple(RefundIntent) else ""


def dispute(body: wire.Dispute, payment: str, charge: wire.Charge | None) -> GatewayReversal:
    """A returned bank debit arrives as a dispute and is final; a card's counts while the funds are withdrawn."""
    details = charge.payment_method_details if charge else None
    returned = details is not None and method_kind(details.type) is MethodKind.BANK_DEBIT
    transactions = body.balance_transactions
    withdrawn = sum(transaction.amount for transaction in transactions) < 0
    return GatewayReversal(
        id=body.id,
        payment=payment,
        amount=money(body.amount, body.currency),
        reason=ReversalReason.BANK_RETURN if returned else ReversalReason.DISPUTE,
        detail=body.reason.replace("_", " "),
        reversed_at=moment(min((t.created for t in transactions), default=0) or body.created),
        stage=DISPUTE_STAGES.get(body.status, ReversalStage.UNDER_REVIEW),  # a new word: not over yet
        status=body.status,
        moved=body.status != "won" and (returned or withdrawn),
        fee=_fees(transactions),
        method=charge.payment_method if charge else "",
    )


def _fees(transactions: Sequence[wire.BalanceTransaction]) -> Money | None:
    """What was kept for it: a fee that is given back counts against it. None before any money moved."""
    if not transactions:
        return None
    return money(sum(transaction.fee for transaction in transactions), transactions[0].currency)
