"""Only payers who were opted in have anything at Stripe, and only for agreements that recur."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.charging import at_stripe, autopay, bills, debits, expected, hold_names, only, subscriptions
from tests.e2e.msp import msp


def not_mirrored(folder: Path, *, autopay: str | None = "Yes", **agreement: Any) -> tuple[list[Any], list[Any], list[Any]]:
    with msp(folder, agreements=0) as m:
        custom = {} if autopay is None else {"Autopay": autopay}
        company = m.act("office.add_company", name="Contoso Dental", email="ap@contoso.example", **custom)
        fields = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": "500.00", **agreement}
        id = m.act("office.add_agreement", company=company, name="Managed Services", **fields)
        m.cycle()
        m.to("2026-02-02")
        m.cycle()
        return subscriptions(m, ended=True), at_stripe(m), bills(m, id)


def test_a_payer_who_did_not_agree_has_nothing_at_stripe(tmp_path: Path) -> None:
    at_gateway, invoices, billed = not_mirrored(tmp_path, autopay="No")

    assert (at_gateway, invoices) == ([], [])
    assert billed


def test_a_payer_who_was_never_asked_has_nothing_at_stripe(tmp_path: Path) -> None:
    at_gateway, invoices, billed = not_mirrored(tmp_path, autopay=None)

    assert (at_gateway, invoices) == ([], [])
    assert billed


def test_a_block_that_is_billed_once_is_not_mirrored(tmp_path: Path) -> None:
    at_gateway, invoices, billed = not_mirrored(tmp_path, type="Block Time - One time")

    assert (at_gateway, invoices) == ([], [])
    assert len(billed) == 1


def test_an_agreement_that_ended_before_we_came_is_not_mirrored(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=8) as m:
        m.cycle()

        assert subscriptions(m, 107)
        assert not subscriptions(m, 108, ended=True)


def test_opting_out_ends_the_subscription_at_the_end_of_what_was_billed(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        m.to("2026-02-02")
        m.cycle()
        autopay(m, id, "No")
        m.cycle()

        (subscription,) = subscriptions(m, id)
        assert subscription["cancel_at"] == m.world.now.replace(month=3, day=1, hour=12, minute=0).timestamp()

        m.to("2026-03-05")
        m.cycle()

        assert subscriptions(m, id) == []
        assert list(debits(m)) == [f"connectwise:{id}/2026-02-01"]
        assert len(bills(m, id)) == 2


def test_a_charge_that_waits_when_its_payer_opts_out_is_held(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(terms="Net 15")
        m.to("2026-02-02")
        m.cycle()
        autopay(m, id, "No")
        m.through("2026-02-20", every_days=6)

        assert debits(m) == {}
        assert hold_names(m) == ["not_opted_in"]


def test_opting_in_again_before_the_end_goes_on_with_the_same_subscription(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        m.to("2026-02-02")
        m.cycle()
        autopay(m, id, "No")
        m.cycle()
        before = only(subscriptions(m, id))["id"]
        autopay(m, id, "Yes")
        m.to("2026-02-20")
        m.cycle()
        m.to("2026-03-02")
        m.cycle()

        subscription = only(subscriptions(m, id, ended=True))
        assert (subscription["id"], subscription["cancel_at"]) == (before, None)
        assert debits(m) == expected(m, id)


def test_opting_in_again_after_the_end_makes_one_new_subscription_and_charges_from_then_on(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        m.to("2026-02-02")
        m.cycle()
        autopay(m, id, "No")
        m.cycle()
        m.to("2026-03-05")
        m.cycle()
        autopay(m, id, "Yes")
        m.cycle()
        m.to("2026-04-02")
        m.cycle()

        assert len(subscriptions(m, id, ended=True)) == 2
        assert only(subscriptions(m, id))["metadata"]["generation"] == "2"
        assert sorted(debits(m)) == [f"connectwise:{id}/2026-02-01", f"connectwise:{id}/2026-04-01"]


def test_what_was_invoiced_before_a_payer_was_opted_in_is_not_collected(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        company = m.act("office.add_company", name="Contoso Dental", email="ap@contoso.example", Autopay="No")
        fields = {"starts": "2026-01-20", "terms": "Net 15", "amount": "500.00"}
        id = m.act("office.add_agreement", company=company, name="Managed Services", **fields)
        m.to("2026-01-21")
        m.cycle()
        autopay(m, id, "Yes")
        m.cycle()
        m.enrol()
        m.through("2026-02-10", every_days=5)

        assert bills(m, id)
        assert at_stripe(m) == []
