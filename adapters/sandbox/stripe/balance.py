"""The account's balance: what moved, when it becomes available, and the payouts that take it to the bank."""

from __future__ import annotations

from adapters.sandbox.stripe import shapes_money
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.periods import business_days_later

SETTLEMENT_DAYS = 2  # business days until funds are available
ARRIVAL_DAYS = 2
RECONCILIATION_S = 600
CARD_FEE_PERMILLE, CARD_FEE_FIXED = 29, 30
ACH_FEE_PERMILLE, ACH_FEE_MOST = 8, 500
DISPUTE_FEE = 1_500
ACH_RETURN_FEE = 400


def fee(type: str, amount: int) -> int:
    """US prices: card 2.9 % + 30 cents, bank debit 0.8 % and at most 5.00; half cents up."""
    if type == "card":
        return (amount * CARD_FEE_PERMILLE + 500) // 1000 + CARD_FEE_FIXED
    return min((amount * ACH_FEE_PERMILLE + 500) // 1000, ACH_FEE_MOST)


def move(
    account: Account, *, amount: int, fee: int = 0, currency: str, type: str, category: str, source: str, description: str
) -> Body:
    """Money moved: the transaction is added, and a payout considered on the day when it becomes available."""
    available_on = business_days_later(account.now, SETTLEMENT_DAYS)
    transaction = shapes_money.balance_transaction(
        account.id("txn_"), account.now, amount=amount, fee=fee, currency=currency, type=type, category=category,
        source=source, description=description, available_on=available_on,
    )  # fmt: skip
    account.add(transaction)
    account.unpaid.append(transaction["id"])
    if available_on not in account.payout_days:
        account.payout_days.add(available_on)
        account.schedule(available_on, "payout", str(available_on))
    return transaction


def pay_out(account: Account, day: str) -> None:
    """All that is available, per currency. A negative balance waits until later funds outweigh it."""
    account.payout_days.discard(int(day))
    ready: dict[str, list[Body]] = {}
    for id in account.unpaid:
        transaction = account.get("balance_transaction", id)
        if transaction["available_on"] <= account.now:
            transaction["status"] = "available"
            ready.setdefault(transaction["currency"], []).append(transaction)
    for currency, transactions in ready.items():
        if sum(transaction["net"] for transaction in transactions) > 0:
            _send(account, currency, transactions)


def _send(account: Account, currency: str, transactions: list[Body]) -> None:
    amount = sum(transaction["net"] for transaction in transactions)
    arrival = business_days_later(account.now, ARRIVAL_DAYS)
    payout = shapes_money.payout(account.id("po_"), account.now, amount=amount, currency=currency, arrival_date=arrival)
    own = shapes_money.balance_transaction(
        account.id("txn_"), account.now, amount=-amount, fee=0, currency=currency, type="payout", category="payout",
        source=payout["id"], description="STRIPE PAYOUT", available_on=arrival,
    )  # fmt: skip
    own["status"] = "available"
    payout["balance_transaction"] = account.add(own)["id"]
    taken = {transaction["id"] for transaction in transactions}
    account.unpaid = [id for id in account.unpaid if id not in taken]
    account.payout_members[payout["id"]] = [own, *reversed(transactions)]
    account.add(payout, "payout.created")
    account.schedule(arrival, "payout_arrives", payout["id"])


def arrive(account: Account, id: str) -> None:
    payout = account.get("payout", id)
    if payout["status"] == "pending":
        payout["status"] = "paid"
        account.save(payout, "payout.paid")
        account.schedule(account.now + RECONCILIATION_S, "payout_reconciled", id)


def reconciled(account: Account, id: str) -> None:
    payout = account.get("payout", id)
    if payout["status"] != "paid":
        return
    payout["reconciliation_status"] = "completed"
    payout["trace_id"] = {"status": "supported", "value": f"SANDBOX{account.count('trace'):06}"}
    account.save(payout, "payout.reconciliation_completed")


def fail(account: Account, payout: Body) -> Body:
    """The bank refused the money: it is available again, and goes out with a later payout."""
    if payout["status"] not in ("pending", "paid"):
        raise ValueError(f"{payout['id']} is {payout['status']}")
    back = move(
        account, amount=payout["amount"], currency=payout["currency"], type="payout_failure", category="payout_reversal",
        source=payout["id"], description="STRIPE PAYOUT FAILURE",
    )  # fmt: skip
    payout.update(
        status="failed",
        failure_balance_transaction=back["id"],
        failure_code="account_closed",
        failure_message="The bank account has been closed.",
    )
    return account.save(payout, "payout.failed")


def overview(account: Account) -> Body:
    sums: dict[str, dict[str, int]] = {"available": {"usd": 0}, "pending": {"usd": 0}}
    for id in account.unpaid:
        transaction = account.get("balance_transaction", id)
        state = "available" if transaction["available_on"] <= account.now else "pending"
        sums[state][transaction["currency"]] = sums[state].get(transaction["currency"], 0) + transaction["net"]
    shown = {
        state: [{"amount": amount, "currency": currency, "source_types": {"card": amount}} for currency, amount in by.items()]
        for state, by in sums.items()
    }
    return {"object": "balance", "livemode": False, **shown}
