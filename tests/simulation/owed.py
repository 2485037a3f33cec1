"""Whether every bill that is due is collected, or the agent says why not: what a billing admin would ask of each open one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from connector.model.charge import Charge, ChargeState
from connector.store import other_invoices, payers, units
from tests.e2e.msp import Msp, cents
from tests.simulation import autotask_people, connectwise_people, steps
from tests.simulation.broken import need
from tests.simulation.life import Life, Step, live

LATE = timedelta(days=8)  # a debit takes four days, a retry three
BEGAN = date(2026, 2, 1)  # what was billed before the first period of autopay is nobody's business here
DECIDED = (ChargeState.WRITTEN_OFF, ChargeState.ENDED)


@dataclass(frozen=True, kw_only=True)
class Bill:
    id: str
    number: str
    payer: str
    dated: date
    due: date
    open: int  # cents

    def __str__(self) -> str:
        return f"{self.number} of {self.payer}, due {self.due}, open {self.open}"


def live_quietly(folder: Path, seed: int, *, steps: int) -> Life:
    """Only contracts, bills and the payers' own payments change; nobody has to approve a billing run."""
    return live(folder, seed, steps=steps, table=table, then=check, charging={"approve": "never"})


def table(kind: str) -> list[tuple[int, Step]]:
    people = connectwise_people.TABLE if kind == "connectwise" else autotask_people.TABLE
    return [*people, (14, steps.time_passes), (1, steps.weeks_pass_without_the_agent), (3, steps.payers_open_their_links)]


def check(life: Life) -> None:
    m = life.msp
    with m.agent.store.read() as tx:
        others = {other.psa_invoice for other in other_invoices.every(tx)}  # listed by `connector forecast`
    told = " ".join(f"{drift.message} {drift.name}" for drift in m.reconcile().drifts)
    every = list(bills(m))
    for bill in every:
        late = bill.open > 0 and bill.dated >= BEGAN and bill.due + LATE < m.agent.desk.today()
        credited = -sum(other.open for other in every if other.payer == bill.payer and other.open < 0)
        if late and bill.open > credited and bill.id not in others and _is_collected(m, bill) and bill.number not in told:
            need(_says_why(m, bill), "what is due is collected, or something says why not", str(bill))


def bills(m: Msp) -> Iterator[Bill]:
    """Of agreements; what stands."""
    for row in m.psa_invoices():
        if m.kind == "connectwise":
            if row["type"] == "Agreement":
                yield _bill(row, m.kind, row["company"]["id"], row["date"], cents(row["balance"]))
        elif not row["isVoided"]:
            yield _bill(row, m.kind, row["companyID"], row["fromDate"], 0 if row["paidDate"] else cents(row["invoiceTotal"]))


def _bill(row: dict[str, object], kind: str, company: object, dated: object, open_: int) -> Bill:
    return Bill(
        id=str(row["id"]),
        number=str(row["invoiceNumber"]),
        payer=f"{kind}:{company}",
        dated=date.fromisoformat(str(dated)[:10]),
        due=date.fromisoformat(str(row["dueDate"])[:10]),
        open=open_,
    )


def _is_collected(m: Msp, bill: Bill) -> bool:
    """The payer agreed to it before that bill, and has a method; the forecast and the status tell of all others."""
    with m.agent.store.read() as tx:
        enrolled = any(row.key == bill.payer and row.method for row in payers.every(tx))
        active = [row for row in units.every(tx) if row.payer == bill.payer and row.state == "active"]
    return enrolled and any(str(bill.dated) >= row.detail.get("collect_since", "9999") for row in active)


def _says_why(m: Msp, bill: Bill) -> bool:
    with m.agent.store.read() as tx:
        of_payer = {row.key for row in units.every(tx) if row.payer == bill.payer}
    mine = [charge for charge in m.charges() if charge.psa_invoice == bill.id]
    unbound = [charge for charge in m.charges() if charge.unit in of_payer and not charge.psa_invoice]
    return any(_speaks(m, charge) for charge in [*mine, *unbound])


def _speaks(m: Msp, charge: Charge) -> bool:
    """It is held with a reason, the gateway is still at it, a person decided, or its payment is on its way into the PSA."""
    held = any(hold.charge == charge.id and hold.message and hold.way_on for hold in m.holds())
    coming = {delivery.entry for delivery in m.undelivered()}
    on_its_way = any(entry.charge == charge.id and entry.key in coming for entry in m.ledger())
    return held or on_its_way or charge.state in (*DECIDED, ChargeState.RELEASED)
