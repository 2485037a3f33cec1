"""Month end over a seeded story: what the gateway held is what the books show, to the cent, and it stays as it was frozen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from connector.errors import Rejected
from connector.flows.month_end import Closing, close, parse_month
from connector.model.month_end import MonthEnd
from connector.store import audit, month_end
from tests.e2e.msp import Msp, msp
from tests.e2e.test_payouts_clearing import METHOD


@contextmanager
def story(folder: Path, **changes: Any) -> Iterator[Msp]:
    """A card of 500.00 and a bank debit of 1,200.00 in February; the bank debit of 27 February arrives in March."""
    with msp(folder, agreements=0, **{"books": METHOD, **changes}) as m:
        m.act("stripe.set_payouts", schedule="daily")
        m.cycle()
        m.sign_up("Contoso Dental")
        m.sign_up("Fabrikam Law", method="us_bank_account", amount="1200.00", starts="2026-01-27")
        m.through("2026-02-05")
        yield m


def closed(m: Msp, month: str = "2026-02", **how: Any) -> Closing:
    return close(m.agent.desk, parse_month(month, m.agent.desk.today()), **how)


def figures(report: MonthEnd) -> dict[str, int]:
    (one,) = report.gateway
    moved = {figure.name: figure.amount.minor for figure in one.figures}
    return {"opening": one.opening.minor, **moved, "closing": one.closing.minor}


def test_a_month_is_frozen_with_every_figure_to_the_cent(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.through("2026-02-26")
        m.act("stripe.stripe_fee", amount=700)
        m.through("2026-03-02")
        done = closed(m)

        assert done.report.problems == ()
        assert done.frozen is not None
        assert figures(done.report) == {
            "opening": 0,
            "charges": 170_000,
            "refunds": 0,
            "disputes": 0,
            "fees withheld": -1_480 - 500,
            "the gateway's own bills": -700,
            "payouts": -168_020,
            "closing": -700,
        }


def test_the_clearing_account_is_compared_with_the_gateway_on_the_last_day(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.through("2026-03-02")
        clearing = closed(m).report.clearing

        assert clearing is not None
        assert (clearing.gateway.minor, clearing.closing.minor, clearing.unexplained.minor) == (0, 0, 0)


def test_a_payout_on_its_way_over_the_month_end_is_named(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.act("stripe.set_payouts", schedule="manual")
        m.through("2026-02-27")
        m.act("stripe.stripe_fee", amount=700)
        m.act("stripe.shop_sale", amount=9900)
        m.through("2026-03-05")
        clearing = closed(m).report.clearing

        assert clearing is not None
        assert clearing.unexplained.minor == 0
        assert clearing.closing.minor == clearing.gateway.minor


def test_a_bank_debit_over_the_month_end_is_on_its_way_and_owed(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.through("2026-03-05")
        report = closed(m).report

        assert [(one.amount.minor, one.now) for one in report.on_its_way] == [(120_000, "arrived 2026-03-04")]
        (owed,) = report.owed
        assert (owed.payer, owed.psa.minor, owed.books and owed.books.minor) == ("Fabrikam Law", 120_000, 120_000)


def test_money_that_is_not_booked_keeps_a_month_open_and_is_listed(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.through("2026-02-26")
        with_books_down(m)
        m.through("2026-03-01")
        done = closed(m)

        assert done.frozen is None
        assert done.report.problems != ()
        assert [(one.payer, one.amount.minor, one.target) for one in done.report.unbooked] == [("", -700, "books")]


def with_books_down(m: Msp) -> None:
    m.restart(books={**METHOD, "accounts": {**METHOD["accounts"], "fees": "9999"}})  # type: ignore[dict-item]
    m.act("stripe.stripe_fee", amount=700)


def test_a_person_may_close_a_month_that_does_not_tie_and_says_why(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        with_books_down(m)
        m.through("2026-03-01")
        done = closed(m, who="Dana", why="the accountant enters it")

        assert done.frozen is not None
        assert (done.frozen.who, done.frozen.why) == ("Dana", "the accountant enters it")
        with m.agent.store.read() as tx:
            assert audit.every(tx, 1)[0].why == "the accountant enters it"


def test_a_frozen_month_shows_what_came_later_and_stays_as_it_was(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.through("2026-03-01")
        first = closed(m)
        m.act("quickbooks.void_payment", id=m.books("Payment")[-1]["Id"])
        again = closed(m)

        assert again.report == first.report
        assert again.frozen == first.frozen
        assert any(said.startswith("Stripe Clearing (93)") for said in again.since)


def test_a_frozen_month_cannot_be_changed_in_the_database(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.through("2026-03-01")
        closed(m)

        with pytest.raises(sqlalchemy.exc.DatabaseError, match="append-only"), m.agent.store.begin() as tx:
            tx.execute(sqlalchemy.text("UPDATE month_end SET content = '{}'"))
        with m.agent.store.read() as tx:
            assert month_end.get(tx, "2026-02") is not None


def test_a_month_that_is_not_over_is_only_shown(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        with pytest.raises(Rejected, match="2026-02 is not over"):
            closed(m)
        preview = closed(m, preview=True)

        assert preview.frozen is None
        assert figures(preview.report)["charges"] == 170_000


def test_a_month_is_not_closed_before_the_agent_has_looked_after_its_end(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.through("2026-02-27")
        m.at(m.world.now + timedelta(days=5))

        with pytest.raises(Rejected, match="has not looked at the gateway since the month ended"):
            closed(m)


def test_the_next_month_begins_with_what_the_frozen_one_ended_with(tmp_path: Path) -> None:
    with story(tmp_path) as m:
        m.through("2026-02-27")
        m.act("stripe.stripe_fee", amount=700)
        m.through("2026-03-01")
        february = closed(m)
        m.through("2026-04-01")
        march = closed(m, "2026-03")

        assert february.report.gateway[0].closing == march.report.gateway[0].opening == march.report.gateway[0].frozen_closing
        assert march.report.problems == ()
