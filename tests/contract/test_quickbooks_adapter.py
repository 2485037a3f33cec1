"""The QuickBooks adapter passes the books contract on the sandbox, over real HTTP, and survives what QuickBooks does to it."""

from __future__ import annotations

import os
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
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
from connector.errors import ConfigError, OutcomeUnknown, Rejected, RetryLater, Unauthorized
from connector.mapping.load import load_mapping
from connector.mapping.spec import FieldMapping
from connector.model.money import Money
from connector.ports import Books, TokenCell
from connector.testing.books import BooksContract, key, payer, payment, usd
from connector.testing.doubles import MemoryTokens, NoBudget, WorldClock, context

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("CONNECTOR_SHARED", ROOT.parent / "shared"))
XSD = SHARED / "specs" / "quickbooks_xsd"
MAPPING = ROOT / "mappings" / "quickbooks.yaml"
XS = "{http://www.w3.org/2001/XMLSchema}"


class Office:
    """The sandbox's bookkeeper, as the contract kit asks."""

    def __init__(self, world: World, partner: sandbox_quickbooks.QuickBooks) -> None:
        self.world = world
        self.partner = partner
        self.hand = partner.bookkeeper

    def enter_customer(self, name: str) -> str:
        return self.hand.enter_customer(name)

    def enter_invoice(self, number: str, customer_name: str, total: str) -> str:
        return self.hand.enter_invoice(number, customer_name, "2026-01-01", "2026-01-31", total)

    def enter_payment(self, customer_name: str, amount: str, number: str | None = None) -> str:
        return self.hand.enter_payment(customer_name, amount, number=number)

    def enter_credit_memo(self, customer_name: str, amount: str) -> None:
        self.hand.enter_credit_memo(customer_name, amount)

    def void_invoice(self, number: str) -> None:
        self.hand.void_invoice(number)

    def delete_invoice(self, number: str) -> None:
        self.hand.delete_invoice(number)

    def delete_payment(self, id: str) -> None:
        self.hand.delete_payment(id)

    def deposit(self, payment_ids: Sequence[str]) -> None:
        self.hand.make_deposit(list(payment_ids))

    def balance(self, invoice_id: str) -> Decimal:
        return Decimal(self.partner.company.get("Invoice", invoice_id)["Balance"])

    def payments(self) -> int:
        return sum(1 for record in self.partner.company.records["Payment"].values() if record["TotalAmt"])

    def lose_next_reply(self) -> None:
        self.world.faults.add(Fault(kind="reply_lost", partner="quickbooks", method="POST", path="/payment"))

    def record(self, payment_id: str) -> Mapping[str, Any]:
        return self.partner.company.get("Payment", payment_id)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def office(world: World) -> Office:
    partner = sandbox_quickbooks.QuickBooks(world)
    world.add(partner)
    return Office(world, partner)


@pytest.fixture
def url(world: World, office: Office) -> Iterator[str]:  # noqa: ARG001 - it brings the partner into the world
    with Sandbox(world) as sandbox:
        yield sandbox.url


@pytest.fixture
def settings(url: str, tmp_path: Path) -> QuickBooksSettings:
    (tmp_path / "secret").write_text(CLIENT_SECRET)
    (tmp_path / "refresh").write_text(FIRST_REFRESH_TOKEN)
    return QuickBooksSettings(
        realm_id=REALM,
        client_id=CLIENT_ID,
        client_secret=Secret(file=tmp_path / "secret"),
        refresh_token=Secret(file=tmp_path / "refresh"),
        base_url=f"{url}/quickbooks",
        discovery_url=f"{url}/quickbooks/.well-known/openid_configuration",
        read_timeout_s=5,
    )


@pytest.fixture
def tokens() -> MemoryTokens:
    return MemoryTokens()


@pytest.fixture
def budget() -> NoBudget:
    return NoBudget()


def shipped() -> FieldMapping:
    assert ADAPTER.mapping is not None
    return load_mapping(MAPPING, ADAPTER.mapping)


def mapped(tmp_path: Path, text: str) -> FieldMapping:
    assert ADAPTER.mapping is not None
    path = tmp_path / "quickbooks.yaml"
    path.write_text(f"version: 1\nadapter: quickbooks\nsections:\n{text}")
    return load_mapping(path, ADAPTER.mapping)


