"""What the partners hold, as an outsider counts it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from connector.flows.meanings import meanings_of
from connector.model.charge import Charge
from connector.model.ledger import EntryKind, undone
from connector.model.reversal import Meaning
from connector.store import links
from tests.e2e.msp import Msp, cents

US = "AutopayAPI"


def ours(m: Msp) -> list[dict[str, Any]]:
    found = m.stripe("invoice")
    return [row for row in found if row["metadata"].get("psa_connector") or _subscription(row).get("psa_connector")]


def _subscription(row: dict[str, Any]) -> dict[str, Any]:
    details = (row.get("parent") or {}).get("subscription_details") or {}
    return dict(details.get("metadata") or {})


def collected(m: Msp) -> Counter[str]:
    """Our invoice -> cents on the balance for it: payments, less refunds and disputes."""
    intents = {row["payment"]["payment_intent"]: row["invoice"] for row in m.stripe("invoice_payment")}
    of = {row["id"]: intents.get(row["payment_intent"], "") for row in m.stripe("charge")}
    for kind in ("refund", "dispute"):
        of |= {row["id"]: of.get(row["charge"], "") for row in m.stripe(kind)}
    mine, net = {row["id"] for row in ours(m)}, Counter[str]()
    for row in m.stripe("balance_transaction"):
        invoice = of.get(row["source"] or "", "")
        net[invoice] += row["amount"] if invoice in mine else 0
    return net


def psa_invoices(m: Msp) -> Iterable[tuple[str, int, int]]:
    """Id, total and what is open of each invoice that stands."""
    for row in m.psa_invoices():
        if m.kind == "connectwise":
            yield str(row["id"]), cents(row["total"]), cents(row["balance"])
        elif not row["isVoided"]:
            yield str(row["id"]), cents(row["invoiceTotal"]), 0 if row["paidDate"] else cents(row["invoiceTotal"])


def psa_net(m: Msp) -> Counter[str]:
    net = Counter[str]()
    for row in m.psa_payments():
        if row.get("_info", {}).get("enteredBy") == US:
            net[str(row["invoice"]["id"])] += cents(row["amount"])
    return net


def psa_others(m: Msp) -> Counter[str]:
    """Invoice -> what anybody else paid on it, credit memos included."""
    net = Counter[str]()
    for row in m.psa_payments():
        if row.get("_info", {}).get("enteredBy") != US:
            net[str(row["invoice"]["id"])] += cents(row["amount"])
    return net


def books_net(m: Msp) -> Counter[str]:
    """Charge -> what payments of ours come to in the books, less our journals that took some back, and those that undid one."""
    net = Counter[str]()
    for row in m.books("Payment"):
        net[_charge_of(row)] += cents(row["TotalAmt"])
    of = {entry.key: entry.charge for entry in m.ledger()}
    journals = {row["Id"]: sum(cents(line["Amount"]) for line in row["Line"]) // 2 for row in m.books("JournalEntry")}
    with m.agent.store.read() as tx:
        ours = links.every(tx, "reversal_booking", "quickbooks")
    for key, link in ours.items():
        if not key.endswith(":lost"):  # from the account of disputed money to the receivable: it had gone before
            sign = 1 if key.startswith("reinstated:") else -1
            net[of.get(key, "")] += sign * journals.get(link.target.removeprefix("journal:"), 0)
    del net[""]
    return net


def _charge_of(row: dict[str, Any]) -> str:
    """Of what carries our mark."""
    note = row.get("PrivateNote") or ""
    named = re.search(r"charge (\S+?);", note)
    return named.group(1) if named and "psa-connector:" in note else ""


def still_paid(m: Msp) -> Counter[str]:
    """Charge -> what went back, and yet its invoice stays paid in the PSA: a credit memo answers for it, or a bank decides."""
    kept = Counter[str]()
    entries = m.ledger()
    with m.agent.store.read() as tx:
        means = meanings_of(tx, m.agent.desk, entries)
    for entry in entries:
        if means.get(entry.key) in (Meaning.CREDIT, Meaning.UNSAID, Meaning.DISPUTED) and not undone(entries, entry):
            kept[entry.charge] += entry.amount.minor
    return kept


def ledger_net(m: Msp, charge: Charge) -> int:
    mine = [entry for entry in m.ledger() if entry.charge == charge.id]
    return sum(e.amount.minor if e.kind is EntryKind.PAYMENT else -e.amount.minor for e in mine)
