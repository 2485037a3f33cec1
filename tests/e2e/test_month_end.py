"""Month end over a seeded story: what the gateway held is what the books show, to the cent, and it stays as it was frozen."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy
from typer.testing import CliRunner, Result

from connector.cli import app
from connector.errors import Rejected
from connector.flows.month_end import BY_ITSELF, Closing
from connector.model.month_end import MonthEnd
from connector.store import audit, freshness, month_end
from tests.e2e.month_story import closed, figures, payment, story, whole_story
from tests.e2e.msp import Msp
from tests.e2e.test_payouts_clearing import ACCOUNTS, METHOD

FEES = 1_480 + 500 + 755 + 900 + 2_350 + 317 + 1_500  # cards 2.9 % + 0.30, a bank debit, a shop's sale, a dispute


@pytest.fixture(scope="module")
def february(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Msp, Closing]]:
    """The whole story, and its February as it was closed. Nobody moves on from there."""
    with story(tmp_path_factory.mktemp("february")) as m:
        whole_story(m)
        yield m, closed(m)


@pytest.fixture
def report(february: tuple[Msp, Closing]) -> MonthEnd:
    return february[1].report


def typed(m: Msp, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "-c", str(m.folder / "connector.yaml")])


def without_fees_account(m: Msp) -> None:
    """The gateway sends a bill, and there is no account for it."""
    m.restart(books={**METHOD, "accounts": {**ACCOUNTS, "fees": "9999"}})
    m.act("stripe.stripe_fee", amount=700)


# What it says


def test_every_figure_of_a_month_is_there_to_the_cent(report: MonthEnd) -> None:
    assert figures(report) == {
        "opening": 0,
        "charges": 50_000 + 120_000 + 80_000 + 25_000 + 30_000 + 9_900,
        "refunds": -25_000,
        "disputes": -30_000,
        "fees withheld": -FEES,
        "the gateway's own bills": -700,
        "payouts": -(314_900 - 25_000 - 30_000 - FEES - 700),
        "closing": 0,
    }


def test_a_month_that_ties_is_frozen(february: tuple[Msp, Closing]) -> None:
    _, done = february

    assert done.report.problems == ()
    assert done.frozen is not None
    assert (done.frozen.month, done.frozen.who) == ("2026-02", BY_ITSELF)


def test_a_payout_on_its_way_over_the_month_end_is_what_the_clearing_account_shows_more(report: MonthEnd) -> None:
    clearing = report.clearing

    assert clearing is not None
    assert [(one.name, one.amount.minor) for one in clearing.apart] == [("payouts on their way to the bank", 77_650)]
    assert (clearing.gateway.minor, clearing.closing.minor) == (0, 77_650)
    assert (clearing.brought_forward.minor, clearing.unexplained.minor) == (0, 0)


def test_a_bank_debit_over_the_month_end_is_on_its_way_and_still_owed(report: MonthEnd) -> None:
    assert [(one.amount.minor, one.now) for one in report.on_its_way] == [(120_000, "still on its way")]
    assert [one.psa.minor for one in report.owed if one.payer == "Fabrikam Law"] == [120_000]


def test_what_each_payer_owes_is_the_same_in_psa_and_books(report: MonthEnd) -> None:
    assert {one.payer: (one.psa.minor, one.books and one.books.minor) for one in report.owed} == {
        "Fabrikam Law": (120_000, 120_000),
        "Tailspin Toys": (25_000, 25_000),
        "Woodgrove Bank": (30_000, 30_000),
    }


def test_a_shops_sales_are_told_apart(report: MonthEnd) -> None:
    assert any(said.startswith("99.00 USD of the charges were not made by the agent") for said in report.notes)


# As it is typed


def test_an_admin_reads_the_month_and_finds_where_each_figure_comes_from(february: tuple[Msp, Closing]) -> None:
    m, _ = february
    result = typed(m, "month-end", "--period", "2026-02")

    assert result.exit_code == 0
    for part in ("month end 2026-02", "it ties", "3,149.00 USD", "-78.02 USD", "776.50 USD", "Stripe Clearing (93)"):
        assert part in result.output
    assert "No entry came later, and no figure has changed." in result.output


def test_a_month_goes_to_a_printer_a_spreadsheet_and_a_program(february: tuple[Msp, Closing], tmp_path: Path) -> None:
    m, _ = february
    result = typed(
        m, "month-end", "--period", "2026-02", "--json", "--html", str(tmp_path / "m.html"), "--csv", str(tmp_path / "m.csv")
    )
    told = json.loads(result.stdout)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "m.csv").read_text(encoding="utf-8-sig"))))

    assert told["ties"] is True
    assert told["report"]["gateway"][0]["closing"] == {"amount": "0.00", "currency": "USD"}
    assert told["frozen"]["sha256"]
    assert "<td>+ refunds</td>" in (tmp_path / "m.html").read_text()
    assert [row["amount"] for row in rows if (row["part"], row["what"]) == ("gateway", "fees withheld")] == ["-78.02"]


def test_a_month_that_is_not_over_is_only_shown(february: tuple[Msp, Closing]) -> None:
    m, _ = february
    refused = typed(m, "month-end", "--period", "2026-03")
    preview = typed(m, "month-end", "--period", "2026-03", "--preview")

    assert isinstance(refused.exception, Rejected)
    assert "2026-03 is not over" in str(refused.exception)
    assert preview.exit_code == 0
    assert "nothing is frozen" in preview.output


def test_what_is_no_month_is_said_so(february: tuple[Msp, Closing]) -> None:
    result = typed(february[0], "month-end", "--period", "February")

    assert "'February' is not a month like 2026-02" in str(result.exception)


# What is not booked


def test_money_that_is_not_booked_keeps_a_month_open_and_is_listed(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        without_fees_account(m)
        m.through("2026-03-02", every_days=5)
        done = closed(m)
        result = typed(m, "month-end", "--period", "2026-02")

        assert done.frozen is None
        assert done.report.problems[0].endswith("not booked")
        assert (-700, "books") in [(one.amount.minor, one.target) for one in done.report.unbooked]
        assert result.exit_code == 1
        assert "Not booked at the end of the month" in result.output


def test_a_payment_that_the_books_refuse_is_listed_with_what_to_do(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.sign_up("Tailspin Toys", amount="250.00", starts="2026-02-05")
        m.to("2026-02-06")
        m.cycle(1)
        m.act("quickbooks.close_books", through="2026-02-20")
        m.through("2026-02-07")
        m.to("2026-03-02")
        m.cycle(1)
        (one,) = [one for one in closed(m).report.unbooked if one.payer == "Tailspin Toys"]

        assert (one.amount.minor, one.target) == (25_000, "books")
        assert "connector retry" in one.do


def test_a_payment_that_somebody_deleted_in_the_books_is_not_booked(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.act("quickbooks.void_payment", id=m.books("Payment")[-1]["Id"])
        m.through("2026-03-02", every_days=5)
        (one,) = closed(m).report.unbooked

        assert one.why == "it was entered, and somebody deleted or voided it there"


def test_a_person_may_close_a_month_that_does_not_tie_and_says_why(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        without_fees_account(m)
        m.through("2026-03-02", every_days=5)
        done = closed(m, who="Dana", why="the accountant enters it")

        assert done.frozen is not None
        assert (done.frozen.who, done.frozen.why) == ("Dana", "the accountant enters it")
        with m.agent.store.read() as tx:
            assert audit.every(tx, 1)[0].why == "the accountant enters it"


# What stays, and what comes later


def test_a_frozen_month_shows_what_came_later_and_stays_as_it_was(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.through("2026-03-02", every_days=5)
        first = closed(m)
        m.act("quickbooks.void_payment", id=m.books("Payment")[0]["Id"])
        again = closed(m)

        assert again.report == first.report
        assert again.frozen == first.frozen
        assert "entries not booked: 0 then, 1 now" in again.since
        assert any(said.startswith("Stripe Clearing (93): ") for said in again.since)


def test_what_went_back_in_the_next_month_is_the_next_months(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.through("2026-03-02", every_days=5)
        closed(m)
        m.act("stripe.refund", payment_intent=payment(m, 50_000), intent="cancel_payment")
        m.to("2026-03-05")
        m.cycle()
        again = closed(m)

        assert (again.late, again.since) == ((), ())


def test_an_entry_that_is_known_too_late_is_told_beside_the_frozen_month(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.sign_up("Tailspin Toys", amount="250.00", starts="2026-02-08")
        m.to("2026-02-09")
        m.cycle()
        m.to("2026-02-09", 23)  # collected, and not looked at
        m.to("2026-03-02")
        with m.agent.store.begin() as tx:  # as if it had looked, and the gateway had told nothing
            for name in ("stripe.events", "payouts"):
                freshness.succeeded(tx, name, now=m.world.now)
        done = closed(m, who="Dana", why="in a hurry")
        m.cycle()
        again = closed(m)

        assert done.late == ()
        assert ("Tailspin Toys", 25_000) in [(one.payer, one.amount.minor) for one in again.late]


def test_a_frozen_month_cannot_be_changed_in_the_database(february: tuple[Msp, Closing]) -> None:
    m, done = february

    with pytest.raises(sqlalchemy.exc.DatabaseError, match="append-only"), m.agent.store.begin() as tx:
        tx.execute(sqlalchemy.text("UPDATE month_end SET content = '{}'"))
    with m.agent.store.read() as tx:
        assert month_end.get(tx, "2026-02") == done.frozen


def test_a_month_is_not_closed_before_the_agent_has_looked_after_its_end(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.at(m.world.now + timedelta(days=30))

        with pytest.raises(Rejected, match="has not looked at the gateway since the month ended"):
            closed(m)


def test_the_next_month_begins_with_what_the_frozen_one_ended_with(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.through("2026-02-20", every_days=4)
        m.act("stripe.set_payouts", schedule="manual")
        m.act("stripe.stripe_fee", amount=700)
        m.through("2026-03-02", every_days=2)
        before = closed(m)
        m.through("2026-04-02", every_days=5)
        after = closed(m, "2026-03")

        assert before.report.gateway[0].closing.minor == -700
        assert after.report.gateway[0].opening == after.report.gateway[0].frozen_closing == before.report.gateway[0].closing
        assert after.report.problems == ()


# Other ways to keep the books


def test_without_a_clearing_account_it_says_what_cannot_be_compared(tmp_path: Path) -> None:
    with story(tmp_path, books={}) as m:
        m.through("2026-03-02", every_days=5)
        done = closed(m)

        assert done.frozen is not None
        assert done.report.clearing is None
        assert figures(done.report)["charges"] == 170_000
        assert any("no account in the books stands for the gateway's balance" in said for said in done.report.notes)


def test_what_the_gateway_held_when_a_clearing_account_was_begun_is_brought_forward(tmp_path: Path) -> None:
    with story(tmp_path, books={}) as m:
        m.act("stripe.set_payouts", schedule="manual")
        m.sign_up("Tailspin Toys", amount="250.00", starts="2026-02-20")
        m.through("2026-02-24")
        m.restart(books=METHOD)
        m.through("2026-03-02", every_days=2)
        begun = closed(m).report
        m.through("2026-04-02", every_days=5)
        later = closed(m, "2026-03").report

        assert begun.problems == ()
        assert later.problems == ()
        assert later.clearing is not None
        assert later.clearing.brought_forward == -begun.gateway[0].closing