@pytest.fixture
def open_books(world: World, settings: QuickBooksSettings, tokens: MemoryTokens, budget: NoBudget) -> Iterator[Any]:
    opened: list[Books] = []

    def build(**overrides: Any) -> QuickBooks:
        ready = {"clock": WorldClock(world), "tokens": tokens, "budget": budget, "mapping": shipped()} | overrides
        books = ADAPTER.build(ready.pop("settings", settings), context(**ready))
        assert isinstance(books, QuickBooks)
        opened.append(books)
        return books

    yield build
    for books in opened:
        books.close()


@pytest.fixture
def books(open_books: Any) -> QuickBooks:
    built: QuickBooks = open_books()
    return built


@pytest.fixture
def acme(office: Office) -> str:
    return office.enter_customer("Acme")


@pytest.fixture
def bill(office: Office, acme: str) -> str:  # noqa: ARG001 - the customer has to be there first
    return office.enter_invoice("1001", "Acme", "100.00")


class TestQuickBooks(BooksContract):
    """Every sentence of the kit."""


# What a payment looks like.


def test_a_payment_carries_its_reference_our_mark_the_date_and_the_method(
    books: QuickBooks, office: Office, acme: str, bill: str
) -> None:
    written = books.post(payment(acme, bill, "100.00"), key=key())

    record = office.record(written.id)
    assert len(record["PaymentRefNum"]) == 21
    assert record["PrivateNote"].startswith("psa-connector:test payment/inpay_1 | ")
    assert "pi_3PQRstuvwxyz0123456789AB" in record["PrivateNote"]
    assert record["TxnDate"] == "2026-01-05"
    assert record["PaymentMethodRef"] == {"value": "6"}
    assert record["DepositToAccountRef"] == {"value": "4"}


def test_the_mapping_chooses_the_account(open_books: Any, office: Office, acme: str, bill: str, tmp_path: Path) -> None:
    mapping = mapped(tmp_path, '  payment:\n    fields:\n      deposit_account_id: {value: "93"}\n')
    books = open_books(mapping=mapping)

    written = books.post(payment(acme, bill, "100.00"), key=key())

    books.ping()
    assert office.record(written.id)["DepositToAccountRef"] == {"value": "93"}


def test_it_works_without_a_mapping(open_books: Any, office: Office, acme: str, bill: str) -> None:
    books = open_books(mapping=None)

    written = books.post(payment(acme, bill, "100.00"), key=key())

    assert "PaymentMethodRef" not in office.record(written.id)
    assert books.customer(payer("Acme")) == acme


def test_a_very_long_memo_is_cut_and_the_mark_stays(books: QuickBooks, office: Office, acme: str, bill: str) -> None:
    written = books.post(replace(payment(acme, bill, "100.00"), memo="x" * 5000), key=key())

    assert len(office.record(written.id)["PrivateNote"]) == 4000
    assert books.unapplied([acme])[acme] == usd("0")


# Once, whatever happens.


def test_a_reply_lost_after_the_write_leaves_one_payment(books: QuickBooks, office: Office, acme: str, bill: str) -> None:
    office.lose_next_reply()
    with pytest.raises(OutcomeUnknown):
        books.post(payment(acme, bill, "100.00"), key=key())

    again = books.post(payment(acme, bill, "100.00", applied="0"), key=key())

    assert books.find(key()) == again
    assert office.payments() == 1


def test_the_same_attempt_is_replayed_and_forgotten_request_ids_are_why_one_looks_first(
    books: QuickBooks, office: Office, acme: str
) -> None:
    first = books.post(payment(acme, "", "10.00", applied="0"), key=key())
    replayed = books.post(payment(acme, "", "10.00", applied="0"), key=key())
    office.partner.forget_request_ids()

    found = books.find(key())

    assert replayed == first == found
    assert office.payments() == 1


