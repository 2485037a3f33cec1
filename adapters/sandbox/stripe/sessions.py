"""The pages on which a customer authorises a method: Checkout in setup mode, and the customer portal."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.stripe import shapes_money
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError

SESSION_LIFE_S = 86_400
SHORTEST_SESSION_S = 1_800


def create_session(account: Account, p: dict[str, Any]) -> Body:
    if p["mode"] != "setup":
        raise StripeError(f"This sandbox has no checkout in {p['mode']} mode.", param="mode")
    if "customer" in p:
        account.need("customer", p["customer"], "customer")
    if not p.get("payment_method_types") and "currency" not in p:
        raise StripeError("You must provide `currency` or `payment_method_types` in setup mode.", param="currency")
    if p.get("ui_mode", "hosted_page") == "hosted_page" and "success_url" not in p:
        raise StripeError("Missing required param: success_url.", code="parameter_missing", param="success_url")
    expires = p.get("expires_at", account.now + SESSION_LIFE_S)
    if not account.now + SHORTEST_SESSION_S <= expires <= account.now + SESSION_LIFE_S:
        raise StripeError(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    return _open_session(account, p, expires)


def _open_session(account: Account, p: dict[str, Any], expires: int) -> Body:
    data = p.get("setup_intent_data", {})
    types = p.get("payment_method_types") or ["card", "us_bank_account"]
    intent = shapes_money.setup_intent(
        account.id("seti_"), account.now, customer=p.get("customer"), types=types, metadata=data.get("metadata", {})
    )
    intent["description"] = data.get("description")
    account.add(intent, "setup_intent.created")
    session = shapes_money.checkout_session(account.id("cs_test_", 58), account.now, expires_at=expires, setup_intent=intent)
    session.update({name: p[name] for name in ("cancel_url", "client_reference_id", "currency", "success_url") if name in p})
    session["metadata"] = p.get("metadata", {})
    account.schedule(expires, "expire_session", session["id"])
    return account.add(session)


def expire_session(account: Account, id: str) -> None:
    session = account.get("checkout.session", id)
    if session["status"] == "open":
        _close(account, session)


def expire_now(account: Account, id: str) -> Body:
    session = account.need("checkout.session", id)
    if session["status"] != "open":
        raise StripeError('Only Checkout Sessions with a status in ["open"] can be expired.', param="session")
    return _close(account, session)


def _close(account: Account, session: Body) -> Body:
    session.update(status="expired", url=None)
    intent = account.get("setup_intent", session["setup_intent"])
    intent.update(status="canceled", cancellation_reason="abandoned")
    account.save(intent, "setup_intent.canceled")
    return account.save(session, "checkout.session.expired")


def create_portal_session(account: Account, p: dict[str, Any]) -> Body:
    customer = account.need("customer", p["customer"], "customer")
    session = shapes_money.portal_session(
        account.id("bps_"), account.now, customer=customer["id"], return_url=p.get("return_url")
    )
    if "flow_data" in p:
        confirmation = {"hosted_confirmation": None, "redirect": None, "type": "portal_homepage"}
        flow = {"subscription_cancel": None, "subscription_update": None, "subscription_update_confirm": None}
        after = {**confirmation, **p["flow_data"].get("after_completion", {})}
        session["flow"] = {**flow, "after_completion": after, "type": p["flow_data"]["type"]}
    return account.add(session)
