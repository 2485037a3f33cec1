"""Mirror: read agreements, compute what each subscription should be, show the difference or carry it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import structlog

from connector.errors import ConnectorError, Rejected
from connector.flows import agreements, enrol, takeover
from connector.flows.applied import begun, note, note_cut_off, note_found, remembered
from connector.flows.desk import Desk
from connector.flows.holding import Patience
from connector.flows.refused import guarded, not_parked, unit_of
from connector.model.agreement import BillingUnit, Unusable
from connector.model.plan import Plan, Wanted, diff
from connector.model.pricing import desired, first_draft
from connector.model.subscription import Arm, Cancel, Change, Create, LiveSubscription, TakeOver, Update
from connector.ports import WriteKey
from connector.store import freshness, links, payers, units
from connector.store.links import Link, LinkState
from connector.store.payers import PayerRow
from connector.store.units import UnitRow
from connector.store.write_once import write_once

FIND_LAG = timedelta(seconds=30)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mirror:
    """A finished plan and the units it was made from."""

    plan: Plan
    units: Mapping[str, BillingUnit]
    live: Mapping[str, LiveSubscription]


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    done: tuple[Change, ...]
    failed: tuple[tuple[Change, str], ...]


def plan(desk: Desk, *, recreate: frozenset[str] = frozenset()) -> Mirror:
    """What would change at the gateway. Writes nothing to a partner.

    `recreate`: billing units whose subscription somebody cancelled at the gateway and that a person wants back.
    """
    # Both reads finish first: a PSA read that fails half-way must not look like cancelled agreements.
    reading = agreements.read(desk)
    live = tuple(desk.gateway.subscriptions())
    _link_found(desk, live)
    with desk.store.begin() as tx:
        freshness.succeeded(tx, desk.gateway.name, now=desk.now())
    alive, unusable = agreements.billing_units(desk, reading)
    frozen = _frozen(desk, unusable)
    vanished = _vanished(desk, alive, live) if alive else {}
    wanted, broken = _wanted(desk, [u for u in alive if u.key not in vanished or u.key in recreate])
    frozen |= broken.keys()
    mine = [s for s in live if s.subscription.unit not in frozen]
    changes = diff({k: w for k, w in wanted.items() if k not in frozen}, mine, today=desk.today())
    changes, in_the_way = takeover.beside_foreign(desk, changes, {unit.key: unit for unit in alive})
    gone_at_gateway = tuple(problem for key, problem in vanished.items() if key not in recreate)
    return Mirror(
        plan=Plan(
            changes=changes,
            names={**_names(desk), **{unit.key: unit.name for unit in alive}},
            unusable=(*unusable, *gone_at_gateway, *in_the_way, *broken.values()),
            live=len(live),
        ),
        units={unit.key: unit for unit in alive},
        live={s.subscription.unit: s for s in live},
    )


def apply(desk: Desk, mirror: Mirror) -> Applied:
    """Carry the plan out, change by change. One that the gateway refuses stops nothing else; a gateway that is down does."""
    done: list[Change] = []
    failed: list[tuple[Change, str]] = []
    note_cut_off(desk, mirror.live)
    remember_units(desk, mirror)
    enrol.remember_payers(desk, mirror.units.values())
    changes = not_parked(desk, mirror.plan.changes)
    patience = Patience()
    for number, change in enumerate(changes, start=1):
        desk.settings.progress("subscriptions", number, len(changes))
        why = guarded(desk, change, partial(_apply_one, desk, change, mirror), patience)
        if why:
            failed.append((change, why))
        else:
            done.append(change)
    return Applied(done=tuple(done), failed=tuple(failed))


def _link_found(desk: Desk, live: tuple[LiveSubscription, ...]) -> None:
    """A subscription that we made and crashed before noting it: the link gets its target. A link that was lost is made anew."""
    with desk.store.begin() as tx:
        waiting = links.every(tx, "subscription", desk.gateway.name)
        for found in live:
            unit = found.subscription.unit
            link = waiting.get(unit)
            if link is None and links.latest_generation(tx, "subscription", unit, desk.gateway.name) < found.generation:
                link = links.intend(tx, "subscription", unit, desk.gateway.name, now=desk.now(), generation=found.generation)
            if link is not None and link.state is LinkState.INTENDED and link.generation == found.generation:
                link = links.linked(tx, link, target=found.id, now=desk.now())
                note_found(desk, tx, link, found)


def _names(desk: Desk) -> dict[str, str]:
    with desk.store.read() as tx:
        return {row.key: row.name for row in units.every(tx)}


def _frozen(desk: Desk, unusable: tuple[Unusable, ...]) -> set[str]:
    """Units of agreements that could not be read: left exactly as they are."""
    with desk.store.read() as tx:
        by_member = units.by_member(tx)
    return {by_member[item.ref.id] for item in unusable if item.ref.id in by_member}


def _vanished(desk: Desk, alive: tuple[BillingUnit, ...], live: tuple[LiveSubscription, ...]) -> dict[str, Unusable]:
    """Somebody cancelled our subscription at the gateway: a question for a person, never made again by itself."""
    with desk.store.read() as tx:
        linked = links.every(tx, "subscription", desk.gateway.name)
    there = {s.id for s in live}
    return {
        unit.key: _gone_problem(unit)
        for unit in alive
        if unit.collect
        and (link := linked.get(unit.key)) is not None
        and link.target
        and link.target not in there
        and not _ended_by_us(link, desk.today())
    }


def _ended_by_us(link: Link, today: date) -> bool:
    ends = str(link.detail.get("ends") or "")
    return ends != "" and date.fromisoformat(ends) <= today


def _gone_problem(unit: BillingUnit) -> Unusable:
    return Unusable(
        ref=unit.root.ref,
        name=unit.name,
        reason="cancelled_at_gateway",
        message=f"{unit.name} (agreement {unit.root.ref.id}): its subscription was cancelled at the gateway, not by the agent."
        f" Nothing is charged for it. If it should go on: connector apply --recreate {unit.key}",
    )


def _wanted(desk: Desk, alive: list[BillingUnit]) -> tuple[dict[str, Wanted], dict[str, Unusable]]:
    """By billing unit; and those for which it cannot be said, which are left exactly as they are."""
    with desk.store.read() as tx:
        rows = {row.key: row for row in payers.every(tx)}
        generations = {u.key: links.latest_generation(tx, "subscription", u.key, desk.gateway.name) for u in alive}
    result: dict[str, Wanted] = {}
    broken: dict[str, Unusable] = {}
    for unit in (unit for unit in alive if unit.collect):
        try:
            result[unit.key] = _wanted_of(desk, unit, rows.get(unit.payer.key), generations[unit.key])
        except Rejected as error:
            broken[unit.key] = _broken(unit, str(error))
        except ConnectorError:
            raise
        except Exception as error:  # a defect of ours in one unit must not keep back the others
            log.exception("subscription could not be computed", unit=unit.key)
            broken[unit.key] = _broken(unit, f"unexpected {type(error).__name__}; the log has the details")
    return result, broken


def _wanted_of(desk: Desk, unit: BillingUnit, payer: PayerRow | None, generation: int) -> Wanted:
    enrolled = payer is not None and payer.method != ""
    subscription = desired(unit, today=desk.today(), automatic=enrolled, paused=not desk.settings.gateway_releases)
    return Wanted(
        subscription=desk.gateway.canonical(subscription),
        customer=payer.customer if payer else "",
        first_draft=first_draft(unit, desk.today()),
        name=unit.name,
        generation=generation,
    )


def _broken(unit: BillingUnit, why: str) -> Unusable:
    return Unusable(
        ref=unit.root.ref,
        name=unit.name,
        reason="not_computed",
        message=f"{unit.name} (agreement {unit.root.ref.id}): its subscription cannot be computed: {why}."
        " It is left as it is; the others go on.",
    )


def _apply_one(desk: Desk, change: Change, mirror: Mirror) -> None:
    unit = unit_of(change)
    match change:
        case Create():
            link_id = _create(desk, change, mirror)
            desk.gateway.apply(Arm(id=link_id, new=change.new), key=_converging("arm", unit, desk.now()))
        case TakeOver():
            takeover.take_over(desk, change)
        case Update() | Arm() | Cancel():
            what = "cancel" if isinstance(change, Cancel) else "update"
            with remembered(desk, change):
                desk.gateway.apply(change, key=_converging(what, unit, desk.now()))


def _converging(what: str, unit: str, now: datetime) -> WriteKey:
    """A converging write is keyed by its place in time, not by its content: a price that flips A-B-A-B is four writes."""
    return WriteKey(value=f"{what}:{unit}:{now.isoformat()}", since=now)


def _create(desk: Desk, change: Create, mirror: Mirror) -> str:
    unit = mirror.units[change.new.unit]
    customer = change.customer or enrol.ensure_customer(desk, unit.payer)
    change = replace(change, customer=customer)
    with desk.store.begin() as tx:
        old = links.find(tx, "subscription", unit.key, desk.gateway.name)
        if old is not None and old.generation < change.generation:
            links.retire(tx, old, now=desk.now())
    link = write_once(
        desk.store,
        kind="subscription",
        source=unit.key,
        target_system=desk.gateway.name,
        now=desk.now,
        find=lambda key: desk.gateway.find_subscription(key, customer=customer),
        send=lambda key: desk.gateway.apply(change, key=key),
        find_lag=FIND_LAG,
        generation=change.generation,
        noted=lambda tx, link: note(desk, tx, unit.key, link, begun(change)),
    )
    return link.target


def remember_units(desk: Desk, mirror: Mirror) -> None:
    """Keep each unit's row as the PSA says; written only where it differs."""
    with desk.store.begin() as tx:
        rows = {row.key: row for row in units.every(tx)}
        enrolled = {row.key for row in payers.every(tx) if row.method}
        for unit in mirror.units.values():
            row = _row(unit, rows.get(unit.key), unit.payer.key in enrolled, desk.today())
            if rows.get(unit.key) != row:
                units.save(tx, row, now=desk.now())
        for key, row in rows.items():
            if key not in mirror.units and row.state not in ("ending", "ended"):
                units.save(tx, replace(row, state="ending"), now=desk.now())
            elif key not in mirror.units and row.state == "ending" and _is_over(row, mirror, desk.today()):
                units.save(tx, replace(row, state="ended"), now=desk.now())


def _is_over(row: UnitRow, mirror: Mirror, today: date) -> bool:
    """Its last day has passed; or it has none, and no subscription either: its agreements went into another unit."""
    return row.ends <= today if row.ends is not None else row.key not in mirror.live


def _row(unit: BillingUnit, old: UnitRow | None, enrolled: bool, today: date) -> UnitRow:
    state = ("active" if enrolled else "awaiting_enrolment") if unit.collect else "not_collected"
    return UnitRow(
        key=unit.key,
        payer=unit.payer.key,
        payer_name=unit.payer.name,
        name=unit.name,
        state=state,
        members=[agreement.ref.id for agreement in unit.agreements],
        currency=unit.currency,
        cycle=str(unit.cycle),
        timing=str(unit.timing),
        anchor=unit.anchor,
        ends=unit.ends,
        detail=_detail(unit, old, today),
    )


def _detail(unit: BillingUnit, old: UnitRow | None, today: date) -> dict[str, Any]:
    """`collect_since`: the day on which the payer was (last) opted in."""
    detail = dict(old.detail) if old else {}
    if not unit.collect:
        detail.pop("collect_since", None)
    else:
        detail.setdefault("collect_since", today.isoformat())
    return detail
