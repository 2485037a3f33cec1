"""Which MSP it is: its PSA, its size and its configuration, drawn from the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

ACCOUNTS = {"clearing": "93", "bank": "35", "fees": "92", "reserves": "95", "foreign": "96"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    psa: str
    customers: int
    config: dict[str, Any]

    def __str__(self) -> str:
        charging, books = self.config["charging"], self.config["books"]
        words = [f"{name} {value}" for name, value in charging.items()]
        return ", ".join([self.psa, f"{self.customers} customers at first", *words, str(books["method"])])

    @property
    def books_payouts(self) -> bool:
        return bool(self.config["books"]["method"] != "payments_only")


def drawn(chance: random.Random, seed: int) -> Setting:
    charging: dict[str, Any] = {
        "approve": chance.choice(("never", "never", "first_periods", "always")),
        "release": chance.choice(("agent", "agent", "agent", "automatic")),
        "supplementary": chance.choice(("hold", "release")),
        "date": chance.choice(("due_date", "due_date", "invoice_date")),
    }
    if chance.random() < 0.3:
        charging |= {"max_change_percent": 50, "max_change_amount": 200}
    if chance.random() < 0.2:
        charging["missing_invoice"] = "computed"
    books: dict[str, Any] = {"method": chance.choice(("payments_only", "clearing_account", "undeposited_funds"))}
    if books["method"] != "payments_only":
        books |= {"accounts": ACCOUNTS, "foreign": "book"}
    if books["method"] == "undeposited_funds":
        books["accounts"] = {name: id for name, id in ACCOUNTS.items() if name != "clearing"}
    if books["method"] != "payments_only" and chance.random() < 0.5:
        books["accounts"] = {**books["accounts"], "disputed": "94"}
    psa = "autotask" if seed % 3 == 0 else "connectwise"
    limits = {"cancels_percent": 100, "changes_percent": 100}  # who looks at a plan is not simulated
    return Setting(psa=psa, customers=chance.randint(3, 6), config={"charging": charging, "books": books, "limits": limits})
