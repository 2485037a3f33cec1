"""Two agreements that were charged apart and are bundled into one bill: one charge goes on, the old unit holds nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connector.store import units
from tests.e2e.charging import bills, debits, hold_names
from tests.e2e.msp import Msp, msp


def two_agreements(m: Msp) -> tuple[int, int]:
    """Of one company, each charged for February by itself."""
    parent = m.sign_up()
    child = int(
        m.act(
            "office.add_agreement",
            company="Contoso Dental",
            name="Backup",
            starts="2026-02-01",
            terms="Due on receipt",
            amount="100.00",
            tax_code="Exempt",
        )
    )
    m.cycle()
    m.to("2026-02-02")
    m.cycle()
    return parent, child


def bundle(m: Msp, parent: int, child: int) -> None:
    value: Any = {"id": parent, "name": "Managed Services"}
    m.act("office.set_field", record="agreements", id=child, field="parentAgreement", value=value)


def test_after_two_agreements_were_bundled_their_one_bill_is_one_debit(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        parent, child = two_agreements(m)
        assert sorted(debits(m).values()) == [[10000], [50000]]
        bundle(m, parent, child)
        m.cycle()
        m.to("2026-03-03")
        m.cycle()

        assert [bill["total"] for bill in bills(m, parent, since="2026-03-01")] == [600]
        assert hold_names(m) == []
        assert debits(m)[f"connectwise:{parent}/2026-03-01"] == [60000]
        with m.agent.store.read() as tx:
            assert units.by_member(tx)[str(child)] == f"connectwise:{parent}"
