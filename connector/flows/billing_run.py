"""The billing run: what goes out in the coming days, and a person's yes to it. An approval is for one charge at one amount."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection

from connector.errors import Rejected
from connector.flows.bills import UnitBills
from connector.flows.desk import Desk
from connector.flows.invoices_to_come import invoices_to_come
from connector.flows.outlook import living, outlooks
from connector.model.agreement import BillingUnit
from connector.model.approval import NOT_APPROVED, WAITS, Approval, Asked, people
from connector.model.charge import charge_id
from connector.model.forecast import Coming, Total, coming, totals
from connector.store import approvals, audit, settings


@dataclass(frozen=True, kw_only=True, slots=True)
class BillingRun:
    """`rows`: by date, then name; excluded are those with reasons. `totals`: what goes out once it is approved."""

    today: date
    until: date
    rows: tuple[Coming, ...]
    totals: tuple[Total, ...]

    @property
    def going(self) -> tuple[Coming, ...]:
        return tuple(row for row in self.rows if not row.reasons)

    @property
    def excluded(self) -> tuple[Coming, ...]:
        return tuple(row for row in self.rows if row.reasons)

    @property
    def waiting(self) -> tuple[Coming, ...]:
        """Those that are not approved. A charge that something else holds too may be approved beforehand."""
        return tuple(row for row in self.rows if row.approval.waits)


def billing_run(desk: Desk, *, days: int | None = None, payer: str = "") -> BillingRun:
    """Reads the PSA, writes nothing. `payer`: the beginning of the name. RetryLater when the PSA does not answer."""
    ahead = desk.settings.run_days_ahead if days is None else days
    return _run(desk, living(desk), None, desk.today() + timedelta(days=ahead), payer)


def _run(
    desk: Desk, units: Iterable[BillingUnit], bills: Mapping[str, UnitBills] | None, until: date, payer: str = ""
) -> BillingRun:
    rows = [row for outlook in outlooks(desk, units, bills) for row in coming(outlook, until)]
    rows += [row for row in invoices_to_come(desk) if row.on <= until]
    mine = [row for row in rows if row.payer.casefold().startswith(payer.casefold())]
    mine.sort(key=lambda row: (row.on, row.name.casefold(), row.period))
    return BillingRun(today=desk.today(), until=until, rows=tuple(mine), totals=totals(mine))


def note_run(desk: Desk, units: Iterable[BillingUnit], bills: Mapping[str, UnitBills]) -> None:
    """For `status` and the status page: what waits, from what the round has read anyway."""
    run = _run(desk, units, bills, desk.today() + timedelta(days=desk.settings.run_days_ahead))
    said = [
        {"on": total.on.isoformat(), "charges": total.charges, "amount": str(total.amount)}
        for total in totals(row for row in run.going if row.approval.waits)
    ]
    with desk.store.begin() as tx:
        if (settings.get(tx, WAITS) or []) != said:
            settings.set(tx, WAITS, said, now=desk.now())


def id_of(row: Coming) -> str:
    """Also of a charge whose draft is not there yet."""
    return row.charge or charge_id(row.unit, row.period)


def approve(
    desk: Desk, run: BillingRun, *, charges: Collection[str], without: Collection[str] = (), who: str, why: str
) -> list[Coming]:
    """Of the run as it was shown: these charges, or all that wait when none is named. Those that were approved now.

    Rejected, and nothing approved, when a charge is not in the run, or this person approved it before and a second is asked.
    """
    known = {id_of(row): row for row in run.waiting}
    for id in (*charges, *without):
        if id not in known:
            raise Rejected(f"{id!r} does not wait for approval; `connector billing-run` lists what does", code="not_waiting")
    chosen = [row for id, row in known.items() if id not in without and (not charges or id in charges)]
    with desk.store.begin() as tx:
        for row in chosen:
            given = approvals.of(tx, id_of(row))
            if _is_same_person(given, row, who):
                raise Rejected(
                    f"{row.name}: {who} has approved {row.amount} already; a second person has to (--as)", code="second_person"
                )
            _note(desk, tx, row, who, why)
    return chosen


def _is_same_person(given: Sequence[Approval], row: Coming, who: str) -> bool:
    return row.approval.asked is Asked.SECOND and who.strip().casefold() in {
        name.casefold() for name in people(given, NOT_APPROVED, row.amount)
    }


def _note(desk: Desk, tx: Connection, row: Coming, who: str, why: str) -> None:
    id = id_of(row)
    given = Approval(charge=id, what=NOT_APPROVED, amount=row.amount, who=who.strip(), why=why, at=desk.now())
    approvals.add(tx, given)
    audit.write(tx, who=who, what=f"approved charge {id}", why=why, after={"amount": str(row.amount)}, now=desk.now())
