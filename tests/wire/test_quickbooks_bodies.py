"""Recorded QuickBooks bodies, as our reader and the sandbox see them."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.http import Reply
from adapters.quickbooks import faults, translate, wire
from adapters.sandbox.quickbooks import CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH_TOKEN, REALM, QuickBooks
from adapters.sandbox.quickbooks import refusals as sandbox
from adapters.sandbox.wire import Request
from adapters.sandbox.world import World
from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater, Unauthorized
from connector.model.money import Money
from connector.ports import WriteKey

SHARED = Path(os.environ.get("CONNECTOR_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
SAMPLES = SHARED / "samples" / "quickbooks"
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason=f"no recorded bodies at {SAMPLES}; set CONNECTOR_SHARED")
TIME = "2026-01-05T01:00:00.000-08:00"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def record(name: str, kind: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(sample(name), parse_float=Decimal)
    found: dict[str, Any] = content[kind]
    return found


def reply(body: bytes, status: int = 400, *, write: bool = True) -> Reply:
    return Reply(partner="quickbooks", method="POST", path="/p", status=status, headers={}, body=body, write=write)


def judged(body: bytes, status: int = 400) -> ConnectorError:
    wrong = faults.classify(reply(body, status))
    assert wrong is not None
    return wrong


# Reading.


@needs_samples
def test_an_undeposited_payment_is_read() -> None:
    payment = wire.read(wire.Payment, record("payment_120_undeposited", "Payment"))

    posted = translate.posted(payment, "USD")

    assert (posted.id, posted.amount, posted.unapplied) == ("120", Money(167552, "USD"), Money(0, "USD"))
    assert (posted.invoice, posted.customer, posted.deposited) == ("12", "3", False)
    assert not payment.voided


@needs_samples
def test_a_deposited_payment_is_read() -> None:
    payment = wire.read(wire.Payment, record("payment_98_deposited", "Payment"))

    assert translate.posted(payment, "USD").deposited
    assert payment.applied() == {"42": Decimal("81.0")}


@needs_samples
def test_an_account_a_customer_and_payment_methods_are_read() -> None:
    account = wire.read(wire.Account, record("account_4_undeposited_funds", "Account"))
    customer = wire.read(wire.Customer, record("customer_3", "Customer"))
    methods = [wire.read(wire.PaymentMethod, row) for row in record("query_payment_methods", "QueryResponse")["PaymentMethod"]]

    assert (account.id, account.account_type, account.currency_ref) == (
        "4",
        "Other Current Asset",
        wire.Ref(value="USD", name="United States Dollar"),
    )
    assert customer.display_name == "Cool Cars"
    assert [method.name for method in methods] == ["Cash", "Check", "Visa", "MasterCard", "Discover"]


def test_a_body_that_lacks_what_every_payment_has_is_not_guessed() -> None:
    with pytest.raises(RetryLater, match=r"Payment 7 cannot be read \(SyncToken, TotalAmt, CustomerRef\)"):
        wire.read(wire.Payment, {"Id": "7"})
    with pytest.raises(OutcomeUnknown):
        wire.read_written(wire.Payment, {"Id": "7"}, reply(b"{}", 200))


def test_an_unknown_currency_is_refused() -> None:
    payment = {"Id": "1", "SyncToken": "0", "TotalAmt": 5, "CustomerRef": {"value": "1"}, "CurrencyRef": {"value": "ISK"}}

    with pytest.raises(Rejected, match="ISK"):
        translate.posted(wire.read(wire.Payment, payment), "USD")


# Faults.


@needs_samples
@pytest.mark.parametrize(
    ("name", "status", "kind", "code"),
    [
        ("fault_2020_required_param", 400, Rejected, "2020"),
        ("fault_3001_throttle_json", 429, RetryLater, ""),
        ("fault_403_authorization", 403, Unauthorized, ""),
        ("fault_5010_stale_object", 400, Rejected, "stale"),
        ("fault_6000_business_validation", 400, Rejected, "business_rule"),
        ("fault_610_object_not_found", 400, Rejected, "missing"),
        ("fault_6140_duplicate_docnumber", 400, Rejected, "duplicate_number"),
        ("fault_6240_duplicate_name", 400, Rejected, "6240"),
        ("fault_6240_verbatim_quickbooks_ruby", 200, Rejected, "6240"),
    ],
)
def test_a_recorded_fault_becomes_the_error_that_says_what_to_do(name: str, status: int, kind: type, code: str) -> None:
    wrong = judged(sample(name), status)

    assert type(wrong) is kind
    assert getattr(wrong, "code", "") == code


def fault_xml(code: str) -> bytes:
    return (
        '<?xml version="1.0"?><IntuitResponse xmlns="http://schema.intuit.com/finance/v3"><Fault type="SERVICE">'
        f'<Error code="{code}"><Message>message</Message><Detail>detail</Detail></Error></Fault></IntuitResponse>'
    ).encode()


def fault_json(code: str, detail: str = "detail") -> bytes:
    return json.dumps({"Fault": {"Error": [{"Message": "Message", "Detail": detail, "code": code}], "type": "x"}}).encode()


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (fault_xml("3001"), 429, RetryLater),
        (fault_xml("3200"), 401, faults.TokenRefused),
        (b"", 401, faults.TokenRefused),
        (fault_json("120"), 401, faults.TokenRefused),
        (fault_json("130"), 401, Unauthorized),
        (fault_json("3100"), 401, Unauthorized),
        (b"<html>Forbidden</html>", 403, Unauthorized),
        (fault_json("6190"), 200, Unauthorized),
        (fault_json("6190"), 400, Unauthorized),
        (b"<html>Too many</html>", 429, RetryLater),
        (b"not found", 404, Rejected),
        (fault_json(""), 400, Rejected),
        (b'{"Fault": {}, "x": 1', 400, Rejected),
        (b'{"Fault": {"Error": []}}', 400, Rejected),
    ],
)
def test_a_fault_is_read_in_whatever_form_it_comes(body: bytes, status: int, kind: type) -> None:
    assert type(judged(body, status)) is kind


@pytest.mark.parametrize("code", ["5010", "6210"])
def test_a_closed_period_is_no_stale_object(code: str) -> None:
    wrong = judged(fault_json(code, "Account Period Closed, Cannot Update Through Services Error"))

    assert isinstance(wrong, Rejected)
    assert wrong.code == "closed_period"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"Payment": {"PrivateNote": "it is the customer\'s Fault"}}', 200),
        (b'{"BatchItemResponse": [{"Fault": {"Error": [{"code": "6000"}]}}]}', 200),
        (b"gateway Fault", 502),
        (fault_json("10000"), 500),
    ],
)
def test_what_is_no_refusal_is_left_to_the_transport(body: bytes, status: int) -> None:
    assert faults.classify(reply(body, status)) is None


# The sandbox says it in the same words.


def shape(value: Any) -> Any:
    """Names and kinds of values, without the values."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    return [shape(part) for part in value[:1]] if isinstance(value, list) else type(value).__name__


