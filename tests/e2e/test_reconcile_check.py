"""The three-way check: what ties, what does not, and what repairs it - each from a situation that happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from connector.model.charge import ChargeState
from connector.model.drift import Drift
from tests.e2e.msp import Msp, msp

NAME = "Contoso Dental"


def paid(m: Msp) -> None:
    m.sign_up(NAME)
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02", 20)
    m.cycle(1)


def only(m: Msp) -> Drift:
    """Apart from what `connector parked` asks about what a person changed in the books."""
    (drift,) = [drift for drift in m.reconcile().drifts if drift.kind != "touched_in_books"]
    return drift


def in_books(m: Msp) -> dict[str, Any]:
    (payment,) = m.books("Payment")
    return payment


def writes(m: Msp) -> int:
    return len(m.requests(writes=True))


def test_an_ordinary_period_of_many_agreements_ties_to_the_cent(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=5, lines=2) as m:
        m.cycle()
        m.enrol()
        m.cycle()
        for day in ("2026-02-17", "2026-03-04"):
            for hour in (18, 22):
                m.to(day, hour)
                m.cycle(1)

        result = m.reconcile()
        assert result.ties
        assert sum(row.state is ChargeState.PAID for row in result.rows) >= 3
        assert all(row.books_ours == row.ledger == row.gateway_collected for row in result.rows)


def test_a_check_writes_to_nobody(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        before = writes(m)
        m.reconcile()

        assert writes(m) == before


def test_a_charge_that_is_released_and_not_paid_yet_is_no_mismatch(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up(method="us_bank_account")
        m.to("2026-02-03")
        m.cycle()

        result = m.reconcile()
        assert [row.state for row in result.rows] == [ChargeState.RELEASED]
        assert result.rows[0].due
        assert result.ties


def test_a_charge_that_is_held_is_no_mismatch(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.to("2026-02-02", 8)
        m.act("quickbooks.enter_payment", customer_name=NAME, amount="100.00", number="10401")
        m.to("2026-02-02")
        m.cycle()

        assert [row.state for row in m.reconcile().rows] == [ChargeState.HELD]
        assert [drift.kind for drift in m.reconcile().drifts] == ["balances_differ"]


def test_a_charge_that_is_held_for_a_method_is_no_mismatch(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        company = m.act("office.add_company", name=NAME, email="ap@contoso.example", Autopay="Yes")
        m.act("office.add_agreement", company=company, name="MS", starts="2026-02-01", amount="500.00", terms="Due on receipt")
        m.cycle()
        m.to("2026-02-02")
        m.cycle(3)

        assert [hold.name for hold in m.holds()] == ["no_method"]
        assert m.reconcile().ties


def test_a_charge_that_was_written_off_is_no_mismatch_until_the_payment_is_taken_back(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.at(m.world.now.replace(month=2, day=1, hour=15))
        cheque = m.act("office.record_payment", invoice="10401", amount="500.00", member="Bookkeeper")
        m.to("2026-02-02", 8)
        m.act("quickbooks.enter_payment", customer_name=NAME, amount="500.00", number="10401")
        m.to("2026-02-02")
        m.cycle()

        assert [charge.state for charge in m.charges()] == [ChargeState.WRITTEN_OFF]
        assert m.reconcile().ties

        m.act("office.delete_payment", invoice="10401", payment=cheque["id"])

        assert {drift.kind for drift in m.reconcile().drifts} == {"balances_differ", "not_collected"}


def test_a_bill_for_which_nothing_was_charged_shows_when_it_is_due(tmp_path: Path) -> None:
    """Its subscription was cancelled in the gateway's dashboard, and nobody decided yet."""
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        (subscription,) = m.stripe("subscription")
        m.act("stripe.cancel_subscription", id=subscription["id"])
        m.to("2026-02-04")
        m.cycle()

        drift = only(m)
        assert drift.kind == "not_collected"
        assert "500.00 USD" in drift.message
        assert not drift.waiting


