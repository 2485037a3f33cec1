"""With a clearing account the books show what the gateway holds, and the bank what it paid out, to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from connector.errors import ConnectorError
from connector.flows.payout_list import listed
from connector.store import settings
from tests.e2e.msp import Msp, cents, msp

ACCOUNTS = {"clearing": "93", "bank": "35", "fees": "92", "reserves": "95", "foreign": "96"}
METHOD = {"method": "clearing_account", "accounts": ACCOUNTS, "foreign": "book"}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Msp]:
    with msp(tmp_path, agreements=0, books=METHOD) as m:
        m.act("stripe.set_payouts", schedule="manual")
        m.cycle()
        yield m


def held(m: Msp, name: str) -> int:
    company = m.world.partners["quickbooks"].company  # type: ignore[attr-defined]
    return cents(Decimal(company.account_balance(ACCOUNTS[name])))


def gateway(m: Msp) -> int:
    return sum(money.minor for money in m.agent.desk.gateway.balance().values())


def waits(m: Msp) -> list[str]:
    with m.agent.store.read() as tx:
        return list(settings.get(tx, "payouts.waits") or [])


def collected(m: Msp, *, method: str = "card") -> None:
    m.sign_up(method=method)
    m.through("2026-02-12")


def test_after_a_payment_the_clearing_account_holds_what_the_gateway_holds(office: Msp) -> None:
    before = held(office, "clearing")
    collected(office)

    assert gateway(office) > 0
    assert held(office, "clearing") - before == gateway(office)
    assert [entry["TotalAmt"] for entry in office.books("Payment")][-1] == 500


def test_a_payout_is_a_transfer_equal_to_the_bank_line(office: Msp) -> None:
    bank, clearing = held(office, "bank"), held(office, "clearing")
    office.act("stripe.set_payouts", schedule="daily")
    collected(office)
    office.through("2026-02-20")
    paid = sum(payout["amount"] for payout in office.stripe("payout") if payout["status"] == "paid")

    assert paid > 0
    assert held(office, "bank") - bank == paid
    assert held(office, "clearing") - clearing == gateway(office)
    assert all(row.booked for row in listed(office.agent.desk).rows)


def test_everything_else_on_the_balance_is_booked_once_against_its_account(office: Msp) -> None:
    before, foreign, reserves = (held(office, name) for name in ("clearing", "foreign", "reserves"))
    collected(office)
    office.act("stripe.stripe_fee", amount=700)
    office.act("stripe.adjustment", amount=-150)
    office.act("stripe.reserve", amount=2000)
    office.act("stripe.shop_sale", amount=9900)
    office.through("2026-02-18")

    assert held(office, "clearing") - before == gateway(office)
    assert held(office, "reserves") - reserves == 2000
    assert held(office, "foreign") - foreign == -9900


def test_a_late_line_of_a_day_gets_a_journal_of_its_own(office: Msp) -> None:
    before = held(office, "clearing")
    office.act("stripe.stripe_fee", amount=700)
    office.at(office.world.now + timedelta(hours=1))
    office.act("stripe.shop_sale", amount=9900)
    office.at(office.world.now + timedelta(hours=22))
    office.cycle()
    office.through("2026-01-10")

    assert held(office, "clearing") - before == gateway(office)
    assert len(office.books("JournalEntry")) == 2  # the fee's, and a day later, once it is certain, the sale's


def test_what_is_not_ours_waits_with_a_sentence_where_no_account_is_named(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books={**METHOD, "foreign": "wait"}) as m:
        m.cycle()
        m.act("stripe.shop_sale", amount=9900)
        m.through("2026-02-05")

        assert "is not ours: name books.accounts.foreign" in waits(m)[0]
        assert m.books("JournalEntry") == []


def test_a_payout_that_failed_after_it_was_booked_is_transferred_back(office: Msp) -> None:
    bank, clearing = held(office, "bank"), held(office, "clearing")
    office.act("stripe.set_payouts", schedule="daily")
    office.sign_up()
    office.through("2026-02-07")
    office.act("stripe.set_payouts", schedule="manual")
    payout = next(one for one in office.stripe("payout") if one["status"] == "paid")
    booked = held(office, "bank") - bank
    office.act("stripe.fail_payout", payout=payout["id"])
    office.through("2026-02-10")

    assert booked == payout["amount"]
    assert booked - payout["amount"] == held(office, "bank") - bank
    assert held(office, "clearing") - clearing == gateway(office)


def test_a_payout_called_off_before_it_arrived_is_not_entered(office: Msp) -> None:
    bank, clearing = held(office, "bank"), held(office, "clearing")
    collected(office)
    office.through("2026-02-18")
    payout = office.act("stripe.manual_payout", amount=10000)
    office.act("stripe.cancel_payout", payout=payout["id"])
    office.through("2026-02-22")

    assert held(office, "bank") == bank
    assert held(office, "clearing") - clearing == gateway(office)
    assert office.books("Transfer") == []


def test_money_fetched_from_the_bank_is_a_transfer_the_other_way(office: Msp) -> None:
    bank, clearing = held(office, "bank"), held(office, "clearing")
    office.act("stripe.stripe_fee", amount=5000)
    office.act("stripe.set_payouts", schedule="daily")
    office.through("2026-02-05")

    assert held(office, "bank") - bank == -5000
    assert held(office, "clearing") - clearing == gateway(office) == 0


def test_a_lost_reply_books_nothing_twice(office: Msp) -> None:
    clearing = held(office, "clearing")
    office.act("stripe.stripe_fee", amount=700)
    office.fault("reply_lost", "quickbooks", method="POST", path="/v3/company")
    office.to("2026-02-03")
    for _ in range(3):
        office.run("payouts")
        office.at(office.world.now + timedelta(hours=1))

    assert len(office.books("JournalEntry")) == 1
    assert held(office, "clearing") - clearing == gateway(office)


def test_an_account_that_is_gone_is_named_and_bookings_wait(office: Msp) -> None:
    office.restart(books={**METHOD, "accounts": {**ACCOUNTS, "fees": "9999"}})
    office.act("stripe.stripe_fee", amount=700)
    office.through("2026-02-05")

    assert waits(office) == ["books.accounts.fees: the books have no account 9999"]
    assert office.books("JournalEntry") == []


def test_a_round_without_news_costs_one_request_to_the_gateway_and_none_to_the_books(office: Msp) -> None:
    collected(office)
    office.through("2026-02-20")
    office.run("payouts")
    before = len(office.requests(partner="stripe")), len(office.requests(partner="quickbooks"))
    office.run("payouts")

    assert len(office.requests(partner="stripe")) - before[0] == 1
    assert len(office.requests(partner="quickbooks")) == before[1]


def test_what_was_settled_before_the_agent_ended_is_booked_once_by_the_next_one(office: Msp) -> None:
    clearing = held(office, "clearing")
    office.act("stripe.stripe_fee", amount=700)
    office.at(office.world.now + timedelta(days=1))
    office.fault("reply_lost", "quickbooks", method="POST", path="/v3/company")
    office.fault("500", "quickbooks", method="GET", path="/v3/company", skip=1, count=8)
    with pytest.raises(ConnectorError):
        office.run("payouts")
    office.restart(books=METHOD)
    for _ in range(5):
        office.at(office.world.now + timedelta(hours=1))
        with suppress(ConnectorError):  # QuickBooks is still down at first
            office.run("payouts")

    assert len(office.books("JournalEntry")) == 1
    assert held(office, "clearing") - clearing == gateway(office)


def test_the_list_of_payouts_says_what_each_one_waits_for(office: Msp) -> None:
    collected(office)
    office.through("2026-02-18")
    office.act("stripe.manual_payout", amount=10000)
    office.at(office.world.now + timedelta(hours=1))
    office.run("payouts")

    assert [(row.amount.minor, row.state) for row in listed(office.agent.desk).rows] == [(10000, "waits for its arrival")]
