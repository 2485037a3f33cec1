"""The PSA's invoice of a charge that is not released yet is deleted, voided or written off by a person: nothing is charged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connector.cli import app
from connector.errors import Rejected
from connector.flows.overrule import overrule
from connector.flows.release import release
from connector.flows.skip import skip
from connector.model.charge import ChargeState
from connector.ports import Psa
from tests.e2e.charging import at_stripe, debits, hold_names, only
from tests.e2e.msp import Msp, msp

COMPUTED = {"approve": "never", "missing_invoice": "computed"}  # the setting with which a missing invoice keeps nothing back


def billed(m: Msp, *days: str) -> str:
    """A customer whose first bill is there, and is due later. The id of the bill's charge."""
    id = m.sign_up_in_autotask() if m.kind == "autotask" else m.sign_up(terms="Net 15")
    for day in days:
        m.to(day)
        m.cycle()
    return f"{m.kind}:{id}/2026-02-01"


class Vanishing:
    """ConnectWise, in which somebody deletes the invoice after the round has read it."""

    def __init__(self, psa: Psa) -> None:
        self._psa = psa

    def __getattr__(self, name: str) -> Any:
        return getattr(self._psa, name)

    def invoice(self, _: str) -> None:
        return None


def live(m: Msp, *days: str) -> None:
    for day in days:
        m.to(day)
        m.cycle()


