"""A period in shadow mode: everything is computed, nothing is written anywhere, and going live collects nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connector.cli import app
from connector.daemon import facts_of
from connector.errors import Rejected
from connector.flows.golive import go_live_report
from connector.flows.overrule import overrule
from connector.model.shadow import Outcome, ShadowCharge, outcome
from connector.serve.app import as_health
from connector.serve.page import render
from connector.store import shadow
from tests.e2e.charging import bills, debits, hold_names, only
from tests.e2e.msp import Msp, msp


def writes(m: Msp) -> list[Any]:
    """Whatever could change something at a partner. Queries by POST read; a token is refreshed by POST."""
    return [
        (row["partner"], row["method"], row["path"])
        for row in m.world.requests
        if row["method"] not in ("GET", "HEAD")
        and not (row["partner"] == "autotask" and "/query" in row["path"])
        and "/tokens/" not in row["path"]
    ]


def rows(m: Msp) -> list[ShadowCharge]:
    with m.agent.store.read() as tx:
        return shadow.every(tx)


def customer(m: Msp, name: str = "Contoso Dental", **agreement: Any) -> int:
    company = m.act("office.add_company", name=name, email=f"ap@{name.split()[0].lower()}.example", Autopay="Yes")
    plain = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": "500.00", "tax_code": "Exempt"}
    return int(m.act("office.add_agreement", company=company, name="Managed Services", **{**plain, **agreement}))


def test_a_whole_period_in_shadow_mode_writes_nothing_to_any_partner(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=12, mode="shadow") as m:
        m.through("2026-02-12")

        assert writes(m) == []
        assert len(rows(m)) >= 8
        assert {row["partner"] for row in m.world.requests} == {"connectwise", "stripe", "quickbooks"}


def test_what_another_product_collected_matches_to_the_cent(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, mode="shadow") as m:
        id = customer(m)
        m.cycle(1)
        m.to("2026-02-02")
        m.cycle(1)
        before = only(rows(m))
        m.act("office.record_payment", invoice=only(bills(m, id))["id"], amount="500.00")
        m.cycle(1)
        row = only(rows(m))

        assert outcome(before, m.agent.desk.today()) is Outcome.NOT_COLLECTED
        assert outcome(row, m.agent.desk.today()) is Outcome.MATCHES
        assert (str(row.amount), str(row.collected), str(row.invoiced)) == ("500.00 USD",) * 3
        assert [payment.where for payment in row.payments] == ["connectwise"]
        assert writes(m) == []


def test_what_is_paid_in_the_books_alone_counts_as_collected(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, mode="shadow") as m:
        id = customer(m)
        m.cycle(1)
        m.to("2026-02-03")
        number = only(bills(m, id))["invoiceNumber"]
        m.act("quickbooks.enter_payment", customer_name="Contoso Dental", amount="450.00", number=number)
        m.cycle(1)
        row = only(rows(m))

        assert (outcome(row, m.agent.desk.today()), str(row.difference)) == (Outcome.DIFFERS, "-50.00 USD")
        assert [(payment.where, str(payment.amount)) for payment in row.payments] == [("quickbooks", "450.00 USD")]


def test_going_live_does_not_collect_the_shadowed_period(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, mode="shadow", collect_from="2026-01-10") as m:
        id = customer(m)
        m.through("2026-02-10")
        m.restart()
        m.cycle()
        m.enrol()
        m.through("2026-02-25")
        m.cycle()

        assert len(bills(m, id)) == 1
        assert debits(m) == {}
        m.through("2026-03-05")
        assert list(debits(m).values()) == [[50000]]


def test_a_bill_of_the_shadowed_time_whose_draft_comes_later_is_held_until_a_person_says_so(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, mode="shadow") as m:
        id = customer(m)
        m.cycle(1)
        m.act("office.create_invoices", through="2026-02-01", dated="2026-01-25", agreements=[id])
        m.through("2026-01-28")
        m.restart()
        m.cycle()
        m.enrol()
        m.through("2026-02-03")

        assert (debits(m), hold_names(m)) == ({}, ["shadowed"])
        overrule(m.agent.desk, only(m.holds()).charge, who="Dana", why="the other product was switched off")
        m.cycle()
        assert list(debits(m).values()) == [[50000]]


def test_a_writing_method_is_refused_in_words(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, mode="shadow") as m, pytest.raises(Rejected, match="this is shadow mode"):
        m.agent.desk.gateway.adopt_new_methods("cus_1")


def report(m: Msp, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["go-live-report", "--config", str(m.folder / "connector.yaml"), *arguments])


def test_the_report_says_ready_when_every_bill_was_collected_to_the_cent(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, mode="shadow") as m:
        id = customer(m)
        m.through("2026-02-02")
        m.act("office.record_payment", invoice=only(bills(m, id))["id"], amount="500.00")
        m.through("2026-02-05")
        said = report(m)
        page, sheet = tmp_path / "report.html", tmp_path / "report.csv"
        written = report(m, "--period", "2026-02", "--html", str(page), "--csv", str(sheet), "--json")

        assert (said.exit_code, written.exit_code) == (0, 0), said.output
        assert ": ready to go live" in said.output
        assert "matches to the cent" in said.output
        assert "Contoso Dental" in page.read_text()
        assert sheet.read_text().count("\n") == 2
        assert json.loads(written.output)["ready"] is True
        assert writes(m) == []


def test_the_report_says_why_not(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, mode="shadow") as m:
        id = customer(m)
        customer(m, "Fabrikam", amount="80.00", starts="2026-03-01")
        m.through("2026-02-02")
        m.act("office.record_payment", invoice=only(bills(m, id))["id"], amount="480.00")
        m.through("2026-02-05")
        said = report(m)

        assert said.exit_code == 1
        assert "1 charge came to another amount than was collected" in said.output
        assert "20.00 USD less was collected" in said.output
        assert "1 agreement had no whole period in shadow mode yet" in said.output


def test_everybody_who_asks_is_told_that_it_is_shadow_mode(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, mode="shadow") as m:
        m.cycle(1)
        facts = facts_of(m.agent)
        status = CliRunner().invoke(app, ["status", "--config", str(m.folder / "connector.yaml")])

        assert "SHADOW MODE since 2026-01-05" in status.output
        assert "Shadow mode" in render(facts, company="Test MSP", version="1")
        assert as_health(facts, "1")["mode"] == "shadow"


def test_a_month_that_is_none_is_refused(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, mode="shadow") as m, pytest.raises(Rejected, match="not a month like 2026-02"):
        go_live_report(m.agent.desk, month="February")
