"""What we read of Stripe's objects (2026-05-27.dahlia), and nothing more: no numbers of cards or accounts."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def id_of(value: Any) -> Any:
    """An expandable field: an id, the object itself, or nothing."""
    if isinstance(value, dict):
        return value.get("id", "")
    return value or ""


Id = Annotated[str, BeforeValidator(id_of)]
Text = Annotated[str, BeforeValidator(lambda value: value or "")]
Metadata = Annotated[dict[str, str], BeforeValidator(lambda value: value or {})]


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Recurring(Wire):
    interval: str
    interval_count: int = 1


class Price(Wire):
    currency: str
    product: Id
    unit_amount: int | None = None
    unit_amount_decimal: Any = None
    billing_scheme: str = "per_unit"
    recurring: Recurring | None = None


class SubscriptionItem(Wire):
    id: str
    price: Price
    quantity: int | None = None
    metadata: Metadata = {}
    current_period_end: int = 0


class SubscriptionItems(Wire):
    data: tuple[SubscriptionItem, ...]
    has_more: bool = False


class Pause(Wire):
    behavior: str
    resumes_at: int | None = None


class AnchorDay(Wire):
    day_of_month: int


class Subscription(Wire):
    id: str
    customer: Id
    status: str
    currency: str
    created: int
    description: Text = ""
    metadata: Metadata = {}
    items: SubscriptionItems
    collection_method: str
    pause_collection: Pause | None = None
    cancel_at: int | None = None
    cancel_at_period_end: bool = False
    billing_cycle_anchor: int
    billing_cycle_anchor_config: AnchorDay | None = None


class Product(Wire):
    id: str
    name: str
    active: bool = True


class LinePeriod(Wire):
    start: int


class ItemParent(Wire):
    invoice_item: Id = ""
    subscription: Id = ""
    proration: bool = False


class LineParent(Wire):
    type: str = ""
    invoice_item_details: ItemParent | None = None
    subscription_item_details: ItemParent | None = None


class InvoiceLine(Wire):
    id: str
    amount: int
    description: Text = ""
    metadata: Metadata = {}
    period: LinePeriod
    parent: LineParent | None = None


class InvoiceLines(Wire):
    data: tuple[InvoiceLine, ...]
    has_more: bool = False


class SubscriptionParent(Wire):
    subscription: Id = ""
    metadata: Metadata = {}


class InvoiceParent(Wire):
    subscription_details: SubscriptionParent | None = None


class AutomaticTax(Wire):
    enabled: bool = False


class Tax(Wire):
    amount: int


class Invoice(Wire):
    id: str
    number: Text = ""
    customer: Id = ""
    status: str
    currency: str
    created: int
    period_end: int
    billing_reason: Text = ""
    collection_method: Text = ""
    metadata: Metadata = {}
    parent: InvoiceParent | None = None
    lines: InvoiceLines
    total: int
    amount_due: int
    amount_paid: int
    amount_remaining: int
    auto_advance: bool | None = False
    attempted: bool = False
    attempt_count: int = 0
    next_payment_attempt: int | None = None
    automatic_tax: AutomaticTax = AutomaticTax()
    total_taxes: list[Tax] | None = None


class FailedMethod(Wire):
    id: str
    type: str


class ApiError(Wire):
    message: Text = ""
    code: Text = ""
    decline_code: Text = ""
    payment_method: FailedMethod | None = None


class AssociatedPayment(Wire):
    type: str
    payment_intent: Any = None
    charge: Any = None


class PaidAt(Wire):
    paid_at: int | None = None


class InvoicePayment(Wire):
    id: str
    invoice: Id
    status: str
    amount_paid: int | None = None
    currency: str
    created: int
    payment: AssociatedPayment
    status_transitions: PaidAt = PaidAt()


class BalanceTransaction(Wire):
    fee: int = 0
    amount: int = 0
    currency: str
    created: int = 0


class Ending(Wire):
    last4: Text = ""


class MethodDetails(Wire):
    type: str
    card: Ending | None = None
    us_bank_account: Ending | None = None


class Charge(Wire):
    id: str
    payment_method: Id = ""
    payment_intent: Id = ""
    balance_transaction: BalanceTransaction | None = None
    payment_method_details: MethodDetails | None = None
    amount_refunded: int | None = None
    disputed: bool | None = None


class PaymentIntent(Wire):
    id: str
    status: str
    last_payment_error: ApiError | None = None
    latest_charge: Any = None


def _object_only(value: Any) -> Any:
    return value if isinstance(value, dict) else None


class Refund(Wire):
    id: str
    amount: int
    currency: str
    created: int
    status: Text = ""
    reason: Text = ""
    pending_reason: Text = ""
    failure_reason: Text = ""
    metadata: Metadata = {}
    balance_transaction: Annotated[BalanceTransaction | None, BeforeValidator(_object_only)] = None


class Dispute(Wire):
    id: str
    amount: int
    currency: str
    created: int
    status: str
    reason: str
    charge: Id = ""
    balance_transactions: tuple[BalanceTransaction, ...] = ()


class Card(Wire):
    last4: Text = ""
    exp_month: int
    exp_year: int


class PaymentMethod(Wire):
    id: str
    type: str
    created: int = 0
    card: Card | None = None
    us_bank_account: Ending | None = None


class InvoiceSettings(Wire):
    default_payment_method: PaymentMethod | None = None  # always asked for expanded


class Customer(Wire):
    id: str
    name: Text = ""
    email: Text = ""
    balance: int = 0
    currency: Text = ""
    deleted: bool = False
    metadata: Metadata = {}
    invoice_settings: InvoiceSettings = InvoiceSettings()


class SetupIntent(Wire):
    id: str
    status: str
    created: int
    payment_method: PaymentMethod | None = None


class CheckoutSession(Wire):
    id: str
    mode: str
    created: int
    url: Text = ""
    expires_at: int = 0
    metadata: Metadata = {}
    setup_intent: SetupIntent | None = None


class CreditNote(Wire):
    id: str
    status: str
    metadata: Metadata = {}


class EventData(Wire):
    object: dict[str, Any] = Field(default_factory=dict)


class Event(Wire):
    id: str
    type: str
    created: int
    data: EventData
