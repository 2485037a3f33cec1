"""Enrol: every opted-in payer gets a link to authorise a payment method once; a new method becomes the payer's default."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from connector.errors import ConnectorError, Rejected
from connector.flows import agreements
from connector.flows.adopt_marks import put_markers
from connector.flows.books_invoices import with_mapped
from connector.flows.desk import Desk
from connector.model.agreement import BillingUnit, Payer
from connector.model.invoice import Customer
from connector.ports import Capability, WriteKey
from connector.store import audit, links, payers, stuck, units
from connector.store.links import LinkState
from connector.store.payers import PayerRow
from connector.store.stuck import StuckKind
from connector.store.write_once import write_once

FIND_LAG = timedelta(seconds=30)
BARRED = "barred"  # in a payer's detail: payment methods that came back, and are not debited any more
LOOKED = "looked"  # in a payer's detail: the day on which the gateway was last asked whether there is a method
RENEW_BEFORE = timedelta(hours=2)  # a link that soon stops working is made anew
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Enrolled:
    """What one round did: payers with a new method, links made, and what failed for whom."""

    enrolled: tuple[str, ...] = ()
    links: int = 0
    failed: tuple[str, ...] = ()


def remember_payers(desk: Desk, alive: Iterable[BillingUnit]) -> None:
    """One row a payer of an opted-in unit; written only where name or e-mail differ."""
    wanted = {unit.payer.key: unit.payer for unit in alive if unit.collect}
    with desk.store.begin() as tx:
        rows = {row.key: row for row in payers.every(tx)}
        for key, payer in wanted.items():
            row = rows.get(key) or new_row(payer)
            row = with_mapped(replace(row, name=payer.name, email=payer.email), payer)
            if rows.get(key) != row:
                payers.save(tx, row, now=desk.now())


def ensure_customer(desk: Desk, payer: Payer) -> str:
    """The gateway's customer of this payer, made once."""
    there = _known_customer(desk, payer)
    if there:
        return there
    _link_again(desk, payer)
    link = write_once(
        desk.store,
        kind="customer",
        source=payer.key,
        target_system=desk.gateway.name,
        now=desk.now,
        find=desk.gateway.find_customer,
        send=lambda key: desk.gateway.ensure_customer(payer, known="", key=key).id,
        find_lag=FIND_LAG,
    )
    with desk.store.begin() as tx:
        row = payers.get(tx, payer.key) or new_row(payer)
        if row.customer != link.target:
            detail = {**row.detail, "told": told(payer)}
            payers.save(tx, replace(row, customer=link.target, detail=detail), now=desk.now())
    return link.target


def _known_customer(desk: Desk, payer: Payer) -> str:
    """Told by a read: this is asked for each payer in each round."""
    with desk.store.read() as tx:
        row = payers.get(tx, payer.key)
        link = links.find(tx, "customer", payer.key, desk.gateway.name)
    if row is None or link is None or link.state is not LinkState.LINKED or link.target != row.customer:
        return ""
    return link.target


def _link_again(desk: Desk, payer: Payer) -> None:
    """A payer whose customer is known needs none, should its link be lost."""
    with desk.store.begin() as tx:
        row = payers.get(tx, payer.key)
        if row is not None and row.customer and links.find(tx, "customer", payer.key, desk.gateway.name) is None:
            link = links.intend(tx, "customer", payer.key, desk.gateway.name, now=desk.now())
            links.linked(tx, link, target=row.customer, now=desk.now())


def enrol(desk: Desk) -> Enrolled:
    """For every opted-in payer: a customer at the gateway, and a link that works until a method is there."""
    put_markers(desk)
    alive, _ = agreements.billing_units(desk, agreements.stored_reading(desk))
    waiting = {unit.payer.key: unit.payer for unit in alive if unit.collect}
    made = 0
    failed: list[str] = []
    for number, payer in enumerate(waiting.values(), start=1):
        desk.settings.progress("payers", number, len(waiting))
        try:
            made += _serve(desk, payer)
        except Rejected as error:
            failed.append(f"{payer.name} ({payer.key}): {error}")
    return Enrolled(links=made, failed=tuple(failed))


