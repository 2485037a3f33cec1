"""What each reversal means just now: what was said of it, and how far it got at the bank. From the store alone."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from connector.flows.decisions import intent_of
from connector.flows.desk import Desk
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.reversal import Meaning, meaning
from connector.store import stages


def meanings_of(tx: Connection, desk: Desk, entries: Iterable[LedgerEntry]) -> dict[str, Meaning]:
    """By key of each reversal among them."""
    back = [entry for entry in entries if entry.kind is EntryKind.REVERSAL]
    seen = stages.latest(tx, [entry.key for entry in back]) if back else {}
    apart = bool(desk.settings.accounts.disputed)
    return {e.key: meaning(e, intent_of(tx, e), seen[e.key].stage if e.key in seen else None, set_apart=apart) for e in back}


def unsaid(entry: LedgerEntry) -> str:
    id = entry.key.removeprefix("reversal:")
    return (
        f"the refund of {entry.amount} waits: nobody has said what it is for. connector classify {id} credit, overpayment or"
        " cancel-payment"
    )
