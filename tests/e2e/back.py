"""Money that comes back, in tests: a charge that is paid and entered everywhere, and the four counts of what is left of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from connector.model.ledger import net
from connector.store import links
from tests.e2e.msp import Msp, cents

ACCOUNTS = {"clearing": "93", "bank": "35", "fees": "92", "reserves": "95", "foreign": "96"}
CLEARING = {"method": "clearing_account", "accounts": ACCOUNTS, "foreign": "book"}
WITH_DISPUTED = {**CLEARING, "accounts": {**ACCOUNTS, "disputed": "94"}}
UNDEPOSITED = {"method": "undeposited_funds", "accounts": {"bank": "35", "fees": "92"}}
METHODS: dict[str, dict[str, Any]] = {"clearing": CLEARING, "undeposited": UNDEPOSITED, "payments_only": {}}


def paid(m: Msp, *, method: str = "card") -> str:
    """February's 500.00 is paid and entered everywhere. The gateway's payment."""
    m.sign_up(method=method) if m.kind == "connectwise" else m.sign_up_in_autotask(method=method)
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02" if method == "card" else "2026-02-10", 20)
    m.cycle(1)
    assert m.reconcile().ties, m.reconcile().drifts
    return m.ledger()[0].payment


def days(m: Msp, number: int = 1) -> None:
    for _ in range(number):
        m.at(m.world.now + timedelta(days=1))
        m.cycle(2)


def held(m: Msp, account: str) -> int:
    """What the account (its name in the configuration) holds in the books."""
    company = m.world.partners["quickbooks"].company  # type: ignore[attr-defined]
    return cents(Decimal(company.account_balance(ACCOUNTS.get(account, account))))


def receivable(m: Msp) -> int:
    assert m.agent.desk.books is not None
    return sum(r.amount.minor for r in m.agent.desk.books.receivables(on=m.agent.desk.today()).values())


def open_in_books(m: Msp) -> list[int]:
    return [cents(row["Balance"]) for row in m.books("Invoice")]


def open_in_psa(m: Msp) -> list[int]:
    """Of the invoices that charges are for; Autotask knows them as paid or not."""
    ours = {charge.psa_invoice for charge in m.charges()}
    bills = [row for row in m.psa_invoices() if str(row["id"]) in ours]
    if m.kind == "connectwise":
        return [cents(row["balance"]) for row in bills]
    return [0 if row["paidDate"] else cents(row["invoiceTotal"]) for row in bills]


def at_gateway(m: Msp) -> int:
    """Net of all payments and what went back of them, fees aside."""
    payments = {e.payment for e in m.ledger()}
    gone = [r.amount.minor for p in payments for r in m.agent.desk.gateway.reversals(p)]
    return sum(one["amount_received"] for one in m.stripe("payment_intent")) - sum(gone)


def in_ledger(m: Msp) -> int:
    return net(m.ledger(), "USD").minor


def entered_in_books(m: Msp) -> int:
    """Of our payments, less our journals that took money away, plus those that undid one."""
    assert m.agent.desk.books is not None
    with m.agent.store.read() as tx:
        journals = {k: v.target for k, v in links.every(tx, "reversal_booking", m.agent.desk.books.name).items()}
    booked = m.agent.desk.books.booked(list(journals.values()))
    signs = {key: (1 if key.startswith("reinstated:") else 0 if key.endswith(":lost") else -1) for key in journals}
    ours = sum(cents(row["TotalAmt"]) for row in m.books("Payment") if "psa-connector" in row.get("PrivateNote", ""))
    return ours + sum(signs[key] * booked[id].amount.minor for key, id in journals.items() if id in booked)


def kinds(m: Msp) -> set[str]:
    return {drift.kind for drift in m.reconcile().drifts}