def adopt(desk: Desk, customers: Iterable[str]) -> tuple[str, ...]:
    """Something happened to these customers: if a new method is there it becomes the default. Names of newly enrolled payers.

    One that the gateway refuses is tried again each time, until it is parked; it keeps back nobody else.
    """
    with desk.store.read() as tx:
        rows = {row.customer: row for row in payers.every(tx) if row.customer}
        failed = stuck.every(tx, StuckKind.PAYER)
    again = [id for id, one in failed.items() if one.parked_at is None]
    wanted = [rows[id] for id in dict.fromkeys((*customers, *again)) if id in rows]
    return tuple(row.name for row in wanted if _adopt_unless_refused(desk, row, failed=row.customer in failed))


def _adopt_unless_refused(desk: Desk, row: PayerRow, *, failed: bool) -> bool:
    try:
        enrolled = _adopt_one(desk, row)
    except Rejected as error:
        return _refused(desk, row, str(error))
    except ConnectorError:
        raise
    except Exception as error:  # a defect of ours in one payer must not keep back the others' money
        log.exception("payment method could not be read", payer=row.key)
        return _refused(desk, row, f"unexpected {type(error).__name__}; the log has the details")
    if failed:
        with desk.store.begin() as tx:
            stuck.worked(tx, StuckKind.PAYER, row.customer)
    return enrolled


def _refused(desk: Desk, row: PayerRow, why: str) -> bool:
    with desk.store.begin() as tx:
        stuck.failed(tx, StuckKind.PAYER, row.customer, why=why, now=desk.now())
    return False


def link_for(desk: Desk, payer: str) -> tuple[PayerRow, str]:
    """A link that works now: the first authorisation, or the change of a method. Rejected when we do not know the payer."""
    with desk.store.read() as tx:
        row = payers.get(tx, payer)
    if row is None or not row.customer:
        raise Rejected(f"no opted-in payer {payer!r} is known yet; `connector plan` shows who is opted in", code="unknown_payer")
    if desk.settings.durable_link is not None:
        return row, desk.settings.durable_link(row.key)
    if not row.method and not _stale(desk, row):
        return row, row.link
    link, expires = page_for(desk, row)
    return (row if row.method else _save(desk, replace(row, link=link, link_expires=expires))), link


def page_for(desk: Desk, row: PayerRow) -> tuple[str, datetime]:
    """The gateway's page for this payer now, and until when it works."""
    key = WriteKey(value=f"link:{row.key}:{desk.now().isoformat()}", since=desk.now())
    return desk.gateway.enrolment_link(row.customer, enrolled=bool(row.method), return_url=desk.settings.return_url, key=key)


def new_row(payer: Payer) -> PayerRow:
    return PayerRow(
        key=payer.key,
        name=payer.name,
        email=payer.email,
        customer="",
        method="",
        method_last4="",
        method_expires=None,
        state="awaiting_enrolment",
        link="",
        link_expires=None,
        books_customer=payer.books_id,
        detail={},
    )


def told(payer: Payer) -> str:
    return f"{payer.name}|{payer.email}"


def _serve(desk: Desk, payer: Payer) -> int:
    """Number of links made (0 or 1)."""
    customer = ensure_customer(desk, payer)
    with desk.store.read() as tx:
        row = payers.get(tx, payer.key)
    assert row is not None  # noqa: S101 - ensure_customer saved it
    if row.detail.get("told") != told(payer):
        known = WriteKey(value=f"customer:{payer.key}:{desk.now().isoformat()}", since=desk.now())
        desk.gateway.ensure_customer(payer, known=customer, key=known)
        row = _save(desk, replace(row, detail={**row.detail, "told": told(payer)}))
    row = _looked_at(desk, row)
    shown = row if row.method or not _stale(desk, row) else _durable_or_fresh(desk, row)
    if shown.link != row.link:
        _save(desk, shown)
    if not _is_published(shown):
        _publish(desk, payer, shown)
    return int(shown.link != row.link)


def _looked_at(desk: Desk, row: PayerRow) -> PayerRow:
    """Word of an authorisation may be lost for good: who was sent a link is looked at once a day, for one request."""
    today = desk.today().isoformat()
    if row.method or not row.link or row.detail.get(LOOKED) == today:
        return row
    if LOOKED in row.detail:
        _adopt_one(desk, row)
    with desk.store.begin() as tx:
        now = payers.get(tx, row.key) or row
        looked = replace(now, detail={**now.detail, LOOKED: today})
        payers.save(tx, looked, now=desk.now())
    return looked


