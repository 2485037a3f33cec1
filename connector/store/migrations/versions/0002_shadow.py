"""What shadow mode saw."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shadow_charge",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("bill_day", sa.Date, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("shadow_charge_by_bill_day", "shadow_charge", ["bill_day"])


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade: the ledger is never dropped")
