"""Bookings in QuickBooks pass the kit on the sandbox, over real HTTP; and what QuickBooks alone does to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.quickbooks import ADAPTER
from adapters.quickbooks.port import QuickBooks
from adapters.quickbooks.settings import QuickBooksSettings
from adapters.sandbox import quickbooks as sandbox_quickbooks
from adapters.sandbox.faults import Fault
from adapters.sandbox.quickbooks import CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH_TOKEN, REALM
from adapters.sandbox.server import Sandbox
from adapters.sandbox.world import World
from connector.config.secret import Secret
from connector.errors import OutcomeUnknown, Rejected, RetryLater
from connector.model.bookings import BookingLine, ChangedKind
from connector.testing.bookings import DAY, BookingsContract, key
from connector.testing.books import usd
from connector.testing.doubles import NoBudget, WorldClock, context
from tests.contract.test_quickbooks_adapter import Meddler, shipped
from tests.contract.test_quickbooks_adapter import Office as PaymentsOffice

BOOKINGS = ("JournalEntry", "Transfer", "Deposit")
ACCOUNTS = {"bank": "35", "clearing": "93", "disputed": "94", "fees": "92", "receivable": "84", "undeposited": "4"}
ENTITY = {"journal": "JournalEntry", "transfer": "Transfer", "deposit": "Deposit"}


class Office(PaymentsOffice):
    """The sandbox's bookkeeper, as the kit for bookings asks."""

    @property
    def accounts(self) -> dict[str, str]:
        return ACCOUNTS

    def held(self, account: str) -> Decimal:
        return self.partner.company.account_balance(account)

    def owed(self, customer: str) -> Decimal:
        return Decimal(self.partner.company.get("Customer", customer)["Balance"])

    def bookings(self) -> int:
        return sum(len(self.partner.company.records[kind]) for kind in BOOKINGS)

    def delete_booking(self, id: str) -> None:
        kind, _, number = id.partition(":")
        acts = {"journal": self.hand.delete_journal, "transfer": self.hand.delete_transfer, "deposit": self.hand.undo_deposit}
        acts[kind](number)

    def take_out_of_deposit(self, payment: str) -> None:
        self.hand.take_out_of_deposit(payment)

    def deactivate_account(self, account: str) -> None:
        self.hand.deactivate_account(self.partner.company.get("Account", account)["Name"])

    def deactivate_customer(self, name: str) -> None:
        self.hand.deactivate_customer(name)

    def close_books(self, through: date) -> None:
        self.hand.close_books(through)

    def now(self) -> datetime:
        return self.world.now

    def pass_time(self, by: timedelta) -> None:
        self.world.advance(self.world.now + by)

    def lose_next_booking_reply(self) -> None:
        self.world.faults.add(Fault(kind="reply_lost", partner="quickbooks", method="POST", path="/v3/company"))

    def booking(self, id: str) -> dict[str, Any]:
        kind, _, number = id.partition(":")
        return self.partner.company.get(ENTITY[kind], number)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def office(world: World) -> Office:
    partner = sandbox_quickbooks.QuickBooks(world)
    world.add(partner)
    return Office(world, partner)


@pytest.fixture
def budget() -> NoBudget:
    return NoBudget()


@pytest.fixture
def books(world: World, office: Office, budget: NoBudget, tmp_path: Path) -> Iterator[QuickBooks]:  # noqa: ARG001 - it is in the world
    (tmp_path / "secret").write_text(CLIENT_SECRET)
    (tmp_path / "refresh").write_text(FIRST_REFRESH_TOKEN)
    with Sandbox(world) as sandbox:
        settings = QuickBooksSettings(
            realm_id=REALM,
            client_id=CLIENT_ID,
            client_secret=Secret(file=tmp_path / "secret"),
            refresh_token=Secret(file=tmp_path / "refresh"),
            base_url=f"{sandbox.url}/quickbooks",
            discovery_url=f"{sandbox.url}/quickbooks/.well-known/openid_configuration",
            read_timeout_s=5,
        )
        built = ADAPTER.build(settings, context(clock=WorldClock(world), budget=budget, mapping=shipped()))
        assert isinstance(built, QuickBooks)
        yield built
        built.close()


class TestQuickBooksBookings(BookingsContract):
    """Every sentence of the kit."""


KIT = BookingsContract()  # its bookings, at hand


@pytest.fixture
def acme(office: Office) -> str:
    return office.enter_customer("Acme")


