"""Lists, pages and expanded fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from adapters.sandbox.stripe import balance
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError, no_such
from adapters.sandbox.stripe.eventlog import Recorded
from adapters.sandbox.stripe.tables import Page

Wanted = Mapping[str, Hashable]
DEFAULT_LIMIT = 10
MAX_EVENT_TYPES = 20


def page_of(p: Mapping[str, Any]) -> Page:
    if "starting_after" in p and "ending_before" in p:
        raise StripeError("You may only specify one of these parameters: starting_after, ending_before.", param="ending_before")
    return Page(
        limit=p.get("limit", DEFAULT_LIMIT),
        created=p.get("created", {}),
        after=p.get("starting_after", ""),
        before=p.get("ending_before", ""),
    )


def answer(data: list[Body], more: bool, url: str) -> Body:
    return {"object": "list", "data": data, "has_more": more, "url": url}


def everything(_: Body) -> bool:
    return True


def listed(
    account: Account,
    kind: str,
    url: str,
    p: Mapping[str, Any],
    *,
    wanted: Mapping[str, Hashable] | None = None,
    keep: Callable[[Body], bool] = everything,
) -> Body:
    data, more = account.table(kind).page(page_of(p), wanted or {}, keep)
    return answer(data, more, url)


def plain(kind: str, url: str, *indexed: str) -> Callable[[Account, dict[str, Any]], Body]:
    """A list whose filters are all indexed fields."""

    def handler(account: Account, p: dict[str, Any]) -> Body:
        wanted = {name: p[name] for name in indexed if name in p}
        return listed(account, kind, url, p, wanted=wanted)

    return handler


def products(account: Account, p: dict[str, Any]) -> Body:
    ids = p.get("ids")
    return listed(account, "product", "/v1/products", p, keep=lambda body: ids is None or body["id"] in ids)


def customers(account: Account, p: dict[str, Any]) -> Body:
    wanted = {"email": p["email"]} if "email" in p else {}
    return listed(account, "customer", "/v1/customers", p, wanted=wanted, keep=lambda body: body["id"] not in account.deleted)


def subscriptions(account: Account, p: dict[str, Any]) -> Body:
    """Without `status`: all but the ended ones."""
    status = p.get("status", "")
    wanted = {"customer": p["customer"]} if "customer" in p else {}
    if status and status not in ("all", "ended"):
        wanted["status"] = status
    method = p.get("collection_method")

    def keep(body: Body) -> bool:
        ended = body["ended_at"] is not None
        return (status == "all" or ended == (status in ("ended", "canceled", "incomplete_expired"))) and (
            method in (None, body["collection_method"])
        )

    return listed(account, "subscription", "/v1/subscriptions", p, wanted=wanted, keep=keep)


def invoices(account: Account, p: dict[str, Any]) -> Body:
    wanted: Wanted = {name: p[name] for name in ("customer", "status", "subscription") if name in p}
    method, due = p.get("collection_method"), p.get("due_date")

    def keep(body: Body) -> bool:
        return method in (None, body["collection_method"]) and (due is None or within(body["due_date"], due))

    return listed(account, "invoice", "/v1/invoices", p, wanted=wanted, keep=keep)


def within(value: int | None, bounds: Mapping[str, int]) -> bool:
    if value is None:
        return False
    tests: dict[str, Callable[[int], bool]] = {
        "gt": lambda bound: value > bound,
        "gte": lambda bound: value >= bound,
        "lt": lambda bound: value < bound,
        "lte": lambda bound: value <= bound,
    }
    return all(tests[name](bound) for name, bound in bounds.items())


def invoice_items(account: Account, p: dict[str, Any]) -> Body:
    wanted: Wanted = {name: p[name] for name in ("customer", "invoice") if name in p}
    pending = p.get("pending")

    def keep(body: Body) -> bool:
        return pending is None or pending == (body["invoice"] is None)

    return listed(account, "invoiceitem", "/v1/invoiceitems", p, wanted=wanted, keep=keep)


def invoice_payments(account: Account, p: dict[str, Any]) -> Body:
    wanted = {"invoice": p["invoice"]} if "invoice" in p else {}
    payment = p.get("payment", {})
    if "payment_intent" in payment:
        wanted["payment_intent"] = payment["payment_intent"]
    status = p.get("status")

    def keep(body: Body) -> bool:
        return status in (None, body["status"]) and payment.get("type", "payment_intent") == body["payment"]["type"]

    return listed(account, "invoice_payment", "/v1/invoice_payments", p, wanted=wanted, keep=keep)


def payment_methods(account: Account, p: dict[str, Any], customer: str = "") -> Body:
    """Only those of one customer; without one, none: methods without a customer cannot be listed."""
    owner = customer or p.get("customer")
    if owner:
        account.need("customer", owner, "id" if customer else "customer")
    url = f"/v1/customers/{customer}/payment_methods" if customer else "/v1/payment_methods"
    type = p.get("type")

    def keep(body: Body) -> bool:
        return bool(owner) and type in (None, body["type"])

    return listed(account, "payment_method", url, p, wanted={"customer": owner}, keep=keep)


def checkout_sessions(account: Account, p: dict[str, Any]) -> Body:
    wanted: Wanted = {name: p[name] for name in ("customer", "status") if name in p}
    return listed(account, "checkout.session", "/v1/checkout/sessions", p, wanted=wanted)


def balance_transactions(account: Account, p: dict[str, Any]) -> Body:
    """With `payout`: only what an automatic payout took, and the payout's own transaction."""
    url = "/v1/balance_transactions"
    if "payout" not in p:
        wanted: Wanted = {name: p[name] for name in ("source", "type") if name in p}
        return listed(account, "balance_transaction", url, p, wanted=wanted, keep=_in_currency(p))
    page, members = page_of(p), balance.members(account, account.need("payout", p["payout"], "payout"))
    kept = [body for body in members if p.get("type") in (None, body["type"]) and p.get("source") in (None, body["source"])]
    kept = [body for body in kept if within(body["created"], page.created)]
    return _slice(kept, page, url)


