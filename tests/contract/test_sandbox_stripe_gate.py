"""The sandbox's Stripe at the door: keys, versions, parameters, idempotency, faults, and the pages of lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import stripe

from adapters.sandbox.faults import Fault
from tests.contract.stripe_story import FEBRUARY, VERSION, Scene, client, item, scene


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as opened:
        yield opened


def post(stage: Scene, path: str, form: dict[str, Any], **headers: str) -> requests.Response:
    key = {"authorization": "Bearer sk_test_sandbox"}
    return requests.post(f"{stage.url}/stripe{path}", data=form, headers={**key, **headers}, timeout=10)


def test_a_wrong_key_is_refused_without_repeating_it(stage: Scene) -> None:
    with pytest.raises(stripe.AuthenticationError) as refusal:
        client(stage.url, key="sk_test_wrong_1234").v1.customers.list()

    assert "sk_test_****1234" in str(refusal.value)


def test_another_api_version_is_refused(stage: Scene) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Invalid Stripe API version"):
        client(stage.url, version="2025-09-30.clover").v1.customers.list()


def test_answers_name_the_request_and_the_version(stage: Scene) -> None:
    answer = post(stage, "/v1/customers", {"name": "Acme"})

    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["stripe-version"] == VERSION


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"bogus": "1"}, "bogus", "parameter_unknown"),
        ({"pause_collection[behavior]": "keep_as_draft"}, "pause_collection", "parameter_unknown"),
        ({"items[0][price_data][product_data][name]": "x"}, "items[0][price_data][product_data]", "parameter_unknown"),
        ({"items[0][quantity]": "2.5"}, "items[0][quantity]", "parameter_invalid_integer"),
        ({"proration_behavior": "nope"}, "proration_behavior", None),
        ({"metadata[" + "k" * 41 + "]": "v"}, "metadata[" + "k" * 41 + "]", None),
        ({"customer": ""}, "customer", "parameter_invalid_empty"),
    ],
)
def test_what_the_document_does_not_allow_is_refused(stage: Scene, changes: dict[str, str], param: str, code: str | None) -> None:
    form = {
        "customer": stage.customer().id,
        "items[0][price_data][currency]": "usd",
        "items[0][price_data][product]": stage.product(),
        "items[0][price_data][unit_amount]": "100",
        "items[0][price_data][recurring][interval]": "month",
    }
    answer = post(stage, "/v1/subscriptions", {**form, **changes})

    assert answer.status_code == 400
    assert answer.json()["error"].get("code") == code
    assert answer.json()["error"]["param"] == param
    assert len(stage.partner.account.table("subscription")) == 0


def test_a_record_that_does_not_exist_is_404_in_the_path_and_400_in_a_parameter(stage: Scene) -> None:
    with pytest.raises(stripe.InvalidRequestError) as in_path:
        stage.v1.subscriptions.retrieve("sub_nope")
    with pytest.raises(stripe.InvalidRequestError) as in_parameter:
        stage.subscribe("cus_nope", items=[item(stage.product())])

    assert (in_path.value.http_status, in_path.value.code) == (404, "resource_missing")
    assert (in_parameter.value.http_status, in_parameter.value.param) == (400, "customer")


def test_a_repeated_key_gets_the_first_answer_again(stage: Scene) -> None:
    first = post(stage, "/v1/customers", {"name": "Acme"}, **{"idempotency-key": "k1"})
    again = post(stage, "/v1/customers", {"name": "Acme"}, **{"idempotency-key": "k1"})

    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len(stage.v1.customers.list().data) == 1


def test_a_key_with_other_parameters_is_an_error(stage: Scene) -> None:
    stage.v1.customers.create({"name": "Acme"}, {"idempotency_key": "k1"})

    with pytest.raises(stripe.IdempotencyError):
        stage.v1.customers.create({"name": "Other"}, {"idempotency_key": "k1"})


def test_a_key_is_forgotten_after_a_day_so_that_a_late_retry_makes_a_second_object(stage: Scene) -> None:
    stage.v1.customers.create({"name": "Acme"}, {"idempotency_key": "k1"})
    stage.world.advance_days(1)
    stage.v1.customers.create({"name": "Acme"}, {"idempotency_key": "k1"})

    assert len(stage.v1.customers.list().data) == 2


def test_a_key_is_not_used_up_by_parameters_that_were_refused(stage: Scene) -> None:
    refused = post(stage, "/v1/customers", {"nome": "Acme"}, **{"idempotency-key": "k1"})
    corrected = post(stage, "/v1/customers", {"name": "Acme"}, **{"idempotency-key": "k1"})

    assert (refused.status_code, corrected.status_code) == (400, 200)


def test_an_error_after_the_work_stays_the_answer_of_its_key(stage: Scene) -> None:
    stage.world.faults.add(Fault(kind="500_after_effect", partner="stripe", method="POST"))
    first = post(stage, "/v1/customers", {"name": "Acme"}, **{"idempotency-key": "k1"})
    again = post(stage, "/v1/customers", {"name": "Acme"}, **{"idempotency-key": "k1"})

    assert (first.status_code, again.status_code) == (500, 500)
    assert again.headers["idempotent-replayed"] == "true"
    assert len(stage.v1.customers.list().data) == 1


def test_a_lost_reply_is_found_again_with_its_key(stage: Scene) -> None:
    stage.world.faults.add(Fault(kind="reply_lost", partner="stripe", method="POST"))
    with pytest.raises(stripe.APIConnectionError):
        stage.v1.customers.create({"name": "Acme"}, {"idempotency_key": "k1"})
    found = stage.v1.customers.create({"name": "Acme"}, {"idempotency_key": "k1"})

    assert [customer.id for customer in stage.v1.customers.list().data] == [found.id]


def test_too_many_requests_are_said_as_stripe_says_it(stage: Scene) -> None:
    stage.world.faults.add(Fault(kind="429", partner="stripe"))

    with pytest.raises(stripe.RateLimitError) as refusal:
        stage.v1.customers.list()

    assert refusal.value.json_body["error"]["code"] == "rate_limit"


def test_pages_lead_through_everything_newest_first(stage: Scene) -> None:
    made = [stage.v1.customers.create({"name": f"Customer {number}"}).id for number in range(23)]
    paged = [customer.id for customer in stage.v1.customers.list({"limit": 5}).auto_paging_iter()]
    backwards = stage.v1.customers.list({"limit": 5, "ending_before": made[0]})

    assert paged == made[::-1]
    assert [customer.id for customer in backwards.data] == made[5:0:-1]
    assert backwards.has_more


def test_lists_filter_by_what_the_document_names(stage: Scene) -> None:
    stage.v1.customers.create({"email": "one@acme.example"})
    stage.world.advance_days(2)
    later = stage.v1.customers.create({"email": "two@acme.example"})
    since = int(stage.world.now.timestamp())

    assert [c.id for c in stage.v1.customers.list({"email": "two@acme.example"}).data] == [later.id]
    assert [c.id for c in stage.v1.customers.list({"created": {"gte": since}}).data] == [later.id]
    assert [c.id for c in stage.v1.customers.list({"created": {"gt": since}}).data] == []


def test_fields_are_expanded_to_four_levels(stage: Scene) -> None:
    invoice = stage.released()
    stage.world.advance_days(1)
    found = stage.v1.invoices.retrieve(invoice.id, {"expand": ["payments.data.payment.payment_intent", "customer"]})

    assert found.payments.data[0].payment.payment_intent.status == "succeeded"
    assert found.customer.name == "Acme Dental LLC"
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        stage.v1.invoices.list({"expand": ["data.payments.data.payment.payment_intent"]})


def test_ids_are_the_same_for_the_same_seed_and_story() -> None:
    def ids(seed: int) -> list[str]:
        with scene(seed=seed) as stage:
            stage.released()
            return [body["id"] for table in stage.partner.account.tables.values() for body in table]

    assert ids(7) == ids(7)
    assert not set(ids(7)) & set(ids(8)) - {"psa_card_ok"}


def test_a_product_id_of_the_callers_choice_exists_once(stage: Scene) -> None:
    stage.product("psa_9")

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stage.product("psa_9")

    assert refusal.value.code == "resource_already_exists"


def test_events_of_at_most_twenty_types_can_be_asked_for(stage: Scene) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        stage.v1.events.list({"types": [f"invoice.kind{number}" for number in range(21)]})


def test_events_after_a_cursor_come_in_order_and_once(stage: Scene) -> None:
    cursor = stage.v1.customers.create({"name": "first"}) and stage.events()[-1].id
    stage.released()
    stage.world.advance_days(1)
    after = [e.id for e in stage.v1.events.list({"ending_before": cursor, "limit": 3}).auto_paging_iter()]
    everything = [e.id for e in stage.events()]

    assert after == everything[everything.index(cursor) + 1 :]
    assert len(set(after)) == len(after)


def test_events_are_kept_for_thirty_days_and_an_older_cursor_is_lost(stage: Scene) -> None:
    stage.customer()
    cursor = stage.events()[-1].id
    stage.world.advance_days(31)
    stage.customer()

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stage.v1.events.list({"ending_before": cursor})

    assert refusal.value.code == "resource_missing"
    assert len(stage.events()) == 1


def test_an_events_invoice_does_not_carry_its_payments(stage: Scene) -> None:
    stage.released()
    stage.world.advance_days(1)
    (paid,) = stage.events("invoice.paid")

    assert "payments" not in paid.data.object.to_dict()
    assert paid.created >= FEBRUARY
