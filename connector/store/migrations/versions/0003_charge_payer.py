"""Who was charged: the agreement may be billed to somebody else since. Rows made before do not say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("charge", sa.Column("payer", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade: the ledger is never dropped")
