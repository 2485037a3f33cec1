"""Typed readers of Autotask's JSON: tolerant of what it adds, strict about what we calculate with."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _calendar_date(value: object) -> object:
    """`2026-03-01T00:00:00Z` is a calendar date, whatever the zone; so is `2020-02-23T13:00:00Z` in a field without a time."""
    return date.fromisoformat(value[:10]) if isinstance(value, str) and len(value) >= 10 else value or None


def _amount(value: object) -> object:
    """Parsed numbers arrive as int or Decimal already; anything else is not an amount."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("not a number")
    return Decimal(value)


Day = Annotated[date, BeforeValidator(_calendar_date)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Invoice(Wire):
    """`paidDate` is all that Autotask holds about payment."""

    id: int
    number: str | None = Field(default=None, alias="invoiceNumber")
    company: int = Field(alias="companyID")
    dated: Day = Field(alias="invoiceDateTime")
    due: Annotated[date | None, BeforeValidator(_calendar_date)] = Field(default=None, alias="dueDate")
    total: Amount = Field(alias="invoiceTotal")
    tax: Amount = Field(default=Decimal(0), alias="totalTaxValue")
    paid: Annotated[date | None, BeforeValidator(_calendar_date)] = Field(default=None, alias="paidDate")
    voided: bool | None = Field(default=False, alias="isVoided")

    @property
    def shown_number(self) -> str:
        """An invoice without a number goes by its id, as in Autotask's screens."""
        return (self.number or "").strip() or str(self.id)


class Item(Wire):
    """A billing item. Recurring ones name the service or the bundle that they bill."""

    id: int
    invoice: int | None = Field(default=None, alias="invoiceID")
    contract: int | None = Field(default=None, alias="contractID")
    service: int | None = Field(default=None, alias="serviceID")
    bundle: int | None = Field(default=None, alias="serviceBundleID")
    project: int | None = Field(default=None, alias="projectID")
    milestone: int | None = Field(default=None, alias="milestoneID")
    ticket: int | None = Field(default=None, alias="ticketID")
    time_entry: int | None = Field(default=None, alias="timeEntryID")
    expense: int | None = Field(default=None, alias="expenseItemID")
    total: Amount = Field(default=Decimal(0), alias="totalAmount")

    @property
    def of_project(self) -> bool:
        return self.project is not None or self.milestone is not None

    @property
    def of_work(self) -> bool:
        return any(id is not None for id in (self.ticket, self.time_entry, self.expense))

    @property
    def recurs(self) -> bool:
        return self.contract is not None and (self.service is not None or self.bundle is not None)


class Units(Wire):
    """One row of ContractServiceUnits or ContractServiceBundleUnits. `last` is inclusive."""

    id: int
    contract: int = Field(alias="contractID")
    units: Amount
    price: Amount
    first: Day = Field(alias="startDate")
    last: Day = Field(alias="endDate")
    posted: str | None = Field(default=None, alias="approveAndPostDate")


def amount(value: Any) -> Decimal | None:
    """None where there is no number."""
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