def test_a_payment_that_is_there_twice_is_shown_to_a_human(books: QuickBooks, office: Office, acme: str) -> None:
    office.partner.honour_request_ids = False
    books.post(payment(acme, "", "10.00", applied="0"), key=key())
    books.post(payment(acme, "", "10.00", applied="0"), key=key())

    with pytest.raises(Rejected, match="this payment 2 times") as refused:
        books.find(key())

    assert refused.value.code == "duplicate_payment"


def test_a_server_error_after_the_write_is_an_unknown_outcome(
    books: QuickBooks, office: Office, world: World, acme: str, bill: str
) -> None:
    world.faults.add(Fault(kind="500_after_effect", partner="quickbooks", method="POST", path="/payment"))

    with pytest.raises(OutcomeUnknown):
        books.post(payment(acme, bill, "100.00"), key=key())

    assert books.find(key()) is not None
    assert office.payments() == 1


def test_a_read_that_meets_a_server_error_is_tried_later(books: QuickBooks, world: World) -> None:
    world.faults.add(Fault(kind="500", partner="quickbooks", path="/query"))

    with pytest.raises(RetryLater):
        books.invoices(["1001"])


@pytest.mark.parametrize("kind", ["xml", "json"])
def test_throttling_is_understood_in_json_and_xml(
    books: QuickBooks, office: Office, world: World, acme: str, bill: str, kind: str
) -> None:
    office.partner.throttle_body = kind
    world.faults.add(Fault(kind="429", partner="quickbooks", method="POST", path="/payment"))

    with pytest.raises(RetryLater) as busy:
        books.post(payment(acme, bill, "100.00"), key=key())

    assert busy.value.after_s == 60
    assert office.payments() == 0


# Other people work in QuickBooks too.


class Meddler:
    """A bookkeeper who does something just before the n-th request of a kind arrives."""

    def __init__(self, world: World, partner: sandbox_quickbooks.QuickBooks, *, method: str, path: str, act: Any) -> None:
        self._partner = partner
        self._when = (method, path)
        self._act = act
        self.acted = 0
        world.partners["quickbooks"] = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._partner, name)

    def handle(self, request: Any) -> Any:
        method, path = self._when
        if request.method == method and path in request.path and self._act(self.acted):
            self.acted += 1
        return self._partner.handle(request)


def test_a_record_that_changed_in_between_is_read_and_written_again(
    books: QuickBooks, office: Office, world: World, acme: str
) -> None:
    early = books.post(payment(acme, "", "100.00", applied="0"), key=key())
    bill = office.enter_invoice("1001", "Acme", "60.00")

    def edit_once(acted: int) -> bool:
        if acted == 0:
            office.hand.edit_payment(early.id, dated="2026-01-04")
        return acted == 0

    Meddler(world, office.partner, method="POST", path="/payment", act=edit_once)
    applied = books.apply(early.id, invoice=bill, amount=usd("60"))

    assert applied.unapplied == usd("40")
    assert office.balance(bill) == 0


def test_a_record_that_always_changes_is_given_up_after_three_attempts(
    books: QuickBooks, office: Office, world: World, acme: str, bill: str
) -> None:
    written = books.post(payment(acme, bill, "100.00"), key=key())

    def edit_always(acted: int) -> bool:
        office.hand.edit_payment(written.id, dated=date(2026, 1, 1) + timedelta(days=acted))
        return True

    meddler = Meddler(world, office.partner, method="POST", path="/payment", act=edit_always)
    with pytest.raises(Rejected) as refused:
        books.void(written.id)

    assert refused.value.code == "stale"
    assert meddler.acted == 3
    assert office.balance(bill) == 0


def test_a_cheque_entered_in_the_last_second_makes_the_rest_a_credit(
    books: QuickBooks, office: Office, world: World, acme: str, bill: str
) -> None:
    def cheque_once(acted: int) -> bool:
        if acted == 0:
            office.enter_payment("Acme", "70", "1001")
        return acted == 0

    Meddler(world, office.partner, method="POST", path="/payment", act=cheque_once)
    written = books.post(payment(acme, bill, "100.00"), key=key())

    assert written.unapplied == usd("70")
    assert office.balance(bill) == 0
    assert office.payments() == 2


