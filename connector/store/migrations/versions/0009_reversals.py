"""How far refunds and disputes got, days that people chose for bookings, and what people changed of ours in the books."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.columns import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("proposed", sa.Date))
    op.create_table(
        "booking_date",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("booking", sa.Text, nullable=False),
        sa.Column("dated", sa.Date, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_index("booking_date_by_booking", "booking_date", ["booking"])
    op.create_table(
        "reversal_stage",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("reversal", "charge", "payment", "reason", "stage", "status")),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("on_open_dispute", sa.Boolean, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_index("reversal_stage_by_reversal", "reversal_stage", ["reversal"])
    op.create_table(
        "books_touched",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "source", "record", "what", "said")),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("settled_at", UtcDateTime),
        sa.Column("settled_by", sa.Text, nullable=False),
    )
    op.create_index("books_touched_by_source", "books_touched", ["source"])
    for table in ("booking_date", "reversal_stage"):
        _append_only(table)


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade: the ledger is never dropped")


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
