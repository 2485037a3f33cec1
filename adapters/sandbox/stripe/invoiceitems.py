"""Items added to a draft by hand, or waiting for the customer's next one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.sandbox.stripe import catalog, drafting, shapes
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError
from adapters.sandbox.stripe.params import merged

MAX_ITEMS = 250


def create(account: Account, p: dict[str, Any]) -> Body:
    invoice = _draft(account, p["invoice"], "invoice") if "invoice" in p else None
    owner = p.get("customer") or (invoice and invoice["customer"])
    if not owner:
        raise StripeError("Missing required param: customer.", code="parameter_missing", param="customer")
    customer = account.need("customer", owner, "customer")
    if invoice and invoice["customer"] != customer["id"]:
        raise StripeError(f"Invoice {invoice['id']} is not of customer {customer['id']}.", param="invoice")
    subscription = _subscription(account, p, invoice)
    currency = _currency(p, customer, invoice)
    if invoice and len(account.lines[invoice["id"]]) >= MAX_ITEMS:
        raise StripeError(f"Invoices can have at most {MAX_ITEMS} items.", param="invoice")
    amount, pricing = _priced(account, p, currency)
    item = shapes.invoice_item(
        account.id("ii_"), account.now, customer=customer["id"], currency=currency, amount=amount,
        quantity=p.get("quantity", 1), subscription=subscription,
    )  # fmt: skip
    item["pricing"] = pricing
    _write(item, p)
    account.add(item)
    if invoice:
        drafting.add_invoice_item(account, invoice, item)
        _changed(account, invoice)
    return account.save(item, "invoiceitem.created")


def _subscription(account: Account, p: dict[str, Any], invoice: Body | None) -> str:
    named = p.get("subscription", "")
    if named:
        account.need("subscription", named, "subscription")
    own = invoice["parent"]["subscription_details"]["subscription"] if invoice and invoice["parent"] else ""
    if named and invoice and named != own:
        raise StripeError("The subscription is not the one of the invoice.", param="subscription")
    return str(named or own)


def _currency(p: dict[str, Any], customer: Body, invoice: Body | None) -> str:
    known = invoice["currency"] if invoice else customer["currency"]
    data = p.get("price_data", {})
    wanted = str(p.get("currency") or data.get("currency") or known or "").lower()
    if not wanted:
        raise StripeError("Missing required param: currency.", code="parameter_missing", param="currency")
    if known and wanted != known:
        raise StripeError(
            f"You cannot combine currencies: this customer's invoices are in {known}, the item in {wanted}.", param="currency"
        )
    return wanted


def _priced(account: Account, p: dict[str, Any], currency: str) -> tuple[int, Body | None]:
    """The amount in minor units, and the price that it comes from."""
    given = [name for name in ("amount", "unit_amount_decimal", "price_data", "pricing") if name in p]
    if len(given) != 1:
        raise StripeError(
            "You must specify exactly one of `amount`, `unit_amount_decimal`, `price_data` and `pricing`.",
            code="parameter_missing",
            param="amount",
        )
    if "amount" in p:
        if "quantity" in p:
            raise StripeError("You may only specify one of these parameters: amount, quantity.", param="quantity")
        return p["amount"], None
    quantity = p.get("quantity", 1)
    if "unit_amount_decimal" in p:
        return drafting.rounded(p["unit_amount_decimal"] * quantity), None
    if "pricing" in p:
        price = account.need("price", p["pricing"]["price"], "pricing[price]")
    else:
        price = catalog.price_from(account, {"currency": currency, **p["price_data"]}, "price_data")
    text = price["unit_amount_decimal"]
    return drafting.rounded(Decimal(text) * quantity), shapes.pricing(price["id"], price["product"], text)


def _write(item: Body, p: dict[str, Any]) -> None:
    item.update({name: p[name] for name in ("description", "discountable", "period") if name in p})
    if "metadata" in p:
        item["metadata"] = merged(item["metadata"], p["metadata"])


def _draft(account: Account, id: str, param: str) -> Body:
    invoice = account.need("invoice", id, param)
    if invoice["status"] != "draft":
        raise StripeError(
            "You can only add, change or delete invoice items of a draft: this invoice is no longer editable.",
            code="invoice_not_editable",
            param=param,
        )
    return invoice


def _changed(account: Account, invoice: Body) -> None:
    drafting.total(account, invoice)
    account.save(invoice, "invoice.updated")


def update(account: Account, id: str, p: dict[str, Any]) -> Body:
    item = account.need("invoiceitem", id)
    invoice = _draft(account, item["invoice"], "invoice") if item["invoice"] else None
    if {"amount", "unit_amount_decimal", "price_data", "pricing"} & set(p):
        item["amount"], item["pricing"] = _priced(account, p, item["currency"])
        item["quantity"] = p.get("quantity", 1)
        item["quantity_decimal"] = str(item["quantity"])
    elif "quantity" in p:
        _requantify(item, p["quantity"])
    _write(item, p)
    if invoice:
        drafting.copy_item(drafting.line_of(account, item), item)
        _changed(account, invoice)
    return account.save(item)


def _requantify(item: Body, quantity: int) -> None:
    if item["pricing"] is None:
        raise StripeError("The quantity of an item with a plain amount cannot be changed.", param="quantity")
    item["amount"] = drafting.rounded(Decimal(item["pricing"]["unit_amount_decimal"]) * quantity)
    item.update(quantity=quantity, quantity_decimal=str(quantity))


def delete(account: Account, id: str) -> Body:
    item = account.need("invoiceitem", id)
    if item["invoice"]:
        invoice = _draft(account, item["invoice"], "invoice")
        account.lines[invoice["id"]].remove(drafting.line_of(account, item))
        _changed(account, invoice)
    account.emit("invoiceitem.deleted", item)
    account.table("invoiceitem").remove(id)
    return {"id": id, "object": "invoiceitem", "deleted": True}
