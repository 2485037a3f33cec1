"""Events are hints: late, lost, doubled, about others. What counts is what the gateway says when it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.errors import Rejected
from connector.model.charge import ChargeState
from connector.model.ledger import EntryKind
from connector.store import cursors
from tests.e2e.msp import Msp, cents, msp


def released(m: Msp, *names: str, method: str = "card") -> None:
    for name in names or ("Contoso",):
        m.sign_up(name, method=method)
    m.to("2026-02-02")
    m.cycle(1)


def amounts(m: Msp) -> list[int]:
    return [e.amount.minor * (1 if e.kind is EntryKind.PAYMENT else -1) for e in m.ledger()]


def by_name(m: Msp) -> dict[str, str]:
    """Payer's name -> the gateway's payment."""
    customers = {row["id"]: row["name"] for row in m.stripe("customer")}
    return {customers[row["customer"]]: row["id"] for row in m.stripe("payment_intent")}


def test_after_forty_days_of_silence_what_was_paid_in_between_is_found_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m, method="us_bank_account")
        m.to("2026-03-14")
        report = m.run("collect")
        m.cycle()

        assert report.relisted
        assert amounts(m)[0] == 50000
        (entry,) = [e for e in m.ledger() if e.charge.endswith("2026-02-01")]
        assert str(entry.on) < "2026-02-12"
        february = [row for row in m.books("Payment") if row["TxnDate"] == str(entry.on)]
        assert len(february) == 1
        assert m.psa_invoices()[0]["balance"] == 0


def test_after_forty_days_of_silence_what_went_back_in_between_is_found_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m)
        m.to("2026-02-02", 20)
        m.cycle(1)
        m.to("2026-02-05")
        m.act("office.set_automatic", on=False)
        m.act("stripe.refund", payment_intent=m.ledger()[0].payment, intent="cancel_payment")
        m.to("2026-03-20")
        for _ in range(2):
            m.run("collect", "deliver")

        assert amounts(m) == [50000, -50000]
        assert m.psa_payments() == []
        assert [row["TotalAmt"] for row in m.books("Payment")] == [0]


def test_events_of_somebody_elses_objects_change_nothing(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m)
        foreign = m.act("stripe.create_foreign_objects")
        m.act("stripe.refund", payment_intent=foreign["payment_intent"], intent="cancel_payment")
        before = {row["id"]: row for row in m.stripe("subscription")}[foreign["subscription"]]
        m.to("2026-02-02", 20)
        m.cycle()

        assert amounts(m) == [50000]
        assert len(m.psa_payments()) == len(m.books("Payment")) == 1
        assert {row["id"]: row for row in m.stripe("subscription")}[foreign["subscription"]] == before


def test_two_things_in_one_second_are_both_seen_though_the_cursor_stands_between_them(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m, "Adatum", "Contoso")
        m.to("2026-02-02", 20)
        m.run("collect")
        payments = by_name(m)
        m.act("stripe.refund", payment_intent=payments["Adatum"], intent="cancel_payment")
        m.run("collect")
        m.act("stripe.refund", payment_intent=payments["Contoso"], intent="cancel_payment")
        m.run("collect")

        assert amounts(m) == [50000, 50000, -50000, -50000]
        assert len({entry.at for entry in m.ledger()[2:]}) == 1


def test_a_refund_whose_payment_we_have_not_seen_yet_is_found_with_the_payment(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m)
        m.to("2026-02-02", 20)
        m.act("stripe.refund", payment_intent=by_name(m)["Contoso"], amount=12345, intent="cancel_payment")
        m.run("collect")

        assert amounts(m) == [50000, -12345]


def test_a_missed_event_is_made_good_after_reconciliation(tmp_path: Path) -> None:
    """The refund's event is skipped: the cursor already stands behind it."""
    with msp(tmp_path, agreements=0) as m:
        released(m)
        m.to("2026-02-02", 20)
        m.cycle()
        m.act("stripe.refund", payment_intent=by_name(m)["Contoso"], intent="cancel_payment")
        skip_events(m)
        m.run("collect")
        assert amounts(m) == [50000]
        drifts = m.reconcile().drifts
        m.run("collect", "deliver")

        assert [drift.kind for drift in drifts] == ["ledger_behind"]
        assert drifts[0].repair == "connector sync --once"
        assert amounts(m) == [50000, -50000]
        assert m.psa_payments() == []


def skip_events(m: Msp) -> None:
    with m.agent.store.begin() as tx:
        after = cursors.get(tx, "stripe.events")
    cursor = m.agent.desk.gateway.events(after=after).cursor
    with m.agent.store.begin() as tx:
        cursors.set(tx, "stripe.events", cursor, now=m.world.now)


def test_a_charge_paid_outside_the_gateway_moves_no_money_in_the_ledger_and_shows(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up(behaviour="decline")
        m.to("2026-02-02")
        m.cycle(1)
        (invoice,) = [row for row in m.stripe("invoice") if row["status"] == "open"]
        m.act("stripe.mark_paid", invoice=invoice["id"])
        m.to("2026-02-03")
        m.cycle()

        assert m.ledger() == []
        assert [charge.state for charge in m.charges()] == [ChargeState.PAID]
        (drift,) = m.reconcile().drifts
        assert drift.kind == "paid_outside"
        assert "enter the payment" in drift.repair


def test_one_charge_that_the_gateway_does_not_show_does_not_keep_the_others(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m, "Adatum", "Contoso")
        m.to("2026-02-02", 20)
        spoilt = gateway_row(m, m.charge("connectwise:101/2026-02-01").gateway_invoice)
        spoilt["currency"] = "isk"
        with pytest.raises(Rejected, match="connectwise:101/2026-02-01"):
            m.run("collect")
        m.run("deliver")

        assert [entry.charge for entry in m.ledger()] == ["connectwise:102/2026-02-01"]

        spoilt["currency"] = "usd"
        m.cycle()

        assert len(m.ledger()) == 2
        assert len(m.psa_payments()) == 2


def gateway_row(m: Msp, id: str) -> dict[str, Any]:
    """The gateway's own record, to be spoilt."""
    account = m.world.partners["stripe"].account  # type: ignore[attr-defined]
    return next(row for row in account.table("invoice") if row["id"] == id)


@pytest.mark.parametrize("kind", ["missing", "repeated", "late", "swapped"])
def test_events_that_go_astray_cost_no_money_and_no_payer(tmp_path: Path, kind: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.act("stripe.events_go_astray", kinds=[kind] * 200)
        m.sign_up()
        m.through("2026-02-06")

        assert [entry.amount.minor for entry in m.ledger()] == [50000]
        assert m.reconcile().ties
        m.act("stripe.refund", payment_intent=m.ledger()[0].payment, amount=20000, intent="cancel_payment")
        m.through("2026-02-09")
        assert [entry.amount.minor for entry in m.ledger()] == [50000, 20000]
        assert [cents(row["balance"]) for row in m.psa_invoices()] == [20000]