def test_closed_books_are_said_so_and_not_tried_again(books: QuickBooks, office: Office, acme: str, bill: str) -> None:
    office.hand.close_books("2026-01-31")
    before = len(office.world.requests)

    with pytest.raises(Rejected, match="books are closed") as refused:
        books.post(payment(acme, bill, "100.00"), key=key())

    assert refused.value.code == "closed_period"
    assert sum(1 for r in list(office.world.requests)[before:] if r["method"] == "POST" and "/payment" in r["path"]) == 1


def test_a_merged_customer_is_said_so(books: QuickBooks, office: Office, acme: str) -> None:
    office.enter_customer("Acme Inc")
    office.hand.merge_customers("Acme Inc", "Acme")

    with pytest.raises(Rejected, match="inactive") as refused:
        books.customer(payer("Acme", books_id=acme))

    assert refused.value.code == "inactive_customer"
    assert books.customer(payer("Acme")) is None


def test_customers_that_share_a_company_name_are_a_question_for_a_human(open_books: Any, office: Office, tmp_path: Path) -> None:
    office.partner.company.create("Customer", {"DisplayName": "Acme East", "CompanyName": "Acme"})
    office.partner.company.create("Customer", {"DisplayName": "Acme West", "CompanyName": "Acme"})
    books = open_books(mapping=mapped(tmp_path, "  customer:\n    fields:\n      match: {value: company_name}\n"))

    with pytest.raises(Rejected, match=r"Acme East \(1\), Acme West \(2\)"):
        books.customer(payer("Acme"))


def test_applied_elsewhere_by_a_human_is_left_as_it_is(books: QuickBooks, office: Office, acme: str, bill: str) -> None:
    early = books.post(payment(acme, "", "100.00", applied="0"), key=key())
    office.enter_payment("Acme", "100", "1001")

    untouched = books.apply(early.id, invoice=bill, amount=usd("100"))

    assert untouched.unapplied == usd("100")
    assert office.record(early.id)["SyncToken"] == "0"


def test_a_credit_memo_that_a_bookkeeper_tied_to_our_payment_stays_tied(
    books: QuickBooks, office: Office, acme: str, bill: str
) -> None:
    memo = office.hand.enter_credit_memo("Acme", "30")
    early = books.post(payment(acme, bill, "100.00", applied="60"), key=key())
    links = [("Invoice", bill, "90"), ("CreditMemo", memo, "30")]
    lines = [{"Amount": amount, "LinkedTxn": [{"TxnId": id, "TxnType": kind}]} for kind, id, amount in links]
    office.partner.company.update("Payment", {"Id": early.id, "SyncToken": "0", "sparse": True, "Line": lines})

    applied = books.apply(early.id, invoice=bill, amount=usd("40"))

    assert applied.unapplied == usd("30")
    assert office.balance(bill) == 0
    assert office.partner.company.get("CreditMemo", memo)["Balance"] == 0


def test_the_ping_says_which_account_is_wrong(open_books: Any, office: Office, tmp_path: Path) -> None:
    rule = "  payment:\n    fields:\n      deposit_account_id: {value: '%s'}\n"

    for account, words in (("77", "no account with the id 77"), ("90", "is of type Income")):
        with pytest.raises(ConfigError, match=words):
            open_books(mapping=mapped(tmp_path, rule % account)).ping()
    office.hand.deactivate_account("Stripe Clearing")
    with pytest.raises(ConfigError, match=r"Stripe Clearing \(93\) in QuickBooks is inactive"):
        open_books(mapping=mapped(tmp_path, rule % "93")).ping()


def test_a_payment_method_that_quickbooks_lacks_is_named_with_those_it_has(
    open_books: Any, office: Office, acme: str, bill: str, tmp_path: Path
) -> None:
    books = open_books(mapping=mapped(tmp_path, "  payment:\n    fields:\n      payment_method: {value: Stripe}\n"))

    with pytest.raises(ConfigError, match=r"no active payment method 'Stripe' .*credit card"):
        books.ping()
    with pytest.raises(Rejected, match="no active payment method"):
        books.post(payment(acme, bill, "100.00"), key=key())

    assert office.payments() == 0


