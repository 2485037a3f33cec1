"""The checker is checked: what must never happen is done to the partners behind the agent's back, and has to be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.sandbox.faults import KINDS
from connector.store.schema import charge as charge_table
from connector.store.schema import delivery as delivery_table
from tests.e2e.msp import Msp, msp
from tests.simulation.broken import Broken
from tests.simulation.partners import US, ours
from tests.simulation.record import Record
from tests.simulation.steps import EFFECT, NO_EFFECT


def collected(m: Msp) -> Record:
    """February was collected and written back; all of that was watched and found right."""
    record = Record()
    m.sign_up()
    record.begin(m)
    for day in ("2026-02-01", "2026-02-02", "2026-02-03"):
        m.to(day)
        record.look(m)
        record.check_round(m, m.cycle(1))
    record.look(m)
    return record


def test_a_right_book_passes(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)
        record.check_quiet(m, writes=[])

        assert [entry.amount.minor for entry in m.ledger()] == [50000]


def test_a_payment_that_was_written_twice_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)
        bill = m.psa_invoices()[0]["id"]
        m.act("office.record_payment", invoice=bill, amount="500.00", member=US)

        with pytest.raises(Broken, match="the PSA has what the ledger has"):
            record.check_quiet(m, writes=[])


def test_money_that_the_ledger_does_not_know_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)
        m.act("stripe.refund", payment_intent=m.ledger()[0].payment, amount=100, intent="cancel_payment")

        with pytest.raises(Broken, match="the ledger is what the gateway collected"):
            record.check_quiet(m, writes=[])


def test_more_than_the_invoice_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)
        record.invoiced = {id: total - 1 for id, total in record.invoiced.items()}

        with pytest.raises(Broken, match="no invoice is collected beyond its total"):
            record.check_round(m, {})


def test_a_release_above_the_balance_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)
        record.unreleased = frozenset(charge.id for charge in m.charges())

        with pytest.raises(Broken, match="released at most what was open"):
            record.check_round(m, {})


def test_money_without_a_charge_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)
        with m.agent.store.begin() as tx:
            tx.execute(charge_table.update().values(gateway_invoice=""))

        assert ours(m)
        with pytest.raises(Broken, match="money has a charge"):
            record.check_round(m, {})


def test_a_second_subscription_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)
        mine, other = sorted(m.stripe("subscription"), key=lambda row: "unit" not in row["metadata"])
        account = m.world.partners["stripe"].account  # type: ignore[attr-defined]
        account.get("subscription", other["id"])["metadata"] = mine["metadata"]

        with pytest.raises(Broken, match="one live subscription"):
            record.check_round(m, {})


def test_a_foreign_object_that_changed_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)
        m.act("quickbooks.rename_customer", old="Walk-in customer", new="Walk-in")

        with pytest.raises(Broken, match="what is not ours stays"):
            record.check_quiet(m, writes=[])


def test_a_secret_in_a_report_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)

        with pytest.raises(Broken, match="no secret is written"):
            record.check_round(m, {"mirror": {"error": "refused with sandbox-private"}})


def test_an_entry_that_is_no_longer_what_it_was_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)
        record.rows["ledger_entry"].add("of a row that is gone")

        with pytest.raises(Broken, match="ledger and audit only grow"):
            record.check_round(m, {})


def test_an_entry_that_was_not_delivered_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)
        with m.agent.store.begin() as tx:
            tx.execute(delivery_table.update().values(state="parked", note=""))

        with pytest.raises(Broken, match="delivered or parked with a reason"):
            record.check_quiet(m, writes=[])


def test_an_entry_without_a_delivery_to_one_of_them_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)
        with m.agent.store.begin() as tx:
            tx.execute(delivery_table.delete().where(delivery_table.c.target.like("books%")))

        with pytest.raises(Broken, match="each entry has one delivery to each"):
            record.check_quiet(m, writes=[])


def test_a_payment_that_was_deleted_in_the_books_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)
        mine = next(row["Id"] for row in m.books("Payment") if "psa-connector:" in str(row))
        company = m.world.partners["quickbooks"].company  # type: ignore[attr-defined]
        company.records["Payment"].pop(mine)

        with pytest.raises(Broken, match="the books have what the ledger has"):
            record.check_quiet(m, writes=[])


def test_a_write_when_nothing_changed_is_found(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        record = collected(m)

        with pytest.raises(Broken, match="when nothing changes nothing is written"):
            record.check_quiet(m, writes=m.requests(writes=True)[-1:])


def test_every_fault_that_the_sandbox_knows_is_drawn() -> None:
    assert {*NO_EFFECT, *EFFECT} == KINDS.keys() - {"refused"}  # a record that cannot be handled is no weather
