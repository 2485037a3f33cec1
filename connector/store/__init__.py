"""The store: links, charges, ledger, outbox and what else must survive the process."""

from __future__ import annotations

from connector.store.database import Store

__all__ = ["Store"]