def in_command(m: Msp, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--config", str(m.folder / "connector.yaml")])

    assert result.exit_code == 0, (result.output, result.exception)
    return " ".join(result.output.split())


def test_a_bill_that_is_deleted_before_its_charge_is_not_replaced_by_what_was_computed(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging=COMPUTED) as m:
        charge = billed(m, "2026-02-03")
        m.act("office.set_automatic", on=False)
        m.act("office.delete_invoice", invoice=only(m.psa_invoices())["id"])
        live(m, "2026-02-10", "2026-02-17", "2026-02-18")
        held, owed = only(m.holds()), m.charge(charge).owed
        shown = in_command(m, "forecast")
        m.act("office.create_invoices", through="2026-02-01")
        live(m, "2026-02-19")

        assert (held.charge, held.name) == (charge, "closed_differently")
        assert "invoice 10401 was deleted or voided in the PSA before it was charged" in held.message
        assert f"connector skip {charge}" in held.way_on
        assert owed is not None
        assert not owed
        assert "closed_differently" in shown
        assert debits(m) == {charge: [50000]}  # made again, and charged once


def test_what_is_written_off_by_its_status_is_not_charged_and_a_person_may_give_the_period_up(tmp_path: Path) -> None:
    """ConnectWise has no voided invoices: offices set a status of their own. 'Closed' says no more than that it was exported."""
    with msp(tmp_path, agreements=0) as m:
        charge = billed(m)
        other = m.sign_up("Fabrikam Holding", terms="Net 15")
        live(m, "2026-02-03")
        first, second = (row["id"] for row in m.psa_invoices())
        m.act("office.set_field", record="invoices", id=first, field="status", value={"id": 9, "name": "Written off"})
        closed = {"id": 4, "name": "Closed", "isClosed": True}
        m.act("office.set_field", record="invoices", id=second, field="status", value=closed)
        live(m, "2026-02-17", "2026-02-20")
        held = only(m.holds())
        said = in_command(m, "skip", charge, "--as", "Dana", "--why", "agreed with the customer")
        live(m, "2026-02-21")
        drafts = at_stripe(m, "draft")

        assert (held.charge, held.name) == (charge, "closed_differently")
        assert "has the status 'Written off' in the PSA with 500.00 USD open" in held.message
        assert "nothing is collected" in said
        assert m.charge(charge).state is ChargeState.WRITTEN_OFF
        assert hold_names(m) == []
        assert drafts == []
        assert debits(m) == {f"connectwise:{other}/2026-02-01": [50000]}


def test_a_voided_autotask_invoice_is_not_charged_and_one_that_is_paid_is_no_question(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, psa="autotask", charging=COMPUTED | {"date": "day_of_month", "day": 15}) as m:
        charge = billed(m)
        paid = f"autotask:{m.sign_up_in_autotask('Fabrikam Holding')}/2026-02-01"
        live(m, "2026-02-03")
        m.act("office.set_automatic", on=False)
        voided, settled = (m.charge(id).psa_invoice for id in (charge, paid))
        m.act("office.void_invoice", invoice=int(voided))
        m.act("office.set_paid", invoice=int(settled), dated="2026-02-05")
        live(m, "2026-02-15", "2026-02-16", "2026-02-17")
        held = only(m.holds())
        skip(m.agent.desk, charge, who="Dana", why="agreed")
        m.cycle()

        assert (held.charge, held.name) == (charge, "closed_differently")
        assert m.charge(charge).state is ChargeState.WRITTEN_OFF
        assert m.charge(paid).state is ChargeState.WRITTEN_OFF
        assert debits(m) == {}
        assert (hold_names(m), at_stripe(m, "draft")) == ([], [])


def test_a_bill_that_vanishes_in_the_last_second_is_remembered(tmp_path: Path) -> None:
    """Between the round's read and the release; in the next round it must not look as if there had never been one."""
    with msp(tmp_path, agreements=0, charging=COMPUTED) as m:
        charge = billed(m)
        m.to("2026-02-16")
        gone = replace(m.agent.desk, psa=Vanishing(m.agent.desk.psa))
        m.run("mirror")
        report = release(gone)
        m.act("office.delete_invoice", invoice="10401")
        m.act("office.set_automatic", on=False)
        live(m, "2026-02-17")

        assert report.held == [charge]
        assert hold_names(m) == ["closed_differently"]
        assert debits(m) == {}


@pytest.mark.parametrize("psa", ["connectwise", "autotask"])
def test_a_skipped_period_that_is_invoiced_after_all_is_charged_once_a_person_approves(tmp_path: Path, psa: str) -> None:
    with msp(tmp_path, agreements=0, psa=psa, charging={"approve": "never", "date": "day_of_month", "day": 15}) as m:
        charge = billed(m, "2026-02-03")
        m.act("office.set_automatic", on=False)
        give_up(m, charge)
        live(m, "2026-02-15", "2026-02-16")
        skip(m.agent.desk, charge, who="Dana", why="agreed")
        live(m, "2026-02-17")
        m.act("office.create_invoices", through="2026-02-01")
        live(m, "2026-02-18", "2026-03-16")
        asked = [hold for hold in m.holds() if hold.charge.startswith(charge)]
        shown, before = in_command(m, "forecast"), debits(m)
        overrule(m.agent.desk, f"{charge}/1", who="Dana", why="they pay after all")
        live(m, "2026-03-17", "2026-03-18")

        assert [(hold.charge, hold.name) for hold in asked] == [(f"{charge}/1", "supplementary")]
        assert "500.00 USD is billed in addition" in asked[0].message
        assert "supplementary" in shown
        assert before == {}
        assert debits(m) == {f"{charge}/1": [50000]}
        assert m.charge(charge).state is ChargeState.WRITTEN_OFF


def give_up(m: Msp, charge: str) -> None:
    """Its invoice is deleted in the PSA; Autotask's are voided."""
    act = "office.void_invoice" if m.kind == "autotask" else "office.delete_invoice"
    m.act(act, invoice=int(m.charge(charge).psa_invoice))


def test_only_what_has_no_invoice_can_be_skipped(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging={"approve": "never", "cap_per_charge": 100}) as m:
        charge = billed(m, "2026-02-17")

        with pytest.raises(Rejected, match="only a charge whose invoice is missing or was closed differently can be skipped"):
            skip(m.agent.desk, charge, who="Dana", why="no")
        assert hold_names(m) == ["cap"]
