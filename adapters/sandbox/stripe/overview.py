"""The account as a whole: its switches and settings, and what its balance comes to."""

from __future__ import annotations

from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.shapes import nulls


def account(account: Account) -> Body:
    schedule = {"delay_days": 2, "interval": account.payout_schedule}
    return {
        "id": "acct_1SandboxAccount000000",
        "object": "account",
        "capabilities": {"card_payments": "active", "us_bank_account_ach_payments": "active"},
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@msp.example",
        **account.switches,
        "settings": {
            "branding": nulls("icon logo primary_color secondary_color"),
            "card_payments": {
                "decline_on": {"avs_failure": False, "cvc_failure": False},
                **nulls("statement_descriptor_prefix statement_descriptor_prefix_kana statement_descriptor_prefix_kanji"),
            },
            "dashboard": {"display_name": "MSP", "timezone": "America/New_York"},
            "payments": nulls("statement_descriptor statement_descriptor_kana statement_descriptor_kanji"),
            "payouts": {
                "debit_negative_balances": account.debit_negative,
                "schedule": schedule,
                "statement_descriptor": None,
            },
        },
        "type": "standard",
    }


def balance(account: Account) -> Body:
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
