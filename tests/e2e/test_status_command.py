"""`connector status`, read as a billing admin does: what comes when, what waits for what, and what to do."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from connector import show
from connector.overview import overview
from connector.serve.facts import gather
from tests.e2e.msp import Msp, msp


def text(m: Msp) -> str:
    """As it is printed, with the lines of a cell joined."""
    out = io.StringIO()
    show.show_overview(Console(file=out, width=400, highlight=False), overview(m.agent.desk))
    return out.getvalue()


def data(m: Msp) -> dict[str, Any]:
    return dict(json.loads(json.dumps(show.as_data(overview(m.agent.desk)))))


def line(m: Msp, start: str) -> str:
    return next(line for line in text(m).splitlines() if line.startswith(start))


def on_the_way(m: Msp) -> None:
    """One payer has paid and waits for the books, one debit is under way, one bill is not due, one payer has no method."""
    m.sign_up("Adatum")
    m.sign_up("Contoso", starts="2026-02-05", method="us_bank_account")
    m.sign_up("Fabrikam", terms="Net 30")
    company = m.act("office.add_company", name="Litware", email="ap@litware.example", Autopay="Yes")
    m.act(
        "office.add_agreement", company=company, name="Managed Services", starts="2026-02-01", amount="75.50", tax_code="Exempt"
    )
    m.cycle()
    for day in (2, 3, 5, 6):
        if day == 3:
            m.act("quickbooks.close_books", through="2026-02-03")
        m.to(f"2026-02-{day:02}")
        m.cycle(1)


def test_the_partners_stand_first_and_flows_that_work_are_not_listed(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.to("2026-02-02")
        m.cycle()

        assert [row["name"] for row in data(m)["connections"]] == ["connectwise", "stripe", "quickbooks"]
        assert [row["error"] for row in data(m)["connections"]] == ["", "", ""]
        assert "2026-02-02 18:00" in line(m, "connectwise")


def test_a_partner_that_was_never_reached_is_listed_as_such(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.run("mirror", "enrol", "release", "collect", "deliver")

        assert "never" in line(m, "quickbooks")


def test_a_partner_that_is_down_says_so_and_so_do_the_flows_that_need_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.fault("500", "stripe", count=10**6)
        m.to("2026-02-02")
        with pytest.raises(AssertionError, match="Stripe could not list events"):
            m.cycle(1)

        assert "2026-01-05" in line(m, "stripe ")
        assert "HTTP 500" in line(m, "stripe ")
        assert line(m, "collect")

        m.world.faults.clear()
        m.to("2026-02-02", 20)
        m.cycle()

        assert "collect" not in text(m)
        assert [row["error"] for row in data(m)["connections"]] == ["", "", ""]


def test_every_planned_charge_has_its_payer_period_amount_and_what_it_waits_for(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        on_the_way(m)

        assert "500.00 USD" in line(m, "Fabrikam")
        assert "2026-02-01..2026-02-28" in line(m, "Fabrikam")
        assert "2026-03-03" in line(m, "Fabrikam")
        assert "waiting" in line(m, "Fabrikam")
        assert "released" in line(m, "Contoso")
        assert "75.50 USD" in line(m, "Litware")
        assert "Litware  (links: connector enrol)" in line(m, "Waiting for a payment method")


def test_what_needs_a_person_says_what_happened_and_what_to_do(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        on_the_way(m)

        parked = line(m, "Adatum")
        assert "500.00 USD" in parked
        assert "books:quickbooks" in parked
        assert "needs attention" in parked
        assert "Open the period" in parked
        notices = data(m)["notices"]
        assert any("1 thing failed each time" in notice and "connector parked" in notice for notice in notices)
        assert any("1 mismatch in the three-way check of 2026-02-06 18:00 UTC" in notice for notice in notices)


def test_what_was_collected_this_month_is_a_sum_with_its_currency(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        on_the_way(m)

        assert line(m, "Collected this month") == "Collected this month: 500.00 USD"
        assert data(m)["collected_this_month"] == {"amount": "500.00", "currency": "USD"}


def test_money_on_its_way_back_is_less_than_nothing(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.to("2026-02-02")
        m.cycle(1)
        m.to("2026-02-02", 20)
        m.cycle(1)
        m.act("stripe.refund", payment_intent=m.ledger()[0].payment, amount=20000)
        m.to("2026-02-03")
        m.cycle(1)

        assert "-200.00 USD" in line(m, "Contoso Dental")
        assert data(m)["on_their_way"][0]["amount"] == {"amount": "-200.00", "currency": "USD"}


def test_when_all_is_well_it_says_little(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.to("2026-02-02")
        m.cycle(1)
        m.to("2026-02-02", 20)
        m.cycle(1)

        assert data(m)["notices"] == []
        assert "No planned charges." in text(m)
        assert "Payments on their way" not in text(m)
        assert "!" not in text(m)


def test_the_data_for_programs_has_names_beside_ids_and_no_secret(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        on_the_way(m)

        (item,) = data(m)["on_their_way"]
        assert (item["name"], item["state"], item["target"]) == ("Adatum: Managed Services", "parked", "books:quickbooks")
        assert data(m)["now"] == "2026-02-06T18:00:00+00:00"
        assert data(m)["time_zone"] == "America/New_York"
        said = json.dumps(data(m)) + text(m)
        secrets = [path.read_text().strip() for path in (m.folder / "secrets").iterdir()]
        assert not [secret for secret in secrets if secret in said]


def test_a_partner_that_is_no_longer_configured_is_forgotten(tmp_path: Path) -> None:
    """It was down when it was taken out, and must not make health fail for ever."""
    with msp(tmp_path, agreements=0) as m:
        m.fault("500", "quickbooks", count=10**6)
        m.sign_up()
        m.to("2026-02-02")
        m.run("mirror")
        with pytest.raises(AssertionError):
            m.cycle(1)
        m.restart(books=None)
        m.to("2026-02-05")
        m.cycle(1)

        seen = gather(m.agent.store, m.world.now)
        assert "quickbooks" not in {connection.name for connection in seen.connections}
        assert seen.status == "ok"
