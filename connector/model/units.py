"""From agreements to billing units: bundles, shared bills, and renewals under a new id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from connector.model.agreement import Agreement, BillingUnit, Grouped, Unusable, company_of

RENEWAL_GAP = timedelta(days=45)  # an agreement that starts this long after its namesake ended still continues it


def group(agreements: Iterable[Agreement], *, today: date, keys: Mapping[str, str]) -> Grouped:
    """Form billing units. `keys`: agreement ref -> billing unit key, as far as they were seen before.

    A renewal joins the unit of the agreement that it continues, so that one subscription lives on.
    """
    buckets = _buckets(list(agreements))
    units: dict[str, BillingUnit] = {}
    unusable: list[Unusable] = []
    for members in buckets:
        wrong = _disagreement(members) or _two_locations(members, today)
        if wrong:
            unusable.extend(wrong)
            continue
        unit = _unit(members, today=today, keys=keys, taken=units.keys())
        units[unit.key] = unit
    return Grouped(units=tuple(units.values()), unusable=tuple(unusable))


def _buckets(agreements: list[Agreement]) -> list[list[Agreement]]:
    by_group: dict[tuple[str, str], list[Agreement]] = {}
    alias = _renewals(agreements)
    for agreement in sorted(agreements, key=lambda a: (len(a.ref.id), a.ref.id)):
        group_id = alias.get(agreement.group, agreement.group)
        by_group.setdefault((company_of(agreement.payer.key), group_id), []).append(agreement)
    return list(by_group.values())


def _renewals(agreements: list[Agreement]) -> dict[str, str]:
    """New group -> the group that it continues, followed to the oldest."""
    by_id = {agreement.ref.id: agreement for agreement in agreements}
    continues: dict[str, str] = {}
    for agreement in agreements:
        old = by_id.get(agreement.renews) if agreement.renews else _namesake(agreement, agreements)
        if old is not None and old.group != agreement.group and old.payer.key == agreement.payer.key:
            continues[agreement.group] = old.group
    return {group: _oldest(group, continues) for group in continues}


def _oldest(group: str, continues: Mapping[str, str]) -> str:
    seen = {group}
    while (older := continues.get(group)) is not None and older not in seen:
        seen.add(older)
        group = older
    return group


def _namesake(new: Agreement, agreements: list[Agreement]) -> Agreement | None:
    """The one agreement that ended as this one began, of the same payer, type and name. None when there are several."""
    candidates = [
        old
        for old in agreements
        if old.ref != new.ref
        and old.ends is not None
        and old.payer.key == new.payer.key
        and (old.kind, same_name(old.name)) == (new.kind, same_name(new.name))
        and old.starts < new.starts
        and old.ends <= new.starts <= old.ends + RENEWAL_GAP
    ]
    return candidates[0] if len(candidates) == 1 else None


def same_name(name: str) -> str:
    """Names that differ only in numbers (years) or spacing are the same agreement's."""
    return re.sub(r"[\d\W_]+", "", name).casefold()


def _disagreement(members: list[Agreement]) -> list[Unusable]:
    for attribute, reason in (("currency", "mixed_currency"), ("cycle", "mixed_cycle"), ("timing", "mixed_timing")):
        values = sorted({str(getattr(member, attribute)) for member in members if member.ends is None})
        if len(values) > 1:
            names = ", ".join(f"{member.name} (agreement {member.ref.id})" for member in members)
            message = (
                f"{members[0].payer.name}: these agreements share one bill but not one {attribute} ({' and '.join(values)}): "
                f"{names}. Give them the same {attribute} in the PSA, or bill them apart."
            )
            return [Unusable(ref=member.ref, name=member.name, reason=reason, message=message) for member in members]
    return []


def _two_locations(members: list[Agreement], today: date) -> list[Unusable]:
    """One bill cannot be taken half from each; one of them would pay for the other."""
    alive = [member for member in members if member.ends is None or member.ends > today]
    where = sorted({member.payer.location for member in alive})
    if len(where) < 2:
        return []
    told = " and ".join(location or "the company itself" for location in where)
    names = ", ".join(f"{member.name} (agreement {member.ref.id})" for member in alive)
    message = (
        f"{members[0].company_name}: these agreements share one bill but are paid by {told}: {names}. Give them one location"
        " in the PSA, or bill them apart."
    )
    return [Unusable(ref=member.ref, name=member.name, reason="mixed_location", message=message) for member in members]


def _unit(members: list[Agreement], *, today: date, keys: Mapping[str, str], taken: Iterable[str]) -> BillingUnit:
    root = _root(members, today)
    ordered = (root, *(member for member in members if member is not root))
    open_ended = any(member.ends is None for member in members)
    return BillingUnit(
        key=_key(ordered, keys, set(taken)),
        agreements=ordered,
        payer=root.payer,
        currency=root.currency,
        cycle=root.cycle,
        timing=root.timing,
        anchor=root.anchor,
        starts=min(member.starts for member in members),
        ends=None if open_ended else max(member.ends for member in members if member.ends is not None),
    )


def _root(members: list[Agreement], today: date) -> Agreement:
    """The parent of the bundle; of a chain of renewals the one in force, else the next to come."""
    heads = [member for member in members if member.ref.id == member.group] or members
    alive = [head for head in heads if head.ends is None or today < head.ends] or heads[-1:]
    return min(alive, key=lambda head: head.starts)


def _key(members: Iterable[Agreement], keys: Mapping[str, str], taken: set[str]) -> str:
    members = list(members)
    for member in members:
        known = keys.get(str(member.ref))
        if known is not None and known not in taken:
            return known
    return str(members[0].ref)
