"""Year end over two months: gross by month, and from there to the bank's deposits, to the cent."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connector.cli import app
from connector.errors import Rejected
from connector.flows.year_end import YearEnd, parse_year, year_end
from tests.e2e.month_story import closed, story, whole_story
from tests.e2e.msp import Msp


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Msp]:
    with story(tmp_path_factory.mktemp("year")) as m:
        whole_story(m)
        closed(m)
        m.through("2026-04-02")
        yield m


@pytest.fixture(scope="module")
def year(office: Msp) -> YearEnd:
    return year_end(office.agent.desk, parse_year("2026", office.agent.desk.today()))


def test_gross_is_each_months_charges_with_nothing_taken_off(year: YearEnd) -> None:
    rows = {row.month: row.gross for row in year.months["USD"]}

    assert (rows["2026-02"].cards.minor, rows["2026-02"].bank_debits.minor, rows["2026-02"].others.minor) == (
        185_000,
        120_000,
        9_900,
    )
    assert {month: gross.total.minor for month, gross in rows.items()} == {
        "2026-01": 0,
        "2026-02": 314_900,
        "2026-03": 275_000,
        "2026-04": 170_000,
    }


def test_each_months_gross_leads_to_what_the_bank_got(year: YearEnd, office: Msp) -> None:
    rows = year.months["USD"]
    at_the_bank = sum(one["amount"] for one in office.stripe("payout") if one["status"] == "paid")

    assert year.problems == ()
    assert sum(row.deposited.minor for row in rows) == at_the_bank
    assert [row.way_after.minor for row in rows][1] == 77_650


def test_a_closed_month_is_compared_with_what_it_was_closed_with(year: YearEnd) -> None:
    assert [row.frozen is not None for row in year.months["USD"]] == [False, True, False, False]
    assert year.open == ("2026-01", "2026-03")
    assert year.running == "2026-04"


def test_a_charge_in_the_last_hours_of_the_month_counts_as_the_company_counts_days(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.at(datetime(2026, 3, 1, 2, tzinfo=UTC))  # 28 February, 21:00 in New York
        m.act("stripe.shop_sale", amount=9_900)
        m.cycle(1)
        found = year_end(m.agent.desk, parse_year("2026", m.agent.desk.today()))
        (february,) = [row for row in found.months["USD"] if row.month == "2026-02"]

        assert february.gross.others.minor == 9_900
        assert february.gross.total_utc == february.gross.total - february.gross.others


def test_a_spreadsheet_gets_a_row_for_each_month(office: Msp, tmp_path: Path) -> None:
    config = str(office.folder / "connector.yaml")
    result = CliRunner().invoke(app, ["year-end", "--year", "2026", "--csv", str(tmp_path / "y.csv"), "-c", config])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "y.csv").read_text(encoding="utf-8-sig"))))

    assert result.exit_code == 0
    assert [(row["month"], row["gross"], row["deposited"]) for row in rows][1] == ("2026-02", "3149.00", "1737.48")


def test_a_year_that_has_not_begun_is_refused(office: Msp) -> None:
    with pytest.raises(Rejected, match="2027 has not begun"):
        parse_year("2027", office.agent.desk.today())
