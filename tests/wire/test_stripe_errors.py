"""What the adapter makes of Stripe's refusals, silences and breakdowns: the class tells the caller what to do next."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from adapters.stripe.port import Stripe
from adapters.stripe.settings import StripeSettings
from connector.config.secret import Secret
from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater, Unauthorized
from connector.model.agreement import Payer
from connector.model.ledger import EventPage
from connector.ports import WriteKey
from connector.testing.doubles import context

SHARED = Path(os.environ.get("CONNECTOR_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
ERRORS = SHARED / "samples" / "stripe" / "errors"
pytestmark = pytest.mark.skipif(not ERRORS.is_dir(), reason=f"the sample error bodies are not at {ERRORS} (CONNECTOR_SHARED)")

KEY = WriteKey(value="payer/1", since=datetime(2026, 1, 5, 9, tzinfo=UTC))
PAYER = Payer(psa="cw", id="1", name="Acme Dental")
CUSTOMER = {"id": "cus_1", "object": "customer", "name": "Acme Dental", "metadata": {"psa_connector": "test", "payer": "cw:1"}}
PAGE = {"object": "list", "data": [], "has_more": False, "url": "/v1/customers"}

Reply = tuple[int, Any] | Exception


class Script(BaseAdapter):
    """Answers with the replies in turn, the last one for ever, and keeps what was sent."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__()
        self.replies = list(replies)
        self.sent: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.sent.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        response = requests.Response()
        response.status_code = reply[0]
        response._content = reply[1] if isinstance(reply[1], bytes) else json.dumps(reply[1]).encode()
        response.request = request
        return response

    def close(self) -> None:
        pass


def error(name: str) -> Reply:
    sample: Mapping[str, Any] = json.loads((ERRORS / f"{name}.json").read_text())
    return sample["status"], sample["body"]


def stripe(tmp_path: Path, script: Script, **settings: Any) -> Stripe:
    (tmp_path / "key").write_text("sk_test_very_secret")
    session = requests.Session()
    session.mount("https://", script)
    chosen = StripeSettings(return_url="https://msp.example/", secret_key=Secret(file=tmp_path / "key"), attempts=3, **settings)
    return Stripe(chosen, context(), session=session, sleep=lambda _: None)


def create(gateway: Stripe) -> str:
    return gateway.ensure_customer(PAYER, known="", key=KEY).id


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("400_parameter_unknown", Rejected),
        ("402_card_declined_invoice_pay", Rejected),
        ("404_resource_missing", Rejected),
        ("400_idempotency_error_param_mismatch", OutcomeUnknown),
        ("401_invalid_api_key", Unauthorized),
        ("409_idempotency_key_in_use", OutcomeUnknown),
        ("429_lock_timeout", RetryLater),
        ("429_rate_limit", RetryLater),
    ],
)
def test_every_published_error_of_a_write_has_its_class(tmp_path: Path, name: str, expected: type[ConnectorError]) -> None:
    with pytest.raises(ConnectorError) as caught:
        create(stripe(tmp_path, Script(error(name))))

    assert type(caught.value) is expected
    assert "sk_test" not in str(caught.value)
    assert "Acme Dental" in str(caught.value) or expected is Unauthorized


@pytest.mark.parametrize(
    "reply",
    [
        (500, {"error": {"message": "An unknown error occurred", "type": "api_error"}}),
        (502, b"<html>Bad gateway</html>"),
        requests.exceptions.ReadTimeout("read timed out"),
        requests.exceptions.ConnectionError("reset by peer"),
    ],
    ids=["500", "html", "timeout", "reset"],
)
def test_silence_and_breakdown_leave_a_write_unknown_and_a_read_for_later(tmp_path: Path, reply: Reply) -> None:
    with pytest.raises(OutcomeUnknown):
        create(stripe(tmp_path, Script(reply)))
    with pytest.raises(RetryLater):
        stripe(tmp_path, Script(reply)).ping()


def test_a_refusal_names_the_parameter_and_carries_stripe_s_code(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"items\[0\]\[price_data\]\[product_data\]\)") as refused:
        create(stripe(tmp_path, Script(error("400_parameter_unknown"))))

    assert refused.value.code == "parameter_unknown"


def test_a_throttled_write_is_sent_again_under_its_key(tmp_path: Path) -> None:
    script = Script(error("429_rate_limit"), error("429_lock_timeout"), (200, CUSTOMER))

    assert create(stripe(tmp_path, script)) == "cus_1"
    assert len(script.sent) == 3
    assert len({request.headers["Idempotency-Key"] for request in script.sent}) == 1
    assert {request.headers["Stripe-Version"] for request in script.sent} == {"2026-05-27.dahlia"}


def test_a_lost_reply_is_asked_for_again_under_the_same_key_only(tmp_path: Path) -> None:
    script = Script(requests.exceptions.ConnectionError("reset"), (200, CUSTOMER))

    assert create(stripe(tmp_path, script)) == "cus_1"
    assert script.sent[0].headers["Idempotency-Key"] == script.sent[1].headers["Idempotency-Key"]


