"""Stripe's words for its balance to ours. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapters.stripe import wire_balance
from adapters.stripe.translate import day, moment, money
from connector.model.money import Money, total
from connector.model.payout import BalanceKind, BalanceLine, Payout, PayoutState

# docs.stripe.com/reports/reporting-categories: the field that is meant for accounting. What is not here is OTHER, not guessed.
CATEGORIES: Mapping[str, BalanceKind] = {
    "charge": BalanceKind.CHARGE,
    "refund": BalanceKind.REFUND,
    "refund_failure": BalanceKind.REFUND_FAILURE,
    "dispute": BalanceKind.DISPUTE,
    "dispute_reversal": BalanceKind.DISPUTE_REVERSAL,
    "fee": BalanceKind.FEE,
    "network_cost": BalanceKind.FEE,
    "tax": BalanceKind.FEE,
    "other_adjustment": BalanceKind.ADJUSTMENT,
    "risk_reserved_funds": BalanceKind.RESERVE,
    "connect_reserved_funds": BalanceKind.RESERVE,
    "payout": BalanceKind.PAYOUT,
    "payout_reversal": BalanceKind.PAYOUT_FAILURE,
    "transfer": BalanceKind.TRANSFER,
    "transfer_reversal": BalanceKind.TRANSFER,
    "topup": BalanceKind.TRANSFER,
    "topup_reversal": BalanceKind.TRANSFER,
}
# docs.stripe.com/reports/balance-transaction-types, for a category that is not above.
TYPES: Mapping[str, BalanceKind] = {
    "stripe_fee": BalanceKind.FEE,
    "stripe_fx_fee": BalanceKind.FEE,
    "tax_fee": BalanceKind.FEE,
    "adjustment": BalanceKind.ADJUSTMENT,
    "payment_network_reserve_hold": BalanceKind.RESERVE,
    "payment_network_reserve_release": BalanceKind.RESERVE,
    "payout_minimum_balance_hold": BalanceKind.RESERVE,
    "payout_minimum_balance_release": BalanceKind.RESERVE,
    "reserve_hold": BalanceKind.RESERVE,
    "reserve_release": BalanceKind.RESERVE,
    "reserve_transaction": BalanceKind.RESERVE,
    "reserved_funds": BalanceKind.RESERVE,
    "payout": BalanceKind.PAYOUT,
    "payout_cancel": BalanceKind.PAYOUT_FAILURE,
    "payout_failure": BalanceKind.PAYOUT_FAILURE,
}

STATES: Mapping[str, PayoutState] = {state.value: state for state in PayoutState}


def kind(transaction: wire_balance.BalanceTransaction) -> BalanceKind:
    by_category = CATEGORIES.get(transaction.reporting_category)
    return by_category or TYPES.get(transaction.type, BalanceKind.OTHER)


def line(transaction: wire_balance.BalanceTransaction) -> BalanceLine:
    currency = transaction.currency
    return BalanceLine(
        id=transaction.id,
        kind=kind(transaction),
        amount=money(transaction.amount, currency),
        fee=money(transaction.fee, currency),
        net=money(transaction.net, currency),
        at=moment(transaction.created),
        source=transaction.source.id,
        payment=_payment(transaction.source),
        description=transaction.description,
        category=transaction.reporting_category or transaction.type,
    )


def _payment(source: wire_balance.Source) -> str:
    """The same name that a payment has elsewhere: its intent, or its charge where there is no intent."""
    if source.object == "charge":
        return source.payment_intent or source.id
    return source.payment_intent or source.charge


def payout(body: wire_balance.Payout) -> Payout:
    return Payout(
        id=body.id,
        amount=money(body.amount, body.currency),
        state=STATES.get(body.status, PayoutState.PENDING),  # a new word: not over yet
        arrives=day(body.arrival_date),
        created=moment(body.created),
        automatic=body.automatic,
        reconciled=body.reconciliation_status == "completed",
        failure=body.failure_message or body.failure_code,
        returned_by=body.failure_balance_transaction,
        original=body.original_payout,
        reversed_by=body.reversed_by,
        trace=body.trace_id.value if body.trace_id else "",
    )


def balance(body: wire_balance.Balance) -> Mapping[str, Money]:
    return {currency: total(amounts, currency) for currency, amounts in _by_currency((*body.available, *body.pending)).items()}


def _by_currency(funds: Iterable[wire_balance.Funds]) -> dict[str, list[Money]]:
    found: dict[str, list[Money]] = {}
    for one in funds:
        amount = money(one.amount, one.currency)
        found.setdefault(amount.currency, []).append(amount)
    return found
