"""Typed readers of ConnectWise's JSON: tolerant of what it adds, strict about what we calculate with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _calendar_date(value: object) -> object:
    """`2026-03-01T00:00:00Z` is a calendar date, whatever the zone."""
    return date.fromisoformat(value[:10]) if isinstance(value, str) and len(value) >= 10 else value


def _amount(value: object) -> object:
    """Parsed numbers arrive as int or Decimal already; anything else is not an amount."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("not a number")
    return Decimal(value)


Day = Annotated[date, BeforeValidator(_calendar_date)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Reference(Wire):
    id: int
    name: str = ""


class Invoice(Wire):
    """`balance` alone says paid or unpaid: `status` is an office's workflow state (psa.md 3.3)."""

    id: int
    number: str = Field(default="", alias="invoiceNumber")
    type: str
    date: Day
    due_date: Day | None = Field(default=None, alias="dueDate")
    company: Reference | None = None
    bill_to: Reference | None = Field(default=None, alias="billToCompany")
    status: Reference | None = None
    agreement: Reference | None = None
    apply_to_type: str = Field(default="", alias="applyToType")
    apply_to_id: int | None = Field(default=None, alias="applyToId")
    product_total: Amount | None = Field(default=None, alias="productTotal")
    subtotal: Amount | None = None
    sales_tax: Amount = Field(default=Decimal(0), alias="salesTax")
    total: Amount
    payments: Amount = Decimal(0)
    credits: Amount = Decimal(0)
    balance: Amount | None = None
    currency: Mapping[str, Any] | None = None


class Payment(Wire):
    id: int
    amount: Amount
    payment_date: Day | None = Field(default=None, alias="paymentDate")
    applied_by: str = Field(default="", alias="appliedBy")
    sync_status: str = Field(default="", alias="paymentSyncStatus")
    batch: str | None = Field(default=None, alias="glBatchID")
    credit: Mapping[str, Any] | None = None  # it applies a credit memo; counted in the invoice's `credits`


def currency_code(reference: Mapping[str, Any] | None, default: str) -> str:
    """The name of the field changed between versions; where there is one currency only, there is no reference."""
    found = (reference or {}).get("currencyCode") or (reference or {}).get("isoCode") or default
    return str(found["name"] if isinstance(found, Mapping) and "name" in found else found).strip().upper()
