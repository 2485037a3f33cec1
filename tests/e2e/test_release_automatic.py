"""charging.release: automatic. While the agent lives it decides as always; while it is down the gateway goes on alone."""

from __future__ import annotations

from pathlib import Path

from connector.model.charge import ChargeState
from connector.model.subscription import Update
from tests.e2e.charging import bills, debits, subscriptions
from tests.e2e.msp import Msp, msp

AUTOMATIC = {"approve": "never", "release": "automatic"}
BY_AGENT = {"approve": "never"}


def settle(m: Msp, *days: str) -> None:
    for day in days:
        m.to(day)
        m.cycle()


def test_with_the_agent_down_over_the_first_the_gateway_charges_and_it_is_written_back_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging=AUTOMATIC) as m:
        id = m.sign_up()
        m.to("2026-02-05")  # nobody was there on the 1st
        taken = debits(m)
        settle(m, "2026-02-05", "2026-02-06", "2026-02-07")

        assert list(taken.values()) == [[50000]]
        assert [charge.state for charge in m.charges()] == [ChargeState.PAID]
        assert [bill["balance"] for bill in bills(m, id)] == [0]
        assert len(m.psa_payments()) == 1
        assert m.reconcile().ties


def test_in_the_default_mode_nothing_is_charged_while_the_agent_is_down_and_once_when_it_is_back(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging=BY_AGENT) as m:
        id = m.sign_up()
        m.to("2026-02-05")
        meanwhile = debits(m)
        report = m.cycle(1)
        settle(m, "2026-02-06", "2026-02-07")

        assert meanwhile == {}
        assert report["release"].late == {f"connectwise:{id}/2026-02-01": 4}
        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}
        assert [bill["balance"] for bill in bills(m, id)] == [0]


def test_while_the_agent_lives_an_automatic_charge_waits_for_its_due_date_too(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging=AUTOMATIC) as m:
        id = m.sign_up(terms="Net 15")
        m.at(m.world.now.replace(month=2, day=1, hour=12, minute=30))
        m.cycle()
        settle(m, "2026-02-02", "2026-02-10")
        before = debits(m)
        settle(m, "2026-02-17")

        assert before == {}
        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}


def test_a_change_of_mode_is_planned_for_every_subscription_and_carried_out(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging=AUTOMATIC) as m:
        id = m.sign_up()
        paused_before = [s["pause_collection"] for s in subscriptions(m, id)]
        m.restart(charging=BY_AGENT)
        planned = m.plan().plan.changes
        m.cycle()

        assert paused_before == [None]
        assert [type(change) for change in planned] == [Update]
        assert [s["pause_collection"]["behavior"] for s in subscriptions(m, id)] == ["keep_as_draft"]
        assert m.plan().plan.changes == ()


def test_without_a_method_a_subscription_stays_paused_so_that_no_bill_is_sent(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging=AUTOMATIC) as m:
        company = m.act("office.add_company", name="Quiet Ltd", email="ap@quiet.example", Autopay="Yes")
        plain = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": "500.00", "tax_code": "Exempt"}
        m.act("office.add_agreement", company=company, name="Managed Services", **plain)
        m.cycle()
        m.to("2026-02-05")
        m.cycle()

        assert [s["pause_collection"]["behavior"] for s in subscriptions(m)] == ["keep_as_draft"]
        assert debits(m) == {}
