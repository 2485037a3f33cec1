"""The account's balance: what moved, when it becomes available, and the payouts that take it to the bank."""

from __future__ import annotations

from adapters.sandbox.stripe import overview, shapes_money
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError
from adapters.sandbox.stripe.periods import business_days_later

SETTLEMENT_DAYS = 2  # business days until funds are available
ACH_SETTLEMENT_DAYS = 4  # from the day of the debit: standard settlement
MAY_STILL_FAIL_DAYS = 5  # business days after a payout was reported as paid
ARRIVAL_DAYS = 2
RECONCILIATION_S = 600
CARD_FEE_PERMILLE, CARD_FEE_FIXED = 29, 30
ACH_FEE_PERMILLE, ACH_FEE_MOST = 8, 500
DISPUTE_FEE = 1_500
ACH_RETURN_FEE = 400  # a debit that failed; one that the customer disputed costs the dispute fee


def fee(type: str, amount: int) -> int:
    """US prices: card 2.9 % + 30 cents, bank debit 0.8 % and at most 5.00; half cents up."""
    if type == "card":
        return (amount * CARD_FEE_PERMILLE + 500) // 1000 + CARD_FEE_FIXED
    return min((amount * ACH_FEE_PERMILLE + 500) // 1000, ACH_FEE_MOST)


def move(
    account: Account,
    *,
    amount: int,
    fee: int = 0,
    currency: str,
    type: str,
    category: str,
    source: str | None,
    description: str,
    available_on: int | None = None,
) -> Body:
    """Money moved: the transaction is added, and a payout considered on the day when it becomes available."""
    available_on = business_days_later(account.now, SETTLEMENT_DAYS) if available_on is None else available_on
    transaction = shapes_money.balance_transaction(
        account.id("txn_"), account.now, amount=amount, fee=fee, currency=currency, type=type, category=category,
        source=source, description=description, available_on=available_on,
    )  # fmt: skip
    account.add(transaction)
    account.unpaid.append(transaction["id"])
    if available_on not in account.payout_days:
        account.payout_days.add(available_on)
        account.schedule(max(available_on, account.now), "payout", str(available_on))
    return transaction


def settled_on(charge: Body) -> int:
    """Cards after two business days; bank debits four after they were made, which is when they are known to have worked."""
    days = SETTLEMENT_DAYS if charge["payment_method_details"]["type"] == "card" else ACH_SETTLEMENT_DAYS
    return business_days_later(charge["created"], days)


def pay_out(account: Account, day: str) -> None:
    """All that is available, per currency. A negative balance is fetched from the bank the next day, unless set otherwise."""
    account.payout_days.discard(int(day))
    account.emit("balance.available", overview.balance(account))
    for currency, transactions in _ready(account).items():
        amount = sum(transaction["net"] for transaction in transactions)
        if amount > 0:
            _send(account, currency, transactions)
        elif amount < 0 and account.debit_negative:
            account.schedule_once(business_days_later(account.now, 1), "fetch_negative", currency)


def fetch_negative(account: Account, currency: str) -> None:
    transactions = _ready(account).get(currency, [])
    if sum(transaction["net"] for transaction in transactions) < 0:
        _send(account, currency, transactions)


def _ready(account: Account) -> dict[str, list[Body]]:
    """What is available and in no payout yet, by currency; nothing where payouts are off or asked for by hand."""
    ready: dict[str, list[Body]] = {}
    for id in account.unpaid:
        transaction = account.get("balance_transaction", id)
        if transaction["available_on"] <= account.now:
            transaction["status"] = "available"
            ready.setdefault(transaction["currency"], []).append(transaction)
    return ready if account.payout_schedule == "daily" and account.switches["payouts_enabled"] else {}


def _send(account: Account, currency: str, transactions: list[Body]) -> None:
    amount = sum(transaction["net"] for transaction in transactions)
    payout, own = _payout(account, amount, currency)
    taken = {transaction["id"] for transaction in transactions}
    account.unpaid = [id for id in account.unpaid if id not in taken]
    account.payout_members[payout["id"]] = [own, *reversed(transactions)]
    account.add(payout, "payout.created")


def _payout(account: Account, amount: int, currency: str) -> tuple[Body, Body]:
    """A payout and its own transaction."""
    arrival = business_days_later(account.now, ARRIVAL_DAYS)
    payout = shapes_money.payout(account.id("po_"), account.now, amount=amount, currency=currency, arrival_date=arrival)
    own = shapes_money.balance_transaction(
        account.id("txn_"), account.now, amount=-amount, fee=0, currency=currency, type="payout", category="payout",
        source=payout["id"], description="STRIPE PAYOUT", available_on=arrival,
    )  # fmt: skip
    own["status"] = "available"
    payout["balance_transaction"] = account.add(own)["id"]
    account.schedule(business_days_later(account.now, 1), "payout_leaves", payout["id"])
    account.schedule(arrival, "payout_arrives", payout["id"])
    return payout, own


def pay_out_by_hand(account: Account, amount: int, currency: str) -> Body:
    """The owner asks for a payout. Which transactions are in it, Stripe does not know: it is netted with the next ones."""
    held = sum(account.get("balance_transaction", id)["net"] for id in account.unpaid if _is_available(account, id, currency))
    if not 0 < amount <= held:
        raise ValueError(f"insufficient funds: {held} is available, {amount} was asked for")
    payout, own = _payout(account, amount, currency)
    own["available_on"] = account.now
    account.unpaid.append(own["id"])
    payout.update(automatic=False, reconciliation_status="not_applicable")
    return account.add(payout, "payout.created")


def _is_available(account: Account, id: str, currency: str) -> bool:
    transaction = account.get("balance_transaction", id)
    return bool(transaction["currency"] == currency and transaction["available_on"] <= account.now)


def leave(account: Account, id: str) -> None:
    payout = account.get("payout", id)
    if payout["status"] == "pending":
        payout["status"] = "in_transit"
        account.save(payout, "payout.updated", status="pending")


def arrive(account: Account, id: str) -> None:
    payout = account.get("payout", id)
    if payout["status"] == "in_transit":
        payout["status"] = "paid"
        account.save(payout, "payout.paid")
        account.schedule(account.now + RECONCILIATION_S, "payout_reconciled", id)


def reconciled(account: Account, id: str) -> None:
    payout = account.get("payout", id)
    if payout["status"] != "paid":
        return
    payout["trace_id"] = {"status": "supported", "value": f"SANDBOX{account.count('trace'):06}"}
    if payout["automatic"]:
        payout["reconciliation_status"] = "completed"
        account.save(payout, "payout.reconciliation_completed")
    else:
        account.save(payout, "payout.updated")


def members(account: Account, payout: Body) -> list[Body]:
    """Newest first. Until the payout is reconciled Stripe does not promise all of them; here the latest is still missing.

    Of one that failed on its way Stripe says nothing: all are listed, or (`failed_payouts_listed`) never all.
    """
    if not payout["automatic"]:
        raise StripeError("Balance transaction history can only be filtered on automatic payouts, not manual.", param="payout")
    found = account.payout_members[payout["id"]]
    failed = payout["status"] in ("failed", "canceled") and account.failed_payouts_listed
    return found if failed or payout["reconciliation_status"] == "completed" else [found[0], *found[2:]]


def fail(account: Account, payout: Body, *, state: str = "failed") -> Body:
    """The bank refused the money, or the owner called it off: it is available again, and goes out with a later payout."""
    if payout["status"] not in ("pending", "in_transit", "paid") or (state == "canceled" and payout["status"] != "pending"):
        raise ValueError(f"{payout['id']} is {payout['status']}")
    if payout["status"] == "paid" and account.now > business_days_later(payout["arrival_date"], MAY_STILL_FAIL_DAYS):
        raise ValueError(f"{payout['id']} was paid more than {MAY_STILL_FAIL_DAYS} business days ago")
    failed = state == "failed"
    back = move(
        account, amount=payout["amount"], currency=payout["currency"], type="payout_failure" if failed else "payout_cancel",
        category="payout_reversal", source=payout["id"], description=f"STRIPE PAYOUT {'FAILURE' if failed else 'CANCEL'}",
    )  # fmt: skip
    payout.update(status=state, failure_balance_transaction=back["id"])
    if failed:
        payout.update(failure_code="account_closed", failure_message="The bank account has been closed.")
    return account.save(payout, f"payout.{state}")
