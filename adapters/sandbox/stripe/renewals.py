"""A subscription's periods and the invoices that they make."""

from __future__ import annotations

from decimal import Decimal

from adapters.sandbox.stripe import collection, drafting, shapes
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.periods import Cycle

ATTEMPT_AFTER_S = 3  # an invoice finalized by itself is collected at once


def cycle_of(subscription: Body) -> Cycle:
    recurring = subscription["items"]["data"][0]["price"]["recurring"]
    config = subscription["billing_cycle_anchor_config"]
    return Cycle(
        anchor=subscription["billing_cycle_anchor"],
        interval=recurring["interval"],
        count=recurring["interval_count"],
        day_of_month=config["day_of_month"] if config else 0,
    )


def items_of(account: Account, subscription: Body) -> list[Body]:
    return account.table("subscription_item").where(subscription=subscription["id"])


def show_items(account: Account, subscription: Body) -> None:
    url = f"/v1/subscription_items?subscription={subscription['id']}"
    subscription["items"] = shapes.listing(items_of(account, subscription), url)


def set_period(account: Account, subscription: Body, start: int, end: int) -> None:
    for item in items_of(account, subscription):
        item.update(current_period_start=start, current_period_end=end)


def watch(account: Account, subscription: Body) -> None:
    """Wake when the period ends, and when the subscription is to be cancelled."""
    if subscription["ended_at"]:
        return
    account.schedule_once(subscription["items"]["data"][0]["current_period_end"], "renew", subscription["id"])
    if subscription["cancel_at"]:
        account.schedule_once(subscription["cancel_at"], "cancel", subscription["id"])


def renew(account: Account, id: str) -> None:
    """The period is over: the next one begins, with its invoice. A cancellation due at the same moment comes first."""
    subscription = account.get("subscription", id)
    first = subscription["items"]["data"][0]
    if subscription["ended_at"] or first["current_period_end"] > account.now:
        return
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= account.now:
        return  # its own wake ends it
    old_start, start = first["current_period_start"], first["current_period_end"]
    set_period(account, subscription, start, cycle_of(subscription).after(start))
    if subscription["status"] in ("active", "past_due"):
        bill(account, subscription, "subscription_cycle", period=(old_start, start))
    account.emit("customer.subscription.updated", subscription)
    watch(account, subscription)


def bill(account: Account, subscription: Body, reason: str, *, period: tuple[int, int], share: Decimal = Decimal(1)) -> Body:
    """The invoice of the current period: a draft that advances by itself unless collection is paused."""
    pause = subscription["pause_collection"]
    customer = account.get("customer", subscription["customer"])
    invoice = drafting.start(
        account, customer, currency=subscription["currency"], reason=reason, subscription=subscription,
        auto_advance=pause is None,
    )  # fmt: skip
    invoice.update(period_start=period[0], period_end=period[1])
    drafting.take_pending(account, invoice, of=(None, subscription["id"]))
    for item in reversed(items_of(account, subscription)):
        drafting.add_item_line(account, invoice, item, share=share)
    drafting.finish(account, invoice, silent=pause is not None)  # drafts of a paused subscription are found by listing
    subscription["latest_invoice"] = invoice["id"]
    account.save(subscription)
    if pause and pause["behavior"] != "keep_as_draft":
        _write_off(account, invoice, pause["behavior"])
    return invoice


def _write_off(account: Account, invoice: Body, behavior: str) -> None:
    collection.finalize(account, invoice, attempt_in_s=0)
    if invoice["status"] == "open":
        (collection.void if behavior == "void" else collection.mark_uncollectible)(account, invoice)


def first_invoice(account: Account, subscription: Body, *, share: Decimal) -> Body:
    return bill(account, subscription, "subscription_create", period=(account.now, account.now), share=share)


def collect_first(account: Account, subscription: Body) -> None:
    """Charged automatically: finalized and tried within the request. By invoice: the draft is sent after an hour."""
    if subscription["collection_method"] != "charge_automatically":
        return
    subscription["status"] = "incomplete"
    account.save(subscription)
    invoice = collection.finalize(account, account.get("invoice", subscription["latest_invoice"]), attempt_in_s=0)
    if invoice["status"] == "open":
        collection.attempt(account, invoice, scheduled=True)


def hold_first(account: Account, subscription: Body) -> None:
    """Finalized, but the first attempt is left to the customer."""
    subscription["status"] = "incomplete"
    account.save(subscription)
    invoice = collection.finalize(account, account.get("invoice", subscription["latest_invoice"]), attempt_in_s=0)
    if invoice["status"] == "open":
        invoice["next_payment_attempt"] = None


def finalize_due(account: Account, id: str) -> None:
    """The draft's hour is over, unless someone stopped it or finalized it meanwhile."""
    invoice = account.find("invoice", id)
    if invoice is None or invoice["status"] != "draft" or not invoice["auto_advance"]:
        return
    if invoice["automatically_finalizes_at"] <= account.now:
        collection.finalize(account, invoice, attempt_in_s=ATTEMPT_AFTER_S)


def restart(account: Account, subscription: Body) -> None:
    """Another billing interval begins now, and is billed now."""
    subscription.update(billing_cycle_anchor=account.now, billing_cycle_anchor_config=None)
    set_period(account, subscription, account.now, cycle_of(subscription).after(account.now))
    invoice = bill(account, subscription, "subscription_update", period=(account.now, account.now))
    _collect_now(account, subscription, invoice)


def invoice_prorations(account: Account, subscription: Body) -> None:
    """An invoice of the pending items alone, at once."""
    customer = account.get("customer", subscription["customer"])
    invoice = drafting.start(
        account, customer, currency=subscription["currency"], reason="subscription_update", subscription=subscription,
        auto_advance=subscription["pause_collection"] is None,
    )  # fmt: skip
    drafting.take_pending(account, invoice, of=(None, subscription["id"]))
    if not account.lines[invoice["id"]]:
        return
    drafting.finish(account, invoice)
    subscription["latest_invoice"] = invoice["id"]
    account.save(subscription)
    _collect_now(account, subscription, invoice)


def _collect_now(account: Account, subscription: Body, invoice: Body) -> None:
    if subscription["pause_collection"] is None and subscription["collection_method"] == "charge_automatically":
        collection.finalize(account, invoice, attempt_in_s=0)
        if invoice["status"] == "open":
            collection.attempt(account, invoice, scheduled=True)
