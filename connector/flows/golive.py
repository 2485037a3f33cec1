"""The go-live report: what shadow mode saw, what differs and why, and whether charging can begin. Writes nothing to a partner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from connector.errors import Rejected
from connector.flows.desk import Desk
from connector.flows.others import foreign_of
from connector.flows.outlook import living, outlooks
from connector.flows.warnings import warnings
from connector.model.agreement import BillingUnit
from connector.model.forecast import NEVER, Coming, Total, coming, totals
from connector.model.period import add_months
from connector.model.shadow import Outcome, ShadowCharge, Sum, outcome, reason, sums
from connector.store import payers, settings, shadow

AHEAD = timedelta(days=35)  # a month's charges, with the days that they wait for their due date


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    charge: ShadowCharge
    outcome: Outcome
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GoLive:
    """`blockers` empty: ready. `first_run`: what live mode would charge first, those kept back with their reasons."""

    since: date
    today: date
    month: str  # "2026-02"; "" for all of it
    rows: tuple[Seen, ...]
    sums: tuple[Sum, ...]
    not_enrolled: tuple[str, ...]
    unusable: tuple[str, ...]
    warnings: tuple[str, ...]
    first_run: tuple[Coming, ...]
    first_totals: tuple[Total, ...]
    blockers: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ready(self) -> bool:
        return not self.blockers

    def count(self, *wanted: Outcome) -> int:
        return sum(row.outcome in wanted for row in self.rows)


def go_live_report(desk: Desk, *, month: str = "") -> GoLive:
    """`month`: of the bill dates, like 2026-02. Rejected when shadow mode was never on, or the month cannot be read."""
    with desk.store.read() as tx:
        said = shadow.mode(tx)
        known = {row.key: row for row in payers.every(tx)}
        unusable = tuple(settings.get(tx, "needs_attention") or ())
    if not said:
        raise Rejected("shadow mode was never on here: set `mode: shadow` in the configuration, then: connector run")
    rows = _rows(desk, month)
    wanted = [unit for unit in living(desk) if unit.collect]
    waiting = tuple(sorted({u.payer.name for u in wanted if not (row := known.get(u.payer.key)) or not row.method}))
    first = _first_run(desk, wanted)
    customers = {row.customer for row in known.values() if row.customer}
    report = GoLive(
        since=date.fromisoformat(said["since"]),
        today=desk.today(),
        month=month,
        rows=rows,
        sums=sums([row.charge for row in rows]),
        not_enrolled=waiting,
        unusable=unusable,
        warnings=tuple(warnings(desk)),
        first_run=first,
        first_totals=totals(first),
        blockers=(),
        notes=(),
    )
    foreign = [str(one) for found in foreign_of(desk, customers).values() for one in found]
    return replace(report, blockers=tuple(_blockers(desk, report, wanted, foreign)), notes=tuple(_notes(report)))


def _rows(desk: Desk, month: str) -> tuple[Seen, ...]:
    first, last = _days(month)
    with desk.store.read() as tx:
        found = shadow.every(tx, first=first, last=last)
    today = desk.today()
    return tuple(Seen(charge=row, outcome=outcome(row, today), reason=reason(row, today)) for row in found)


def _days(month: str) -> tuple[date | None, date | None]:
    if not month:
        return None, None
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise Rejected(f"--period {month!r} is not a month like 2026-02") from None
    return first, add_months(first, 1) - timedelta(days=1)


def _first_run(desk: Desk, wanted: Sequence[BillingUnit]) -> tuple[Coming, ...]:
    """As if live mode began now: what was billed before today is not collected by itself."""
    until = desk.today() + AHEAD
    found = (row for o in outlooks(desk, wanted) for row in coming(replace(o, collect_since=desk.today()), until))
    rows = [row for row in found if not NEVER & {reason.name for reason in row.reasons}]
    return tuple(sorted(rows, key=lambda row: (row.on, row.name.casefold())))


def _blockers(desk: Desk, report: GoLive, wanted: Sequence[BillingUnit], foreign: Sequence[str]) -> list[str]:
    said = _unseen(report, wanted)
    if report.unusable:
        said.append(f"{_number(len(report.unusable), 'agreement')} cannot be mirrored: connector status names them")
    held, differs, without = (report.count(o) for o in (Outcome.HELD, Outcome.DIFFERS, Outcome.NO_INVOICE))
    if held:
        said.append(f"{_number(held, 'charge')} would have been held: see why in the list, and put it right")
    if differs:
        said.append(f"{_number(differs, 'charge')} came to another amount than was collected")
    if without:
        said.append(f"{_number(without, 'period')} was to be billed and has no invoice in the PSA")
    said += [
        f"another product's subscription would charge beside ours: {one}; adopt it or end it: connector adopt" for one in foreign
    ]
    if desk.settings.psa_payments is None:
        said.append("write_back.psa_payments is not chosen: connector or accounting_sync")
    return said


def _unseen(report: GoLive, wanted: Sequence[BillingUnit]) -> list[str]:
    """A whole period means that each monthly (or more frequent) agreement had its bill, and the day to charge it."""
    seen = {row.charge.unit for row in report.rows if row.charge.decided}
    missing = [unit.name for unit in wanted if unit.cycle.months <= 1 and unit.key not in seen]
    if not wanted:
        return ["nobody is opted in by the field mapping, so nothing was compared"]
    if not missing:
        return []
    names = ", ".join(sorted(missing)[:5]) + (", ..." if len(missing) > 5 else "")
    return [f"{_number(len(missing), 'agreement')} had no whole period in shadow mode yet (since {report.since}): {names}"]


def _notes(report: GoLive) -> list[str]:
    said = []
    if report.not_enrolled:
        names = ", ".join(report.not_enrolled[:8]) + (", ..." if len(report.not_enrolled) > 8 else "")
        said.append(
            f"{_number(len(report.not_enrolled), 'payer')} without a payment method here, not charged until then: {names}."
            " They get a link when live mode begins, or bring the method along: connector adopt"
        )
    if number := report.count(Outcome.NOT_COLLECTED):
        said.append(f"{_number(number, 'charge')} was due and nobody has recorded a payment for it: is the other product late?")
    said.append(
        "What was billed before live mode begins is not collected by the agent by itself: the other product finishes it. Switch"
        " that one off for these payers before you set `mode: live`."
    )
    return said


def _number(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
