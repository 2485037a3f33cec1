"""Open invoices that no agreement bills and that are not collected: listed by forecast and status."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.columns import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "other_invoice",
        sa.Column("psa_invoice", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("number", "payer", "payer_name", "sort")),
        sa.Column("dated", sa.Date, nullable=False),
        sa.Column("due", sa.Date),
        sa.Column("open_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade: the ledger is never dropped")
