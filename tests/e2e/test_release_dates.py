"""When a charge is collected: not before collect_from, on its charge date, and not at all without an invoice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.model.charge import ChargeState
from connector.overview import overview
from connector.store import settings as stored
from tests.e2e.charging import at_stripe, bills, collected, debits, expected, hold_names, only, releases
from tests.e2e.msp import Msp, msp


def manual(m: Msp, **agreement: Any) -> int:
    """An enrolled payer's agreement; the office makes invoices only when told to."""
    m.act("office.set_automatic", on=False)
    return m.sign_up(**agreement)


def invoice(m: Msp, dated: str, *, through: str = "2026-02-01", due_days: int | None = None) -> None:
    m.act("office.create_invoices", through=through, dated=dated, due_days=due_days)


# collect_from


def test_nothing_dated_before_collect_from_is_charged(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, collect_from="2026-02-15") as m:
        id = m.sign_up(terms="Net 15")
        for day in ("2026-02-02", "2026-02-20"):
            m.to(day)
            m.cycle(1)
        assert debits(m) == {}
        assert hold_names(m) == ["before_collect_from"]
        for day in ("2026-03-02", "2026-03-17"):
            m.to(day)
            m.cycle(1)

        assert debits(m) == {f"connectwise:{id}/2026-03-01": [50000]}


def test_an_agreement_may_have_a_first_day_of_its_own(tmp_path: Path) -> None:
    mapping = own_mapping(tmp_path, "collect_from: {value: 2026-03-01}")
    with msp(tmp_path, agreements=0, psa={"mapping": str(mapping)}) as m:
        id = m.sign_up()
        for day in ("2026-02-02", "2026-03-02"):
            m.to(day)
            m.cycle()

        assert debits(m) == {f"connectwise:{id}/2026-03-01": [50000]}


def own_mapping(folder: Path, line: str) -> Path:
    """The shipped mapping with one more rule for agreements."""
    shipped = Path(__file__).resolve().parents[2] / "mappings" / "connectwise.yaml"
    path = folder / "connectwise.yaml"
    content = shipped.read_text().replace(
        "      name: {from: name, convert: trim}\n", f"      name: {{from: name, convert: trim}}\n      {line}\n", 1
    )
    yaml.safe_load(content)
    path.write_text(content)
    return path


# Invoices raised early, late, on terms


