"""The tables as they are at the head of the migrations. A test holds the two equal."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, text

from connector.store.columns import JsonText, UtcDateTime

metadata = sa.MetaData()

link = Table(
    "link",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("kind", sa.Text, nullable=False),
    Column("source", sa.Text, nullable=False),
    Column("target_system", sa.Text, nullable=False),
    Column("target", sa.Text, nullable=False),
    Column("fingerprint", sa.Text, nullable=False),
    Column("generation", sa.Integer, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("intended_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("attempt", sa.Integer, nullable=False),
    Column("detail", JsonText, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
_LIVE_LINK = text("state <> 'retired'")
Index(
    "link_one_per_source",
    link.c.kind,
    link.c.source,
    link.c.target_system,
    unique=True,
    sqlite_where=_LIVE_LINK,
    postgresql_where=_LIVE_LINK,
)
Index("link_by_target", link.c.kind, link.c.target_system, link.c.target)

billing_unit = Table(
    "billing_unit",
    metadata,
    Column("key", sa.Text, primary_key=True),
    Column("payer", sa.Text, nullable=False),
    Column("payer_name", sa.Text, nullable=False),
    Column("name", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("members", JsonText, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("cycle", sa.Text, nullable=False),
    Column("timing", sa.Text, nullable=False),
    Column("anchor", sa.Date, nullable=False),
    Column("ends", sa.Date),
    Column("detail", JsonText, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
Index("billing_unit_by_payer", billing_unit.c.payer)

payer = Table(
    "payer",
    metadata,
    Column("key", sa.Text, primary_key=True),
    Column("name", sa.Text, nullable=False),
    Column("email", sa.Text, nullable=False),
    Column("customer", sa.Text, nullable=False),
    Column("method", sa.Text, nullable=False),
    Column("method_last4", sa.Text, nullable=False),
    Column("method_expires", sa.Date),
    Column("state", sa.Text, nullable=False),
    Column("link", sa.Text, nullable=False),
    Column("link_expires", UtcDateTime),
    Column("books_customer", sa.Text, nullable=False),
    Column("detail", JsonText, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

charge = Table(
    "charge",
    metadata,
    Column("id", sa.Text, primary_key=True),
    Column("unit", sa.Text, nullable=False),
    Column("period_start", sa.Date, nullable=False),
    Column("period_end", sa.Date, nullable=False),
    Column("number", sa.Integer, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("payer", sa.Text, nullable=False, server_default=""),
    Column("computed_minor", sa.BigInteger, nullable=False),
    Column("owed_minor", sa.BigInteger),
    Column("collected_minor", sa.BigInteger),
    Column("gateway_invoice", sa.Text, nullable=False),
    Column("psa_invoice", sa.Text, nullable=False),
    Column("psa_number", sa.Text, nullable=False),
    Column("charge_date", sa.Date),
    Column("released_at", UtcDateTime),
    Column("breakdown", JsonText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
_HAS_INVOICE = text("gateway_invoice <> ''")
Index("charge_one_per_period", charge.c.unit, charge.c.period_start, charge.c.number, unique=True)
Index(
    "charge_one_per_gateway_invoice",
    charge.c.gateway_invoice,
    unique=True,
    sqlite_where=_HAS_INVOICE,
    postgresql_where=_HAS_INVOICE,
)
Index("charge_by_psa_invoice", charge.c.psa_invoice)
Index("charge_by_state", charge.c.state)

hold = Table(
    "hold",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("charge", sa.Text, ForeignKey("charge.id", name="hold_charge"), nullable=False),
    Column("name", sa.Text, nullable=False),
    Column("message", sa.Text, nullable=False),
    Column("way_on", sa.Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("lifted_at", UtcDateTime),
    Column("lifted_by", sa.Text, nullable=False),
    Column("why", sa.Text, nullable=False),
)
_ACTIVE_HOLD = text("lifted_at IS NULL")
Index(
    "hold_one_active_per_name",
    hold.c.charge,
    hold.c.name,
    unique=True,
    sqlite_where=_ACTIVE_HOLD,
    postgresql_where=_ACTIVE_HOLD,
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("key", sa.Text, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("charge", sa.Text, ForeignKey("charge.id", name="ledger_entry_charge"), nullable=False),
    Column("payer", sa.Text, nullable=False),
    Column("invoice", sa.Text, nullable=False),
    Column("payment", sa.Text, nullable=False),
    Column("amount_minor", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("method", sa.Text, nullable=False),
    Column("detail", sa.Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("on", sa.Date, nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
)
Index("ledger_entry_one_per_key", ledger_entry.c.key, unique=True)
Index("ledger_entry_by_charge", ledger_entry.c.charge)
Index("ledger_entry_by_payment", ledger_entry.c.payment)
Index("ledger_entry_by_day", ledger_entry.c.on)

ledger_fee = Table(
    "ledger_fee",
    metadata,
    Column("key", sa.Text, ForeignKey("ledger_entry.key", name="ledger_fee_entry"), primary_key=True),
    Column("fee_minor", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("entry", sa.Text, ForeignKey("ledger_entry.key", name="delivery_entry"), nullable=False),
    Column("charge", sa.Text, nullable=False),
    Column("target", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("attempts", sa.Integer, nullable=False),
    Column("claims", sa.Integer, nullable=False),
    Column("run_at", UtcDateTime, nullable=False),
    Column("lease_token", sa.Text, nullable=False),
    Column("lease_expires", UtcDateTime),
    Column("external_id", sa.Text, nullable=False),
    Column("note", sa.Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("done_at", UtcDateTime),
    Column("proposed", sa.Date),
)
_READY = text("state = 'ready'")
_RUNNING = text("state = 'running'")
_NOT_DONE = text("state <> 'done'")
Index("delivery_one_per_target", delivery.c.entry, delivery.c.target, unique=True)
Index("delivery_ready", delivery.c.run_at, delivery.c.id, sqlite_where=_READY, postgresql_where=_READY)
Index("delivery_running", delivery.c.lease_expires, sqlite_where=_RUNNING, postgresql_where=_RUNNING)
Index(
    "delivery_order",
    delivery.c.charge,
    delivery.c.target,
    delivery.c.id,
    sqlite_where=_NOT_DONE,
    postgresql_where=_NOT_DONE,
)

psa_snapshot = Table(
    "psa_snapshot",
    metadata,
    Column("psa", sa.Text, primary_key=True),
    Column("agreement", sa.Text, primary_key=True),
    Column("hash", sa.Text, nullable=False),
    Column("content", JsonText, nullable=False),
    Column("next_change", sa.Date),
    Column("seen_at", UtcDateTime, nullable=False),
)

cursor = Table(
    "cursor",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("value", sa.Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

freshness = Table(
    "freshness",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("last_success", UtcDateTime),
    Column("last_failure", UtcDateTime),
    Column("error", sa.Text, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("partner", sa.Text, primary_key=True),
    Column("value", sa.Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

budget = Table(
    "budget",
    metadata,
    Column("partner", sa.Text, primary_key=True),
    Column("free_at", UtcDateTime, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("holder", sa.Text, nullable=False),
    Column("fence", sa.Integer, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", sa.Text, nullable=False),
    Column("what", sa.Text, nullable=False),
    Column("why", sa.Text, nullable=False),
    Column("before", JsonText, nullable=False),
    Column("after", JsonText, nullable=False),
)

setting = Table(
    "setting",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("value", JsonText, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

shadow_charge = Table(
    "shadow_charge",
    metadata,
    Column("id", sa.Text, primary_key=True),
    Column("unit", sa.Text, nullable=False),
    Column("bill_day", sa.Date, nullable=False),
    Column("content", JsonText, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
Index("shadow_charge_by_bill_day", shadow_charge.c.bill_day)

reversal_decision = Table(
    "reversal_decision",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("entry", sa.Text, nullable=False),
    Column("intent", sa.Text, nullable=False),
    Column("who", sa.Text, nullable=False),
    Column("why", sa.Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
Index("reversal_decision_by_entry", reversal_decision.c.entry)

charge_decision = Table(
    "charge_decision",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("charge", sa.Text, nullable=False),
    Column("decision", sa.Text, nullable=False),
    Column("next", sa.Text, nullable=False),
    Column("back_minor", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("who", sa.Text, nullable=False),
    Column("why", sa.Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
Index("charge_decision_by_charge", charge_decision.c.charge)

method_mark = Table(
    "method_mark",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("reversal", sa.Text, nullable=False),
    Column("payer", sa.Text, nullable=False),
    Column("method", sa.Text, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("detail", sa.Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("lifted_at", UtcDateTime),
    Column("lifted_by", sa.Text, nullable=False),
    Column("why", sa.Text, nullable=False),
)
Index("method_mark_one_per_reversal", method_mark.c.reversal, unique=True)
Index("method_mark_by_payer", method_mark.c.payer)

other_invoice = Table(
    "other_invoice",
    metadata,
    Column("psa_invoice", sa.Text, primary_key=True),
    Column("number", sa.Text, nullable=False),
    Column("payer", sa.Text, nullable=False),
    Column("payer_name", sa.Text, nullable=False),
    Column("sort", sa.Text, nullable=False),
    Column("dated", sa.Date, nullable=False),
    Column("due", sa.Date),
    Column("open_minor", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("why", sa.Text, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

# Triggers forbid to change or delete their rows.
approval = Table(
    "approval",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("charge", sa.Text, nullable=False),
    Column("what", sa.Text, nullable=False),
    Column("amount_minor", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("who", sa.Text, nullable=False),
    Column("why", sa.Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
Index("approval_by_charge", approval.c.charge)

# Triggers forbid to change or delete their rows. `booking` "": nothing is to be booked for this line.
balance_entry = Table(
    "balance_entry",
    metadata,
    Column("line", sa.Text, primary_key=True),
    Column("kind", sa.Text, nullable=False),
    Column("source", sa.Text, nullable=False),
    Column("payment", sa.Text, nullable=False),
    Column("description", sa.Text, nullable=False),
    Column("category", sa.Text, nullable=False),
    Column("amount_minor", sa.BigInteger, nullable=False),
    Column("fee_minor", sa.BigInteger, nullable=False),
    Column("net_minor", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("read_at", UtcDateTime, nullable=False),
)
Index("balance_entry_by_time", balance_entry.c.at)

balance_booking = Table(
    "balance_booking",
    metadata,
    Column("line", sa.Text, primary_key=True),
    Column("booking", sa.Text, nullable=False),
    Column("account", sa.Text, nullable=False),
    Column("dated", sa.Date, nullable=False),
    Column("planned_at", UtcDateTime, nullable=False),
)
Index("balance_booking_by_booking", balance_booking.c.booking)

stuck = Table(
    "stuck",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    *(Column(name, sa.Text, nullable=False) for name in ("kind", "subject", "tried", "why")),
    Column("attempts", sa.Integer, nullable=False),
    *(Column(name, UtcDateTime, nullable=False) for name in ("first_at", "last_at")),
    Column("parked_at", UtcDateTime),
    Column("proposed", sa.Date),
)
Index("stuck_by_subject", stuck.c.kind, stuck.c.subject, unique=True)

# Triggers forbid to change or delete their rows.
booking_date = Table(
    "booking_date",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("booking", sa.Text, nullable=False),
    Column("dated", sa.Date, nullable=False),
    Column("who", sa.Text, nullable=False),
    Column("why", sa.Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
Index("booking_date_by_booking", booking_date.c.booking)

# Triggers forbid to change or delete their rows.
reversal_stage = Table(
    "reversal_stage",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    *(Column(name, sa.Text, nullable=False) for name in ("reversal", "charge", "payment", "reason", "stage", "status")),
    Column("amount_minor", sa.BigInteger, nullable=False),
    Column("currency", sa.Text, nullable=False),
    Column("on_open_dispute", sa.Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
Index("reversal_stage_by_reversal", reversal_stage.c.reversal)

books_touched = Table(
    "books_touched",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    *(Column(name, sa.Text, nullable=False) for name in ("kind", "source", "record", "what", "said")),
    Column("at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("settled_by", sa.Text, nullable=False),
)
Index("books_touched_by_source", books_touched.c.source)

# Triggers forbid to change or delete its rows.
month_end = Table(
    "month_end",
    metadata,
    Column("month", sa.Text, primary_key=True),
    Column("content", JsonText, nullable=False),
    *(Column(name, sa.Text, nullable=False) for name in ("digest", "who", "why")),
    Column("frozen_at", UtcDateTime, nullable=False),
)

APPEND_ONLY = (
    "ledger_entry",
    "ledger_fee",
    "audit",
    "reversal_decision",
    "charge_decision",
    "balance_entry",
    "balance_booking",
    "booking_date",
    "reversal_stage",
    "month_end",
)
