"""Nouns with plausible defaults, so that a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from connector.model.agreement import Agreement, AgreementLine, AgreementRef, BillingUnit, Payer
from connector.model.guards import Facts, Policy
from connector.model.invoice import (
    Customer,
    GatewayInvoice,
    GatewayInvoiceState,
    InvoiceLine,
    MethodKind,
    PaymentMethod,
    PsaInvoice,
    PsaInvoiceKind,
)
from connector.model.money import Money
from connector.model.period import Cycle, Timing
from connector.model.subscription import Item, LiveSubscription, Subscription
from connector.model.units import group

NOON = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
PAYER = Payer(psa="psa", id="250", name="Contoso Dental", email="ap@contoso.example")


def usd(amount: str) -> Money:
    return Money.from_major(amount, "USD")


def ref(id: str) -> AgreementRef:
    return AgreementRef(psa="psa", id=id)


def line(id: str = "1", *, quantity: str = "1", price: str = "10.00", **changes: Any) -> AgreementLine:
    amount = Money.from_major(Decimal(quantity) * Decimal(price), "USD")
    fields: dict[str, Any] = {
        "id": id,
        "product": f"P{id}",
        "name": f"Service {id}",
        "quantity": Decimal(quantity),
        "unit_price": Decimal(price),
        "amount": amount,
        "tax_treatment": "taxable",
    }
    return AgreementLine(**{**fields, **changes})


def agreement(id: str = "17", **changes: Any) -> Agreement:
    fields: dict[str, Any] = {
        "ref": ref(id),
        "name": "Managed Services",
        "company_name": "Contoso Dental",
        "payer": PAYER,
        "group": id,
        "cycle": Cycle.MONTHLY,
        "timing": Timing.ADVANCE,
        "anchor": date(2025, 1, 1),
        "starts": date(2025, 1, 1),
        "ends": None,
        "base": usd("0"),
        "base_tax_treatment": "taxable",
        "lines": (line(),),
        "kind": "Managed",
        "collect": True,
        "snapshot": "x",
    }
    return Agreement(**{**fields, **changes})


def unit(*agreements: Agreement, today: date = date(2026, 1, 10)) -> BillingUnit:
    (only,) = group(agreements or (agreement(),), today=today, keys={}).units
    return only


def bill(id: str = "900", **changes: Any) -> PsaInvoice:
    total = changes.pop("total", usd("100.00"))
    tax = changes.pop("tax", usd("0"))
    paid = changes.pop("payments", usd("0"))
    credits_ = changes.pop("credits", usd("0"))
    fields: dict[str, Any] = {
        "id": id,
        "number": f"INV{id}",
        "kind": PsaInvoiceKind.AGREEMENT,
        "agreements": (ref("17"),),
        "payer": PAYER.key,
        "dated": date(2026, 2, 1),
        "due_date": date(2026, 2, 16),
        "subtotal": total - tax,
        "tax": tax,
        "total": total,
        "payments": paid,
        "credits": credits_,
        "balance": total - paid - credits_,
    }
    return PsaInvoice(**{**fields, **changes})


def draft(amount: str = "100.00", **changes: Any) -> GatewayInvoice:
    total = usd(amount)
    fields: dict[str, Any] = {
        "id": "in_1",
        "number": "",
        "subscription": "sub_1",
        "unit": "psa:17",
        "customer": "cus_1",
        "state": GatewayInvoiceState.DRAFT,
        "bills_on": date(2026, 2, 1),
        "total": total,
        "amount_due": total,
        "amount_paid": usd("0"),
        "amount_remaining": total,
        "lines": (InvoiceLine(id="il_1", item="", slot="", description="Service", amount=total),),
    }
    return GatewayInvoice(**{**fields, **changes})


def customer(**changes: Any) -> Customer:
    method = PaymentMethod(id="pm_1", kind=MethodKind.CARD, last4="4242", expires=date(2030, 1, 1))
    fields: dict[str, Any] = {"id": "cus_1", "payer": PAYER.key, "name": PAYER.name, "email": "", "default_method": method}
    return Customer(**{**fields, **changes})


def policy(**changes: Any) -> Policy:
    fields: dict[str, Any] = {
        "charge_date": "due_date",
        "day": 1,
        "computed_when_missing": False,
        "collect_from": date(2026, 1, 1),
        "max_data_age": timedelta(hours=24),
        "cap": None,
        "max_change_percent": None,
        "max_change": None,
    }
    return Policy(**{**fields, **changes})


def facts(**changes: Any) -> Facts:
    fields: dict[str, Any] = {
        "name": "Contoso Dental: Managed Services",
        "policy": policy(),
        "today": date(2026, 2, 16),
        "bill_day": date(2026, 2, 1),
        "draft": draft(),
        "computed": usd("100.00"),
        "computed_lines": (),
        "bills": (bill(),),
        "unsure": (),
        "books_bills": (),
        "books_unapplied": None,
        "customer": customer(),
        "collect": True,
        "data_age": timedelta(minutes=5),
        "previous": None,
        "paused": False,
        "reversed": False,
    }
    return Facts(**{**fields, **changes})


def subscription(**changes: Any) -> Subscription:
    item = Item(key="17/1", product="psa:product:P1", name="Service 1", unit_amount=usd("10.00"), quantity=1)
    fields: dict[str, Any] = {
        "unit": "psa:17",
        "payer": PAYER.key,
        "description": "Managed Services for Contoso Dental",
        "currency": "USD",
        "cycle": Cycle.MONTHLY,
        "bills_on": date(2025, 1, 1),
        "items": (item,),
        "automatic": True,
    }
    return Subscription(**{**fields, **changes})


def live(**changes: Any) -> LiveSubscription:
    fields: dict[str, Any] = {
        "id": "sub_1",
        "customer": "cus_1",
        "generation": 1,
        "subscription": subscription(),
        "status": "active",
        "created": NOON,
    }
    return LiveSubscription(**{**fields, **changes})