@pytest.fixture
def bill(office: Office, acme: str) -> str:  # noqa: ARG001 - the customer has to be there first
    return office.enter_invoice("1001", "Acme", "100.00")


def test_bookings_carry_our_mark_and_a_journal_its_number(books: QuickBooks, office: Office) -> None:
    journal = office.booking(books.book(KIT.fee(office), key=key()).id)
    transfer = office.booking(books.book(KIT.transfer(office), key=key("b")).id)

    assert journal["PrivateNote"] == "psa-connector:test payout/po_1 | fees of 5 January"
    assert transfer["PrivateNote"] == "psa-connector:test b | payout po_1"
    assert len(journal["DocNumber"]) == 21
    assert [line["JournalEntryLineDetail"]["PostingType"] for line in journal["Line"]] == ["Debit", "Credit"]


def test_the_same_attempt_is_replayed_and_without_request_ids_a_number_is_used_once(books: QuickBooks, office: Office) -> None:
    first = books.book(KIT.fee(office), key=key())
    again = books.book(KIT.fee(office), key=key())
    office.partner.forget_request_ids()

    with pytest.raises(Rejected) as refused:
        books.book(KIT.fee(office), key=key())

    assert first == again
    assert refused.value.code == "duplicate_number"
    assert office.bookings() == 1


def test_a_booking_that_is_there_twice_is_shown_to_a_human(books: QuickBooks, office: Office) -> None:
    books.book(KIT.transfer(office), key=key())
    books.book(KIT.transfer(office), key=replace(key(), attempt=2))

    with pytest.raises(Rejected, match="2 times") as refused:
        books.find_booking(key())

    assert refused.value.code == "duplicate_booking"


def test_a_booking_by_another_instance_is_not_ours(books: QuickBooks, office: Office) -> None:
    made = books.book(KIT.transfer(office), key=key())
    office.booking(made.id)["PrivateNote"] = "psa-connector:other payout/po_1 | payout po_1"

    with pytest.raises(Rejected) as refused:
        books.unbook(made.id)

    assert refused.value.code == "not_ours"
    assert books.find_booking(key()) is None


def test_a_fee_can_be_charged_to_a_customer_and_a_refund_taken_off_a_deposit(
    books: QuickBooks, office: Office, acme: str, bill: str
) -> None:
    posted = KIT.paid(books, acme, bill, "100")
    refund = BookingLine(account="", amount=usd("20"), customer=acme, memo="refund re_1")
    booking = KIT.deposit(office, posted.id, total="76.80")

    books.book(replace(booking, lines=(*booking.lines, refund)), key=key())

    assert office.held(ACCOUNTS["bank"]) == Decimal("76.80")
    assert office.owed(acme) == 20
    assert office.balance(bill) == 0


def test_a_record_that_changed_in_between_is_read_and_moved_again_with_its_note_kept(
    books: QuickBooks, office: Office, world: World, acme: str, bill: str
) -> None:
    posted = KIT.paid(books, acme, bill, "100", into=ACCOUNTS["clearing"])
    journal = books.book(KIT.came_back(office, acme, "100"), key=key())
    note, number = office.record(posted.id)["PrivateNote"], office.record(posted.id)["PaymentRefNum"]

    def edit_once(acted: int) -> bool:
        if acted == 0:
            office.hand.edit_payment(posted.id, note=f"{note} seen")
        return acted == 0

    Meddler(world, office.partner, method="POST", path="/payment", act=edit_once)
    moved = books.unapply(posted.id, invoice=bill, to=journal.id, amount=usd("100"))

    record = office.record(moved.id)
    assert record["Line"][0]["LinkedTxn"] == [{"TxnId": journal.id.removeprefix("journal:"), "TxnType": "JournalEntry"}]
    assert (record["PrivateNote"], record["PaymentRefNum"], record["TotalAmt"]) == (f"{note} seen", number, 100)
    assert office.balance(bill) == 100


def test_a_payment_dated_in_a_closed_period_stays_on_its_invoice(books: QuickBooks, office: Office, acme: str, bill: str) -> None:
    posted = KIT.paid(books, acme, bill, "100", into=ACCOUNTS["clearing"])
    office.close_books(DAY)
    later = replace(KIT.came_back(office, acme, "100"), dated=DAY + timedelta(days=4))
    journal = books.book(later, key=key())

    with pytest.raises(Rejected, match="2026-01-06") as refused:
        books.unapply(posted.id, invoice=bill, to=journal.id, amount=usd("100"))

    assert refused.value.code == "closed_period"
    assert office.balance(bill) == 0
    assert office.owed(acme) == 100