@needs_samples
@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("fault_2020_required_param", sandbox.missing("Line.DepositLineDetail.AccountRef")),
        ("fault_3001_throttle_json", sandbox.throttled()),
        ("fault_5010_stale_object", sandbox.stale()),
        ("fault_6000_business_validation", sandbox.business("Select a bank account for this deposit.")),
        ("fault_610_object_not_found", sandbox.not_found()),
        ("fault_6140_duplicate_docnumber", sandbox.duplicate_number("1035", "Invoice", "119")),
        ("fault_6240_duplicate_name", sandbox.duplicate_name()),
    ],
)
def test_the_sandbox_refuses_as_recorded(name: str, refused: sandbox.Refused) -> None:
    said = json.loads(sandbox.as_json(refused, TIME).body)

    assert said["Fault"] == json.loads(sample(name))["Fault"]


@needs_samples
def test_the_sandbox_is_unauthorized_as_recorded() -> None:
    said = json.loads(sandbox.unauthorized(datetime(2026, 1, 5, tzinfo=UTC)).body)

    assert said | {"time": 0} == json.loads(sample("fault_403_authorization")) | {"time": 0}


def access_token(partner: QuickBooks) -> str:
    basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    form = f"grant_type=refresh_token&refresh_token={FIRST_REFRESH_TOKEN}"
    headers = {"authorization": f"Basic {basic}"}
    answer = partner.handle(Request(method="POST", path="/oauth2/v1/tokens/bearer", headers=headers, body=form.encode()))
    return str(json.loads(answer.body)["access_token"])


