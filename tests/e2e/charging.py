"""What the partners themselves show of charging: debits at Stripe, invoices in ConnectWise, and how they belong together."""

from __future__ import annotations

from typing import Any

from tests.e2e.msp import Msp, cents

MARK = "psa_connector"
ENDED = ("canceled", "incomplete_expired")


def only(rows: list[Any]) -> Any:
    (row,) = rows
    return row


def notes(invoice: dict[str, Any]) -> dict[str, str]:
    """An invoice's metadata over what its subscription gave it."""
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    return {**(details.get("metadata") or {}), **(invoice.get("metadata") or {})}


def at_stripe(m: Msp, *states: str) -> list[dict[str, Any]]:
    """Our invoices at Stripe, without the empty ones that open a subscription."""
    opening = [i for i in m.stripe("invoice") if i["billing_reason"] == "subscription_create" and not i["total"]]
    ours = [i for i in m.stripe("invoice") if notes(i).get(MARK) and i not in opening]
    return [i for i in ours if not states or i["status"] in states]


def debits(m: Msp) -> dict[str, list[int]]:
    """Released and not taken back, in cents: by billing unit and period."""
    found: dict[str, list[int]] = {}
    for invoice in at_stripe(m, "open", "paid"):
        if invoice["total"]:
            found.setdefault(notes(invoice).get("charge", invoice["id"]), []).append(invoice["total"])
    return found


def collected(m: Msp) -> int:
    return sum(i["amount_paid"] for i in at_stripe(m))


def subscriptions(m: Msp, agreement: int | None = None, *, ended: bool = False) -> list[dict[str, Any]]:
    """Ours that go on (or also those that ended), all or one agreement's."""
    return [
        s
        for s in m.stripe("subscription")
        if s["metadata"].get(MARK)
        and (ended or s["status"] not in ENDED)
        and (agreement is None or s["metadata"]["unit"] == f"connectwise:{agreement}")
    ]


def bills(m: Msp, agreement: int | None = None, *, since: str = "2026-01-10") -> list[dict[str, Any]]:
    """Agreement invoices in ConnectWise, oldest first."""
    found = [
        i
        for i in m.psa_invoices()
        if i["type"] == "Agreement" and i["date"][:10] >= since and agreement in (None, i["agreement"]["id"])
    ]
    return sorted(found, key=lambda i: (i["date"], i["id"]))


def expected(m: Msp, *agreements: int) -> dict[str, list[int]]:
    """What every bill of these agreements should be debited as: once, in full."""
    return {
        f"connectwise:{bill['agreement']['id']}/{bill['date'][:10]}": [cents(bill["total"])]
        for agreement in agreements
        for bill in bills(m, agreement)
    }


def hold_names(m: Msp) -> list[str]:
    return sorted(h.name for h in m.holds())


def releases(m: Msp, day: str) -> list[str]:
    """Move to a day, let the agent go round, and say what is debited since."""
    before = debits(m)
    m.to(day)
    m.cycle(1)
    return [charge for charge in debits(m) if charge not in before]


def agreement(m: Msp, id: int) -> dict[str, Any]:
    """As it stands in ConnectWise."""
    return only([row for row in m.world.partners["connectwise"].state()["agreements"] if row["id"] == id])


def additions(m: Msp, id: int) -> list[dict[str, Any]]:
    return [row for row in m.world.partners["connectwise"].state()["additions"] if row["agreementId"] == id]


def autopay(m: Msp, id: int, word: str | None) -> None:
    """The office opts the payer of this agreement in or out."""
    payer = agreement(m, id)["billToCompany"]["id"]
    m.act("office.set_custom_field", record="companies", id=payer, caption="Autopay", value=word)