def test_another_currency_is_not_booked(open_books: Any, acme: str, bill: str) -> None:
    books = open_books(currency="CAD")

    with pytest.raises(Rejected) as refused:
        books.post(payment(acme, bill, "100.00"), key=key())

    assert refused.value.code == "wrong_currency"
    with pytest.raises(ConfigError, match="is in USD, the connector works in CAD"):
        books.ping()


# Access.


def test_a_lapsed_company_stops_this_partner(books: QuickBooks, office: Office) -> None:
    office.partner.lapsed = True

    with pytest.raises(Unauthorized, match="lapsed"):
        books.invoices(["1001"])


def test_a_wrong_company_stops_this_partner(open_books: Any, settings: QuickBooksSettings) -> None:
    books = open_books(settings=settings.model_copy(update={"realm_id": "123"}))

    with pytest.raises(Unauthorized, match="not authorised for this QuickBooks company"):
        books.ping()


def test_a_wrong_client_secret_stops_this_partner(open_books: Any, settings: QuickBooksSettings, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("wrong-secret-value")

    with pytest.raises(Unauthorized, match="invalid_client") as refused:
        open_books(settings=settings).ping()

    assert "wrong-secret-value" not in str(refused.value)


def test_an_unreachable_token_service_is_tried_later(open_books: Any, settings: QuickBooksSettings) -> None:
    gone = settings.model_copy(update={"discovery_url": "http://127.0.0.1:9/none"})

    with pytest.raises(RetryLater):
        open_books(settings=gone).ping()


def test_an_access_token_that_quickbooks_refuses_is_renewed_once(books: QuickBooks, office: Office, acme: str, bill: str) -> None:
    books.ping()
    office.partner.tokens.expire_access_tokens()

    books.post(payment(acme, bill, "100.00"), key=key())

    assert office.partner.tokens.refreshes == 2
    assert office.payments() == 1


def test_tokens_are_refreshed_only_when_they_expire_and_survive_a_restart(
    open_books: Any, office: Office, world: World, tokens: MemoryTokens
) -> None:
    open_books().ping()
    open_books().ping()
    world.advance(world.now + timedelta(minutes=50))
    open_books().ping()

    assert office.partner.tokens.refreshes == 1
    world.advance(world.now + timedelta(minutes=6))
    open_books().ping()
    assert office.partner.tokens.refreshes == 2
    assert tokens.load("quickbooks")["refresh_token"] == FIRST_REFRESH_TOKEN
    assert tokens.load("quickbooks")["hard_expires"] > "2030"


class Crash(Exception):
    """The process dies here."""


class CrashingTokens(MemoryTokens):
    """Dies before the new tokens are saved, once."""

    def __init__(self) -> None:
        super().__init__()
        self.crash_next = False

    @contextmanager
    def locked(self, partner: str) -> Iterator[TokenCell]:
        with super().locked(partner) as cell:
            yield _CrashingCell(self, cell)


class _CrashingCell:
    def __init__(self, tokens: CrashingTokens, cell: TokenCell) -> None:
        self._tokens = tokens
        self._cell = cell

    @property
    def value(self) -> Mapping[str, str]:
        return self._cell.value

    def save(self, value: Mapping[str, str]) -> None:
        if self._tokens.crash_next:
            self._tokens.crash_next = False
            raise Crash
        self._cell.save(value)


def test_a_crash_between_refresh_and_save_does_not_lose_the_connection(open_books: Any, office: Office, world: World) -> None:
    tokens = CrashingTokens()
    open_books(tokens=tokens).ping()
    world.advance_days(2)
    tokens.crash_next = True
    before = len(world.requests)

    with pytest.raises(Crash):
        open_books(tokens=tokens).ping()
    during = [request["path"] for request in list(world.requests)[before:]]
    open_books(tokens=tokens).ping()

    assert not any("/company/" in path for path in during)
    assert office.partner.tokens.rotations == 1
    assert tokens.load("quickbooks")["refresh_token"] == office.partner.tokens.current()


def test_the_refresh_token_is_followed_through_months(
    open_books: Any, office: Office, world: World, tokens: MemoryTokens
) -> None:
    office.partner.tokens.rotate_always = True
    books = open_books()

    for _ in range(30):
        books.ping()
        world.advance_days(4)

    assert office.partner.tokens.rotations == 30
    assert tokens.load("quickbooks")["refresh_token"] == office.partner.tokens.current()


def test_two_processes_that_refresh_at_once_share_one_refresh(open_books: Any, office: Office, world: World) -> None:
    office.partner.tokens.rotate_always = True
    office.partner.tokens.grace = timedelta(0)  # an old value is dead at once: the harshest reading of Intuit's rule
    crowd = [open_books() for _ in range(6)]
    errors: list[Exception] = []

    def ping(books: QuickBooks) -> None:
        try:
            books.ping()
        except Exception as error:
            errors.append(error)

    for _ in range(3):
        threads = [threading.Thread(target=ping, args=(books,)) for books in crowd]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        world.advance_days(1)

    assert errors == []
    assert office.partner.tokens.refreshes == 3


def test_a_dead_connection_says_what_to_do_and_a_new_token_in_the_configuration_is_taken(
    open_books: Any, office: Office, settings: QuickBooksSettings, world: World, tmp_path: Path
) -> None:
    open_books().ping()
    office.hand.disconnect()
    world.advance_days(1)

    with pytest.raises(Unauthorized, match="Connect the app to the company again") as refused:
        open_books().ping()
    (tmp_path / "refresh").write_text(office.hand.reconnect())
    open_books(settings=settings).ping()

    assert FIRST_REFRESH_TOKEN not in str(refused.value)


# What it costs.


def test_reads_are_few(books: QuickBooks, office: Office, budget: NoBudget, acme: str) -> None:
    ids = []
    for number in range(150):
        office.enter_invoice(f"N{number}", "Acme", "1")
        ids.append(office.enter_payment("Acme", "1"))
    books.ping()
    budget.taken.clear()

    books.invoices([f"N{number}" for number in range(150)])
    books.posted(ids)
    books.unapplied([acme])

    assert budget.taken == {"quickbooks": 2 + 2 + 2}


def test_more_than_a_page_is_read_completely(books: QuickBooks, office: Office, acme: str) -> None:
    for _ in range(1001):
        office.enter_payment("Acme", "1")

    assert books.unapplied([acme])[acme] == Money.from_major(1001, "USD")


# Element names.


def element_names(kind: str) -> set[str]:
    """Names of the elements that a complex type of the XSD has, base types included."""
    types = {node.get("name"): node for path in XSD.glob("*.xsd") for node in ET.parse(path).iter(f"{XS}complexType")}  # noqa: S314
    names: set[str] = {"domain", "sparse", "status"}
    while kind in types:
        names |= {str(node.get("name") or node.get("ref")) for node in types[kind].iter(f"{XS}element")}
        kind = next((str(node.get("base")) for node in types[kind].iter(f"{XS}extension")), "")
    return names


@pytest.mark.skipif(not XSD.exists(), reason=f"the published XSDs are not at {XSD}; set CONNECTOR_SHARED")
def test_bodies_use_the_published_element_names(world: World, office: Office, open_books: Any) -> None:
    acme = office.enter_customer("Acme")
    bill = office.enter_invoice("1001", "Acme", "100")
    bodies: list[dict[str, Any]] = []

    def keep(_: int) -> bool:
        return True

    class Recorder(Meddler):
        def handle(self, request: Any) -> Any:
            if request.method == "POST" and request.path.endswith("/payment"):
                bodies.append(request.json())
            return super().handle(request)

    Recorder(world, office.partner, method="POST", path="/payment", act=keep)
    books = open_books()
    written = books.post(payment(acme, bill, "100.00", applied="50"), key=key())
    books.apply(written.id, invoice=bill, amount=usd("50"))
    books.void(written.id)

    assert len(bodies) == 3
    for body in [*bodies, office.record(written.id)]:
        assert set(body) <= element_names("Payment")
        for line in body.get("Line", ()):
            assert set(line) <= element_names("Line")
            for link in line["LinkedTxn"]:
                assert set(link) <= element_names("LinkedTxn")
    assert bodies[0].keys() == {
        "CustomerRef",
        "TotalAmt",
        "TxnDate",
        "PaymentRefNum",
        "PrivateNote",
        "PaymentMethodRef",
        "Line",
    }
