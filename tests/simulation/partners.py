"""What the partners hold, as an outsider counts it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from connector.model.charge import Charge
from connector.model.ledger import EntryKind
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


def books_net(m: Msp) -> Counter[str]:
    """Charge -> what payments of ours come to in the books, and the journals that took them back."""
    net = Counter[str]()
    for row in m.books("Payment"):
        net[_charge_of(row)] += cents(row["TotalAmt"])
    for row in m.books("JournalEntry"):
        net[_charge_of(row)] -= sum(cents(line["Amount"]) for line in row["Line"]) // 2
    del net[""]
    return net


def _charge_of(row: dict[str, Any]) -> str:
    """Of what carries our mark."""
    note = row.get("PrivateNote") or ""
    named = re.search(r"charge (\S+?);", note)
    return named.group(1) if named and "psa-connector:" in note else ""


def ledger_net(m: Msp, charge: Charge) -> int:
    mine = [entry for entry in m.ledger() if entry.charge == charge.id]
    return sum(e.amount.minor if e.kind is EntryKind.PAYMENT else -e.amount.minor for e in mine)