def test_a_server_error_of_a_write_is_not_sent_again(tmp_path: Path) -> None:
    script = Script((500, {"error": {"message": "boom", "type": "api_error"}}), (200, CUSTOMER))

    with pytest.raises(OutcomeUnknown):
        create(stripe(tmp_path, script))

    assert len(script.sent) == 1


def test_a_read_survives_a_moment_of_trouble(tmp_path: Path) -> None:
    script = Script((503, b""), requests.exceptions.ConnectionError("reset"), (200, PAGE))

    stripe(tmp_path, script).ping()

    assert len(script.sent) == 3


def test_a_page_that_fails_half_way_yields_no_half_book(tmp_path: Path) -> None:
    first = {**PAGE, "data": [{"id": "sub_1", "metadata": {}}], "has_more": True}
    gateway = stripe(tmp_path, Script((200, first), error("401_invalid_api_key")))

    with pytest.raises(Unauthorized):
        gateway.subscriptions()


def test_the_budget_is_asked_before_every_request(tmp_path: Path) -> None:
    script = Script(error("429_rate_limit"), (200, PAGE))
    waits = [2.0, 0.0, 0.5, 0.0]
    slept: list[float] = []

    class Budget:
        def take(self, partner: str) -> float:
            assert partner == "stripe"
            return waits.pop(0)

    (tmp_path / "key").write_text("sk_test_x")
    session = requests.Session()
    session.mount("https://", script)
    gateway = Stripe(
        StripeSettings(return_url="https://msp.example/", secret_key=Secret(file=tmp_path / "key")),
        context(budget=Budget()),
        session=session,
        sleep=slept.append,
    )
    gateway.ping()

    assert waits == []
    assert {2.0, 0.5} <= set(slept)


def test_a_deleted_customer_is_named_and_missing(tmp_path: Path) -> None:
    gateway = stripe(tmp_path, Script((200, {"id": "cus_1", "object": "customer", "deleted": True})))

    with pytest.raises(Rejected, match="cus_1 was deleted"):
        gateway.ensure_customer(PAYER, known="cus_1", key=KEY)

    assert gateway.customers(["cus_1"]) == {}


def page(*data: Any) -> Reply:
    return 200, {**PAGE, "data": list(data)}


def test_money_that_never_was_at_stripe_is_no_payment(tmp_path: Path) -> None:
    recorded = {
        "id": "inpay_1",
        "invoice": "in_1",
        "status": "paid",
        "amount_paid": 500,
        "currency": "usd",
        "created": 1_767_600_000,
        "payment": {"type": "payment_record", "payment_record": "pr_1"},
    }

    assert stripe(tmp_path, Script(page(recorded))).payments("in_1") == []


def test_a_cursor_older_than_stripe_s_memory_is_lost_even_if_stripe_says_nothing(tmp_path: Path) -> None:
    gateway = stripe(tmp_path, Script(page()))
    now = context().clock.now()
    month_ago, yesterday = (int((now - timedelta(days=days)).timestamp()) for days in (31, 1))

    assert gateway.events(after=f"evt_1@{month_ago}").lost
    assert gateway.events(after="not a cursor").lost
    assert gateway.events(after=f"evt_1@{yesterday}") == EventPage(events=(), cursor=f"evt_1@{yesterday}")


def open_invoice(**changes: Any) -> dict[str, Any]:
    return {
        "id": "in_1",
        "number": "A-1",
        "customer": "cus_1",
        "status": "open",
        "currency": "usd",
        "metadata": {"psa_connector": "test"},
        "lines": {"data": [], "has_more": False},
        "attempted": True,
        **dict.fromkeys(("total", "amount_due", "amount_remaining"), 500),
        **dict.fromkeys(("amount_paid", "created", "period_end"), 0),
        **changes,
    }


def test_a_debit_under_way_is_named_before_stripe_is_asked_to_void(tmp_path: Path) -> None:
    payment = {
        "id": "inpay_1",
        "invoice": "in_1",
        "status": "open",
        "currency": "usd",
        "created": 0,
        "payment": {"type": "payment_intent", "payment_intent": {"id": "pi_1", "status": "processing"}},
    }
    script = Script((200, open_invoice()), page(payment), (200, open_invoice()), page(payment))
    gateway = stripe(tmp_path, script)
    found = gateway.invoice("in_1")
    assert found is not None

    with pytest.raises(Rejected, match=r"A-1 \(in_1\) is under way at the bank") as refused:
        gateway.write_off(found)

    assert refused.value.code == "payment_in_flight"
    assert {request.method for request in script.sent} == {"GET"}


def test_what_remains_of_a_half_paid_invoice_is_stopped_and_told(tmp_path: Path) -> None:
    half = open_invoice(amount_paid=200, amount_remaining=300, attempted=False, auto_advance=True)
    script = Script((200, half))
    gateway = stripe(tmp_path, script)
    found = gateway.invoice("in_1")
    assert found is not None

    with pytest.raises(Rejected, match=r"2\.00 USD of invoice A-1"):
        gateway.write_off(found)

    assert (script.sent[-1].method, script.sent[-1].body) == ("POST", "auto_advance=false")