def payouts(account: Account, p: dict[str, Any]) -> Body:
    wanted = {"status": p["status"]} if "status" in p else {}
    arrival = p.get("arrival_date")

    def keep(body: Body) -> bool:
        return arrival is None or within(body["arrival_date"], arrival)

    return listed(account, "payout", "/v1/payouts", p, wanted=wanted, keep=keep)


def _in_currency(p: Mapping[str, Any]) -> Callable[[Body], bool]:
    return lambda body: p.get("currency") in (None, body["currency"])


def _slice(bodies: list[Body], page: Page, url: str) -> Body:
    """A page of a short list that is already in its order."""
    ids = [body["id"] for body in bodies]
    for cursor, param in ((page.after, "starting_after"), (page.before, "ending_before")):
        if cursor and cursor not in ids:
            raise no_such("object", cursor, param=param)
    if page.before:
        rest = bodies[: ids.index(page.before)]
        return answer(rest[-page.limit :], len(rest) > page.limit, url)
    rest = bodies[ids.index(page.after) + 1 :] if page.after else bodies
    return answer(rest[: page.limit], len(rest) > page.limit, url)


def lines(account: Account, p: dict[str, Any], id: str) -> Body:
    account.need("invoice", id)
    return _slice(account.lines[id], page_of(p), f"/v1/invoices/{id}/lines")


def events(account: Account, p: dict[str, Any]) -> Body:
    """Of the last 30 days. A cursor that is older is not known any more."""
    account.events.forget(account.now)
    types = p.get("types")
    if types is not None and "type" in p:
        raise StripeError("You may only specify one of these parameters: type, types.", param="types")
    if types is not None and len(types) > MAX_EVENT_TYPES:
        raise StripeError(f"You may pass at most {MAX_EVENT_TYPES} event types.", param="types")
    page = page_of(p)
    wanted = _types(types or ([p["type"]] if "type" in p else []))
    undelivered = p.get("delivery_success") is False  # there are no webhooks, so none failed

    def keep(event: Recorded) -> bool:
        return not undelivered and wanted(event.type) and within(event.created, page.created)

    found, more = account.events.page(page, keep)
    return answer([json.loads(event.text) for event in found], more, "/v1/events")


def _types(names: list[str]) -> Callable[[str], bool]:
    """`invoice.*` names a family."""
    exact = {name for name in names if not name.endswith("*")}
    families = tuple(name[:-1] for name in names if name.endswith("*"))
    return lambda type: not names or type in exact or type.startswith(families)


def event(account: Account, id: str) -> Body:
    account.events.forget(account.now)
    found = account.events.find(id)
    if found is None:
        raise no_such("event", id)
    body: Body = json.loads(found.text)
    return body
