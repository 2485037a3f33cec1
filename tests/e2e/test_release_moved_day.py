"""An agreement whose bill day is moved while its drafts wait."""

from __future__ import annotations

from pathlib import Path

from connector.model.charge import ChargeState
from tests.e2e.msp import msp


def test_a_bill_day_that_moves_by_days_keeps_nobodys_charge_back(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=8) as one:
        one.cycle(2)
        one.enrol()
        one.cycle(2)
        one.to("2026-02-02")
        one.cycle(2)
        waiting = {charge.id for charge in one.charges(ChargeState.WAITING)}
        one.act("office.set_field", record="agreements", id=102, field="billStartDate", value="2025-01-03T00:00:00Z")
        one.cycle(2)
        one.to("2026-02-17")
        one.cycle(2)
        one.to("2026-02-18")
        one.cycle(2)

        others = [charge for charge in one.charges() if charge.id in waiting and "102" not in charge.unit]
        moved = [charge for charge in one.charges() if charge.unit.endswith(":102")]

    assert any(charge.state is ChargeState.PAID for charge in others)
    assert len({charge.gateway_invoice for charge in moved if charge.gateway_invoice}) == len(moved)
