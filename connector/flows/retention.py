"""Retention: once a day, what is of no more use leaves the store, a little at a time."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from connector.flows.desk import Desk
from connector.store import cursors, retention

EVERY = timedelta(days=1)
NAME = "retention"


def prune(desk: Desk) -> dict[str, int]:
    """Rows deleted by table. Another process can write in between, and whatever stops us, the rest goes another day."""
    now = desk.now()
    with desk.store.read() as tx:
        last = cursors.get(tx, NAME)
    if last and now - datetime.fromisoformat(last) < EVERY:
        return {}
    gone: Counter[str] = Counter()
    while some := _some(desk, now - desk.settings.keep):
        gone.update(some)
        desk.settings.progress(NAME, gone.total(), gone.total())
    with desk.store.begin() as tx:
        cursors.set(tx, NAME, now.isoformat(), now=now)
    return dict(gone)


def _some(desk: Desk, before: datetime) -> dict[str, int]:
    with desk.store.begin() as tx:
        return retention.prune(tx, before=before)
