"""Products, and prices made inline from `price_data`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.sandbox.stripe import shapes
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError
from adapters.sandbox.stripe.params import merged

PLAIN = ("active", "description", "name", "statement_descriptor", "tax_code", "unit_label", "url")


def create_product(account: Account, p: dict[str, Any]) -> Body:
    id = p.get("id") or account.id("prod_", 14)
    if account.find("product", id):
        raise StripeError("Product already exists.", code="resource_already_exists", param="id")
    product = shapes.product(id, account.now, p["name"])
    product.update({name: p[name] for name in PLAIN if name in p})
    product["metadata"] = merged({}, p.get("metadata", {}))
    return account.add(product, "product.created")


def update_product(account: Account, id: str, p: dict[str, Any]) -> Body:
    product = account.need("product", id)
    product.update({name: p[name] for name in PLAIN if name in p}, updated=account.now)
    if "metadata" in p:
        product["metadata"] = merged(product["metadata"], p["metadata"])
    return account.save(product, "product.updated")


def check_amount(data: dict[str, Any], at: str) -> None:
    if ("unit_amount" in data) == ("unit_amount_decimal" in data):
        raise StripeError(
            "You must specify exactly one of `unit_amount` and `unit_amount_decimal`.",
            code="parameter_missing",
            param=f"{at}[unit_amount]",
        )


def price_from(account: Account, data: dict[str, Any], at: str) -> Body:
    """A new price of an existing product. `at` names the parameter for the error."""
    product = account.need("product", data["product"], f"{at}[product]")
    check_amount(data, at)
    recurring = data.get("recurring")
    price = shapes.price(
        account.id("price_"),
        account.now,
        product=product["id"],
        currency=data["currency"].lower(),
        unit_amount=Decimal(data["unit_amount"] if "unit_amount" in data else data["unit_amount_decimal"]),
        tax_behavior=data.get("tax_behavior", "unspecified"),
        recurring={"interval_count": 1, **recurring} if recurring else None,
    )
    return account.add(price, "price.created")
