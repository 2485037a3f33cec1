"""Reading the PSA's agreements into billing units, through the snapshots that make an unchanged agreement free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from pydantic import TypeAdapter

from connector.flows.desk import Desk
from connector.model.agreement import Agreement, AgreementRef, BillingUnit, Unchanged, Unusable
from connector.model.units import RENEWAL_GAP, group
from connector.store import freshness, snapshots, units

KEEP_GONE = RENEWAL_GAP + timedelta(days=15)  # an agreement that left is remembered so that its renewal finds it
_agreement: TypeAdapter[Agreement] = TypeAdapter(Agreement)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """`gone`: agreements that left the filter, with the day on which that was seen as their end."""

    agreements: tuple[Agreement, ...]
    gone: tuple[Agreement, ...]
    unusable: tuple[Unusable, ...]


def read(desk: Desk) -> Reading:
    """Read the PSA completely (or raise), remember what was read, and say which agreements left the filter."""
    with desk.store.read() as tx:
        known = snapshots.known(tx, desk.psa.name)
        stored = {id: _load(content) for id, content in snapshots.load(tx, desk.psa.name).items()}
    fresh: dict[str, Agreement] = {}
    seen: dict[str, Agreement] = {}
    unusable: list[Unusable] = []
    for item in desk.psa.agreements(known):
        match item:
            case Agreement():
                fresh[item.ref.id] = seen[item.ref.id] = item
            case Unchanged():
                seen[item.ref.id] = stored[item.ref.id].agreement
            case Unusable():
                unusable.append(item)
    left = _left(stored, seen, unusable, desk.today())
    _remember(desk, stored, fresh, seen, left)
    return Reading(
        agreements=tuple(seen.values()),
        gone=tuple(left.values()),
        unusable=tuple(unusable),
    )


def stored_reading(desk: Desk) -> Reading:
    """The same from the store alone, as of the last read."""
    with desk.store.read() as tx:
        stored = {id: _load(content) for id, content in snapshots.load(tx, desk.psa.name).items()}
    agreements = tuple(s.agreement for s in stored.values() if s.gone_on is None)
    gone = tuple(_ended(s.agreement, s.gone_on) for s in stored.values() if s.gone_on is not None)
    return Reading(agreements=agreements, gone=gone, unusable=())


def billing_units(desk: Desk, reading: Reading) -> tuple[tuple[BillingUnit, ...], tuple[Unusable, ...]]:
    """Units with at least one agreement in force or to come. Keys are stable: they are remembered in the store."""
    with desk.store.read() as tx:
        members = units.by_member(tx)
    keys = {f"{desk.psa.name}:{id}": key for id, key in members.items()}
    grouped = group((*reading.agreements, *reading.gone), today=desk.today(), keys=keys)
    present = {agreement.ref for agreement in reading.agreements}
    alive = tuple(unit for unit in grouped.units if any(a.ref in present for a in unit.agreements))
    return alive, (*reading.unusable, *grouped.unusable)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored:
    agreement: Agreement
    gone_on: date | None


def _load(content: Mapping[str, Any]) -> _Stored:
    gone = content.get("gone_on")
    return _Stored(agreement=_agreement.validate_python(content["agreement"]), gone_on=date.fromisoformat(gone) if gone else None)


def _dump(agreement: Agreement, gone_on: date | None) -> dict[str, Any]:
    content = _agreement.dump_python(agreement, mode="json")
    return {"agreement": content, "gone_on": gone_on.isoformat() if gone_on else None}


def _left(
    stored: Mapping[str, _Stored], seen: Mapping[str, Agreement], unusable: list[Unusable], today: date
) -> dict[str, Agreement]:
    """An agreement that cannot be read is not one that left."""
    unreadable = {item.ref.id for item in unusable}
    return {
        id: _ended(known.agreement, known.gone_on or today)
        for id, known in stored.items()
        if id not in seen and id not in unreadable
    }


def _ended(agreement: Agreement, on: date) -> Agreement:
    ends = min(agreement.ends, on) if agreement.ends else on
    return replace(agreement, ends=max(ends, agreement.starts))


def _remember(
    desk: Desk,
    stored: Mapping[str, _Stored],
    fresh: Mapping[str, Agreement],
    seen: Mapping[str, Agreement],
    left: Mapping[str, Agreement],
) -> None:
    today, name = desk.today(), desk.psa.name
    back = {id for id in seen if id in stored and stored[id].gone_on is not None and id not in fresh}
    newly_gone = {id for id in left if stored[id].gone_on is None}
    forgotten = [id for id, s in stored.items() if id in left and s.gone_on is not None and s.gone_on + KEEP_GONE < today]
    with desk.store.begin() as tx:
        for id in (*fresh, *back):
            agreement = seen[id]
            snapshots.save(
                tx, name, id, hash=agreement.snapshot, content=_dump(agreement, None), next_change=None, now=desk.now()
            )
        for id in newly_gone:
            agreement = stored[id].agreement
            snapshots.save(
                tx, name, id, hash=agreement.snapshot, content=_dump(agreement, today), next_change=None, now=desk.now()
            )
        if forgotten:
            snapshots.forget(tx, name, forgotten)
        freshness.succeeded(tx, name, now=desk.now())


def refs(unit: BillingUnit) -> list[AgreementRef]:
    return [agreement.ref for agreement in unit.agreements]
