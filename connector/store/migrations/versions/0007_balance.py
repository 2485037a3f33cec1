"""The gateway's balance, line by line, and with which booking each line was entered in the books."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.columns import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "balance_entry",
        sa.Column("line", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "source", "payment", "description", "category")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("amount_minor", "fee_minor", "net_minor")),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("read_at", UtcDateTime, nullable=False),
    )
    op.create_index("balance_entry_by_time", "balance_entry", ["at"])
    op.create_table(
        "balance_booking",
        sa.Column("line", sa.Text, primary_key=True),
        sa.Column("booking", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("dated", sa.Date, nullable=False),
        sa.Column("planned_at", UtcDateTime, nullable=False),
    )
    op.create_index("balance_booking_by_booking", "balance_booking", ["booking"])
    for table in ("balance_entry", "balance_booking"):
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