def _durable_or_fresh(desk: Desk, row: PayerRow) -> PayerRow:
    if desk.settings.durable_link is not None:
        return replace(row, link=desk.settings.durable_link(row.key), link_expires=None)
    link, expires = page_for(desk, row)
    return replace(row, link=link, link_expires=expires)


def _stale(desk: Desk, row: PayerRow) -> bool:
    if not row.link:
        return True
    if desk.settings.durable_link is not None:
        return row.link != desk.settings.durable_link(row.key)
    return row.link_expires is None or row.link_expires - RENEW_BEFORE <= desk.now()


def _publish(desk: Desk, payer: Payer, row: PayerRow) -> None:
    """What was published is noted only afterwards: whatever fails or dies in between is published in the next round.

    The PSA's fields are the company's: the link of a location is not written over it (`connector enrol` shows both).
    """
    if Capability.PUBLISH_ENROLMENT in desk.psa.can:
        if not payer.location:
            desk.psa.publish_enrolment(payer, link=row.link, state=row.state)
        _save(desk, replace(row, detail={**row.detail, "published": _to_publish(row)}))


def _to_publish(row: PayerRow) -> str:
    return f"{row.state}|{row.link}"


def _is_published(row: PayerRow) -> bool:
    """An enrolled payer who never had a link of ours is not shown in the PSA."""
    return bool(row.detail.get("published", _to_publish(row) if row.method else "") == _to_publish(row))


def _adopt_one(desk: Desk, row: PayerRow) -> bool:
    customer = desk.gateway.adopt_new_methods(row.customer)
    new = with_method(row, customer)
    if new == row:
        return False
    with desk.store.begin() as tx:
        payers.save(tx, new, now=desk.now())
        audit.write(tx, who=desk.settings.worker, what=f"method of {row.key} is now {new.method or 'none'}", now=desk.now())
        _note_on_units(tx, row.key, enrolled=bool(new.method), now=desk.now())
    if new.method and not row.method:
        _publish_state(desk, new)
    return bool(new.method)


def with_method(row: PayerRow, customer: Customer) -> PayerRow:
    """The row as the gateway shows the customer's default method now."""
    method = customer.default_method
    if method is not None and method.id in row.detail.get(BARRED, ()):
        return replace(row, method="", method_last4="", method_expires=None, state="method_returned")
    if method is None:
        return replace(row, method="", method_last4="", method_expires=None, state="awaiting_enrolment")
    return replace(
        row,
        method=str(method.kind),
        method_last4=method.last4,
        method_expires=method.expires,
        state="enrolled",
        link="",
        link_expires=None,
    )


def save_barred(tx: Connection, row: PayerRow, methods: Iterable[str], *, now: datetime) -> None:
    """The payer is asked for another method, with a link of its own, as if none were there."""
    detail = {**row.detail, BARRED: sorted(set(methods))}
    barred = replace(row, method="", method_last4="", method_expires=None, state="method_returned", link="", detail=detail)
    payers.save(tx, barred, now=now)
    _note_on_units(tx, row.key, enrolled=False, now=now)


def renew(desk: Desk, row: PayerRow, customer: Customer) -> bool:
    """Whether the payer has a method that may be debited, as the gateway shows it now."""
    new = with_method(row, customer)
    if new.method and not row.method:
        with desk.store.begin() as tx:
            payers.save(tx, new, now=desk.now())
            _note_on_units(tx, row.key, enrolled=True, now=desk.now())
        _publish_state(desk, new)
    return bool(new.method)


def _note_on_units(tx: Connection, payer: str, *, enrolled: bool, now: datetime) -> None:
    for row in units.every(tx):
        if row.payer == payer and row.state in ("active", "awaiting_enrolment"):
            units.save(tx, replace(row, state="active" if enrolled else "awaiting_enrolment"), now=now)


def _publish_state(desk: Desk, row: PayerRow) -> None:
    """What the PSA does not take now is published by `enrol`; it keeps back no money that the gateway collected."""
    try:
        _publish(desk, Payer.of_key(row.key, name=row.name, email=row.email), row)
    except ConnectorError as error:
        log.warning("enrolment could not be published yet", payer=row.key, error=str(error))


def _save(desk: Desk, row: PayerRow) -> PayerRow:
    with desk.store.begin() as tx:
        payers.save(tx, row, now=desk.now())
    return row
