"""What fails each time is parked, stops nothing else, and a person gets it going again: read and typed as an admin does."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connector.cli import app
from connector.errors import Rejected
from connector.flows import attention
from connector.flows.attention import Parked
from connector.overview import overview
from connector.store import audit, stuck
from tests.e2e.msp import Msp, msp
from tests.e2e.test_charging_commands import refused, said

BESIDE = {"customer_name": "Contoso Dental", "dated": "2026-02-01", "due": "2026-02-01", "total": "500.00"}
ROUNDS = stuck.ATTEMPTS + 1


def only(m: Msp) -> Parked:
    (one,) = attention.parked(m.agent.desk)
    return one


def closed_books(m: Msp) -> str:
    """A payment that the books refuse. Its number."""
    m.sign_up()
    m.to("2026-02-02")
    m.cycle(1)
    m.act("quickbooks.close_books", through="2026-02-28")
    m.to("2026-02-02", 20)
    m.cycle(1)
    return only(m).id


def trail(m: Msp) -> list[tuple[str, str]]:
    with m.agent.store.read() as tx:
        return [(row.who, row.why) for row in audit.every(tx) if row.what.startswith(("tried again", "dismissed"))]


def test_what_is_parked_says_what_to_whom_how_much_where_why_and_what_to_type(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        number = closed_books(m)

        text = said(m, "parked")
        for part in (
            "Contoso Dental",
            "500.00 USD",
            "books:quickbooks",
            f"connector retry {number}",
            f"connector dismiss {number}",
        ):
            assert part in text
        assert "Open the period" in text
        assert said(m, "parked", "--target", "psa") == "Nothing needs attention. "


def test_it_is_data_for_a_program(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        number = closed_books(m)
        result = CliRunner().invoke(app, ["parked", "--json", "--config", str(m.folder / "connector.yaml")])

        (row,) = json.loads(result.output)
        assert (row["id"], row["amount"]) == (number, {"amount": "500.00", "currency": "USD"})
        assert row["since"].startswith("2026-02-02T20:00")


def test_status_shows_the_same_number(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        number = closed_books(m)

        assert [str(item.delivery) for item in overview(m.agent.desk).on_their_way] == [number]
        assert any("connector parked" in notice for notice in overview(m.agent.desk).notices)


@pytest.mark.parametrize("words", [("--all",), ("--all", "--target", "books"), ()])
def test_what_was_put_right_is_tried_again_and_goes_through(tmp_path: Path, words: tuple[str, ...]) -> None:
    with msp(tmp_path, agreements=0) as m:
        number = closed_books(m)
        m.act("quickbooks.close_books", through=None)
        said(m, "retry", *(words or (number,)), "--as", "Dana", "--why", "opened February")
        m.cycle(1)

        assert attention.parked(m.agent.desk) == []
        assert [row["TotalAmt"] for row in m.books("Payment")] == [500]
        assert trail(m) == [("Dana", "opened February")]


def test_a_target_that_is_not_meant_is_left_alone(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        number = closed_books(m)

        assert "Nothing needs attention" in said(m, "retry", "--all", "--target", "psa")
        assert only(m).id == number


def test_what_was_entered_by_hand_is_dismissed_with_name_and_reason_only(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        number = closed_books(m)
        assert "--why" in refused(m, "dismiss", number)
        said(m, "dismiss", number, "--as", "Dana", "--why", "journal 77")

        assert (attention.parked(m.agent.desk), m.undelivered()) == ([], [])
        assert trail(m) == [("Dana", "journal 77")]


def test_a_number_that_is_nobodys_is_refused(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        closed_books(m)

        assert "connector parked" in refused(m, "retry", "4711")
        assert said(m, "retry", "1", "--all", code=2)


# What is no payment on its way


def poisoned(m: Msp, path: str, **where: Any) -> None:
    """From now on Stripe refuses this one record each time."""
    m.fault("refused", "stripe", path=path, count=10**6, **where)


def rounds(m: Msp, number: int, *flows: str) -> None:
    for _ in range(number):
        try:
            m.run(*flows)
        except Rejected:
            continue


def test_a_charge_that_cannot_be_read_is_parked_after_so_many_attempts_and_stops_no_other(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up("Adatum")
        m.sign_up("Contoso")
        m.to("2026-02-02")
        m.cycle(1)
        bad = next(charge for charge in m.charges() if charge.payer == m.charges()[0].payer)
        poisoned(m, f"/invoices/{bad.gateway_invoice}$", method="GET")
        m.to("2026-02-02", 20)
        rounds(m, ROUNDS, "collect")
        m.run("collect")  # it no longer makes the flow fail

        assert [entry.charge for entry in m.ledger()] == [c.id for c in m.charges() if c.id != bad.id]
        assert (only(m).name, only(m).amount) == ("Adatum: Managed Services", bad.owed)
        asked = len(m.requests(partner="stripe"))
        m.run("collect")
        assert len(m.requests(partner="stripe")) == asked + 1  # the events alone

        m.world.faults.clear()
        said(m, "retry", only(m).id)
        m.cycle(1)
        assert (attention.parked(m.agent.desk), len(m.ledger())) == ([], 2)


def test_a_payer_whose_method_cannot_be_read_stops_neither_events_nor_money(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up("Adatum")
        company = m.act("office.add_company", name="Contoso", email="ap@contoso.example", Autopay="Yes")
        m.act("office.add_agreement", company=company, name="MS", starts="2026-02-01", amount="500.00", terms="Due on receipt")
        m.run("mirror", "enrol")
        m.enrol(only="Contoso")
        customer = next(row["id"] for row in m.stripe("customer") if row["name"] == "Contoso")
        poisoned(m, f"/customers/{customer}")
        for hour in (18, 20):
            m.to("2026-02-02", hour)
            m.run("collect", "mirror", "release")
        rounds(m, ROUNDS, "collect")

        assert [entry.amount.minor for entry in m.ledger()] == [50000]
        assert only(m).name == "Contoso"

        m.world.faults.clear()
        said(m, "retry", only(m).id)
        m.run("collect")
        assert attention.parked(m.agent.desk) == []
        assert overview(m.agent.desk).awaiting == ()


def test_a_change_that_the_gateway_refuses_is_parked_and_the_others_are_made(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        adatum, contoso = m.sign_up("Adatum"), m.sign_up("Contoso")
        subscription = next(s for s in m.stripe("subscription") if s["metadata"]["unit"] == f"connectwise:{adatum}")
        poisoned(m, f"/subscriptions/{subscription['id']}$", method="POST")
        for id in (adatum, contoso):
            m.act("office.add_addition", agreement=id, product="Workstation", quantity=2, unitPrice="45.00", starts="2026-02-01")
        rounds(m, ROUNDS, "mirror")

        assert only(m).name == "Adatum: Managed Services"
        writes = len(m.requests(partner="stripe", writes=True))
        assert m.run("mirror")["failed"] == []
        assert len(m.requests(partner="stripe", writes=True)) == writes
        assert [change.new.unit for change in m.plan().plan.changes] == [f"connectwise:{adatum}"]  # type: ignore[union-attr]

        m.world.faults.clear()
        with pytest.raises(Rejected, match="out of autopay"):
            attention.dismiss(m.agent.desk, only(m).id, who="Dana", why="no")
        said(m, "retry", only(m).id)
        m.run("mirror")
        assert (attention.parked(m.agent.desk), m.plan().plan.changes) == ([], ())


def test_a_change_that_is_parked_is_tried_again_when_the_agreement_changes(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        poisoned(m, r"/subscriptions/sub_\w+$", method="POST")
        m.act("office.set_field", record="agreements", id=id, field="billAmount", value=Decimal(600))
        rounds(m, ROUNDS, "mirror")
        m.world.faults.clear()
        m.run("mirror")
        assert len(attention.parked(m.agent.desk)) == 1

        m.act("office.set_field", record="agreements", id=id, field="billAmount", value=Decimal(700))
        m.run("mirror")

        assert (attention.parked(m.agent.desk), m.plan().plan.changes) == ([], ())


def test_what_the_books_refuse_for_its_day_is_entered_on_the_day_that_a_person_names(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        number = closed_books(m)
        m.to("2026-03-02")
        m.cycle(1)
        listed = said(m, "parked")
        with pytest.raises(Rejected, match="first open day is 2026-03-01"):
            attention.retry(m.agent.desk, number, who="Dana", dated=date(2026, 2, 10))
        with pytest.raises(Rejected, match="still to come"):
            attention.retry(m.agent.desk, number, who="Dana", dated=date(2026, 4, 1))
        assert refused(m, "retry", number, "--date", "2026-03-01") == "2"  # by whom?
        said(m, "retry", number, "--date", "2026-03-01", "--as", "Dana", "--why", "February is filed")
        m.cycle(1)

        assert f"connector retry {number} --date 2026-03-01" in listed
        assert [row["TxnDate"] for row in m.books("Payment")] == ["2026-03-01"]
        assert m.undelivered() == []
        assert trail(m) == [("Dana", "February is filed")]


def test_another_day_is_only_for_what_was_refused_because_of_its_day(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.to("2026-02-02")
        m.cycle(1)
        m.act("quickbooks.enter_invoice", number=m.psa_invoices()[0]["invoiceNumber"], **BESIDE)
        m.to("2026-02-02", 20)
        m.cycle(1)

        with pytest.raises(Rejected, match="did not fail because of its day"):
            attention.retry(m.agent.desk, only(m).id, who="Dana", dated=date(2026, 2, 2))
