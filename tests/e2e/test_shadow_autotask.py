"""Shadow mode on Autotask: its queries are POSTs that read, and it knows of payments by their day alone."""

from __future__ import annotations

from pathlib import Path

from connector.model.shadow import Outcome, outcome
from tests.e2e.msp import msp
from tests.e2e.test_shadow_mode import rows, writes


def test_a_period_on_autotask_writes_nothing_and_sees_who_paid(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=4, psa="autotask", mode="shadow") as m:
        for day in ("2026-01-20", "2026-02-02", "2026-02-20"):
            m.to(day)
            m.cycle(1)
        paid = next(row for row in rows(m) if row.psa_invoice)
        m.act("office.set_paid", invoice=int(paid.psa_invoice))
        m.to("2026-02-21")
        m.cycle(1)
        seen = {row.id: row for row in rows(m)}

        assert outcome(seen[paid.id], m.agent.desk.today()) is Outcome.MATCHES
        assert ("autotask", seen[paid.id].amount) in [(p.where, p.amount) for p in seen[paid.id].payments]
        assert writes(m) == []
