"""Somebody changes our subscription in Stripe's dashboard: shown, put right, and what is not ours is never touched."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.flows import mirror
from connector.model.subscription import Create, Update
from tests.e2e.charging import at_stripe, bills, debits, expected, only, subscriptions
from tests.e2e.msp import Msp, msp

LINES = ({"quantity": "12", "unitPrice": "45.00"}, {"quantity": "3", "unitPrice": "149.00"})


def with_lines(m: Msp) -> int:
    id = m.sign_up()
    for number, line in enumerate(LINES):
        m.act(
            "office.add_addition",
            agreement=id,
            product=("Managed workstation", "Server care")[number],
            starts="2026-02-01",
            **line,
        )
    m.cycle()
    return id


def shown(m: Msp, agreement: int) -> dict[str, Any]:
    """What a subscription charges and how, as Stripe has it."""
    subscription = only(subscriptions(m, agreement))
    items = [row for row in m.stripe("subscription_item") if row["subscription"] == subscription["id"]]
    return {
        "items": sorted((row["metadata"].get("item", ""), row["price"]["unit_amount"], row["quantity"]) for row in items),
        "pause": subscription["pause_collection"],
        "method": subscription["collection_method"],
        "cancel_at": subscription["cancel_at"],
    }


def an_item(m: Msp, agreement: int) -> dict[str, Any]:
    subscription = only(subscriptions(m, agreement))
    items = [row for row in m.stripe("subscription_item") if row["subscription"] == subscription["id"]]
    return max(items, key=lambda row: row["quantity"])


def other_price(item: dict[str, Any], cents: int) -> dict[str, Any]:
    return {
        "currency": "usd",
        "product": item["price"]["product"],
        "unit_amount": cents,
        "recurring": {"interval": "month"},
    }


def change(m: Msp, agreement: int, what: str) -> None:
    m.at(m.world.now + timedelta(minutes=1))
    item = an_item(m, agreement)
    changes: dict[str, Any] = {
        "quantity": {"items": [{"id": item["id"], "quantity": 99}]},
        "price": {"items": [{"id": item["id"], "price_data": other_price(item, 1)}]},
        "item added": {"items": [{"price_data": other_price(item, 7700), "quantity": 1}]},
        "item removed": {"items": [{"id": item["id"], "deleted": True}]},
        "un-paused": {"pause_collection": ""},
        "paused another way": {"pause_collection": {"behavior": "void"}},
        "sends bills": {"collection_method": "send_invoice", "days_until_due": 30},
        "ends": {"cancel_at_period_end": True},
    }[what]
    m.act("stripe.edit_subscription", id=item["subscription"], proration_behavior="none", **changes)


CHANGES = ("quantity", "price", "item added", "item removed", "un-paused", "paused another way", "sends bills", "ends")


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_in_the_dashboard_is_shown_by_plan_and_put_right_by_apply(tmp_path: Path, what: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = with_lines(m)
        before = shown(m, id)
        change(m, id, what)
        assert shown(m, id) != before

        planned = m.plan()

        assert [type(step) for step in planned.plan.changes] == [Update]

        mirror.apply(m.agent.desk, planned)

        assert shown(m, id) == before
        assert m.plan().plan.changes == ()

        m.to("2026-02-02")
        m.cycle(1)

        assert debits(m) == expected(m, id)


def test_a_change_in_the_dashboard_that_nobody_noticed_in_time_changes_no_charge(tmp_path: Path) -> None:
    """The agent was down from before the change until after the draft: the draft is made equal to the invoice."""
    with msp(tmp_path, agreements=0) as m:
        id = with_lines(m)
        change(m, id, "price")
        m.to("2026-02-02")
        m.cycle(1)

        assert debits(m) == expected(m, id)


def test_a_subscription_cancelled_in_the_dashboard_is_named_and_not_made_again_by_itself(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        m.act("stripe.cancel_subscription", id=only(subscriptions(m, id))["id"])
        m.cycle()
        planned = m.plan()
        m.to("2026-02-02")
        m.cycle()

        (problem,) = planned.plan.unusable
        assert problem.reason == "cancelled_at_gateway"
        assert f"Contoso Dental: Managed Services (agreement {id})" in problem.message
        assert f"connector apply --recreate connectwise:{id}" in problem.message
        assert planned.plan.changes == ()
        assert subscriptions(m) == []
        assert debits(m) == {}


def test_a_subscription_cancelled_in_the_dashboard_is_made_again_once_a_person_asks_for_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        m.act("stripe.cancel_subscription", id=only(subscriptions(m, id))["id"])
        m.cycle()
        planned = mirror.plan(m.agent.desk, recreate=frozenset({f"connectwise:{id}"}))
        mirror.apply(m.agent.desk, planned)
        m.cycle()
        m.to("2026-02-02")
        m.cycle()

        assert [type(step) for step in planned.plan.changes] == [Create]
        assert m.plan().plan.unusable == ()
        assert only(subscriptions(m, id))["metadata"]["generation"] == "2"
        assert debits(m) == expected(m, id)


def test_a_draft_that_is_there_when_the_subscription_is_cancelled_in_the_dashboard_is_collected_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(terms="Net 15")
        m.to("2026-02-02")
        m.cycle()
        m.act("stripe.cancel_subscription", id=only(subscriptions(m, id))["id"])
        m.through("2026-02-20", every_days=6)

        assert debits(m) == expected(m, id)


def test_an_invoice_that_stripe_collected_because_somebody_un_paused_is_not_collected_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        change(m, id, "un-paused")
        m.to("2026-02-03")
        m.cycle()
        m.to("2026-02-20")
        m.cycle()

        paid = only(at_stripe(m))
        assert (paid["status"], paid["amount_paid"]) == ("paid", 50000)
        assert m.charge(f"connectwise:{id}/2026-02-01").gateway_invoice == paid["id"]
        assert only(bills(m, id))["balance"] == 0


def test_an_invoice_that_stripe_collected_before_connectwise_billed_the_period_counts_for_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        m.act("office.set_automatic", on=False)
        change(m, id, "un-paused")
        m.to("2026-02-03")
        m.cycle()
        assert [entry.amount.minor for entry in m.ledger()] == [50000]
        m.act("office.create_invoices", through="2026-02-10", dated="2026-02-10")
        m.to("2026-02-20")
        m.cycle()

        assert only(at_stripe(m))["amount_paid"] == 50000
        assert only(bills(m, id))["balance"] == 0


def test_a_draft_that_would_go_on_by_itself_is_stopped_until_it_is_due(tmp_path: Path) -> None:
    """Somebody un-paused, and within the hour in which the renewal is a draft the agent comes round."""
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(terms="Net 15")
        change(m, id, "un-paused")
        m.at(m.world.now.replace(month=2, day=1, hour=12, minute=30))
        m.cycle()
        m.to("2026-02-03")
        m.cycle()

        assert [i["status"] for i in at_stripe(m)] == ["draft"]

        m.to("2026-02-17")
        m.cycle()

        assert debits(m) == expected(m, id)


def test_an_invoice_released_in_the_dashboard_is_watched_like_our_own(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(terms="Net 15")
        m.to("2026-02-02")
        m.cycle()
        draft = only(at_stripe(m, "draft"))["id"]
        finalize = f"{m.url}/stripe/v1/invoices/{draft}/finalize"
        requests.post(
            finalize, data={"auto_advance": "true"}, headers={"Authorization": "Bearer sk_test_sandbox"}, timeout=5
        ).raise_for_status()
        m.through("2026-02-20", every_days=6)

        paid = only(at_stripe(m))
        assert (paid["status"], paid["amount_paid"]) == ("paid", 50000)
        assert only(bills(m, id))["balance"] == 0


def test_what_is_not_ours_at_stripe_is_untouched_byte_for_byte_after_weeks(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=3) as m:
        shop = m.act("stripe.create_foreign_objects")
        before = everything(m)
        m.cycle()
        m.enrol()
        for day in ("2026-01-12", "2026-02-01", "2026-02-04"):
            m.to(day)
            m.cycle(1)

        after = everything(m)
        assert before.keys() >= set(shop.values())
        assert {id: after[id] for id in before} == before
        assert len(after) > len(before)


def test_a_foreign_subscription_renews_and_is_paid_as_if_we_were_not_there(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=3) as m:
        shop = m.act("stripe.create_foreign_objects")
        m.cycle()
        m.enrol()
        m.through("2026-02-10", every_days=9)

        theirs = [i for i in m.stripe("invoice") if i["customer"] == shop["customer"]]
        assert [(i["status"], i["amount_paid"]) for i in theirs] == [("paid", 1900), ("paid", 1900)]
        assert not {entry.invoice for entry in m.ledger()} & {i["id"] for i in theirs}


def everything(m: Msp) -> dict[str, str]:
    """Each object at Stripe by id, as text. Money on its way to the bank moves by itself."""
    state: dict[str, Any] = m.world.partners["stripe"].state()
    kinds = [kind for kind in state if kind not in ("balance_transaction", "payout", "events")]
    return {row["id"]: json.dumps(row, sort_keys=True, default=str) for kind in kinds for row in m.stripe(kind)}