def test_a_charge_given_up_in_the_dashboard_shows_while_its_bill_is_open(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up(behaviour="decline_hard")
        m.to("2026-02-02")
        m.cycle(1)
        m.to("2026-02-03")
        m.cycle()
        (invoice,) = [row for row in m.stripe("invoice") if row["status"] == "open"]
        gateway_voids(m, invoice["id"])
        m.cycle()

        assert [charge.state for charge in m.charges()] == [ChargeState.ENDED]
        drift = only(m)
        assert drift.kind == "not_collected"
        assert "voided or given up at the gateway" in drift.message


def gateway_voids(m: Msp, invoice: str) -> None:
    answer = requests.post(
        f"{m.url}/stripe/v1/invoices/{invoice}/void", headers={"Authorization": "Bearer sk_test_sandbox"}, timeout=5
    )
    answer.raise_for_status()


def test_a_line_billed_after_the_charge_shows_as_a_further_invoice(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        addition = m.act("office.add_addition", agreement=101, product="Managed workstation", quantity=2, unitPrice=45)
        m.act("office.bill_addition_now", addition=addition)
        m.to("2026-02-20")

        drift = only(m)
        assert drift.kind == "further_invoice"
        assert "supplementary charge" in drift.repair
        m.cycle(1)
        assert m.reconcile().ties  # a supplementary charge stands for it now, and waits for approval


def test_an_open_bill_that_could_be_of_two_periods_shows_until_the_other_period_has_its_own(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.to("2026-02-16")
        addition = m.act("office.add_addition", agreement=101, product="Managed workstation", quantity=2, unitPrice=45)
        m.act("office.bill_addition_now", addition=addition)
        m.to("2026-02-17", 20)
        drift = only(m)

        assert drift.kind == "unplaced_invoice"
        assert drift.message == "invoice 10402 is due and open with 41.79 USD, and could be the bill of two periods"
        m.to("2026-03-02")
        m.cycle(1)
        assert "unplaced_invoice" not in {drift.kind for drift in m.reconcile().drifts}
        assert {charge.psa_number for charge in m.charges()} >= {"10402", "10403"}


def test_a_line_added_to_the_bill_after_the_charge_shows_what_is_still_open(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        for field, amount in (("total", 590), ("balance", 90)):
            m.act("office.set_field", record="invoices", id=m.psa_invoices()[0]["id"], field=field, value=amount)
        drifts = {drift.kind: drift for drift in m.reconcile().drifts}

        assert "90.00 USD" in drifts["billed_more"].message
        assert set(drifts) == {"billed_more", "balances_differ"}


def test_a_payment_that_the_bookkeeper_deleted_shows_and_is_not_made_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.act("quickbooks.delete_payment", id=in_books(m)["Id"])
        m.to("2026-02-03")
        m.cycle(3)

        assert m.books("Payment") == []
        drift = only(m)
        assert (drift.kind, drift.waiting) == ("books_payment_missing", False)
        assert drift.repair == f"connector repair {drift.id}"


def test_an_amount_that_the_bookkeeper_changed_shows_and_is_left_alone(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.act("quickbooks.edit_payment", id=in_books(m)["Id"], amount="450.00")
        m.to("2026-02-03")
        m.cycle(3)

        assert in_books(m)["TotalAmt"] == 450
        drift = only(m)
        assert drift.kind == "books_payment_amount"
        assert "450.00 USD" in drift.message
        assert "500.00 USD" in drift.message


def test_a_payment_that_somebody_deleted_in_the_psa_shows_and_is_not_made_again_by_itself(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.act("office.delete_payment", invoice="10401", payment=m.psa_payments()[0]["id"])
        m.to("2026-02-03")
        m.cycle(3)

        assert m.psa_payments() == []
        drift = only(m)
        assert (drift.kind, drift.repair) == ("psa_payment_missing", f"connector repair {drift.id}")


def test_a_cheque_entered_in_the_books_alone_is_named_with_both_balances(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up(method="us_bank_account")
        m.to("2026-02-02")
        m.cycle(1)
        m.act("quickbooks.enter_payment", customer_name=NAME, amount="120.00", number="10401")

        drift = only(m)
        assert drift.kind == "balances_differ"
        assert "500.00 USD in the PSA and 380.00 USD in the books" in drift.message


def test_what_the_accounting_sync_has_not_brought_yet_goes_away_by_itself(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, write_back={"psa_payments": "accounting_sync"}) as m:
        paid(m)

        assert (only(m).kind, only(m).waiting) == ("psa_payment_awaited", True)

        m.act("office.record_payment", invoice="10401", amount="500.00", member="Sync")

        assert m.reconcile().ties


def test_every_mismatch_says_what_happened_and_what_to_do(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.act("quickbooks.delete_payment", id=in_books(m)["Id"])
        m.act("office.record_payment", invoice="10401", amount="10.00", member="Bookkeeper")

        drifts = m.reconcile().drifts
        assert {drift.kind for drift in drifts} == {"books_payment_missing", "overpaid_in_psa"}
        assert all(drift.name == f"{NAME}: Managed Services" and drift.repair for drift in drifts)
