"""What replicas must not do at the same time."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from connector.errors import RetryLater
from connector.flows.desk import Desk
from connector.store import holders, leases

LEASE_S = 300.0  # longer than the writes to one record with their retries
AGAIN_S = 5.0


@contextmanager
def alone(desk: Desk, what: str) -> Iterator[None]:
    """RetryLater while another process is at it. Of the processes on a SQLite file one works at a time anyway."""
    if not desk.store.is_shared:
        yield
        return
    me = f"{holders.process()} {uuid.uuid4().hex}"
    with desk.store.begin() as tx:
        fence = leases.acquire_from_dead(tx, what, me, now=desk.now(), ttl_s=LEASE_S)
    if fence is None:
        raise RetryLater(f"another replica is writing {what}", after_s=AGAIN_S)
    holders.note(me)
    try:
        yield
    finally:
        holders.forget(me)
        with desk.store.begin() as tx:
            leases.forget(tx, what, me)
