"""Project, time and materials, and product invoices of payers who agreed to it: each is debited by itself, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connector.flows import explain, forecast, overrule, recover, switch
from connector.flows.decide import decide
from connector.model.charge import Charge, ChargeState
from connector.model.decision import ChargeDecision
from connector.overview import overview
from connector.store import other_invoices
from connector.store.other_invoices import Uncollected
from tests.e2e.charging import agreement, at_stripe, collected, debits, hold_names, only
from tests.e2e.msp import Msp, msp

ALL = {"project": True, "time_and_materials": True, "product": True}


def opted_in(m: Msp, id: int, *, cap: str = "5000", books: Any = None, **sorts: bool) -> None:
    """The payer of this agreement agreed to it; the agent begins anew with that."""
    payer = agreement(m, id)["billToCompany"]["id"]
    collect = {"other_invoices": sorts or ALL, "payers": {str(payer): {"cap": cap}}}
    m.restart(collect=collect, **({"books": None} if books is None else {}))


def days(m: Msp, *dates: str) -> None:
    for day in dates:
        m.to(day)
        m.cycle()


def invoice(m: Msp, id: int, amount: str = "1200.00", **fields: Any) -> dict[str, Any]:
    """Due on receipt, of the agreement's payer."""
    company = agreement(m, id)["billToCompany"]["id"]
    return dict(m.act("office.create_other_invoice", company=company, amount=amount, **{"due_days": 0, **fields}))


def others(m: Msp) -> list[Charge]:
    return [charge for charge in m.charges() if "invoice-" in charge.unit]


def listed(m: Msp) -> list[Uncollected]:
    with m.agent.store.read() as tx:
        return other_invoices.every(tx)


def in_psa(m: Msp, invoice: dict[str, Any]) -> dict[str, Any]:
    return dict(only([row for row in m.psa_invoices() if row["id"] == invoice["id"]]))


