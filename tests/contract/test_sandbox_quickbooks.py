"""The sandbox's QuickBooks behaves as QuickBooks does, and the official libraries work against it unmodified."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from intuitlib.client import AuthClient
from intuitlib.exceptions import AuthClientError
from quickbooks import QuickBooks as Library
from quickbooks.batch import batch_create
from quickbooks.cdc import change_data_capture
from quickbooks.exceptions import QuickbooksException
from quickbooks.objects import Account, Customer, Invoice, Payment, PaymentMethod
from quickbooks.objects.base import LinkedTxn, Ref
from quickbooks.objects.payment import PaymentLine

from adapters.sandbox.faults import Fault
from adapters.sandbox.quickbooks import CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH_TOKEN, REALM, QuickBooks, Refused
from adapters.sandbox.server import Sandbox
from adapters.sandbox.world import World

JSON = {"Accept": "application/json", "Content-Type": "application/json"}


class Api:
    """Raw requests, so that a test sees exactly what comes back."""

    def __init__(self, url: str, token: str) -> None:
        self.base = f"{url}/quickbooks/v3/company/{REALM}"
        self.headers = {**JSON, "Authorization": f"Bearer {token}"}

    def get(self, path: str, **params: str) -> requests.Response:
        return requests.get(f"{self.base}/{path}", params=params, headers=self.headers, timeout=5)

    def post(self, path: str, body: object, **params: str) -> requests.Response:
        return requests.post(f"{self.base}/{path}", params=params, headers=self.headers, data=json.dumps(body), timeout=5)

    def query(self, text: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.get("query", query=text).json()
        return dict(answer.get("QueryResponse", answer))

    def error(self, response: requests.Response) -> tuple[int, str]:
        return response.status_code, response.json()["Fault"]["Error"][0]["code"]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def partner(world: World) -> QuickBooks:
    quickbooks = QuickBooks(world)
    world.add(quickbooks)
    return quickbooks


@pytest.fixture
def url(world: World, partner: QuickBooks) -> Iterator[str]:  # noqa: ARG001 - it is in the world
    with Sandbox(world) as sandbox:
        yield sandbox.url


def refresh(url: str, value: str = FIRST_REFRESH_TOKEN, **headers: str) -> requests.Response:
    basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    return requests.post(
        f"{url}/quickbooks/oauth2/v1/tokens/bearer",
        data={"grant_type": "refresh_token", "refresh_token": value},
        headers={"Authorization": f"Basic {basic}", **headers},
        timeout=5,
    )


@pytest.fixture
def api(url: str) -> Api:
    return Api(url, refresh(url).json()["access_token"])


@pytest.fixture
def auth(url: str) -> AuthClient:
    return AuthClient(CLIENT_ID, CLIENT_SECRET, "", f"{url}/quickbooks/.well-known/openid_configuration")


@pytest.fixture
def library(url: str, auth: AuthClient, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    library = Library(auth_client=auth, refresh_token=FIRST_REFRESH_TOKEN, company_id=REALM, minorversion=75)
    library.api_url_v3 = f"{url}/quickbooks/v3"
    return library


def enter(partner: QuickBooks, number: str = "1001", total: str = "100.00", name: str = "Acme") -> tuple[str, str]:
    if not partner.company.found_by("Customer", "DisplayName", [name]):
        partner.bookkeeper.enter_customer(name, "ap@acme.example")
    invoice = partner.bookkeeper.enter_invoice(number, name, "2026-01-01", "2026-01-31", total)
    return partner.company.named("Customer", name)["Id"], invoice


def payment_body(customer: str, invoice: str, amount: float, total: float | None = None, **more: object) -> dict[str, object]:
    line = {"Amount": amount, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}
    return {"CustomerRef": {"value": customer}, "TotalAmt": total or amount, "Line": [line], **more}


# The libraries.


def test_the_oauth_library_refreshes_and_revokes(auth: AuthClient) -> None:
    auth.headers["x-include-refresh-token-hard-expires-in"] = "true"

    auth.refresh(refresh_token=FIRST_REFRESH_TOKEN)

    assert auth.access_token
    assert auth.refresh_token == FIRST_REFRESH_TOKEN
    assert auth.expires_in == 3600
    assert auth.x_refresh_token_expires_in == 8_726_400
    assert auth.x_refresh_token_hard_expires_in == 157_680_000
    assert auth.revoke(FIRST_REFRESH_TOKEN)
    with pytest.raises(AuthClientError, match="invalid_grant"):
        auth.refresh(refresh_token=FIRST_REFRESH_TOKEN)


def test_the_entity_library_creates_reads_updates_voids_and_deletes(library: Library, partner: QuickBooks) -> None:
    customer = Customer()
    customer.DisplayName = "Acme"
    customer = customer.save(qb=library)
    invoice_id = partner.bookkeeper.enter_invoice("1001", "Acme", "2026-01-01", "2026-01-31", "100.00")
    payment = Payment()
    payment.CustomerRef = Ref()
    payment.CustomerRef.value = customer.Id
    payment.TotalAmt = 60
    line, link = PaymentLine(), LinkedTxn()
    line.Amount, link.TxnId, link.TxnType = 60, invoice_id, "Invoice"
    line.LinkedTxn.append(link)
    payment.Line.append(line)

    saved = payment.save(qb=library, request_id="r-1")
    again = Payment.get(saved.Id, qb=library)
    voided = again.void(qb=library)

    assert saved.UnappliedAmt == 0
    assert saved.DepositToAccountRef.value == "4"
    assert Invoice.get(invoice_id, qb=library).Balance == 100
    assert voided["Payment"]["TotalAmt"] == 0
    invoice = Invoice.get(invoice_id, qb=library)
    assert invoice.delete(qb=library)["Invoice"]["status"] == "Deleted"


def test_the_entity_library_queries_batches_and_asks_for_changes(library: Library, partner: QuickBooks, world: World) -> None:
    enter(partner)
    since = world.now.isoformat()
    names = []
    for number in range(3):
        customer = Customer()
        customer.DisplayName = f"O'Neil {number}"
        names.append(customer)

    result = batch_create(names, qb=library)
    partner.bookkeeper.delete_invoice("1001")
    changes = change_data_capture([Customer, Invoice], since, qb=library)

    assert len(result.successes) == 3
    assert [c.DisplayName for c in Customer.filter(DisplayName="O'Neil 1", qb=library)] == ["O'Neil 1"]
    assert Customer.count(qb=library) == 4
    assert len(Account.all(qb=library)) == 11
    assert [m.Name for m in PaymentMethod.choose(["ACH", "Check"], field="Name", qb=library)] == ["Check", "ACH"]
    assert [i.status for i in changes.Invoice] == ["Deleted"]
    assert len(list(changes.Customer)) == 4


def test_the_entity_library_gets_faults(library: Library, partner: QuickBooks) -> None:
    enter(partner)
    twin = Customer()
    twin.DisplayName = "acme"

    with pytest.raises(QuickbooksException) as refused:
        twin.save(qb=library)

    assert refused.value.error_code == 6240


# Tokens.


def test_the_refresh_token_rotates_after_a_day_and_the_old_value_dies_a_day_later(world: World, url: str) -> None:
    same = refresh(url).json()["refresh_token"]
    world.advance_days(1)
    rotated = refresh(url).json()["refresh_token"]
    world.advance_days(0.5)
    late = refresh(url)
    world.advance_days(0.6)

    assert same == FIRST_REFRESH_TOKEN
    assert rotated != FIRST_REFRESH_TOKEN
    assert late.json()["refresh_token"] == rotated
    assert refresh(url).json()["error"] == "invalid_grant"
    assert refresh(url, rotated).status_code == 200


def test_tokens_die_of_age(world: World, url: str) -> None:
    access = refresh(url).json()["access_token"]
    world.advance(world.now + timedelta(minutes=61))
    stale = Api(url, access).get("companyinfo/1")
    world.advance_days(102)

    assert stale.status_code == 401
    assert stale.json()["fault"]["error"][0]["code"] == "3200"
    assert refresh(url).status_code == 400


def test_wrong_client_and_wrong_company_are_refused(url: str, api: Api) -> None:
    wrong = requests.post(f"{url}/quickbooks/oauth2/v1/tokens/bearer", auth=("a", "b"), timeout=5)
    api.base = api.base.replace(REALM, "123")
    other = api.get("customer/1")

    assert wrong.status_code == 401
    assert other.status_code == 403
    assert other.json()["fault"]["error"][0]["code"] == "3100"


# Entities.


def test_a_payment_reduces_the_invoice_and_the_rest_is_the_customers_credit(api: Api, partner: QuickBooks) -> None:
    customer, invoice = enter(partner)

    payment = api.post("payment", payment_body(customer, invoice, 100, 130.5)).json()["Payment"]

    assert payment["UnappliedAmt"] == 30.5
    assert payment["DepositToAccountRef"] == {"value": "4"}
    assert payment["MetaData"]["CreateTime"] == "2026-01-05T01:00:00-08:00"
    assert api.get(f"invoice/{invoice}").json()["Invoice"]["Balance"] == 0
    assert api.get(f"customer/{customer}").json()["Customer"]["Balance"] == -30.5
    assert api.get("account/4").json()["Account"]["CurrentBalance"] == 130.5


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Line": [{"Amount": 100.01, "LinkedTxn": [{"TxnId": "1", "TxnType": "Invoice"}]}], "TotalAmt": 200}, "6000"),
        ({"TotalAmt": 50}, "6000"),
        ({"PaymentRefNum": "x" * 22}, "2050"),
        ({"PaymentMethodRef": {"value": "99"}}, "2500"),
        ({"DepositToAccountRef": {"value": "90"}}, "6000"),
        ({"CustomerRef": None}, "2020"),
        ({"CustomerRef": {"value": "2"}}, "6000"),
        ({"Colour": "red"}, "2010"),
        ({"TxnDate": "soon"}, "2030"),
        ({"TotalAmt": "much"}, "2040"),
        ({"Line": [{"Amount": 1, "LinkedTxn": [{"TxnId": "77", "TxnType": "Invoice"}]}]}, "610"),
    ],
)
def test_a_payment_that_is_wrong_is_refused(api: Api, partner: QuickBooks, change: dict[str, object], code: str) -> None:
    customer, invoice = enter(partner)
    partner.bookkeeper.enter_customer("Other")

    refused = api.post("payment", payment_body(customer, invoice, 100) | change)

    assert api.error(refused) == (400, code)
    assert api.query("SELECT COUNT(*) FROM Payment") == {"totalCount": 0}
    assert api.get(f"invoice/{invoice}").json()["Invoice"]["Balance"] == 100


def test_updates_need_the_sync_token_and_lines_change_all_together(api: Api, partner: QuickBooks) -> None:
    customer, invoice = enter(partner)
    _, second = enter(partner, "1002", "40")
    payment = api.post("payment", payment_body(customer, invoice, 100, 140, PrivateNote="note")).json()["Payment"]
    only_second = [{"Amount": 40, "LinkedTxn": [{"TxnId": second, "TxnType": "Invoice"}]}]

    sparse = api.post("payment", {"Id": payment["Id"], "SyncToken": "0", "sparse": True, "Line": only_second}).json()["Payment"]
    stale = api.post("payment", {"Id": payment["Id"], "SyncToken": "0", "sparse": True, "PrivateNote": "x"})
    full = api.post("payment", {"Id": payment["Id"], "SyncToken": "1", "CustomerRef": {"value": customer}, "TotalAmt": 140})

    assert sparse["UnappliedAmt"] == 100
    assert sparse["PrivateNote"] == "note"
    assert api.error(stale) == (400, "5010")
    assert "PrivateNote" not in full.json()["Payment"]
    assert full.json()["Payment"]["UnappliedAmt"] == 140
    assert api.get(f"invoice/{invoice}").json()["Invoice"]["Balance"] == 100


def test_voiding_or_deleting_an_invoice_frees_its_payments(api: Api, partner: QuickBooks) -> None:
    customer, invoice = enter(partner)
    payment = api.post("payment", payment_body(customer, invoice, 100)).json()["Payment"]

    voided = api.post("invoice", {"Id": invoice, "SyncToken": "0"}, operation="void").json()["Invoice"]
    freed = api.get(f"payment/{payment['Id']}").json()["Payment"]
    api.post("invoice", {"Id": invoice, "SyncToken": voided["SyncToken"]}, operation="delete")

    assert (voided["TotalAmt"], voided["Balance"], voided["PrivateNote"]) == (0, 0, "Voided")
    assert freed["UnappliedAmt"] == 100
    assert freed["Line"] == []
    assert api.error(api.get(f"invoice/{invoice}")) == (400, "610")


def test_a_deposited_payment_cannot_be_voided_or_changed_until_the_deposit_is_undone(api: Api, partner: QuickBooks) -> None:
    customer, invoice = enter(partner)
    payment = api.post("payment", payment_body(customer, invoice, 100)).json()["Payment"]
    deposit = partner.bookkeeper.make_deposit([payment["Id"]], fee="2.90")
    void = {"Id": payment["Id"], "SyncToken": "0", "sparse": True}

    refused = api.post("payment", void, operation="update", include="void")
    shown = api.get(f"payment/{payment['Id']}").json()["Payment"]
    deposited = api.get(f"deposit/{deposit}").json()["Deposit"]
    partner.bookkeeper.undo_deposit(deposit)
    voided = api.post("payment", void, operation="update", include="void")

    assert api.error(refused) == (400, "6540")
    assert shown["LinkedTxn"] == [{"TxnId": deposit, "TxnType": "Deposit"}]
    assert deposited["TotalAmt"] == 97.1
    assert voided.json()["Payment"]["TotalAmt"] == 0
    assert api.get(f"invoice/{invoice}").json()["Invoice"]["Balance"] == 100


def test_a_linked_deposit_line_that_names_its_detail_is_refused(api: Api, partner: QuickBooks) -> None:
    customer, invoice = enter(partner)
    payment = api.post("payment", payment_body(customer, invoice, 100)).json()["Payment"]
    line = {"Amount": 100, "LinkedTxn": [{"TxnId": payment["Id"], "TxnType": "Payment"}]}
    into = {"DepositToAccountRef": {"value": "35"}}

    junk = api.post("deposit", {**into, "Line": [{**line, "DetailType": "DepositLineDetail", "DepositLineDetail": {}}]})
    good = api.post("deposit", {**into, "Line": [line]})
    twice = api.post("deposit", {**into, "Line": [line]})

    assert api.error(junk) == (400, "2020")
    assert good.status_code == 200
    assert api.error(twice) == (400, "6000")


def test_closed_books_are_refused_with_the_code_of_a_stale_object(api: Api, partner: QuickBooks) -> None:
    customer, invoice = enter(partner)
    partner.bookkeeper.close_books("2025-12-31")

    refused = api.post("payment", payment_body(customer, invoice, 100, TxnDate="2025-12-31"))
    taken = api.post("payment", payment_body(customer, invoice, 100, TxnDate="2026-01-01"))

    assert api.error(refused) == (400, "5010")
    assert "Account Period Closed" in refused.text
    assert taken.status_code == 200


def test_names_and_numbers_are_used_once(api: Api, partner: QuickBooks) -> None:
    customer, _ = enter(partner)
    line = {"Amount": 5, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {}}
    invoice = {"CustomerRef": {"value": customer}, "DocNumber": "1001", "Line": [line]}

    name = api.post("customer", {"DisplayName": "ACME"})
    number = api.post("invoice", invoice)
    allowed = api.post("invoice", invoice, include="allowduplicatedocnum")

    assert api.error(name) == (400, "6240")
    assert api.error(number) == (400, "6140")
    assert allowed.json()["Invoice"]["Balance"] == 5


def test_the_same_request_id_answers_again_unless_it_was_forgotten(api: Api, partner: QuickBooks) -> None:
    customer, _ = enter(partner)
    body = {"CustomerRef": {"value": customer}, "TotalAmt": 5}

    first = api.post("payment", body, requestid="r1")
    again = api.post("payment", body, requestid="r1")
    partner.forget_request_ids()
    third = api.post("payment", body, requestid="r1")

    assert again.content == first.content
    assert third.json()["Payment"]["Id"] != first.json()["Payment"]["Id"]


def test_refunds_and_journal_entries_can_be_entered_and_read(api: Api, partner: QuickBooks) -> None:
    customer, _ = enter(partner)
    sale = {"Amount": 5, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {}}
    refund = {"CustomerRef": {"value": customer}, "DepositToAccountRef": {"value": "35"}, "Line": [sale]}
    sides = [
        {
            "Amount": 5,
            "DetailType": "JournalEntryLineDetail",
            "JournalEntryLineDetail": {"PostingType": side, "AccountRef": {"value": id}},
        }
        for side, id in (("Debit", "92"), ("Credit", "93"))
    ]

    receipt = api.post("refundreceipt", refund).json()["RefundReceipt"]
    journal = api.post("journalentry", {"Line": sides}).json()["JournalEntry"]

    assert api.get(f"refundreceipt/{receipt['Id']}").json()["RefundReceipt"]["TotalAmt"] == 5
    assert api.get(f"journalentry/{journal['Id']}").json()["JournalEntry"]["TotalAmt"] == 5
    assert api.error(api.post("journalentry", {"Line": sides[:1]})) == (400, "6000")


# Query.


@pytest.fixture
def many(partner: QuickBooks) -> None:
    for number in range(1, 8):
        partner.bookkeeper.enter_customer(f"C{number}")
        partner.bookkeeper.enter_invoice(f"10{number}", f"C{number}", f"2026-01-0{number}", "2026-02-01", number * 10)


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("WHERE DocNumber = '103'", ["103"]),
        ("WHERE DocNumber IN ('103', '101') ORDERBY DocNumber", ["101", "103"]),
        ("where TotalAmt > '40' and Balance <= '60.00' ORDERBY TotalAmt DESC", ["106", "105"]),
        ("WHERE TxnDate >= '2026-01-06' ORDER BY TxnDate ASC", ["106", "107"]),
        ("WHERE CustomerRef = '2'", ["102"]),
        ("WHERE DocNumber LIKE '%7'", ["107"]),
        ("WHERE Id IN ('1','7') ORDERBY Id DESC", ["107", "101"]),
        ("ORDERBY Id STARTPOSITION 3 MAXRESULTS 2", ["103", "104"]),
        ("WHERE MetaData.LastUpdatedTime > '2026-01-05T00:00:00-08:00' MAXRESULTS 1", ["101"]),
    ],
)
@pytest.mark.usefixtures("many")
def test_a_query_finds(api: Api, where: str, numbers: list[str]) -> None:
    found = api.query(" ".join(["SELECT * FROM Invoice", where]))

    assert [invoice["DocNumber"] for invoice in found["Invoice"]] == numbers
    assert found["maxResults"] == len(numbers)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM Invoice WHERE DocNumber = '1' OR DocNumber = '2'",
        "SELECT * FROM Invoices",
        "SELECT * FROM Invoice WHERE PrivateNote = 'x'",
        "SELECT * FROM Invoice WHERE Id > '3'",
        "SELECT * FROM Invoice MAXRESULTS 1001",
        "SELECT * FROM Customer WHERE DisplayName = 'O'Neil'",
        "SELECT * FROM Invoice WHERE DocNumber =",
        "SELECT * FROM Invoice WHERE TotalAmt > 'x'",
        "FROM Invoice",
        "",
    ],
)
def test_a_query_that_is_wrong_is_refused(api: Api, text: str) -> None:
    assert api.error(api.get("query", query=text)) == (400, "4001")


def test_a_query_escapes_quotes_and_backslashes_and_leaves_inactive_names_out(api: Api, partner: QuickBooks) -> None:
    partner.bookkeeper.enter_customer("O'Neil \\ Sons")
    partner.bookkeeper.enter_customer("Gone")
    api.post("customer", {"Id": "2", "SyncToken": "0", "sparse": True, "Active": False})

    quoted = api.query(r"SELECT * FROM Customer WHERE DisplayName = 'O\'Neil \\ Sons'")
    everyone = api.query("SELECT DisplayName FROM Customer WHERE Active IN (true, false)")

    assert [c["Id"] for c in quoted["Customer"]] == ["1"]
    assert len(everyone["Customer"]) == 2
    assert "Balance" not in everyone["Customer"][0]
    assert [c["Id"] for c in api.query("SELECT * FROM Customer")["Customer"]] == ["1"]


# CDC and batch.


def test_changes_show_what_was_deleted_and_reach_thirty_days_back(api: Api, partner: QuickBooks, world: World) -> None:
    enter(partner)
    world.advance(world.now + timedelta(minutes=5))
    since = world.now.isoformat()
    world.advance(world.now + timedelta(minutes=5))
    enter(partner, "1002")
    partner.bookkeeper.delete_invoice("1001")

    groups = api.get("cdc", entities="Invoice,Payment", changedSince=since).json()["CDCResponse"][0]["QueryResponse"]
    too_old = api.get("cdc", entities="Invoice", changedSince="2025-11-01T00:00:00Z")

    assert [(i["Id"], i.get("status")) for i in groups[0]["Invoice"]] == [("2", None), ("1", "Deleted")]
    assert groups[1] == {}
    assert api.error(too_old) == (400, "2090")


def test_a_batch_does_each_item_on_its_own(api: Api, partner: QuickBooks) -> None:
    customer, invoice = enter(partner)
    items = [
        {"bId": "1", "operation": "create", "Payment": payment_body(customer, invoice, 60)},
        {"bId": "2", "operation": "create", "Payment": payment_body(customer, invoice, 60)},
        {"bId": "3", "Query": "SELECT COUNT(*) FROM Payment"},
        {"bId": "4", "operation": "update", "optionsData": "void", "Payment": {"Id": "2", "SyncToken": "0", "sparse": True}},
    ]

    answers = api.post("batch", {"BatchItemRequest": items}).json()["BatchItemResponse"]
    too_many = api.post("batch", {"BatchItemRequest": [items[2]] * 31})

    assert answers[0]["Payment"]["TotalAmt"] == 60
    assert answers[1]["Fault"]["Error"][0]["code"] == "6000"
    assert answers[2]["QueryResponse"] == {"totalCount": 1}
    assert answers[3]["Payment"]["TotalAmt"] == 0
    assert too_many.status_code == 400


# Saying no.


def test_throttling_is_told_in_json_or_xml(api: Api, partner: QuickBooks, world: World) -> None:
    partner.throttle_per_minute = 1
    api.get("customer/1")
    partner.throttle_body = "xml"
    xml = api.get("customer/1")
    partner.throttle_body = "json"
    plain = api.get("customer/1")
    world.advance(world.now + timedelta(minutes=1))

    assert (xml.status_code, plain.status_code) == (429, 429)
    assert '<Error code="3001">' in xml.text
    assert plain.json()["Fault"]["type"] == "SERVICE"
    assert api.get("customer/1").status_code == 400


def test_a_lapsed_company_answers_two_hundred_with_a_fault(api: Api, partner: QuickBooks) -> None:
    partner.lapsed = True

    assert api.error(api.get("customer/1")) == (200, "6190")


def test_every_answer_has_a_transaction_id(api: Api) -> None:
    assert api.get("companyinfo/9130350000000001").headers["intuit_tid"]
    assert api.get("nowhere/1").headers["intuit_tid"]


# The bookkeeper.


def test_a_bookkeeper_enters_cheques_credits_merges_and_renames(api: Api, partner: QuickBooks, url: str) -> None:
    enter(partner)
    enter(partner, "2001", "50", "Other")
    cheque = partner.bookkeeper.enter_payment("Acme", "120", number="1001", dated="2026-01-04")
    partner.bookkeeper.enter_credit_memo("Other", Decimal("7.50"))
    partner.bookkeeper.edit_payment(cheque, amount="80", note="corrected")

    partner.bookkeeper.rename_customer("Acme", "Acme Corp")
    partner.bookkeeper.merge_customers("Acme Corp", "Other")

    customers = api.query("SELECT * FROM Customer")["Customer"]
    assert [(c["DisplayName"], c["Balance"]) for c in customers] == [("Acme Corp", 100 - 80 + 50 - 7.5)]
    assert api.get(f"payment/{cheque}").json()["Payment"]["UnappliedAmt"] == 0
    steered = requests.post(
        f"{url}/_sandbox/quickbooks.enter_invoice",
        json={
            "number": "9",
            "customer_name": "Acme Corp",
            "dated": "2026-01-01",
            "due": "2026-01-01",
            "total": "5.00",
            "tax": "0.40",
        },
        timeout=5,
    )
    assert steered.status_code == 200
    assert requests.get(f"{url}/_sandbox/state", timeout=5).json()["quickbooks"]["Invoice"][-1]["TxnTaxDetail"] == {
        "TotalTax": 0.4
    }


def test_injected_faults_speak_as_quickbooks_does(api: Api, world: World, partner: QuickBooks) -> None:
    partner.bookkeeper.enter_customer("Acme")
    world.faults.add(Fault(kind="500", partner="quickbooks"))
    world.faults.add(Fault(kind="429", partner="quickbooks"))

    broken, busy = api.get("customer/1"), api.get("customer/1")

    assert api.error(broken) == (500, "10000")
    assert busy.status_code == 429
    assert api.get("customer/1").status_code == 200


# The books add up.


@pytest.mark.parametrize("seed", range(20))
def test_the_books_add_up_whatever_is_done_to_them(partner: QuickBooks, seed: int) -> None:
    chance = random.Random(seed)
    hand, company = partner.bookkeeper, partner.company
    for name in ("Acme", "Other"):
        hand.enter_customer(name)
    numbers = [f"N{n}" for n in range(8)]

    def any_payment() -> str:
        return chance.choice(list(company.records["Payment"]) or ["0"])

    acts: list[Callable[[], object]] = [
        lambda: hand.enter_invoice(
            chance.choice(numbers), chance.choice(["Acme", "Other"]), "2026-01-01", "2026-02-01", chance.randint(1, 90)
        ),
        lambda: hand.enter_payment(
            chance.choice(["Acme", "Other"]), chance.randint(1, 99), number=chance.choice([*numbers, None])
        ),
        lambda: hand.enter_credit_memo(chance.choice(["Acme", "Other"]), chance.randint(1, 20)),
        lambda: hand.delete_invoice(chance.choice(numbers)),
        lambda: hand.void_invoice(chance.choice(numbers)),
        lambda: hand.delete_payment(any_payment()),
        lambda: hand.void_payment(any_payment()),
        lambda: hand.edit_payment(any_payment(), amount=chance.randint(0, 60)),
        lambda: hand.make_deposit([any_payment()]),
        lambda: hand.undo_deposit(chance.choice(list(company.records["Deposit"]) or ["0"])),
    ]
    for _ in range(120):
        with suppress(Refused, ValueError):
            chance.choices(acts, weights=[4, 4, 1, 1, 1, 1, 1, 2, 1, 1])[0]()

        assert_it_adds_up(company.records)


def assert_it_adds_up(records: dict[str, dict[str, dict[str, Any]]]) -> None:
    applied: dict[str, Decimal] = {}
    for payment in records["Payment"].values():
        used = sum((line["Amount"] for line in payment["Line"]), Decimal(0))
        assert payment["UnappliedAmt"] == payment["TotalAmt"] - used >= 0
        for line in payment["Line"]:
            applied[line["LinkedTxn"][0]["TxnId"]] = applied.get(line["LinkedTxn"][0]["TxnId"], Decimal(0)) + line["Amount"]
        for link in payment.get("LinkedTxn", ()):
            assert link["TxnId"] in records["Deposit"]
    assert set(applied) <= set(records["Invoice"])
    for invoice in records["Invoice"].values():
        assert invoice["Balance"] == invoice["TotalAmt"] - applied.get(invoice["Id"], Decimal(0)) >= 0
    for customer in records["Customer"].values():
        owed = sum((i["Balance"] for i in records["Invoice"].values() if i["CustomerRef"]["value"] == customer["Id"]), Decimal(0))
        credit = sum(
            (p["UnappliedAmt"] for p in records["Payment"].values() if p["CustomerRef"]["value"] == customer["Id"]), Decimal(0)
        )
        memos = sum(
            (m["Balance"] for m in records["CreditMemo"].values() if m["CustomerRef"]["value"] == customer["Id"]), Decimal(0)
        )
        assert customer["Balance"] == owed - credit - memos
