"""Money that came in otherwise, and invoices that go and come back: never collected twice, never more than is owed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.model.charge import ChargeState
from tests.e2e.charging import at_stripe, bills, collected, debits, hold_names, only
from tests.e2e.msp import Msp, msp


def billed(m: Msp, **agreement: Any) -> int:
    """February's invoice of 500.00 is due on the 16th and in the books; its draft waits."""
    id = m.sign_up(**{"terms": "Net 15", **agreement})
    m.to("2026-02-03")
    m.cycle(1)
    return id


def number(m: Msp, id: int) -> str:
    return str(bills(m, id)[-1]["invoiceNumber"])


def cheque(m: Msp, id: int, amount: str, *, psa: bool = True, books: bool = True) -> None:
    if psa:
        m.act("office.record_payment", invoice=number(m, id), amount=amount)
    if books:
        m.act("quickbooks.enter_payment", customer_name="Contoso Dental", amount=amount, number=number(m, id))


def settle(m: Msp, *days: str) -> None:
    for day in days or ("2026-02-17", "2026-02-18", "2026-02-26"):
        m.to(day)
        m.cycle()


def charge_of(m: Msp, id: int) -> Any:
    return m.charge(f"connectwise:{id}/2026-02-01")


# Before the charge


def test_an_invoice_partly_paid_by_cheque_is_charged_for_the_rest(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        cheque(m, id, "120.00")
        settle(m)

        assert [i["amount_paid"] for i in at_stripe(m)] == [38000]
        assert only(bills(m, id))["balance"] == 0
        assert "elsewhere" in {line.kind for line in charge_of(m, id).breakdown}
        assert m.reconcile().ties


def test_an_invoice_paid_by_cheque_is_written_off_at_stripe_and_never_collected(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        cheque(m, id, "500.00")
        settle(m)

        invoice = only(at_stripe(m))
        assert (invoice["status"], invoice["amount_paid"]) == ("void", 0)
        assert charge_of(m, id).state is ChargeState.WRITTEN_OFF
        assert len(m.psa_payments()) == 1
        assert m.reconcile().ties


def test_a_credit_memo_lowers_the_charge(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        m.act("office.create_credit_memo", invoice=number(m, id), amount="75.00")
        m.act("quickbooks.enter_credit_memo", customer_name="Contoso Dental", amount="75.00", number=number(m, id))
        settle(m)

        if m.holds():
            assert hold_names(m) in (["balances_differ"], ["unapplied_credit"], ["balances_differ", "unapplied_credit"])
            assert collected(m) == 0
        else:
            assert collected(m) == 42500


def test_an_invoice_with_a_credit_is_held(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = billed(m)
        m.act("office.set_field", record="invoices", id=bills(m, id)[0]["id"], field="credits", value=600)
        m.act("office.set_field", record="invoices", id=bills(m, id)[0]["id"], field="balance", value=-100)
        settle(m)

        assert hold_names(m) == ["credit_balance"]
        assert debits(m) == {}


def test_an_invoice_paid_in_quickbooks_alone_is_held_until_connectwise_knows(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        cheque(m, id, "500.00", psa=False)
        settle(m)
        assert hold_names(m) == ["balances_differ"]
        assert debits(m) == {}
        cheque(m, id, "500.00", books=False)
        m.cycle()

        assert m.holds() == []
        assert collected(m) == 0
        assert charge_of(m, id).state is ChargeState.WRITTEN_OFF


def test_an_invoice_partly_paid_in_quickbooks_alone_is_held(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        cheque(m, id, "200.00", psa=False)
        settle(m)
        assert hold_names(m) == ["balances_differ"]
        cheque(m, id, "200.00", books=False)
        settle(m, "2026-02-27", "2026-02-28")

        assert collected(m) == 30000
        assert m.reconcile().ties


def test_an_unapplied_payment_in_quickbooks_holds_the_charge_until_it_is_applied(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        payment = m.act("quickbooks.enter_payment", customer_name="Contoso Dental", amount="500.00")
        settle(m)
        assert hold_names(m) == ["unapplied_credit"]
        assert debits(m) == {}
        m.act("quickbooks.delete_payment", id=payment)
        m.cycle()

        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}


def test_credit_in_quickbooks_of_another_customer_holds_nobody_else(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        m.act("quickbooks.enter_customer", name="Fabrikam")
        m.act("quickbooks.enter_payment", customer_name="Fabrikam", amount="500.00")
        settle(m)

        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}


# While the gateway collects


def declined(m: Msp) -> int:
    """February's charge is released, the card is declined, Stripe will retry."""
    id = billed(m, method="card", behaviour="decline")
    settle(m, "2026-02-17")
    m.to("2026-02-17", 22)
    m.cycle()
    invoice = only(at_stripe(m, "open"))
    assert invoice["attempt_count"] >= 1
    return id


def test_a_cheque_for_all_of_it_while_stripe_retries_voids_the_charge(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = declined(m)
        cheque(m, id, "500.00")
        m.cycle()
        retry_with_money(m)

        invoice = only(at_stripe(m))
        assert (invoice["status"], invoice["amount_paid"]) == ("void", 0)
        assert charge_of(m, id).state is ChargeState.ENDED
        assert m.reconcile().ties


def retry_with_money(m: Msp) -> None:
    """The card has money again, and Stripe retries for two weeks."""
    for method in m.stripe("payment_method"):
        m.act("stripe.set_behaviour", method=method["id"], behaviour="ok")
    for day in ("2026-02-21", "2026-02-25", "2026-02-27"):
        m.to(day)
        m.cycle()


def test_a_cheque_for_some_of_it_while_stripe_retries_reduces_what_is_retried(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = declined(m)
        cheque(m, id, "120.00")
        m.cycle()
        retry_with_money(m)

        assert only(at_stripe(m))["amount_paid"] == 38000
        assert only(bills(m, id))["balance"] == 0
        assert m.reconcile().ties


def test_two_cheques_while_stripe_retries_reduce_it_twice(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = declined(m)
        cheque(m, id, "120.00")
        m.cycle()
        cheque(m, id, "80.00")
        m.cycle()
        retry_with_money(m)

        assert only(at_stripe(m))["amount_paid"] == 30000
        assert only(bills(m, id))["balance"] == 0


def test_a_cheque_known_to_quickbooks_alone_reduces_what_is_retried(tmp_path: Path) -> None:
    """The lower of the two balances is what is owed while the gateway retries."""
    with msp(tmp_path, agreements=0) as m:
        id = declined(m)
        cheque(m, id, "500.00", psa=False)
        m.cycle()
        retry_with_money(m)

        assert collected(m) == 0
        assert id


def test_a_cheque_while_a_bank_debit_is_under_way_is_told_and_nothing_is_reduced(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m, method="us_bank_account")
        settle(m, "2026-02-16")
        m.to("2026-02-16", 22)
        m.cycle()
        cheque(m, id, "480.00")
        m.cycle()
        assert hold_names(m) == ["in_flight"]
        settle(m, "2026-02-20", "2026-02-26")

        assert only(at_stripe(m))["amount_paid"] == 50000
        assert not m.reconcile().ties  # the payer has paid twice: said, not hidden
        assert only(bills(m, id))["balance"] == 0


# The invoice goes and comes back


def remade(m: Msp, id: int) -> None:
    m.act("office.delete_invoice", invoice=number(m, id))
    m.cycle()
    m.act("office.create_invoices", through="2026-02-01")


def test_an_invoice_deleted_and_made_again_before_the_release_is_charged_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        remade(m, id)
        settle(m)

        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}
        assert only(bills(m, id))["balance"] == 0
        assert charge_of(m, id).psa_number == number(m, id)


def test_an_invoice_deleted_for_good_before_the_release_is_not_charged(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        m.act("office.set_automatic", on=False)
        m.act("office.delete_invoice", invoice=number(m, id))
        settle(m)

        assert debits(m) == {}
        assert hold_names(m) == ["closed_differently"]


def test_an_invoice_deleted_and_made_again_after_it_was_paid_gets_the_payment_and_no_second_charge(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        settle(m)
        assert collected(m) == 50000
        m.act("office.set_automatic", on=False)
        remade(m, id)
        settle(m, "2026-02-27", "2026-02-28", "2026-03-01")

        assert [(i["status"], i["amount_paid"]) for i in at_stripe(m, "paid", "open")] == [("paid", 50000)]
        assert charge_of(m, id).psa_number == number(m, id) or hold_names(m) or not m.reconcile().ties


def test_an_invoice_deleted_while_stripe_retries_stops_the_retries_until_it_is_made_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = declined(m)
        m.act("office.set_automatic", on=False)
        m.act("office.delete_invoice", invoice=number(m, id))
        m.cycle()
        assert hold_names(m) == ["invoice_gone"]
        assert only(at_stripe(m))["auto_advance"] is False
        retry_with_money(m)
        assert collected(m) == 0
        m.act("office.create_invoices", through="2026-02-01")
        m.cycle()
        settle(m, "2026-03-04", "2026-03-05", "2026-03-12")

        february = next(i for i in at_stripe(m) if i["id"] == charge_of(m, id).gateway_invoice)
        assert february["auto_advance"] or february["status"] == "paid" or hold_names(m)
        assert collected(m) <= 50000


def test_an_invoice_made_again_for_less_while_stripe_retries_is_collected_at_the_lower_amount(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = declined(m)
        m.act("office.set_automatic", on=False)
        m.act("office.delete_invoice", invoice=number(m, id))
        m.act("office.set_field", record="agreements", id=id, field="billAmount", value=400)
        m.act("office.create_invoices", through="2026-02-01")
        m.cycle()
        retry_with_money(m)

        assert collected(m) == 40000
        assert only(bills(m, id))["balance"] == 0


def test_an_invoice_made_again_days_before_the_next_bill_could_be_either_and_is_held_until_it_is_dated_back(
    tmp_path: Path,
) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = billed(m, terms="Net 30")
        m.act("office.set_automatic", on=False)
        m.act("office.delete_invoice", invoice=number(m, id))
        m.act("office.create_invoices", through="2026-02-01", dated="2026-02-26")
        settle(m, "2026-02-27", "2026-02-28")
        held, unsure = only(m.holds()), only(m.psa_invoices())
        m.act("office.set_field", record="invoices", id=unsure["id"], field="date", value="2026-02-01T00:00:00Z")
        settle(m, "2026-03-29")

        assert held.name == "ambiguous_invoice"
        assert unsure["invoiceNumber"] in held.message
        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}


def test_two_invoices_of_one_period_are_a_question_for_a_person(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        line = m.act("office.add_addition", agreement=id, product="Server care", unitPrice="149.00", starts="2026-02-03")
        m.act("office.bill_addition_now", addition=line)
        settle(m, "2026-02-17", "2026-02-20")
        assert hold_names(m) == ["several_invoices"]
        assert debits(m) == {}
        second = max(bills(m, id), key=lambda bill: bill["id"])
        m.act("office.delete_invoice", invoice=second["id"])
        m.cycle()

        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}


def test_a_second_invoice_of_a_period_that_was_collected_is_not_collected_by_itself(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m, terms="Due on receipt")
        settle(m, "2026-02-04")
        assert collected(m) == 50000
        line = m.act("office.add_addition", agreement=id, product="Server care", unitPrice="149.00", starts="2026-02-04")
        m.act("office.bill_addition_now", addition=line)
        settle(m, "2026-02-10", "2026-02-20")

        assert collected(m) == 50000
        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}


@pytest.mark.parametrize("kind", ["Standard", "Progress", "DownPayment", "Miscellaneous"])
def test_an_invoice_of_another_kind_applied_to_the_agreement_is_never_taken_for_the_periods_bill(
    tmp_path: Path, kind: str
) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.act("office.set_automatic", on=False)
        id = m.sign_up()
        m.act(
            "office.create_other_invoice", company="Contoso Dental", amount="900.00", type=kind, dated="2026-02-01", agreement=id
        )
        settle(m, "2026-02-02", "2026-02-10")

        assert debits(m) == {}
        assert hold_names(m) == ["missing_invoice"]


# A person decides at the gateway


def test_a_draft_voided_in_the_dashboard_is_not_made_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        dashboard(m, "finalize", auto_advance="false")
        dashboard(m, "void")
        settle(m)

        assert collected(m) == 0
        assert charge_of(m, id).state is ChargeState.ENDED
        assert len(at_stripe(m)) == 1


def dashboard(m: Msp, verb: str, **form: str) -> None:
    """What the owner clicks on the one invoice there is."""
    import requests  # only here

    invoice = only(at_stripe(m))["id"]
    url = f"{m.url}/stripe/v1/invoices/{invoice}/{verb}"
    requests.post(url, data=form, headers={"Authorization": "Bearer sk_test_sandbox"}, timeout=5).raise_for_status()


def test_an_open_invoice_marked_as_paid_outside_in_the_dashboard_is_not_collected_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = declined(m)
        m.act("stripe.mark_paid", invoice=only(at_stripe(m))["id"])
        m.cycle()
        retry_with_money(m)

        assert len(at_stripe(m)) == 1
        assert not [c for c in m.stripe("charge") if c["paid"]]
        assert id


# A customer's balance at Stripe


def test_a_credit_balance_at_stripe_is_never_counted_as_collected_unless_it_was(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        customer = only(m.stripe("customer"))["id"]
        m.world.partners["stripe"].account.get("customer", customer)["balance"] = -20000  # type: ignore[attr-defined]
        settle(m)

        invoice = only(at_stripe(m))
        assert invoice["amount_paid"] in (0, 30000)
        assert only(bills(m, id))["payments"] * 100 == invoice["amount_paid"]


@pytest.mark.parametrize(("action", "ended"), [("void_invoice", "void"), ("mark_uncollectible", "uncollectible")])
def test_what_the_owner_gives_up_at_the_gateway_is_not_collected_again_and_is_told(
    tmp_path: Path, action: str, ended: str
) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(behaviour="decline")
        m.to("2026-02-03")
        m.cycle()
        (invoice,) = at_stripe(m, "open")
        m.act(f"stripe.{action}", invoice=invoice["id"])
        m.through("2026-02-20")

        assert charge_of(m, id).state is ChargeState.ENDED
        assert [row["status"] for row in at_stripe(m) if row["total"]] == [ended]
        assert only(bills(m, id))["balance"] == 500
        (drift,) = m.reconcile().drifts
        assert drift.kind == "not_collected"
        assert "voided or given up at the gateway" in drift.message
