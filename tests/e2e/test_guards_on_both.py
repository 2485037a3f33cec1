"""Guards that ask the PSA, the books or the gateway, on ConnectWise and on Autotask: one book, every payer another trouble."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.flows.switch import pause, resume
from tests.e2e.charging import debits
from tests.e2e.msp import Msp, msp
from tests.e2e.troubled import Office

HOLDS = {
    "Cap": "cap",
    "Mandate": "mandate_maximum",
    "Unapproved": "not_approved",
    "Small": "below_minimum",
    "Never": "missing_invoice",
    "Deleted": "closed_differently",
    "Optedout": "not_opted_in",
    "Twice": "several_invoices",
    "Currency": "currency_differs",
    "Elsewhere": "payer_differs",
    "Credit": "credit_balance",
    "Cheque": "balances_differ",
    "Unapplied": "unapplied_credit",
    "Owes": "gateway_balance",
    "Expired": "card_expired",
    "Removed": "no_method",
    "Foreign": "foreign_subscription",
}
BOOKED = "balances_differ credit_balance"  # an invoice of ConnectWise that was in the books before it was credited
LATER = {"Gone": "invoice_gone", "Bank": "in_flight"}  # after the release
FINE = ["Fine", "Change"]
CHARGING: dict[str, Any] = {"approve": "never", "date": "day_of_month", "day": 10}


def book(m: Msp) -> Office:
    office = Office(m, [*HOLDS, *LATER, *FINE])
    own = {"Cap": {"cap_per_charge": 100}, "Mandate": {"mandate_maximum": 100}, "Unapproved": {"approve": "always"}}
    own["Change"] = {"max_change_percent": 50, "max_change_amount": 100}
    m.restart(charging=CHARGING | {"payers": {str(office.payers[name].company): limits for name, limits in own.items()}})
    m.cycle(1)
    m.enrol(only="Gone", behaviour="decline")
    m.enrol(only="Bank", method="us_bank_account")
    m.run("collect", "enrol")
    m.enrol()
    m.run("collect", "mirror")
    office.never_bills("Never")
    if office.autotask:
        office.owes_them("Credit")
    m.to("2026-02-02")
    m.cycle(1)
    return office


def troubles(office: Office) -> None:
    m = office.m
    m.act("office.set_automatic", on=False)
    office.deletes_the_bill("Deleted")
    office.opts("Optedout", "No")
    office.bills_more("Twice")
    office.changes_currency("Currency")
    office.bills_somebody_else("Elsewhere", "Fine")
    if not office.autotask:
        office.credits_too_much("Credit")
    office.books_have_a_payment("Cheque", on=office.number("Cheque"))
    office.books_have_a_payment("Unapplied", on=None)
    office.at_the_gateway("Owes")["balance"] = 7000
    office.method("Expired")["card"].update(exp_month=1, exp_year=2026)
    m.act("stripe.detach_method", method=office.method("Removed")["id"])
    m.act("stripe.add_subscription", customer=office.customer("Foreign"), amount=50000, next_on="2026-02-15")


def held(office: Office) -> dict[str, str]:
    names = {f"{office.m.kind}:{payer.agreement}": payer.name for payer in office.payers.values()}
    found: dict[str, list[str]] = {}
    for hold in office.m.holds():
        found.setdefault(names[hold.charge.rpartition("/")[0]], []).append(hold.name)
    return {name: " ".join(sorted(reasons)) for name, reasons in found.items()}


def charged(office: Office, month: str) -> dict[str, int]:
    taken = debits(office.m)
    of = {name: f"{office.m.kind}:{payer.agreement}/2026-{month}-01" for name, payer in office.payers.items()}
    return {name: sum(taken[charge]) for name, charge in of.items() if charge in taken}


@pytest.mark.parametrize("psa", ["connectwise", "autotask"])
def test_each_trouble_holds_its_own_charge_by_its_own_name_and_nobody_elses(tmp_path: Path, psa: str) -> None:
    with msp(tmp_path, agreements=0, psa=psa, charging=CHARGING) as m:
        office = book(m)
        troubles(office)
        pause(m.agent.desk, who="Dana", why="a look first")
        m.to("2026-02-10")
        m.cycle(1)
        while_paused, paused = charged(office, "02"), {name for name, why in held(office).items() if "paused" in why.split()}
        resume(m.agent.desk, who="Dana", why="seen")
        m.cycle(1)
        february = held(office)

        assert (while_paused, {"Fine", "Cap", "Cheque"} <= paused) == ({}, True)
        assert february == HOLDS | ({"Credit": BOOKED} if psa == "connectwise" else {})
        assert charged(office, "02") == dict.fromkeys([*LATER, *FINE], 50000)

        m.at(m.world.now.replace(hour=22))
        m.cycle(1)
        office.deletes_the_bill("Gone")
        office.is_paid_by_cheque("Bank")
        m.cycle(1)

        assert {name: why for name, why in held(office).items() if name in LATER} == LATER

        office.raises_the_price("Change")
        m.act("office.set_automatic", on=True)
        m.to("2026-03-02")
        m.cycle(1)
        m.to("2026-03-10")
        m.run("release")
        unread = charged(office, "03"), held(office)["Fine"]
        m.cycle(1)

        assert unread == ({}, "stale_data")
        assert (charged(office, "03")["Fine"], held(office)["Change"]) == (50000, "change")
        assert {"Fine", "Change"} & set(held(office)) == {"Change"}
