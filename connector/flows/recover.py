"""Recover: a store that is older than what was done in its name, or empty, is brought up to what the partners show.

Nothing is written to a partner: customers, subscriptions and charges are taken over by the marks that we left on them, the
payments are read again, and whatever may have been written is looked up before it is written (`write_once`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from connector.errors import Unauthorized
from connector.flows import agreements, elsewhere, enrol, recover_charges
from connector.flows.collect import LOOK_BACK, look_again
from connector.flows.desk import Desk
from connector.flows.recover_charges import Lost
from connector.model.agreement import BillingUnit
from connector.model.charge import ChargeState
from connector.model.ledger import GatewayPayment, payment_key
from connector.model.money import Money, total
from connector.model.subscription import LiveSubscription
from connector.ports import WriteKey
from connector.store import audit, charges, cursors, high_water, ledger, links, payers, settings, switch, units
from connector.store.links import LinkState
from connector.store.payers import PayerRow
from connector.store.units import UnitRow

MARGIN = timedelta(days=1)  # before the last moment that the store knows
PAYOUTS_BACK = timedelta(days=10)  # what the balance had by then is in the books, or is looked up there


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """What the store lacks. `since`: the gateway is read from then on; `known` None: the store knows of no work at all."""

    since: datetime
    known: datetime | None
    there: datetime | None
    live: tuple[LiveSubscription, ...]
    units: Mapping[str, BillingUnit]  # by the key under which the gateway knows them
    customers: Mapping[str, str]  # payer -> the gateway's customer, where the store has none or another
    subscriptions: tuple[LiveSubscription, ...]  # without a link, or with that of an earlier one
    charges: tuple[Lost, ...]
    payments: tuple[GatewayPayment, ...]
    in_books: int = 0  # of the payments
    unclear: tuple[str, ...] = field(default=())

    @property
    def nothing(self) -> bool:
        return not (self.customers or self.subscriptions or self.charges or self.payments or self.unclear)

    def amount(self, currency: str) -> Money:
        return total((p.amount for p in self.payments if p.amount.currency == currency), currency)


# Look


def survey(desk: Desk) -> Survey:
    """Reads the partners to the end. In the store only what was read of the agreements is remembered."""
    there = desk.gateway.high_water()
    with desk.store.read() as tx:
        known = high_water.known(tx)
        rows = {row.key: row for row in units.every(tx)}
    since = _since(desk, known)
    live = tuple(desk.gateway.subscriptions())
    alive, _ = agreements.billing_units(desk, agreements.read(desk))
    of_keys, unclear = _as_the_gateway_knows_them(alive, live, rows)
    invoices = list(desk.gateway.invoices_since(since))
    lost, more = recover_charges.lost(desk, of_keys, invoices)
    paid = [one for invoice in invoices if invoice.amount_paid for one in desk.gateway.payments(invoice.id)]
    payments = _not_in_ledger(desk, paid)
    in_books, refused = _in_books(desk, payments, since)
    return Survey(
        since=since,
        known=known,
        there=there,
        live=live,
        units=of_keys,
        customers=_customers(desk, live),
        subscriptions=tuple(_unlinked(desk, live)),
        charges=lost,
        payments=payments,
        in_books=in_books,
        unclear=(*unclear, *more, *refused),
    )


def _since(desk: Desk, known: datetime | None) -> datetime:
    if known is not None:
        return known - MARGIN
    return datetime.combine(desk.settings.policy.collect_from - timedelta(days=62), time(), UTC)


def _as_the_gateway_knows_them(
    alive: Sequence[BillingUnit], live: Sequence[LiveSubscription], rows: Mapping[str, UnitRow]
) -> tuple[dict[str, BillingUnit], tuple[str, ...]]:
    """A unit keeps the key under which it was first seen, over renewals. Where the store forgot it, the payer tells."""
    found = {unit.key: unit for unit in alive}
    there = {s.subscription.unit: s for s in live}
    orphans = [s for key, s in there.items() if key not in found and key not in rows]
    unclear = []
    for orphan in orphans:
        payer = orphan.subscription.payer
        free = [unit for key, unit in found.items() if key not in there and unit.payer.key == payer and unit.collect]
        if len(free) == 1 and sum(o.subscription.payer == payer for o in orphans) == 1:
            del found[free[0].key]
            found[orphan.subscription.unit] = replace(free[0], key=orphan.subscription.unit)
        else:
            unclear.append(_orphan(orphan, len(free)))
    return found, tuple(unclear)


def _orphan(orphan: LiveSubscription, free: int) -> str:
    mine = orphan.subscription
    return (
        f"Subscription {orphan.id} ({mine.description}, {mine.amount}) is of agreement {mine.unit}, which is not in the PSA any"
        f" more; {free or 'no'} agreements of its payer {mine.payer} could be its renewal. Compare both before you resume"
        " charging: `connector plan` shows what would become of it."
    )


def _customers(desk: Desk, live: Sequence[LiveSubscription]) -> dict[str, str]:
    with desk.store.read() as tx:
        linked = links.every(tx, "customer", desk.gateway.name)
    there = {s.subscription.payer: s.customer for s in live if s.subscription.payer}
    return {payer: id for payer, id in there.items() if payer not in linked or linked[payer].target != id}


def _unlinked(desk: Desk, live: Sequence[LiveSubscription]) -> Iterator[LiveSubscription]:
    with desk.store.read() as tx:
        linked = links.every(tx, "subscription", desk.gateway.name)
    return (s for s in live if s.subscription.unit not in linked or linked[s.subscription.unit].target != s.id)


def _not_in_ledger(desk: Desk, paid: Sequence[GatewayPayment]) -> tuple[GatewayPayment, ...]:
    with desk.store.read() as tx:
        return tuple(one for one in paid if ledger.get(tx, payment_key(one.id)) is None)


def _in_books(desk: Desk, payments: Sequence[GatewayPayment], since: datetime) -> tuple[int, tuple[str, ...]]:
    """How many, and a sentence where the books cannot be asked: a restored store has their tokens of that day."""
    if desk.books is None:
        return 0, ()
    keys = [WriteKey(value=f"books_payment:{payment_key(one.id)}:g1", since=since) for one in payments]
    try:
        return sum(desk.books.find(key) is not None for key in keys), ()
    except Unauthorized as error:
        return 0, (f"{error} What is in the books already is looked up when they can be asked again.",)


# Take over


def recover(desk: Desk, found: Survey, *, who: str, why: str) -> None:
    """Everything of the survey, in the store alone; charging is paused until a person resumes it. Safe to repeat."""
    _stop_and_look_up(desk, found, who=who, why=why)
    _remember_units(desk, found)
    enrol.remember_payers(desk, found.units.values())
    _remember_customers(desk, found)
    for live in found.subscriptions:
        _link(desk, "subscription", live.subscription.unit, live.id, live.generation, ends=live.subscription.ends)
    for lost in found.charges:
        recover_charges.take(desk, lost)
    elsewhere.tidy(desk, list(desk.gateway.drafts()))
    look_again(desk, _collected_lately(desk, found.since.date()))
    with desk.store.begin() as tx:
        audit.write(tx, who=who, what="recovered the store", why=why, after=_counts(found), now=desk.now())


def _counts(found: Survey) -> dict[str, int]:
    names = ("customers", "subscriptions", "charges", "payments")
    return {name: len(getattr(found, name)) for name in names}


def _stop_and_look_up(desk: Desk, found: Survey, *, who: str, why: str) -> None:
    now = desk.now()
    with desk.store.begin() as tx:
        high_water.set_look_up(tx, found.since, now=now)
        if not switch.paused(tx):
            said = {"who": who, "why": f"the store was recovered ({why}); resume when you have looked", "since": now.isoformat()}
            settings.set(tx, switch.PAUSED, said, now=now)
            audit.write(tx, who=who, what="paused charging", why=said["why"], now=now)
        begun = f"{desk.gateway.name}.balance.begun"
        if found.known is None and not cursors.get(tx, begun):
            start = datetime.combine(desk.local_date((found.there or now) - PAYOUTS_BACK), time(), desk.settings.time_zone)
            for name in (begun, f"{desk.gateway.name}.balance"):
                cursors.set(tx, name, start.astimezone(UTC).isoformat(), now=now)


def _remember_units(desk: Desk, found: Survey) -> None:
    """A unit that the store had forgotten was opted in when its subscription was made."""
    began = {s.subscription.unit: desk.local_date(s.created) for s in found.live}
    with desk.store.begin() as tx:
        known = {row.key for row in units.every(tx)}
        for key, unit in found.units.items():
            if key in began and key not in known:
                units.save(tx, _unit_row(unit, began[key]), now=desk.now())


def _unit_row(unit: BillingUnit, since: date) -> UnitRow:
    return UnitRow(
        key=unit.key,
        payer=unit.payer.key,
        payer_name=unit.payer.name,
        name=unit.name,
        state="awaiting_enrolment",  # until its payer's method was read
        members=[agreement.ref.id for agreement in unit.agreements],
        currency=unit.currency,
        cycle=str(unit.cycle),
        timing=str(unit.timing),
        anchor=unit.anchor,
        ends=unit.ends,
        detail={"collect_since": since.isoformat()},
    )


def _remember_customers(desk: Desk, found: Survey) -> None:
    for payer, id in found.customers.items():
        _link(desk, "customer", payer, id, 1)
    of_payers = {s.subscription.payer: s.customer for s in found.live}
    with desk.store.read() as tx:
        rows = [row for row in payers.every(tx) if row.key in of_payers]
    there = desk.gateway.customers(set(of_payers.values()))
    for row in rows:
        customer = there.get(of_payers[row.key])
        if customer is not None:
            told = {} if row.customer == customer.id else {"told": f"{row.name}|{row.email}"}
            known = replace(row, customer=customer.id, detail={**row.detail, **told})
            _save_payer(desk, enrol.with_method(known, customer))


def _save_payer(desk: Desk, row: PayerRow) -> None:
    with desk.store.begin() as tx:
        payers.save(tx, row, now=desk.now())
        for unit in units.every(tx):
            if unit.payer == row.key and unit.state in ("active", "awaiting_enrolment"):
                units.save(tx, replace(unit, state="active" if row.method else "awaiting_enrolment"), now=desk.now())


def _link(desk: Desk, kind: str, source: str, target: str, generation: int, *, ends: date | None = None) -> None:
    """By the marker. What another record of ours was linked to is retired: the gateway's own word counts."""
    now, detail = desk.now(), {"ends": ends.isoformat()} if ends else {}
    with desk.store.begin() as tx:
        old = links.find(tx, kind, source, desk.gateway.name)
        if old is not None and (old.state is LinkState.LINKED or old.generation != generation):
            links.retire(tx, links.unsent(tx, old, now=now), now=now)
        link = links.intend(tx, kind, source, desk.gateway.name, now=now, generation=generation)
        links.linked(tx, link, target=target, detail=detail, now=now)


def _collected_lately(desk: Desk, since: date) -> list[str]:
    """What was released before may have been paid, returned or refunded since then, longer ago than events are kept."""
    with desk.store.read() as tx:
        stored = charges.every(tx, [ChargeState.RELEASED, ChargeState.PAID, ChargeState.ENDED])
    return [charge.id for charge in stored if charge.gateway_invoice and charge.period.end >= since - LOOK_BACK]
