"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_APPEND_ONLY = ("ledger_entry", "ledger_fee", "audit")


def upgrade() -> None:
    _links()
    _units()
    _payers()
    _charges()
    _holds()
    _ledger()
    _deliveries()
    _reading()
    _shared()
    _audit()
    for table in _APPEND_ONLY:
        _append_only(table)


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade: the ledger is never dropped")


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, primary_key=primary_key)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, _INSTANT, nullable=nullable)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _serial() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _index(name: str, table: str, columns: list[str], *, unique: bool = False, where: str = "") -> None:
    if not where:
        op.create_index(name, table, columns, unique=unique)
        return
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _links() -> None:
    op.create_table(
        "link",
        _serial(),
        *(_text(name) for name in ("kind", "source", "target_system", "target", "fingerprint")),
        _integer("generation"),
        _text("state"),
        _instant("intended_at"),
        _instant("sent_at", nullable=True),
        _integer("attempt"),
        _text("detail"),
        _instant("changed_at"),
    )
    _index("link_one_per_source", "link", ["kind", "source", "target_system"], unique=True, where="state <> 'retired'")
    _index("link_by_target", "link", ["kind", "target_system", "target"])


def _units() -> None:
    op.create_table(
        "billing_unit",
        _text("key", primary_key=True),
        *(_text(name) for name in ("payer", "payer_name", "name", "state", "members", "currency", "cycle", "timing")),
        sa.Column("anchor", sa.Date, nullable=False),
        sa.Column("ends", sa.Date),
        _text("detail"),
        _instant("changed_at"),
    )
    _index("billing_unit_by_payer", "billing_unit", ["payer"])


def _payers() -> None:
    op.create_table(
        "payer",
        _text("key", primary_key=True),
        *(_text(name) for name in ("name", "email", "customer", "method", "method_last4")),
        sa.Column("method_expires", sa.Date),
        _text("state"),
        _text("link"),
        _instant("link_expires", nullable=True),
        _text("books_customer"),
        _text("detail"),
        _instant("changed_at"),
    )


def _charges() -> None:
    op.create_table(
        "charge",
        _text("id", primary_key=True),
        _text("unit"),
        sa.Column("period_start", sa.Date, nullable=False),
        sa.Column("period_end", sa.Date, nullable=False),
        _integer("number"),
        _text("state"),
        _text("currency"),
        sa.Column("computed_minor", sa.BigInteger, nullable=False),
        sa.Column("owed_minor", sa.BigInteger),
        sa.Column("collected_minor", sa.BigInteger),
        *(_text(name) for name in ("gateway_invoice", "psa_invoice", "psa_number")),
        sa.Column("charge_date", sa.Date),
        _instant("released_at", nullable=True),
        _text("breakdown"),
        _instant("created_at"),
        _instant("changed_at"),
    )
    _index("charge_one_per_period", "charge", ["unit", "period_start", "number"], unique=True)
    _index("charge_one_per_gateway_invoice", "charge", ["gateway_invoice"], unique=True, where="gateway_invoice <> ''")
    _index("charge_by_psa_invoice", "charge", ["psa_invoice"])
    _index("charge_by_state", "charge", ["state"])


def _holds() -> None:
    op.create_table(
        "hold",
        _serial(),
        sa.Column("charge", sa.Text, sa.ForeignKey("charge.id", name="hold_charge"), nullable=False),
        *(_text(name) for name in ("name", "message", "way_on")),
        _instant("since"),
        _instant("lifted_at", nullable=True),
        _text("lifted_by"),
        _text("why"),
    )
    _index("hold_one_active_per_name", "hold", ["charge", "name"], unique=True, where="lifted_at IS NULL")


def _ledger() -> None:
    op.create_table(
        "ledger_entry",
        _serial(),
        _text("key"),
        _text("kind"),
        sa.Column("charge", sa.Text, sa.ForeignKey("charge.id", name="ledger_entry_charge"), nullable=False),
        *(_text(name) for name in ("payer", "invoice", "payment")),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        *(_text(name) for name in ("currency", "method", "detail")),
        _instant("at"),
        sa.Column("on", sa.Date, nullable=False),
        _instant("written_at"),
    )
    _index("ledger_entry_one_per_key", "ledger_entry", ["key"], unique=True)
    _index("ledger_entry_by_charge", "ledger_entry", ["charge"])
    _index("ledger_entry_by_payment", "ledger_entry", ["payment"])
    _index("ledger_entry_by_day", "ledger_entry", ["on"])
    op.create_table(
        "ledger_fee",
        sa.Column("key", sa.Text, sa.ForeignKey("ledger_entry.key", name="ledger_fee_entry"), primary_key=True),
        sa.Column("fee_minor", sa.BigInteger, nullable=False),
        _text("currency"),
    )


def _deliveries() -> None:
    op.create_table(
        "delivery",
        _serial(),
        sa.Column("entry", sa.Text, sa.ForeignKey("ledger_entry.key", name="delivery_entry"), nullable=False),
        *(_text(name) for name in ("charge", "target", "state")),
        _integer("attempts"),
        _integer("claims"),
        _instant("run_at"),
        _text("lease_token"),
        _instant("lease_expires", nullable=True),
        _text("external_id"),
        _text("note"),
        _instant("created_at"),
        _instant("done_at", nullable=True),
    )
    _index("delivery_one_per_target", "delivery", ["entry", "target"], unique=True)
    _index("delivery_ready", "delivery", ["run_at", "id"], where="state = 'ready'")
    _index("delivery_running", "delivery", ["lease_expires"], where="state = 'running'")
    _index("delivery_order", "delivery", ["charge", "target", "id"], where="state <> 'done'")


def _reading() -> None:
    op.create_table(
        "psa_snapshot",
        _text("psa", primary_key=True),
        _text("agreement", primary_key=True),
        _text("hash"),
        _text("content"),
        sa.Column("next_change", sa.Date),
        _instant("seen_at"),
    )
    op.create_table("cursor", _text("name", primary_key=True), _text("value"), _instant("changed_at"))
    op.create_table(
        "freshness",
        _text("name", primary_key=True),
        _instant("last_success", nullable=True),
        _instant("last_failure", nullable=True),
        _text("error"),
    )


def _shared() -> None:
    op.create_table("token", _text("partner", primary_key=True), _text("value"), _instant("changed_at"))
    op.create_table("budget", _text("partner", primary_key=True), _instant("free_at"))
    op.create_table("lease", _text("name", primary_key=True), _text("holder"), _integer("fence"), _instant("expires"))
    op.create_table("setting", _text("name", primary_key=True), _text("value"), _instant("changed_at"))


def _audit() -> None:
    op.create_table(
        "audit",
        _serial(),
        _instant("at"),
        *(_text(name) for name in ("who", "what", "why", "before", "after")),
    )


def _append_only(table: str) -> None:
    message = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_refuse()"
    )
    op.execute(f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} EXECUTE FUNCTION {table}_refuse()")