def test_a_payment_in_a_deposit_is_moved_off_its_invoice_too(books: QuickBooks, office: Office, acme: str, bill: str) -> None:
    posted = KIT.paid(books, acme, bill, "100")
    books.book(KIT.deposit(office, posted.id, total="96.80"), key=key())
    journal = books.book(KIT.came_back(office, acme, "100"), key=key("return"))

    moved = books.unapply(posted.id, invoice=bill, to=journal.id, amount=usd("100"))

    assert moved.deposited
    assert office.balance(bill) == 100
    assert office.held(ACCOUNTS["bank"]) == Decimal("96.80")


def test_a_merged_customers_payment_names_the_one_that_is_left(books: QuickBooks, office: Office, acme: str, bill: str) -> None:
    posted = KIT.paid(books, acme, bill, "100")
    keep = office.enter_customer("Acme Inc.")
    office.hand.merge_customers("Acme Inc.", "Acme")

    gone = {change.id for change in books.changes(office.now() - timedelta(hours=1)).changes if change.gone}

    assert gone == {acme}
    assert books.posted([posted.id])[posted.id].customer == keep


def test_two_receivable_accounts_are_a_question_for_a_human(books: QuickBooks, office: Office, acme: str) -> None:
    office.hand.add_account("A/R of the old company", "Accounts Receivable")

    with pytest.raises(Rejected, match="A/R of the old company") as refused:
        books.book(KIT.came_back(office, acme, "25"), key=key())

    assert refused.value.code == "receivable_account"
    assert office.bookings() == 0


def test_throttling_leaves_no_booking(books: QuickBooks, office: Office) -> None:
    office.partner.throttle_per_minute = 0

    with pytest.raises(RetryLater):
        books.book(KIT.fee(office), key=key())

    assert office.bookings() == 0


def test_a_server_error_to_a_deletion_is_unknown_and_the_next_try_converges(books: QuickBooks, office: Office) -> None:
    made = books.book(KIT.transfer(office), key=key())
    office.lose_next_booking_reply()

    with pytest.raises(OutcomeUnknown):
        books.unbook(made.id)
    books.unbook(made.id)

    assert office.bookings() == 0


def test_requests_are_few(books: QuickBooks, office: Office, budget: NoBudget, acme: str, bill: str) -> None:
    payments = [KIT.paid(books, acme, bill, "1", name=f"p{number}").id for number in range(40)]
    journal = books.book(KIT.came_back(office, acme, "1"), key=key("return"))

    def cost(act: Any) -> int:
        before = budget.taken["quickbooks"]
        act()
        return budget.taken["quickbooks"] - before

    costs = {
        "journal": cost(lambda: books.book(KIT.fee(office), key=key("a"))),
        "deposit": cost(lambda: books.book(KIT.deposit(office, *payments, total="36.80"), key=key("d"))),
        "find": cost(lambda: books.find_booking(key("nothing"))),
        "booked": cost(lambda: books.booked([journal.id])),
        "unapply": cost(lambda: books.unapply(payments[0], invoice=bill, to=journal.id, amount=usd("1"))),
        "changes": cost(lambda: books.changes(office.now() - timedelta(days=1))),
        "balances": cost(lambda: books.account_balances(ACCOUNTS.values(), on=DAY)),
        "receivables": cost(lambda: books.receivables(on=DAY)),
    }

    assert costs == {
        "journal": 1,
        "deposit": 3,
        "find": 3,
        "booked": 1,
        "unapply": 2,
        "changes": 1,
        "balances": 1,
        "receivables": 1,
    }


def test_more_changes_than_are_told_are_lost(books: QuickBooks, office: Office) -> None:
    for number in range(1000):
        office.enter_customer(f"C{number}")

    told = books.changes(office.now() - timedelta(hours=1))

    assert told.lost
    assert {change.kind for change in told.changes} == {ChangedKind.CUSTOMER}


def test_an_account_for_payments_that_wait_for_their_deposit_is_none_while_it_is_inactive(
    books: QuickBooks, office: Office
) -> None:
    office.deactivate_account(office.accounts["undeposited"])

    assert books.undeposited_funds() == ""
