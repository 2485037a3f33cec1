"""What fails each time it is tried, beside deliveries: a charge that cannot be read, a change that the gateway refuses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.columns import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stuck",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "subject", "tried", "why")),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.Column("parked_at", UtcDateTime),
    )
    op.create_index("stuck_by_subject", "stuck", ["kind", "subject"], unique=True)


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade: the ledger is never dropped")
