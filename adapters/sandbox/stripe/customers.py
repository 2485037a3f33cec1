"""Customers and their payment methods."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.stripe import drafting, shapes, shapes_money
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError
from adapters.sandbox.stripe.params import merged

PLAIN = ("address", "description", "email", "name", "phone", "preferred_locales", "tax_exempt")


def create(account: Account, p: dict[str, Any]) -> Body:
    customer = shapes.customer(account.id("cus_", 14), account.now, account.id("", 8).upper())
    _write(account, customer, p)
    return account.add(customer, "customer.created")


def update(account: Account, id: str, p: dict[str, Any]) -> Body:
    customer = account.need("customer", id)
    balance = customer["balance"]
    before = {name: customer[name] for name in p if name in customer}
    _write(account, customer, p)
    account.save(customer, "customer.updated", **before)
    if customer["balance"] != balance:
        drafting.refresh_drafts(account, customer["id"])
    return customer


def delete(account: Account, id: str) -> Body:
    """Its subscriptions end at once; what it was billed stays."""
    customer = account.need("customer", id)
    for subscription in account.table("subscription").where(customer=id):
        if subscription["ended_at"] is None:
            subscription.update(status="canceled", ended_at=account.now, canceled_at=account.now)
            account.save(subscription, "customer.subscription.deleted")
    for invoice in account.table("invoice").where(customer=id, status="open"):
        invoice.update(auto_advance=False, next_payment_attempt=None)
    for method in account.table("payment_method").where(customer=id):
        method["customer"] = None
        account.save(method, "payment_method.detached")
    account.deleted.add(id)
    account.save(customer, "customer.deleted")
    return _gone(id)


def retrieve(account: Account, id: str) -> Body:
    """A deleted one is still known by its id."""
    return _gone(id) if id in account.deleted else account.need("customer", id)


def _gone(id: str) -> Body:
    return {"id": id, "object": "customer", "deleted": True}


def _write(account: Account, customer: Body, p: dict[str, Any]) -> None:
    settings = p.get("invoice_settings", {})
    if settings.get("default_payment_method"):
        attached_method(account, settings["default_payment_method"], customer["id"])
    customer.update({name: p[name] for name in PLAIN if name in p})
    customer["balance"] = p.get("balance", customer["balance"])
    if "metadata" in p:
        customer["metadata"] = merged(customer["metadata"], p["metadata"])
    if "default_payment_method" in settings:
        customer["invoice_settings"] = {
            **customer["invoice_settings"],
            "default_payment_method": settings["default_payment_method"],
        }


def attached_method(account: Account, id: str, customer: str, param: str = "default_payment_method") -> Body:
    method = account.find("payment_method", id)
    if method is None or method["customer"] != customer:
        raise StripeError(
            f"The customer does not have a payment method with the ID {id}. The payment method must be attached to the customer.",
            code="resource_missing",
            param=param,
        )
    return method


def attach(account: Account, id: str, p: dict[str, Any]) -> Body:
    method = account.need("payment_method", id)
    customer = account.need("customer", p["customer"], "customer")
    if method["customer"]:
        raise StripeError("The payment method you provided has already been attached to a customer.")
    if id in account.behaviour:
        raise StripeError(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, or was "
            "detached from a Customer. It may not be used again."
        )
    method["customer"] = customer["id"]
    return account.save(method, "payment_method.attached")


def detach(account: Account, id: str) -> Body:
    """Also takes it away wherever it was a default."""
    method = account.need("payment_method", id)
    if not method["customer"]:
        raise StripeError("The payment method you provided is not attached to a customer so detachment is impossible.")
    customer = account.get("customer", method["customer"])
    method["customer"] = None
    account.save(method, "payment_method.detached", customer=customer["id"])
    if customer["invoice_settings"]["default_payment_method"] == id:
        customer["invoice_settings"] = {**customer["invoice_settings"], "default_payment_method": None}
        account.save(customer, "customer.updated")
    for subscription in account.table("subscription").where(customer=customer["id"]):
        if subscription["default_payment_method"] == id:
            subscription["default_payment_method"] = None
            account.save(subscription, "customer.subscription.updated", default_payment_method=id)
    return method


def authorise(account: Account, customer: Body, *, type: str, behaviour: str) -> tuple[Body, str | None]:
    """The customer typed in a card or a bank account: the attached method and, for a bank, its mandate."""
    method = shapes_money.payment_method(account.id("pm_"), account.now, type=type, customer=customer)
    account.behaviour[method["id"]] = behaviour
    account.add(method, "payment_method.attached")
    if type == "card":
        return method, None
    mandate = shapes_money.mandate(account.id("mandate_"), account.now, method=method["id"])
    return method, account.add(mandate)["id"]
