"""What leaves the store changes nothing that happens: one life that forgets at once, and one that never forgets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from connector.flows import retention
from connector.store import cursors, schema
from tests.e2e.msp import Msp, msp

FOREVER = timedelta(days=10_000)


def _lived(folder: Path, *, keep: timedelta) -> dict[str, Any]:
    folder.mkdir()
    with msp(folder, agreements=0) as office:
        _set(office, keep=keep)
        office.sign_up("Contoso Dental")
        office.sign_up("Fabrikam Law", behaviour="decline")
        for day in ("2026-02-01", "2026-02-02", "2026-02-06", "2026-03-01", "2026-03-02", "2026-03-06"):
            office.to(day)
            _a_hold_that_comes_and_goes(office)
            office.cycle(1)
        return {**_outcome(office), "holds kept": _count(office, "hold")}


def _a_hold_that_comes_and_goes(office: Msp) -> None:
    """What the PSA said is too old to be charged on, until it is read again."""
    policy = office.agent.desk.settings.policy
    _set(office, policy=replace(policy, max_data_age=timedelta(seconds=-1)))
    office.run("release")
    _set(office, policy=policy)


def _set(office: Msp, **changes: Any) -> None:
    desk = office.agent.desk
    office.agent.desk = replace(desk, settings=replace(desk.settings, **changes))


def _outcome(office: Msp) -> dict[str, Any]:
    invoices = [(row["id"], row["status"], row["amount_paid"]) for row in office.stripe("invoice")]
    return {
        "charges": office.charges(),
        "ledger": office.ledger(),
        "active holds": [(hold.charge, hold.name) for hold in office.holds()],
        "at the gateway": invoices,
        "in the PSA": office.psa_payments(),
        "in the books": office.books("Payment"),
        "asked": [(row["partner"], row["method"], row["path"]) for row in office.requests(writes=True)],
    }


def _count(office: Msp, table: str) -> int:
    with office.agent.store.read() as tx:
        return int(tx.execute(select(func.count()).select_from(schema.metadata.tables[table])).scalar_one())


def test_forgetting_changes_no_outcome(tmp_path: Path) -> None:
    forgetful = _lived(tmp_path / "forgetful", keep=timedelta(0))
    keeping = _lived(tmp_path / "keeping", keep=FOREVER)

    assert forgetful.pop("holds kept") < keeping.pop("holds kept")
    assert forgetful == keeping


def test_it_is_done_once_a_day(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as office:
        seen = [_after(office, hours) for hours in (0, 23, 1)]

    assert seen[0]
    assert seen[1] == seen[0]
    assert seen[2] > seen[0]


def _after(office: Msp, hours: int) -> str:
    """When it was done last."""
    office.at(office.world.now + timedelta(hours=hours))
    office.cycle(1)
    with office.agent.store.read() as tx:
        return cursors.get(tx, retention.NAME)