def test_an_invoice_raised_twenty_days_ahead_waits_for_its_due_date(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = manual(m, starts="2026-01-01")
        m.to("2026-01-12")
        invoice(m, "2026-01-01", through="2026-01-01", due_days=60)
        invoice(m, "2026-01-12", due_days=30)
        m.cycle(1)

        assert releases(m, "2026-01-30") == releases(m, "2026-02-02") == releases(m, "2026-02-10") == []
        assert releases(m, "2026-02-11") == [f"connectwise:{id}/2026-02-01"]
        assert only(bills(m, id))["date"][:10] == "2026-01-12"


def test_an_invoice_raised_ahead_that_is_due_before_the_period_begins_is_charged_when_the_draft_is_there(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = manual(m)
        m.to("2026-01-12")
        invoice(m, "2026-01-12", due_days=10)

        assert releases(m, "2026-01-23") == releases(m, "2026-01-31") == []
        assert releases(m, "2026-02-01") == [f"connectwise:{id}/2026-02-01"]


@pytest.mark.parametrize("dated", ["2026-02-03", "2026-02-10", "2026-02-20", "2026-02-27"])
def test_an_invoice_raised_late_is_charged_when_it_is_due(tmp_path: Path, dated: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = manual(m)
        m.to("2026-02-02")
        m.cycle(1)
        assert hold_names(m) == ["missing_invoice"]
        m.to(dated)
        invoice(m, dated)
        m.cycle(1)

        assert debits(m) == expected_of(id, "2026-02-01")
        assert m.holds() == []


def expected_of(id: int, *periods: str) -> dict[str, list[int]]:
    return {f"connectwise:{id}/{period}": [50000] for period in periods}


def test_two_months_invoiced_on_one_day_are_held_until_a_person_dates_the_first_one_back(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = manual(m)
        for day in ("2026-02-02", "2026-03-02"):
            m.to(day)
            m.cycle(1)
        m.to("2026-03-04")
        invoice(m, "2026-03-04", through="2026-03-01")
        m.cycle()
        assert hold_names(m) == ["missing_invoice", "several_invoices"]
        assert debits(m) == {}
        first = min(bills(m, id), key=lambda bill: bill["id"])
        m.act("office.set_field", record="invoices", id=first["id"], field="date", value="2026-02-01T00:00:00Z")
        m.cycle(1)

        assert debits(m) == expected_of(id, "2026-02-01", "2026-03-01")
        assert m.holds() == []


def test_net_30_is_charged_thirty_days_after_the_invoices_date(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(terms="Net 30")

        assert releases(m, "2026-02-02") == releases(m, "2026-03-02") == []
        assert releases(m, "2026-03-03") == [f"connectwise:{id}/2026-02-01"]
        assert releases(m, "2026-03-30") == []
        assert releases(m, "2026-03-31") == [f"connectwise:{id}/2026-03-01"]


def test_one_that_is_due_on_a_sunday_is_released_on_that_sunday(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = manual(m)
        m.to("2026-02-01")
        invoice(m, "2026-02-01", due_days=14)
        m.cycle(1)

        assert releases(m, "2026-02-14") == []
        assert m.world.now.replace(day=15).weekday() == 6
        assert releases(m, "2026-02-15") == [f"connectwise:{id}/2026-02-01"]


def test_due_on_receipt_is_charged_on_the_bill_date(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()

        assert releases(m, "2026-01-31") == []
        assert releases(m, "2026-02-01") == [f"connectwise:{id}/2026-02-01"]


def test_it_is_the_companys_day_that_counts(tmp_path: Path) -> None:
    """Due on the second; at 02:00 UTC it is the evening of the first in New York."""
    with msp(tmp_path, agreements=0) as m:
        id = manual(m)
        m.to("2026-02-01")
        invoice(m, "2026-02-01", due_days=1)
        m.cycle(1)
        m.to("2026-02-02", 2)
        m.cycle(1)
        assert debits(m) == {}
        m.to("2026-02-02", 6)
        m.cycle(1)

        assert list(debits(m)) == [f"connectwise:{id}/2026-02-01"]


def test_a_due_date_that_is_moved_before_it_came_counts(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(terms="Net 15")
        m.to("2026-02-02")
        m.cycle(1)
        m.act("office.set_field", record="invoices", id=only(bills(m, id))["id"], field="dueDate", value="2026-02-25T00:00:00Z")

        assert releases(m, "2026-02-17") == []
        assert releases(m, "2026-02-25") == [f"connectwise:{id}/2026-02-01"]


# charging.date


def test_charging_on_the_invoice_date_does_not_wait_for_the_due_date(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging={"date": "invoice_date"}) as m:
        id = m.sign_up(terms="Net 30")

        assert releases(m, "2026-02-02") == [f"connectwise:{id}/2026-02-01"]


def test_charging_on_a_day_of_the_month(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging={"date": "day_of_month", "day": 20}) as m:
        id = m.sign_up()

        assert releases(m, "2026-02-19") == []
        assert releases(m, "2026-02-20") == [f"connectwise:{id}/2026-02-01"]


def test_charging_on_the_31st_is_the_last_day_of_a_short_month(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging={"date": "day_of_month", "day": 31}) as m:
        id = m.sign_up()

        assert releases(m, "2026-02-27") == []
        assert releases(m, "2026-02-28") == [f"connectwise:{id}/2026-02-01"]
        assert releases(m, "2026-03-30") == []
        assert releases(m, "2026-03-31") == [f"connectwise:{id}/2026-03-01"]


def test_an_agreement_may_have_a_charge_date_of_its_own_by_the_mapping(tmp_path: Path) -> None:
    mapping = own_mapping(tmp_path, "charge_date: {from: type.name, values: {Cloud & Backup: 12}, default: due_date}")
    with msp(tmp_path, agreements=0, psa={"mapping": str(mapping)}) as m:
        usual = m.sign_up(terms="Net 15")
        other = m.sign_up("Fabrikam", type="Cloud & Backup", terms="Net 30")

        assert releases(m, "2026-02-11") == []
        assert releases(m, "2026-02-12") == [f"connectwise:{other}/2026-02-01"]
        assert releases(m, "2026-02-16") == [f"connectwise:{usual}/2026-02-01"]


# Missing invoices


def test_a_period_without_invoice_is_held_and_goes_on_when_the_invoice_appears(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = manual(m, terms="Net 15")
        for day in ("2026-02-02", "2026-02-10"):
            m.to(day)
            m.cycle()
        (held,) = m.holds()
        assert (held.name, held.charge) == ("missing_invoice", f"connectwise:{id}/2026-02-01")
        assert "2026-02-01" in held.message
        assert m.charge(held.charge).state is ChargeState.HELD
        assert collected(m) == 0
        invoice(m, "2026-02-01")
        m.cycle(1)
        assert m.holds() == []
        m.to("2026-02-16")
        m.cycle(1)

        assert debits(m) == expected(m, id)


def test_computed_collects_what_the_agreement_says_and_only_once_when_the_invoice_appears(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging={"missing_invoice": "computed"}) as m:
        id = manual(m)
        m.to("2026-02-02")
        m.cycle()
        assert debits(m) == expected_of(id, "2026-02-01")
        m.to("2026-02-05")
        invoice(m, "2026-02-01")
        m.cycle()
        m.to("2026-02-10")
        m.cycle()

        assert debits(m) == expected_of(id, "2026-02-01")
        assert only(bills(m, id))["balance"] == 0
        assert len(m.psa_payments()) == 1


def test_status_says_on_the_day_before_how_many_billing_units_have_no_invoice(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        manual(m)
        m.sign_up("Fabrikam")
        m.sign_up("Tailwind", starts="2026-02-15")
        m.to("2026-01-31")
        m.cycle(1)

        sentence = "2 billing units due 2026-02-01 have no invoice in the PSA yet: create the agreement invoices."
        assert sentence in overview(m.agent.desk).notices

        invoice(m, "2026-02-01")
        m.cycle(1)

        assert not [notice for notice in overview(m.agent.desk).notices if "have no invoice" in notice]
        with m.agent.store.read() as tx:
            assert stored.get(tx, "due_without_invoice") == {"day": "2026-02-01", "units": 0}


def test_a_period_that_the_office_wrote_off_is_never_collected(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = manual(m)
        m.act("office.cancel_period", agreement=id)
        m.act("office.set_automatic", on=True)
        for day in ("2026-02-02", "2026-03-02", "2026-04-02"):
            m.to(day)
            m.cycle()

        assert debits(m) == expected_of(id, "2026-03-01", "2026-04-01") == expected(m, id)
        assert hold_names(m) == ["missing_invoice"]
        assert len(at_stripe(m, "draft")) == 1


# Long and short cycles


@pytest.mark.parametrize(
    ("cycle", "starts", "days"),
    [
        ("Weekly", "2026-01-19", ("2026-01-19", "2026-01-26", "2026-02-02")),
        ("Fortnightly", "2026-01-19", ("2026-01-19", "2026-02-02", "2026-02-16")),
        ("Quarterly in advance", "2026-01-19", ("2026-01-19", "2026-04-19", "2026-07-19")),
    ],
)
def test_other_cycles_are_charged_on_their_days(tmp_path: Path, cycle: str, starts: str, days: tuple[str, ...]) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(starts=starts, cycle=cycle)
        for day in days:
            m.to(day)
            m.cycle(1)

        assert debits(m) == expected(m, id) == expected_of(id, *days)


def test_a_quarters_invoice_raised_twenty_days_ahead_is_the_coming_quarters(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = manual(m, starts="2026-02-01", cycle="Quarterly in advance")
        m.to("2026-02-02")
        invoice(m, "2026-02-01")
        m.cycle(1)
        m.to("2026-04-11")
        invoice(m, "2026-04-11", through="2026-05-01", due_days=20)
        m.cycle(1)

        assert releases(m, "2026-04-30") == []
        assert releases(m, "2026-05-02") == [f"connectwise:{id}/2026-05-01"]
