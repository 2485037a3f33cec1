"""The kill switch: while charging is paused nothing is released, and what is open at the gateway is no longer collected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.errors import Rejected
from connector.flows.desk import Desk
from connector.store import audit, settings
from connector.store.switch import PAUSED, paused


def pause(desk: Desk, *, who: str, why: str) -> None:
    """Every process on this store honours it from its next step on. Rejected when it is paused already."""
    with desk.store.begin() as tx:
        said = paused(tx)
        if said:
            raise Rejected(f"charging is paused already, since {said['since'][:16]} UTC by {said['who']}: {said['why']}")
        settings.set(tx, PAUSED, {"who": who, "why": why, "since": desk.now().isoformat()}, now=desk.now())
        audit.write(tx, who=who, what="paused charging", why=why, now=desk.now())


def resume(desk: Desk, *, who: str, why: str) -> Mapping[str, Any]:
    """What the pause said. Rejected when charging is not paused."""
    with desk.store.begin() as tx:
        said = paused(tx)
        if not said:
            raise Rejected("charging is not paused")
        settings.set(tx, PAUSED, None, now=desk.now())
        audit.write(tx, who=who, what="resumed charging", why=why, before=dict(said), now=desk.now())
    return said
