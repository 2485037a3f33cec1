"""What people decided after money came back, and payment methods that may not be debited any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.columns import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reversal_decision",
        sa.Column("id", sa.Integer, primary_key=True),
        *(_text(name) for name in ("entry", "intent", "who", "why")),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_index("reversal_decision_by_entry", "reversal_decision", ["entry"])
    op.create_table(
        "charge_decision",
        sa.Column("id", sa.Integer, primary_key=True),
        *(_text(name) for name in ("charge", "decision", "next")),
        sa.Column("back_minor", sa.BigInteger, nullable=False),
        *(_text(name) for name in ("currency", "who", "why")),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_index("charge_decision_by_charge", "charge_decision", ["charge"])
    op.create_table(
        "method_mark",
        sa.Column("id", sa.Integer, primary_key=True),
        *(_text(name) for name in ("reversal", "payer", "method", "reason", "detail")),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("lifted_at", UtcDateTime),
        *(_text(name) for name in ("lifted_by", "why")),
    )
    op.create_index("method_mark_one_per_reversal", "method_mark", ["reversal"], unique=True)
    op.create_index("method_mark_by_payer", "method_mark", ["payer"])
    for table in ("reversal_decision", "charge_decision"):
        _append_only(table)


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade: the ledger is never dropped")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


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
