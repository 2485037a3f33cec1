"""The totals of each month, why two of them differ, and the same on paper, for a spreadsheet and for a program."""

from __future__ import annotations

import csv
import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from connector.cli import app
from connector.cli_common import EXIT_DRIFT, EXIT_PROBLEM
from connector.flows.reconcile_totals import totals
from connector.model.totals import COLLECTED, MonthTotals
from tests.e2e.month_story import payment, story
from tests.e2e.msp import Msp
from tests.e2e.test_repair import NAME, open_in_books, payments


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Msp]:
    """A card charge that is partly refunded, a bank debit on its way over the month's end, one held, a shop's sale, payouts."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with story(tmp_path_factory.mktemp("totals")) as m:
        m.act("stripe.refund", payment_intent=payment(m, 50_000), amount=20_000, intent="credit")
        m.act("stripe.shop_sale", amount=9_900)
        m.through("2026-02-12")
        yield m
    for number, handler in handlers.items():
        signal.signal(number, handler)


def typed(m: Msp, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(m.folder / "connector.yaml")])


def of(m: Msp) -> dict[str, MonthTotals]:
    result = m.reconcile()
    return {one.month: one for one in totals(m.agent.desk, result.bills, since=result.since).months}


def test_each_months_totals_are_as_the_partners_have_them_and_every_difference_has_its_reason(told: Msp) -> None:
    found = of(told)
    february = found["2026-02"]
    ours = {entry.payment for entry in told.ledger()}
    withheld = sum(row["fee"] for row in told.stripe("balance_transaction"))
    at_bank = sum(row["amount"] for row in told.stripe("payout") if row["status"] == "paid")

    assert february.collected.minor == 170_000
    assert february.refunded.minor == 20_000
    assert sum(one.fees.minor for one in found.values() if one.fees) == withheld
    assert sum(one.deposited.minor for one in found.values() if one.deposited) == at_bank
    assert sum(one.invoiced.minor for one in found.values()) == 170_000
    assert len(ours) == 2
    assert all(one.unexplained() == () for one in found.values())
    reasons = {part.reason: part.amount.minor for part in february.why if part.between == COLLECTED}
    assert reasons["charged at the gateway by others"] == -9_900


def test_a_bill_of_one_month_that_was_charged_in_the_next_is_named_in_both(told: Msp) -> None:
    found = of(told)
    reasons = {one.month: {part.reason: (part.amount.minor, part.bills) for part in one.why} for one in found.values()}
    every = {reason for of_month in reasons.values() for reason in of_month}

    assert any(reason.startswith(("charged in", "collected in")) for reason in every)
    assert any(reason.startswith(("invoiced in", "charged in")) for reason in every)


def test_page_spreadsheet_and_json_say_the_same_and_the_exit_code_tells(told: Msp, tmp_path: Path) -> None:
    result = typed(told, "reconcile", "--all", "--html", str(tmp_path / "r.html"), "--csv", str(tmp_path / "r.csv"))
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text(encoding="utf-8-sig"))))
    answer: dict[str, Any] = json.loads(typed(told, "reconcile", "--json").stdout)

    assert result.exit_code == EXIT_DRIFT  # the credit memo of the refund is not there yet
    assert [row["what"] for row in rows if row["part"] == "mismatch"] == [drift["kind"] for drift in answer["drifts"]]
    assert "credit_memo_missing" in [row["what"] for row in rows]
    assert {"part": "total", "period": "2026-02", "what": "collected", "amount": "1700.00", "currency": "USD"}.items() <= next(
        row for row in rows if (row["part"], row["what"], row["period"]) == ("total", "collected", "2026-02")
    ).items()
    assert "Totals by month" in page
    assert all(drift["id"] in page and drift["id"] in result.stdout for drift in answer["drifts"])


def test_the_command_shows_the_plan_first_then_carries_it_out_and_reads_it_back(told: Msp) -> None:
    first = next(row for row in payments(told) if row["CustomerRef"]["name"] == NAME)
    told.act("quickbooks.delete_payment", id=first["Id"])
    (number,) = [d.id for d in told.reconcile().drifts if d.kind == "books_payment_missing"]
    shown = typed(told, "repair", number)
    unsigned = typed(told, "repair", number, "--yes")
    untouched = len(payments(told))
    done = typed(told, "repair", number, "--yes", "--as", "Dana", "--why", "deleted by mistake")
    by_hand = typed(told, "repair", next(d.id for d in told.reconcile().drifts if d.kind == "credit_memo_missing"))

    assert (shown.exit_code, "a payment of 500.00 USD" in shown.stdout) == (0, True)
    assert f"connector repair {number} --yes --as NAME --why TEXT" in shown.stdout
    assert "say who you are" in str(unsigned.exception)
    assert (done.exit_code, done.stdout) == (0, "Done, and read back: this mismatch is gone.\n")
    assert len(payments(told)) == untouched + 1
    assert 0 in open_in_books(told)
    assert "goes away by itself" in by_hand.stdout
    assert typed(told, "repair", "ffffffff").exit_code != EXIT_PROBLEM  # raised to `main`, which prints it


def test_for_a_program_the_totals_say_from_which_day_they_count(told: Msp) -> None:
    answer = json.loads(typed(told, "reconcile", "--json").stdout)

    assert answer["totals_since"] == answer["since"]
    assert {one["month"] for one in answer["totals"]} >= {"2026-02"}