def ask(partner: QuickBooks, method: str, path: str, body: object = None, **params: str) -> Any:
    query = "&".join(f"{name}={value}" for name, value in params.items())
    request = Request(
        method=method,
        path=f"/v3/company/{REALM}/{path}",
        query=query,
        headers={"authorization": f"Bearer {access_token(partner)}"},
        body=json.dumps(body).encode() if body else b"",
    )
    return json.loads(partner.handle(request).body)


@pytest.fixture
def partner() -> QuickBooks:
    return QuickBooks(World())


@needs_samples
@pytest.mark.parametrize(
    ("name", "kind", "extra"),
    [
        ("payment_120_undeposited", "Payment", set()),
        ("payment_98_deposited", "Payment", set()),
        ("account_4_undeposited_funds", "Account", set()),
    ],
)
def test_the_sandbox_shows_records_in_the_recorded_shape(partner: QuickBooks, name: str, kind: str, extra: Iterable[str]) -> None:
    partner.bookkeeper.enter_customer("Acme")
    invoice = partner.bookkeeper.enter_invoice("1001", "Acme", "2026-01-01", "2026-01-31", "81.50")
    line = {"Amount": 81.5, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}
    body = {"CustomerRef": {"value": "1"}, "TotalAmt": 81.5, "Line": [line]}
    payment = ask(partner, "POST", "payment", body)["Payment"]
    if "_deposited" in name:
        partner.bookkeeper.make_deposit([payment["Id"]])

    shown = ask(partner, "GET", "account/4" if kind == "Account" else f"payment/{payment['Id']}")[kind]

    assert set(shown) - set(extra) == set(record(name, kind))
    if kind == "Payment":
        assert shape(shown["Line"][0]["LineEx"]) == shape(record(name, kind)["Line"][0]["LineEx"])
        assert shown.get("LinkedTxn", []) == ([{"TxnId": "3", "TxnType": "Deposit"}] if "_deposited" in name else [])


# Keys and texts.


def test_a_reference_is_stable_short_and_different_for_every_key() -> None:
    keys = [WriteKey(value=f"payment/{n}", since=datetime(2026, 1, 1, tzinfo=UTC)) for n in range(1000)]

    references = {translate.reference(key) for key in keys}

    assert translate.reference(keys[0]) == "SJZ2RAJ3TXIP4P4HSH5OA"  # changed, it would find nothing that was written before
    assert len(references) == 1000
    assert {len(reference) for reference in references} == {21}


def test_a_request_id_belongs_to_one_attempt() -> None:
    first = WriteKey(value="payment/1", since=datetime(2026, 1, 1, tzinfo=UTC))
    second = WriteKey(value="payment/1", since=datetime(2026, 1, 1, tzinfo=UTC), attempt=2)

    ids = {translate.request_id(first), translate.request_id(second)}

    assert len(ids) == 2
    assert translate.request_id(first) == translate.request_id(first)
    assert max(len(id) for id in ids) <= 50


@pytest.mark.parametrize(
    ("note", "ours"),
    [
        ("psa-connector:test payment/1", True),
        ("Voided - psa-connector:test payment/1", True),
        ("psa-connector:test", True),
        ("psa-connector:test2 payment/1", False),
        ("xpsa-connector:test", False),
        ("", False),
    ],
)
def test_our_mark_is_ours_alone(note: str, ours: bool) -> None:
    assert translate.is_ours(note, "test") is ours