def test_an_opted_in_payers_project_invoice_is_debited_once_and_written_back(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        opted_in(m, id, books=True)
        days(m, "2026-02-02", "2026-02-03")
        made = invoice(m, id, type="Progress")
        days(m, "2026-02-04", "2026-02-05", "2026-02-06", "2026-02-10")

        charge = only(others(m))
        assert debits(m)[charge.id] == [120000]
        assert (charge.state, charge.psa_invoice) == (ChargeState.PAID, str(made["id"]))
        assert in_psa(m, made)["balance"] == 0
        assert collected(m) == 50000 + 120000
        assert m.undelivered() == []
        assert len(m.books("Payment")) == 2
        assert listed(m) == []
        assert m.holds() == []
        assert m.reconcile().ties


def test_nothing_but_the_agreements_bills_is_collected_while_it_is_off(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        days(m, "2026-02-02", "2026-02-03")
        made = invoice(m, id)
        days(m, "2026-02-04", "2026-02-10")

        (row,) = listed(m)
        assert (row.number, row.payer_name, row.open.minor) == (made["number"], "Contoso Dental", 120000)
        assert others(m) == []
        assert collected(m) == 50000


def test_only_the_sorts_that_were_chosen_are_collected(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        opted_in(m, id, project=True)
        days(m, "2026-02-02")
        project, work = invoice(m, id, type="Progress"), invoice(m, id, "300.00")
        down = invoice(m, id, "400.00", type="DownPayment")
        days(m, "2026-02-03", "2026-02-04")

        assert [charge.psa_invoice for charge in others(m)] == [str(project["id"])]
        assert [row.psa_invoice for row in listed(m)] == [str(work["id"]), str(down["id"])]
        assert collected(m) == 50000 + 120000


def test_an_invoice_above_the_payers_cap_is_held_until_a_person_overrules_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        opted_in(m, id, cap="1000")
        days(m, "2026-02-02")
        invoice(m, id)
        days(m, "2026-02-03", "2026-02-04")
        assert hold_names(m) == ["other_cap"]
        assert collected(m) == 50000
        overrule.overrule(m.agent.desk, only(others(m)).id, who="Ann", why="the customer agreed by e-mail")
        days(m, "2026-02-05", "2026-02-06")

        assert collected(m) == 50000 + 120000
        assert m.holds() == []


def test_an_invoice_waits_for_its_due_date_and_is_written_off_when_a_cheque_pays_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        opted_in(m, id)
        days(m, "2026-02-02")
        made = invoice(m, id, due_days=14)
        days(m, "2026-02-05")
        assert only(others(m)).state is ChargeState.WAITING
        m.act("office.record_payment", invoice=made["id"], amount="1200.00")
        days(m, "2026-02-17", "2026-02-18")

        assert only(others(m)).state is ChargeState.WRITTEN_OFF
        assert collected(m) == 50000


def test_a_part_paid_by_cheque_leaves_the_rest_to_debit(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        opted_in(m, id)
        days(m, "2026-02-02")
        made = invoice(m, id, due_days=14)
        days(m, "2026-02-05")
        m.act("office.record_payment", invoice=made["id"], amount="200.00")
        days(m, "2026-02-17", "2026-02-18")

        assert debits(m)[only(others(m)).id] == [100000]
        assert in_psa(m, made)["balance"] == 0
        assert m.reconcile().ties


def test_an_invoice_deleted_before_it_was_due_is_not_debited(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        opted_in(m, id)
        days(m, "2026-02-02")
        made = invoice(m, id, due_days=5)
        days(m, "2026-02-03")
        m.act("office.delete_invoice", invoice=made["id"])
        days(m, "2026-02-08")
        failed, held = m.run("release").failed, hold_names(m)
        days(m, "2026-02-12", "2026-02-16")

        assert (failed, held) == ([], ["missing_invoice"])  # and the next one can be read and taken up
        assert (m.holds(), only(others(m)).state) == ([], ChargeState.WRITTEN_OFF)
        assert collected(m) == 50000


def test_credit_memos_are_never_collected_and_work_applied_to_the_agreement_is_no_shared_bill(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        opted_in(m, id)
        days(m, "2026-02-02")
        made = invoice(m, id, "300.00", agreement=id)
        m.act("office.create_credit_memo", invoice=made["id"], amount="50.00", apply=False)
        days(m, "2026-02-03", "2026-02-04")

        assert sorted(amount for of_charge in debits(m).values() for amount in of_charge) == [30000, 50000]
        assert m.holds() == []
        assert m.reconcile().ties


def test_what_was_invoiced_before_the_payer_was_opted_in_is_listed_and_not_collected(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        days(m, "2026-02-02")
        before = invoice(m, id)
        days(m, "2026-02-05")
        opted_in(m, id)
        days(m, "2026-02-06", "2026-02-10")

        assert [row.psa_invoice for row in listed(m)] == [str(before["id"])]
        assert "before 2026-02-0" in listed(m)[0].why
        assert collected(m) == 50000


def test_a_payer_who_is_opted_out_again_is_not_debited_for_what_waits(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        opted_in(m, id)
        days(m, "2026-02-02")
        invoice(m, id, due_days=3)
        days(m, "2026-02-03")
        m.restart(books=None)
        days(m, "2026-02-06", "2026-02-07")

        assert hold_names(m) == ["not_opted_in"]
        assert collected(m) == 50000


def test_after_a_restart_from_an_older_copy_of_the_store_nothing_is_debited_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None, write_back={"psa_payments": "accounting_sync"}) as m:
        id = m.sign_up()
        payer = agreement(m, id)["billToCompany"]["id"]
        own = {"collect": {"other_invoices": ALL, "payers": {str(payer): {"cap": "5000"}}}, "books": None}
        own["write_back"] = {"psa_payments": "accounting_sync"}
        m.restart(**own)
        days(m, "2026-02-02")
        m.stack.close()
        copy = (tmp_path / "connector.db").read_bytes()
        m.restart(**own)
        invoice(m, id)
        days(m, "2026-02-03", "2026-02-04")
        before = debits(m)
        m.stack.close()
        for rest in tmp_path.glob("connector.db-*"):
            rest.unlink()
        (tmp_path / "connector.db").write_bytes(copy)
        m.restart(**own)
        found = recover.survey(m.agent.desk)
        recover.recover(m.agent.desk, found, who="Dana", why="the disk died")
        m.agent.high_water.recovered()
        days(m, "2026-02-05", "2026-02-06")
        switch.resume(m.agent.desk, who="Dana", why="looked")
        days(m, "2026-02-07", "2026-02-08")

        assert found.unclear == ()
        assert debits(m) == before
        assert only(others(m)).state is ChargeState.PAID
        assert len(at_stripe(m)) == 2


def test_money_that_went_back_is_collected_again_only_when_a_person_decides_so(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        opted_in(m, id)
        days(m, "2026-02-02")
        made = invoice(m, id)
        days(m, "2026-02-03", "2026-02-04")
        charge = only(others(m))
        payment = only([entry for entry in m.ledger() if entry.charge == charge.id]).payment
        m.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
        days(m, "2026-02-05", "2026-02-06", "2026-02-10")
        assert in_psa(m, made)["balance"] == 1200
        assert list(debits(m).values()) == [[50000], [120000]]
        decide(m.agent.desk, charge.id, ChargeDecision.RECOLLECT, who="Ann", why="refunded by mistake")
        days(m, "2026-02-11", "2026-02-12", "2026-02-20")

        assert debits(m)[f"{charge.id}/1"] == [120000]
        assert in_psa(m, made)["balance"] == 0
        assert m.holds() == []
        assert len(others(m)) == 2


def test_the_forecast_the_status_and_the_explanation_name_what_is_collected_and_what_is_not(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        opted_in(m, id, project=True)
        days(m, "2026-02-02")
        project = invoice(m, id, type="Progress", due_days=10)
        work = invoice(m, id, "300.00")
        days(m, "2026-02-03")
        charge = only(others(m))
        said = forecast.forecast(m.agent.desk, days=40)
        shown = overview(m.agent.desk)
        before = explain.explain(m.agent.desk, f"invoice {project['number']}")
        days(m, "2026-02-13", "2026-02-14")
        after = explain.explain(m.agent.desk, charge.id)

        row = only([row for row in said.rows if row.charge == charge.id])
        assert (row.on.isoformat(), row.amount.minor, row.reasons) == ("2026-02-12", 120000, ())
        assert row.name == f"Contoso Dental: invoice {project['number']}"
        assert [(one.number, one.open.minor) for one in said.uncollected] == [(work["number"], 30000)]
        assert shown.uncollected == said.uncollected
        assert row.name in [planned.name for planned in shown.planned]
        assert (before.amount.minor, [line.kind for line in before.lines]) == (120000, ["base"])
        assert after.happened is not None
        assert sum(line.amount.minor for line in after.lines) == after.amount.minor == 120000


def test_the_invoices_tax_is_a_line_of_its_own(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        opted_in(m, id)
        days(m, "2026-02-02")
        made = invoice(m, id, "100.00", due_days=2)
        for name, value in (("salesTax", 8.25), ("total", 108.25), ("balance", 108.25)):
            m.act("office.set_field", record="invoices", id=made["id"], field=name, value=value)
        days(m, "2026-02-05", "2026-02-06")

        charge = only(others(m))
        assert [(line.kind, line.amount.minor) for line in charge.breakdown] == [("base", 10000), ("tax", 825)]
        assert debits(m)[charge.id] == [10825]


def test_a_company_that_nobody_knows_is_named_by_status(tmp_path: Path) -> None:
    collect = {"other_invoices": ALL, "payers": {"987654": {"cap": "100"}}}
    with msp(tmp_path, agreements=0, books=None, collect=collect) as m:
        m.sign_up()
        m.cycle()

        assert any("collect.payers.987654" in notice for notice in overview(m.agent.desk).notices)


def test_in_autotask_a_project_invoice_is_debited_once_and_marked_as_paid(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, psa="autotask", books=None) as m:
        m.sign_up_in_autotask()
        (payer,) = {charge.payer.partition(":")[2] for charge in _after_the_first_bill(m)}
        m.restart(books=None, collect={"other_invoices": ALL, "payers": {payer: {"cap": "5000"}}})
        days(m, "2026-02-03")
        m.act("office.add_charge", company="Contoso Dental", amount="700.00", dated="2026-02-04", taxed=False)
        (made,) = m.act("office.create_invoices", through="2026-02-04", dated="2026-02-04", due_days=0)
        days(m, "2026-02-05", "2026-02-06", "2026-02-10")

        charge = only(others(m))
        assert debits(m)[charge.id] == [70000]
        assert collected(m) == 50000 + 70000
        assert only([row for row in m.psa_invoices() if row["id"] == made["id"]])["paidDate"]
        assert m.undelivered() == []
        assert m.holds() == []


def _after_the_first_bill(m: Msp) -> list[Charge]:
    days(m, "2026-02-02")
    return m.charges()


def test_a_draft_whose_answer_was_lost_is_found_and_not_made_a_second_time(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        opted_in(m, id)
        days(m, "2026-02-02")
        invoice(m, id)
        m.to("2026-02-03")
        m.fault("500_after_effect", "stripe", path="/invoices$", method="POST", count=5)
        m.run("release")
        days(m, "2026-02-04", "2026-02-05")

        assert debits(m)[only(others(m)).id] == [120000]
        assert len(at_stripe(m)) == 2
        assert m.holds() == []
