"""What is remembered of a change to a subscription: begun before the gateway is asked, noted when the gateway has it.

After a crash in between it is noted by what the gateway shows, so that the audit misses no change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import Connection

from connector.errors import Rejected
from connector.flows.desk import Desk
from connector.flows.refused import unit_of
from connector.model.subscription import Arm, Cancel, Change, Create, LiveSubscription, Subscription, TakeOver, Update
from connector.store import audit, links, units
from connector.store.links import Link

BEGUN = "begun"  # in a link's detail: the change that is being made


def begun(change: Change) -> dict[str, Any]:
    ends = change.on if isinstance(change, Cancel) else change.new.ends
    return {
        "what": type(change).__name__.lower(),
        "after": describe(change),
        "ends": ends.isoformat() if ends else "",
        "aim": "" if isinstance(change, Cancel) else _aim(change.new),
    }


@contextmanager
def remembered(desk: Desk, change: Update | Arm | Cancel) -> Iterator[None]:
    """Around the write itself."""
    with desk.store.begin() as tx:
        link = links.find(tx, "subscription", unit_of(change), desk.gateway.name)
        link = link and links.applied(tx, link, fingerprint="", detail={BEGUN: begun(change)}, now=desk.now())
    try:
        yield
    except Rejected:
        with desk.store.begin() as tx:
            if link is not None:
                links.applied(tx, link, fingerprint="", detail={BEGUN: None}, now=desk.now())
        raise
    with desk.store.begin() as tx:
        note(desk, tx, unit_of(change), link, begun(change))


def note(desk: Desk, tx: Connection, unit: str, link: Link | None, done: Mapping[str, Any]) -> None:
    """The gateway has it."""
    if link is not None:
        links.applied(tx, link, fingerprint="", detail={"ends": done["ends"], BEGUN: None}, now=desk.now())
    row = units.get(tx, unit)
    if row is not None and done["what"] == "cancel":
        units.save(tx, replace(row, state="ending", ends=date.fromisoformat(done["ends"])), now=desk.now())
    elif row is not None and row.state in ("ending", "ended"):
        units.save(tx, replace(row, state="active"), now=desk.now())
    what = f"{done['what']} subscription of {unit}"
    audit.write(tx, who=desk.settings.worker, what=what, after=done["after"], now=desk.now())


def note_found(desk: Desk, tx: Connection, link: Link, found: LiveSubscription) -> None:
    """Made by us, who crashed before it was noted."""
    new = found.subscription
    created = {"what": "create", "after": _size(new), "ends": new.ends.isoformat() if new.ends else "", "aim": ""}
    note(desk, tx, link.source, link, link.detail.get(BEGUN) or created)


def note_cut_off(desk: Desk, live: Mapping[str, LiveSubscription]) -> None:
    """Changes that the gateway has, and that a crash kept from being noted."""
    with desk.store.read() as tx:
        waiting = [link for link in links.every(tx, "subscription", desk.gateway.name).values() if link.detail.get(BEGUN)]
    for link in waiting:
        if _is_so(link.detail[BEGUN], live.get(link.source)):
            with desk.store.begin() as tx:
                note(desk, tx, link.source, link, link.detail[BEGUN])


def _is_so(done: Mapping[str, Any], live: LiveSubscription | None) -> bool:
    if done["what"] == "cancel":
        return live is None or (live.subscription.ends is not None and live.subscription.ends.isoformat() == done["ends"])
    return live is not None and _aim(live.subscription) == done["aim"]


def describe(change: Change) -> dict[str, str]:
    """A change for the audit: amounts and ids, no names."""
    match change:
        case Create(new=new) | Arm(new=new):
            return _size(new)
        case TakeOver(id=id, new=new, now=now):
            return {"id": id, "before": str(now), "amount": str(new.amount)}
        case Update(old=old, new=new):
            return {"id": old.id, "before": str(old.subscription.amount), "amount": str(new.amount)}
        case Cancel(old=old, on=on, reason=reason):
            return {"id": old.id, "on": on.isoformat(), "reason": reason}


def _size(new: Subscription) -> dict[str, str]:
    return {"amount": str(new.amount), "items": str(len(new.items))}


def _aim(subscription: Subscription) -> str:
    return hashlib.sha256(repr(subscription).encode()).hexdigest()[:16]
