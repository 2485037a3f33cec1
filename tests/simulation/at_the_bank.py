"""What the bank account in the books says beside the gateway's payouts, when all is quiet."""

from __future__ import annotations

from decimal import Decimal

from connector.flows.payout_bookings import BY_HAND
from connector.flows.payout_list import listed
from tests.e2e.msp import Msp, cents
from tests.simulation.broken import need

BANK = "35"


def balance(m: Msp) -> int:
    company = m.world.partners["quickbooks"].company  # type: ignore[attr-defined]
    return cents(Decimal(company.account_balance(BANK)))


def check(m: Msp, *, opened_with: int) -> None:
    """To the cent what the payouts brought that are booked; one that is not booked says why."""
    found = listed(m.agent.desk).rows
    silent = [row.payout for row in found if not row.booked and not row.state]
    need(not silent, "each payout is booked, or says what it waits for", str(silent))
    if any(row.booked == BY_HAND for row in found):
        return
    booked = sum(row.amount.minor for row in found if row.booked)
    there = balance(m) - opened_with
    need(there == booked, "the bank in the books has what the payouts brought", f"{there} and {booked}")
    known = {row.payout for row in found}
    paid = {row["id"] for row in m.stripe("payout") if row["status"] == "paid" and row["amount"]}
    need(paid <= known or not found, "each payout is known", str(sorted(paid - known)))
