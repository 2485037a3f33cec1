"""The billing run: what goes out in an agreement's first periods waits until a person has said yes, at that amount."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from connector.cli import app
from connector.model.charge import ChargeState
from connector.store import audit
from tests.e2e.charging import bills, debits, hold_names
from tests.e2e.msp import Msp, msp

DANA = ("--as", "Dana", "--why", "checked against the agreements")
SAM = ("--as", "Sam", "--why", "looked at it too")
FEBRUARY = "connectwise:{}/2026-02-01"


def said(m: Msp, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words, "--config", str(m.folder / "connector.yaml")])
    assert result.exit_code == code, result.output
    return re.sub(r"\s+", " ", result.output)


def refused(m: Msp, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--config", str(m.folder / "connector.yaml")])
    assert result.exit_code != 0
    return f"{result.output} {result.exception}"


def waits(folder: Path, **charging: Any) -> Any:
    return msp(folder, agreements=0, charging={"approve": "first_periods", **charging})


def test_the_first_periods_wait_until_a_person_approves_them(tmp_path: Path) -> None:
    with waits(tmp_path) as m:
        id = m.sign_up()
        m.to("2026-02-03")
        m.cycle()
        held = hold_names(m)
        listed = said(m, "billing-run")
        out = said(m, "approve", FEBRUARY.format(id), *DANA)
        before = debits(m)
        m.cycle()

        assert (held, before) == (["not_approved"], {})
        assert all(words in listed for words in ("Contoso Dental", "WAITS", "500.00 USD"))
        assert "approved" in out
        assert debits(m) == {FEBRUARY.format(id): [50000]}
        assert "approved charge" in [row.what[:15] for row in _audit(m)]


def test_from_the_third_period_on_charges_go_out_by_themselves(tmp_path: Path) -> None:
    with waits(tmp_path) as m:
        id = m.sign_up()
        for day in ("2026-02-03", "2026-03-03"):
            m.to(day)
            m.cycle()
            said(m, "approve", "--all", "--yes", *DANA)
            m.cycle()
        m.to("2026-04-03")
        m.cycle()

        assert [amounts for _, amounts in sorted(debits(m).items())] == [[50000], [50000], [50000]]
        assert len(bills(m, id)) == 3


def test_the_run_is_listed_and_approved_before_it_is_due(tmp_path: Path) -> None:
    with waits(tmp_path) as m:
        id = m.sign_up(terms="Net 15")
        m.to("2026-02-14")
        m.cycle()
        status = said(m, "status")
        run = json.loads(_raw(m, "billing-run", "--json"))
        said(m, "approve", "--all", "--yes", *DANA)
        m.to("2026-02-17")
        m.cycle()

        assert "The run of 2026-02-16 (1 charges, 500.00 USD) waits for approval: connector billing-run" in status
        assert [row["approval"]["asked"] for row in run["rows"]] == ["yes"]
        assert debits(m) == {FEBRUARY.format(id): [50000]}
        assert hold_names(m) == []


def test_an_amount_that_changed_after_the_approval_waits_again(tmp_path: Path) -> None:
    with waits(tmp_path) as m:
        id = m.sign_up(terms="Net 15")
        m.to("2026-02-14")
        m.cycle()
        said(m, "approve", "--all", "--yes", *DANA)
        number = bills(m, id)[-1]["invoiceNumber"]
        m.act("office.record_payment", invoice=number, amount="100.00")
        m.act("quickbooks.enter_payment", customer_name="Contoso Dental", amount="100.00", number=number)
        m.to("2026-02-17")
        m.cycle()
        listed = said(m, "billing-run")

        assert debits(m) == {}
        assert "not_approved" in hold_names(m)
        assert "WAITS again" in listed
        assert any("Dana approved 500.00 USD, and it is 400.00 USD now" in hold.message for hold in m.holds())


def test_above_the_limit_a_second_person_has_to_approve(tmp_path: Path) -> None:
    with waits(tmp_path, second_person_above=400) as m:
        id = m.sign_up()
        m.to("2026-02-03")
        m.cycle()
        first = said(m, "approve", FEBRUARY.format(id), *DANA)
        again = refused(m, "approve", FEBRUARY.format(id), *DANA)
        m.cycle()
        alone = debits(m)
        said(m, "approve", FEBRUARY.format(id), *SAM)
        m.cycle()

        assert "above 400.00 USD a second person has to approve" in first
        assert "a second person has to" in again
        assert (alone, debits(m)) == ({}, {FEBRUARY.format(id): [50000]})


def test_above_the_limit_a_second_person_has_to_overrule_a_hold_too(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging={"approve": "never", "cap_per_charge": 450, "second_person_above": 400}) as m:
        id = m.sign_up()
        m.to("2026-02-03")
        m.cycle()
        one = refused(m, "release", FEBRUARY.format(id), *DANA)
        m.cycle()
        alone = debits(m)
        said(m, "release", FEBRUARY.format(id), *SAM)
        m.cycle()

        assert "noted for Dana" in one
        assert (alone, debits(m)) == ({}, {FEBRUARY.format(id): [50000]})


def test_what_is_left_out_of_an_approval_stays(tmp_path: Path) -> None:
    with waits(tmp_path) as m:
        ids = [m.sign_up(name) for name in ("Contoso Dental", "Fabrikam Law")]
        m.to("2026-02-03")
        m.cycle()
        shown = said(m, "approve", "--all", *DANA)
        nothing = debits(m)
        said(m, "approve", "--all", "--yes", "--except", FEBRUARY.format(ids[1]), *DANA)
        m.cycle()

        assert ("Nothing was approved" in shown, nothing) == (True, {})
        assert debits(m) == {FEBRUARY.format(ids[0]): [50000]}
        assert [c.id for c in m.charges(ChargeState.HELD)] == [FEBRUARY.format(ids[1])]


def test_a_charge_that_is_not_in_the_run_cannot_be_approved(tmp_path: Path) -> None:
    with waits(tmp_path) as m:
        out = refused(m, "approve", "connectwise:9/2026-02-01", *DANA)

        assert "does not wait for approval" in out
        assert _audit(m) == []


def test_more_than_the_payer_authorised_for_one_debit_is_held_and_cannot_be_overruled(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging={"approve": "never", "mandate_maximum": "499.99"}) as m:
        id = m.sign_up()
        m.to("2026-02-03")
        m.cycle()
        out = refused(m, "release", FEBRUARY.format(id), *DANA)
        m.cycle()

        assert hold_names(m) == ["mandate_maximum"]
        assert "not a person's to overrule" in out
        assert debits(m) == {}


def _raw(m: Msp, *words: str) -> str:
    return CliRunner().invoke(app, [*words, "--config", str(m.folder / "connector.yaml")]).stdout


def _audit(m: Msp) -> list[Any]:
    with m.agent.store.read() as tx:
        return [row for row in audit.every(tx) if row.what.startswith("approved")]
