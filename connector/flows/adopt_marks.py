"""Putting our owner marker on customers that a person confirmed. The store knows what is still to be done."""

from __future__ import annotations

from connector.flows.desk import Desk
from connector.model.agreement import Payer
from connector.ports import WriteKey
from connector.store import audit, links, payers
from connector.store.links import Link

MARK = "owner_marker"  # in a customer link's detail: pending or done


def put_markers(desk: Desk) -> int:
    """How many were put. Each is noted by itself, so that the next call goes on where this one was stopped."""
    with desk.store.read() as tx:
        waiting = [link for link in links.every(tx, "customer", desk.gateway.name).values() if link.detail.get(MARK) == "pending"]
    for link in waiting:
        _put(desk, link)
    return len(waiting)


def _put(desk: Desk, link: Link) -> None:
    with desk.store.read() as tx:
        row = payers.get(tx, link.source)
    payer = Payer.of_key(link.source, name=row.name if row else "", email=row.email if row else "")
    key = WriteKey(value=f"adopt:{link.source}:{link.target}", since=desk.now())
    desk.gateway.adopt_customer(link.target, payer, key=key)
    with desk.store.begin() as tx:
        links.applied(tx, link, fingerprint="", detail={MARK: "done"}, now=desk.now())
        what = f"put our marker on customer {link.target} of {link.source}"
        audit.write(tx, who=desk.settings.worker, what=what, now=desk.now())
