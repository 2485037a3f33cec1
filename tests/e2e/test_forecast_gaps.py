"""What the forecast and the billing run say of drafts whose agreement is gone, and of invoices that no agreement bills."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.flows import billing_run, forecast
from connector.model.approval import Asked
from connector.model.charge import ChargeState
from connector.model.forecast import Coming
from connector.store import audit
from tests.e2e.charging import agreement, at_stripe, bills, debits, hold_names, only
from tests.e2e.msp import Msp, msp
from tests.e2e.troubled import Office


def coming(m: Msp) -> list[Coming]:
    return list(forecast.forecast(m.agent.desk, days=60).rows)


def live(m: Msp, *days: str) -> None:
    for day in days:
        m.to(day)
        m.cycle(1)


@pytest.mark.parametrize("how", ["deleted", "left out"])
def test_a_draft_whose_agreement_is_gone_is_an_exclusion_with_a_reason_and_ends_when_nothing_is_owed(
    tmp_path: Path, how: str
) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up(terms="Net 15")
        live(m, "2026-02-02")
        bill = only(bills(m, id))
        if how == "deleted":
            m.act("office.delete_agreement", agreement=id)
        else:
            m.act("office.set_field", record="agreements", id=id, field="billOneTimeFlag", value=True)
        live(m, "2026-02-05", "2026-02-20")
        row, held = only(coming(m)), hold_names(m)
        m.act("office.delete_invoice", invoice=bill["id"])
        live(m, "2026-02-21")

        assert (row.amount.minor, row.billed, row.payer) == (50000, True, "Contoso Dental")
        assert [reason.name for reason in row.reasons] == held == ["not_opted_in"]
        assert (coming(m), m.holds(), debits(m), at_stripe(m, "draft")) == ([], [], {}, [])
        assert only(m.charges()).state is ChargeState.WRITTEN_OFF
        with m.agent.store.read() as tx:
            assert any("nothing open for it" in row.why for row in audit.every(tx))


def test_an_agreement_that_has_ended_is_not_announced_any_more_and_what_it_billed_is(tmp_path: Path) -> None:
    """Cancelled as of January though February was billed: the bill is owed, and the forecast says what will be debited."""
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up(terms="Net 15")
        live(m, "2026-02-02")
        m.act("office.cancel_agreement", agreement=id, on="2026-01-31")
        live(m, "2026-02-05")
        row = only(coming(m))
        live(m, "2026-02-16")

        assert (row.amount.minor, row.reasons) == (50000, ())
        assert debits(m) == {row.charge: [50000]}
        assert coming(m) == []


def test_an_invoice_that_no_agreement_bills_is_in_the_run_and_goes_out_when_it_was_approved_with_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        payer = agreement(m, id)["billToCompany"]["id"]
        own = {"other_invoices": {"project": True}, "payers": {str(payer): {"cap": "5000"}}}
        m.restart(collect=own, charging={"approve": "always"}, books=None)
        live(m, "2026-02-02")
        m.act("office.create_other_invoice", company=payer, amount="1200.00", type="Progress", due_days=0)
        live(m, "2026-02-03")
        run = billing_run.billing_run(m.agent.desk)
        before = debits(m), hold_names(m), {row.amount.minor: row.approval.asked for row in run.going}
        done = billing_run.approve(m.agent.desk, run, charges=(), who="Dana", why="checked")
        after = {row.approval.asked for row in billing_run.billing_run(m.agent.desk).rows}
        live(m, "2026-02-04")

        assert before == ({}, ["not_approved", "not_approved"], {50000: Asked.YES, 120000: Asked.YES})
        assert (len(done), after) == (2, {Asked.GIVEN})
        assert sorted(debits(m).values()) == [[50000], [120000]]
        assert m.holds() == []


@pytest.mark.parametrize("psa", ["connectwise", "autotask"])
def test_what_will_not_be_charged_and_why_is_known_before_its_day(tmp_path: Path, psa: str) -> None:
    """Billed before the payer was opted in; the agreement's last day; a card that will have expired."""
    with msp(tmp_path, agreements=0, psa=psa, books=None) as m:
        office = Office(m, ["Late", "Ends", "Card"])
        office.opts("Late", "No")
        m.cycle(1)
        m.enrol()
        live(m, "2026-02-02")
        office.opts("Late", "Yes")
        office.ends("Ends", "2026-02-28")
        office.method("Card")["card"].update(exp_month=2, exp_year=2026)
        live(m, "2026-02-05")
        m.enrol()
        live(m, "2026-02-06")
        said = {(row.payer, str(row.period.start)): {reason.name for reason in row.reasons} for row in coming(m)}
        live(m, "2026-03-02")

        assert said["Late", "2026-02-01"] == {"before_opt_in"}
        assert said["Late", "2026-03-01"] == set()
        assert said["Ends", "2026-03-01"] == {"ended"}
        assert said["Card", "2026-03-01"] == {"card_expires"}
        units = {payer.name: f"{psa}:{payer.agreement}" for payer in office.payers.values()}
        assert sorted(debits(m)) == sorted(
            [f"{units['Card']}/2026-02-01", f"{units['Ends']}/2026-02-01", f"{units['Late']}/2026-03-01"]
        )
