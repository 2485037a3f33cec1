"""The gateway refuses, or does not answer, while a charge is released or lowered: nothing is taken that is not owed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.agent import sync_once
from connector.flows import release
from connector.model.charge import ChargeState
from connector.model.money import Money
from connector.store import charges
from tests.e2e.charging import at_stripe, bills, collected, debits, hold_names, only
from tests.e2e.msp import Msp, msp

NAME = "Contoso Dental"
CREDIT_NOTES = r"/credit_notes$"


def retried(m: Msp) -> int:
    """February's 500.00 were declined; Stripe will try again."""
    id = m.sign_up(behaviour="decline")
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02", 22)
    m.cycle(1)
    return id


def cheque(m: Msp, id: int, amount: str) -> None:
    number = str(bills(m, id)[0]["invoiceNumber"])
    m.act("office.record_payment", invoice=number, amount=amount)
    m.act("quickbooks.enter_payment", customer_name=NAME, amount=amount, number=number)


def invoice(m: Msp) -> Any:
    return only(at_stripe(m))


def test_a_reduction_that_fails_stops_the_collection_until_it_is_done(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = retried(m)
        cheque(m, id, "120.00")
        m.fault("500", "stripe", method="POST", path=CREDIT_NOTES, count=40)
        m.run("release")
        assert (invoice(m)["amount_remaining"], invoice(m)["auto_advance"]) == (50000, False)
        assert hold_names(m) == ["not_lowered"]
        m.world.faults.clear()
        m.to("2026-02-03")
        m.run("mirror", "release")
        assert invoice(m)["amount_remaining"] == 38000
        m.run("release")

        assert invoice(m)["auto_advance"] is True
        assert hold_names(m) == []


def test_a_reduction_without_an_answer_is_made_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = retried(m)
        cheque(m, id, "120.00")
        m.fault("reply_lost", "stripe", method="POST", path=CREDIT_NOTES)
        m.run("release")
        m.to("2026-02-03")
        m.run("mirror", "release")

        assert invoice(m)["amount_remaining"] == 38000
        assert len([note for note in m.stripe("credit_note") if note["status"] == "issued"]) == 1


def void(m: Msp, note: dict[str, Any]) -> None:
    """In the dashboard; the sandbox has no such button."""
    account = m.world.partners["stripe"].account  # type: ignore[attr-defined]
    account.get("credit_note", note["id"])["status"] = "void"
    row = account.get("invoice", note["invoice"])
    row["pre_payment_credit_notes_amount"] -= note["amount"]
    row["amount_due"] += note["amount"]
    row["amount_remaining"] += note["amount"]


def test_a_reduction_that_a_person_took_back_at_the_gateway_is_made_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = retried(m)
        cheque(m, id, "120.00")
        m.run("release")
        void(m, only(m.stripe("credit_note")))
        assert invoice(m)["amount_remaining"] == 50000
        m.to("2026-02-03")
        m.run("mirror", "release")

        assert invoice(m)["amount_remaining"] == 38000


def test_what_a_person_stopped_in_the_dashboard_stays_stopped(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        retried(m)
        m.agent.desk.gateway.stop(next(iter(m.agent.desk.gateway.open_invoices())))
        m.to("2026-02-03")
        m.cycle()

        assert invoice(m)["auto_advance"] is False


def test_one_draft_that_cannot_be_adjusted_now_keeps_nobody_back(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        first, second = m.sign_up(), m.sign_up("Fabrikam")
        m.to("2026-02-02")
        m.run("mirror")
        m.fault("500", "stripe", path=r"/invoices/\w+/finalize", count=1)
        report = release.release(m.agent.desk)
        assert len(report.failed) + len(report.released) == 2
        m.cycle()

        assert sorted(debits(m)) == [f"connectwise:{id}/2026-02-01" for id in (first, second)]


def test_open_invoices_are_watched_though_the_drafts_round_failed(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = retried(m)
        for name in ("One", "Two", "Three", "Four"):
            m.sign_up(name, starts="2026-03-01", anchor="2026-03-01")
        m.to("2026-03-02")
        m.run("mirror")
        cheque(m, id, "500.00")
        m.fault("500", "stripe", path=r"/finalize", count=200)
        asked = len(m.requests(partner="stripe"))
        sync_once(m.agent)

        february = only([i for i in at_stripe(m) if i["id"] == m.charge(f"connectwise:{id}/2026-02-01").gateway_invoice])
        assert february["auto_advance"] is False or february["status"] == "void"
        assert len(m.requests(partner="stripe")) - asked < 150


def test_who_was_charged_is_who_paid_though_the_agreement_is_billed_to_another_since(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = retried(m)
        before = m.charge(f"connectwise:{id}/2026-02-01").payer
        other = m.act("office.add_company", name="Fabrikam", email="ap@fabrikam.example", Autopay="Yes")
        value = {"id": other, "identifier": "Fabrikam", "name": "Fabrikam"}
        m.act("office.set_field", record="agreements", id=id, field="billToCompany", value=value)
        m.to("2026-02-03")
        m.cycle()
        for method in m.stripe("payment_method"):
            m.act("stripe.set_behaviour", method=method["id"], behaviour="ok")
        for day in ("2026-02-08", "2026-02-12", "2026-02-18"):
            m.to(day)
            m.cycle()

        assert collected(m) == 50000
        assert {entry.payer for entry in m.ledger()} == {before}
        assert m.charge(f"connectwise:{id}/2026-02-01").state is ChargeState.PAID


def test_a_crash_after_a_draft_was_written_off_leaves_it_written_off_with_nothing_owed(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(terms="Net 15")
        m.to("2026-02-03")
        m.cycle(1)
        draft = only(list(m.agent.desk.gateway.drafts()))
        cheque(m, id, "500.00")
        with m.agent.store.begin() as tx:
            charges.update(tx, f"connectwise:{id}/2026-02-01", owed=Money.zero("USD"), now=m.world.now)  # written ahead
        m.agent.desk.gateway.write_off(draft)
        m.cycle()

        charge = m.charge(f"connectwise:{id}/2026-02-01")
        assert (charge.state, charge.owed) == (ChargeState.WRITTEN_OFF, Money.zero("USD"))


@pytest.mark.parametrize("psa", ["connectwise", "autotask"])
def test_an_invoice_that_cannot_be_read_holds_its_own_agreement_and_nobody_else(tmp_path: Path, psa: str) -> None:
    """One amount is text, through a defect or a bad import. Open charges of the agreement stay as they are."""
    with msp(tmp_path, agreements=0, psa=psa, books=None) as m:
        sign_up = m.sign_up_in_autotask if psa == "autotask" else m.sign_up
        broken, fine = sign_up(), sign_up("Fabrikam Holding")
        m.to("2026-02-01")
        for partner_invoice in m.psa_invoices()[-2:]:
            if "Contoso" in owner(m, partner_invoice):
                spoil(m, partner_invoice["id"], "a lot")
        m.cycle(1)
        taken, held = list(debits(m)), [(hold.charge, hold.name) for hold in m.holds()]
        told = {drift.kind for drift in m.reconcile().drifts}
        for partner_invoice in m.psa_invoices()[-2:]:
            spoil(m, partner_invoice["id"], 500)
        m.cycle(1)

        first = f"{psa}:{broken}/2026-02-01"
        assert taken == [f"{psa}:{fine}/2026-02-01"]
        assert held == [(first, "unreadable_invoice")]
        assert "unreadable_invoice" in told
        assert sorted(debits(m).items()) == [(first, [50000]), (f"{psa}:{fine}/2026-02-01", [50000])]
        assert m.holds() == []


def owner(m: Msp, invoice: dict[str, Any]) -> str:
    """The name of the company that an invoice is billed to."""
    if m.kind == "connectwise":
        return str(invoice["company"]["name"])
    companies = m.world.partners["autotask"].state()["Companies"]
    return next(str(row["companyName"]) for row in companies if row["id"] == invoice["companyID"])


def spoil(m: Msp, invoice: int, total: Any) -> None:
    """Behind the screens, which would not take it."""
    records = m.world.partners[m.kind].records  # type: ignore[attr-defined]
    records.invoices.rows[invoice]["invoiceTotal" if m.kind == "autotask" else "total"] = total
