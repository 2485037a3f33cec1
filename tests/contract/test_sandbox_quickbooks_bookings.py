"""Journals, transfers, deposits, reports and the closing date of the sandbox's QuickBooks, as the API shows them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from adapters.sandbox.quickbooks import REALM, QuickBooks, Refused
from adapters.sandbox.wire import Request
from adapters.sandbox.world import World
from tests.wire.test_quickbooks_bodies import access_token

BANK, RECEIVABLE, FEES, CLEARING, UNDEPOSITED, INCOME, DISPUTED = "35", "84", "92", "93", "4", "90", "94"


class Api:
    def __init__(self, partner: QuickBooks) -> None:
        self._partner = partner
        self._token = access_token(partner)

    def get(self, path: str, **params: str) -> dict[str, Any]:
        return self._send("GET", path, None, params)

    def post(self, path: str, body: object, **params: str) -> dict[str, Any]:
        return self._send("POST", path, body, params)

    def query(self, text: str) -> dict[str, Any]:
        return dict(self.get("query", query=text.replace(" ", "+"))["QueryResponse"])

    def balance(self, account: str) -> Any:
        return Decimal(str(self.get(f"account/{account}")["Account"]["CurrentBalance"]))

    def _send(self, method: str, path: str, body: object, params: dict[str, str]) -> dict[str, Any]:
        request = Request(
            method=method,
            path=f"/v3/company/{REALM}/{path}",
            query="&".join(f"{name}={value}" for name, value in params.items()),
            headers={"authorization": f"Bearer {self._token}"},
            body=json.dumps(body).encode() if body else b"",
        )
        return dict(json.loads(self._partner.handle(request).body))


@pytest.fixture
def partner() -> QuickBooks:
    return QuickBooks(World())


@pytest.fixture
def api(partner: QuickBooks) -> Api:
    return Api(partner)


@pytest.fixture
def acme(partner: QuickBooks) -> str:
    return str(partner.bookkeeper.enter_customer("Acme"))


@pytest.fixture
def invoice(partner: QuickBooks, acme: str) -> str:  # noqa: ARG001 - the customer has to be there first
    return str(partner.bookkeeper.enter_invoice("1001", "Acme", "2026-01-01", "2026-01-31", "100.00"))


def side(posting: str, account: str, amount: object, customer: str = "") -> dict[str, Any]:
    detail: dict[str, Any] = {"PostingType": posting, "AccountRef": {"value": account}}
    if customer:
        detail["Entity"] = {"Type": "Customer", "EntityRef": {"value": customer}}
    return {"Amount": amount, "DetailType": "JournalEntryLineDetail", "JournalEntryLineDetail": detail}


def code(answer: dict[str, Any]) -> str:
    return str(answer["Fault"]["Error"][0]["code"])


def pay(api: Api, customer: str, invoice: str, amount: int, account: str = CLEARING) -> dict[str, Any]:
    line = {"Amount": amount, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}
    body = {"CustomerRef": {"value": customer}, "TotalAmt": amount, "DepositToAccountRef": {"value": account}, "Line": [line]}
    return dict(api.post("payment", body)["Payment"])


def test_a_return_takes_the_payment_off_its_invoice_and_hits_the_receivable_once(api: Api, acme: str, invoice: str) -> None:
    payment = pay(api, acme, invoice, 100)
    lines = [side("Debit", RECEIVABLE, 100, acme), side("Credit", CLEARING, 100)]
    journal = api.post("journalentry", {"Line": lines, "DocNumber": "R1", "TxnDate": "2026-01-09"})["JournalEntry"]
    owed_between = api.get(f"customer/{acme}")["Customer"]["Balance"]

    link = [{"TxnId": journal["Id"], "TxnType": "JournalEntry"}]
    moved = api.post(
        "payment",
        {"Id": payment["Id"], "SyncToken": "0", "sparse": True, "Line": [{"Amount": 100, "LinkedTxn": link}]},
    )["Payment"]

    assert owed_between == 100
    assert (moved["UnappliedAmt"], moved["Line"][0]["LinkedTxn"]) == (0, link)
    assert api.get(f"invoice/{invoice}")["Invoice"]["Balance"] == 100
    assert api.get(f"customer/{acme}")["Customer"]["Balance"] == 100
    assert (api.balance(CLEARING), api.balance(RECEIVABLE)) == (0, 100)


def test_no_more_is_applied_to_a_journal_than_it_debits_that_customer(api: Api, acme: str, invoice: str) -> None:
    payment = pay(api, acme, invoice, 100)
    lines = [side("Debit", RECEIVABLE, 40, acme), side("Credit", CLEARING, 40)]
    journal = api.post("journalentry", {"Line": lines})["JournalEntry"]
    link = [{"TxnId": journal["Id"], "TxnType": "JournalEntry"}]

    too_much = {"Id": payment["Id"], "SyncToken": "0", "sparse": True, "Line": [{"Amount": 41, "LinkedTxn": link}]}

    assert code(api.post("payment", too_much)) == "6000"
    assert api.get(f"invoice/{invoice}")["Invoice"]["Balance"] == 0


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([side("Debit", RECEIVABLE, 5), side("Credit", CLEARING, 5)], "6000"),
        ([side("Debit", FEES, 5), side("Credit", CLEARING, 4)], "6000"),
        ([side("Debit", FEES, -5), side("Credit", CLEARING, -5)], "6000"),
        ([side("Debit", "999", 5), side("Credit", CLEARING, 5)], "2500"),
        ([side("Debit", RECEIVABLE, 5, "77"), side("Credit", CLEARING, 5)], "2500"),
        ([side("", FEES, 5), side("Credit", CLEARING, 5)], "2020"),
    ],
)
def test_a_journal_that_is_wrong_is_refused(api: Api, lines: list[dict[str, Any]], expected: str) -> None:
    assert code(api.post("journalentry", {"Line": lines})) == expected
    assert api.query("SELECT * FROM JournalEntry") == {}


def test_deleting_a_journal_makes_the_payment_on_it_unapplied(api: Api, partner: QuickBooks, acme: str, invoice: str) -> None:
    payment = pay(api, acme, invoice, 100)
    lines = [side("Debit", RECEIVABLE, 100, acme), side("Credit", CLEARING, 100)]
    journal = api.post("journalentry", {"Line": lines})["JournalEntry"]
    link = [{"TxnId": journal["Id"], "TxnType": "JournalEntry"}]
    body = {"Id": payment["Id"], "SyncToken": "0", "sparse": True, "Line": [{"Amount": 100, "LinkedTxn": link}]}
    api.post("payment", body)

    partner.bookkeeper.delete_journal(journal["Id"])

    assert api.get(f"payment/{payment['Id']}")["Payment"]["UnappliedAmt"] == 100
    assert (api.balance(CLEARING), api.balance(RECEIVABLE)) == (100, 0)


def test_a_transfer_moves_money_between_balance_sheet_accounts_only(api: Api) -> None:
    def transfer(source: str, target: str, amount: object) -> dict[str, Any]:
        body = {"FromAccountRef": {"value": source}, "ToAccountRef": {"value": target}, "Amount": amount, "TxnDate": "2026-01-07"}
        return api.post("transfer", body)

    made = transfer(CLEARING, BANK, 97.1)["Transfer"]

    assert (api.balance(CLEARING), api.balance(BANK)) == (Decimal("-97.1"), Decimal("97.1"))
    assert (made["Amount"], made["TxnDate"]) == (97.1, "2026-01-07")
    for wrong in (transfer(CLEARING, FEES, 1), transfer(CLEARING, CLEARING, 1), transfer(CLEARING, BANK, 0)):
        assert code(wrong) == "6000"


def test_a_deposit_empties_undeposited_funds_and_its_fee_line_is_negative(api: Api, acme: str, invoice: str) -> None:
    payment = pay(api, acme, invoice, 100, UNDEPOSITED)
    fee = {
        "Amount": -2.9,
        "DetailType": "DepositLineDetail",
        "DepositLineDetail": {"AccountRef": {"value": FEES}},
    }
    taken = {"Amount": 100, "LinkedTxn": [{"TxnId": payment["Id"], "TxnType": "Payment", "TxnLineId": "0"}]}
    before = api.balance(UNDEPOSITED)

    made = api.post("deposit", {"DepositToAccountRef": {"value": BANK}, "Line": [taken, fee]})["Deposit"]

    assert made["TotalAmt"] == 97.1
    assert (before, api.balance(UNDEPOSITED), api.balance(BANK)) == (100, 0, Decimal("97.1"))


def test_a_payment_taken_out_of_a_deposit_can_be_voided(api: Api, partner: QuickBooks, acme: str, invoice: str) -> None:
    first, second = pay(api, acme, invoice, 60, UNDEPOSITED), pay(api, acme, invoice, 40, UNDEPOSITED)
    deposit = partner.bookkeeper.make_deposit([first["Id"], second["Id"]])
    void = {"Id": first["Id"], "SyncToken": "0", "sparse": True}
    refused = api.post("payment", void, operation="update", include="void")

    partner.bookkeeper.take_out_of_deposit(first["Id"])
    voided = api.post("payment", void, operation="update", include="void")

    assert code(refused) == "6540"
    assert voided["Payment"]["TotalAmt"] == 0
    assert api.get(f"deposit/{deposit}")["Deposit"]["TotalAmt"] == 40
    assert (api.balance(UNDEPOSITED), api.balance(BANK)) == (0, 40)


def test_the_trial_balance_shows_each_account_on_its_side_at_the_end_of_the_day(api: Api, partner: QuickBooks) -> None:
    partner.bookkeeper.enter_journal("Merchant fees", "Stripe Clearing", "3.20", dated="2026-01-31")
    partner.bookkeeper.enter_journal("Merchant fees", "Stripe Clearing", "5.00", dated="2026-02-01")

    report = api.get("reports/TrialBalance", start_date="2026-01-01", end_date="2026-01-31")

    rows = {row["ColData"][0]["id"]: [cell["value"] for cell in row["ColData"][1:]] for row in report["Rows"]["Row"][:-1]}
    assert rows == {FEES: ["3.20", ""], CLEARING: ["", "3.20"]}
    assert [cell["value"] for cell in report["Rows"]["Row"][-1]["Summary"]["ColData"]] == ["TOTAL", "3.20", "3.20"]


def test_last_years_expenses_are_in_retained_earnings(api: Api, partner: QuickBooks) -> None:
    partner.bookkeeper.enter_journal("Merchant fees", "Stripe Clearing", "3.20", dated="2025-12-31")

    report = api.get("reports/TrialBalance", start_date="2026-01-01", end_date="2026-01-31")

    rows = {row["ColData"][0]["value"]: [cell["value"] for cell in row["ColData"][1:]] for row in report["Rows"]["Row"][:-1]}
    assert rows == {"Stripe Clearing": ["", "3.20"], "Retained Earnings": ["3.20", ""]}


@pytest.mark.usefixtures("invoice")
def test_the_customer_balance_report_is_as_of_its_date_and_leaves_out_who_owes_nothing(
    api: Api, partner: QuickBooks, acme: str
) -> None:
    partner.bookkeeper.enter_customer("Other")
    partner.bookkeeper.enter_payment("Acme", "30", number="1001", dated="2026-02-03")

    january = api.get("reports/CustomerBalance", report_date="2026-01-31")
    before = api.get("reports/CustomerBalance", report_date="2025-12-31")

    assert january["Rows"]["Row"][0]["ColData"] == [{"value": "Acme", "id": acme}, {"value": "100.00"}]
    assert len(january["Rows"]["Row"]) == 2
    assert before["Rows"] == {}
    assert {"Name": "NoReportData", "Value": "true"} in before["Header"]["Option"]


def test_preferences_name_the_closing_date_once_there_is_one(api: Api, partner: QuickBooks) -> None:
    before = api.query("SELECT * FROM Preferences")["Preferences"][0]["AccountingInfoPrefs"]
    partner.bookkeeper.close_books("2026-01-31")
    after = api.query("SELECT * FROM Preferences")["Preferences"][0]["AccountingInfoPrefs"]

    assert "BookCloseDate" not in before
    assert after["BookCloseDate"] == "2026-01-31"


def test_a_merge_moves_journals_and_payments_without_applying_them_twice(
    api: Api, partner: QuickBooks, acme: str, invoice: str
) -> None:
    pay(api, acme, invoice, 60)
    partner.bookkeeper.enter_journal("Accounts Receivable (A/R)", "Stripe Clearing", "25", customer="Acme")
    keep = partner.bookkeeper.enter_customer("Acme Inc.")

    partner.bookkeeper.merge_customers("Acme Inc.", "Acme")

    assert api.get(f"invoice/{invoice}")["Invoice"]["Balance"] == 40
    assert api.get(f"customer/{keep}")["Customer"]["Balance"] == 65
    assert api.get(f"customer/{acme}")["Customer"]["Balance"] == 0


@pytest.mark.parametrize("seed", range(10))
def test_debits_equal_credits_whatever_is_done(partner: QuickBooks, seed: int) -> None:
    chance = random.Random(seed)
    hand, company = partner.bookkeeper, partner.company
    for name in ("Acme", "Other"):
        hand.enter_customer(name)

    def one_of(kind: str) -> str:
        return chance.choice(list(company.records[kind]) or ["0"])

    def who() -> str:
        return chance.choice(["Acme", "Other"])

    acts: list[Callable[[], object]] = [
        lambda: hand.enter_invoice(f"N{chance.randint(1, 8)}", who(), "2026-01-01", "2026-02-01", chance.randint(5, 90), 4),
        lambda: hand.enter_payment(who(), chance.randint(1, 99), number=chance.choice(["N1", "N2", "N3", None])),
        lambda: hand.enter_credit_memo(who(), chance.randint(1, 20)),
        lambda: hand.enter_journal("Accounts Receivable (A/R)", "Stripe Clearing", chance.randint(1, 50), customer=who()),
        lambda: hand.delete_journal(one_of("JournalEntry")),
        lambda: hand.delete_payment(one_of("Payment")),
        lambda: hand.move_payment(one_of("Payment"), chance.choice(["N1", "N4", None])),
        lambda: hand.make_deposit([one_of("Payment")], fee=1),
        lambda: hand.take_out_of_deposit(one_of("Payment")),
        lambda: hand.void_invoice(f"N{chance.randint(1, 8)}"),
    ]
    for _ in range(80):
        with suppress(Refused, ValueError):
            chance.choice(acts)()

        balances = company.postings.between("", "9999-12-31")
        assert sum(balances.values()) == 0
        assert all(company.account_balance(id) == amount for id, amount in balances.items())
        assert balances.get(RECEIVABLE, 0) == sum(c["Balance"] for c in company.records["Customer"].values())
