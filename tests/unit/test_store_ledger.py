"""The ledger is append-only, and writes its deliveries with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from connector.model.ledger import EntryKind
from connector.model.money import Money
from connector.store import Store, audit, ledger, outbox
from tests.unit.store_databases import NOW, Databases, charge, entry, later, processes, with_charge

pytest_plugins = ("tests.unit.store_fixtures",)

TARGETS = ("psa:connectwise", "books:quickbooks")


def test_an_entry_comes_with_one_delivery_for_each_target(store: Store) -> None:
    paid = entry("payment:ip_1", of=with_charge(store))
    with store.begin() as tx:
        assert ledger.append(tx, paid, targets=TARGETS, now=NOW)

    with store.read() as tx:
        assert ledger.get(tx, "payment:ip_1") == paid
        assert [d.target for d in outbox.of_entry(tx, "payment:ip_1")] == list(TARGETS)


def test_the_same_entry_again_changes_nothing(store: Store) -> None:
    paid = entry("payment:ip_1", of=with_charge(store))
    with store.begin() as tx:
        ledger.append(tx, paid, targets=TARGETS[:1], now=NOW)
        assert not ledger.append(tx, replace(paid, amount=Money(1, "USD")), targets=TARGETS, now=later(1))

    with store.read() as tx:
        assert ledger.entries(tx) == [paid]
        assert len(outbox.undelivered(tx)) == 1


def test_an_entry_and_its_deliveries_are_there_together_or_not_at_all(store: Store) -> None:
    paid = entry("payment:ip_1", of=with_charge(store))
    with pytest.raises(ZeroDivisionError), store.begin() as tx:  # noqa: PT012 - the failure comes after the write
        ledger.append(tx, paid, targets=TARGETS, now=NOW)
        raise ZeroDivisionError

    with store.read() as tx:
        assert ledger.entries(tx) == []
        assert outbox.undelivered(tx) == []


def test_processes_that_see_the_same_payment_write_it_once(store: Store, address: str) -> None:
    with_charge(store)

    outputs = processes(4, _APPEND, address)

    assert sorted(outputs) == ["False\n", "False\n", "False\n", "True\n"]
    with store.read() as tx:
        assert len(outbox.undelivered(tx)) == 1


_APPEND = """
    import sys
    from connector.store import Store, ledger
    from tests.unit.store_databases import NOW, charge, entry
    with Store(sys.argv[1]).begin() as tx:
        print(ledger.append(tx, entry("payment:ip_1", of=charge()), targets=["psa:cw"], now=NOW))
"""


def test_a_fee_that_becomes_known_later_is_shown_with_the_entry_and_then_stands(store: Store) -> None:
    paid = entry("payment:ip_1", of=with_charge(store))
    with store.begin() as tx:
        ledger.append(tx, paid, targets=(), now=NOW)
        assert ledger.fee(tx, "payment:ip_1") is None
        assert ledger.add_fee(tx, "payment:ip_1", Money(3_93, "USD"))
        assert not ledger.add_fee(tx, "payment:ip_1", Money(4_00, "USD"))

    with store.read() as tx:
        assert ledger.fee(tx, "payment:ip_1") == Money(3_93, "USD")
        assert ledger.entries(tx) == [replace(paid, fee=Money(3_93, "USD"))]


def test_a_fee_known_at_once_is_kept(store: Store) -> None:
    paid = entry("payment:ip_1", of=with_charge(store), fee=Money(3_93, "USD"))
    with store.begin() as tx:
        ledger.append(tx, paid, targets=(), now=NOW)

        assert ledger.get(tx, paid.key) == paid


def test_entries_are_listed_in_the_order_written_by_charge_day_and_payment(store: Store) -> None:
    one, two = with_charge(store), with_charge(store, "cw:2")
    with store.begin() as tx:
        ledger.append(tx, entry("payment:z", of=one), targets=(), now=NOW)
        ledger.append(tx, replace(entry("reversal:a", of=one, kind=EntryKind.REVERSAL), on=date(2026, 3, 9)), targets=(), now=NOW)
        ledger.append(tx, replace(entry("payment:b", of=two), payment="pi_2"), targets=(), now=NOW)

        assert [e.key for e in ledger.entries(tx)] == ["payment:z", "reversal:a", "payment:b"]
        assert [e.key for e in ledger.entries(tx, charge=two.id)] == ["payment:b"]
        assert [e.key for e in ledger.entries(tx, since=date(2026, 3, 9))] == ["reversal:a"]
        assert [e.key for e in ledger.of_payment(tx, "pi_1")] == ["payment:z", "reversal:a"]


def test_an_entry_needs_its_charge(store: Store) -> None:
    with pytest.raises(IntegrityError), store.begin() as tx:
        ledger.append(tx, entry("payment:ip_1", of=charge("cw:9")), targets=(), now=NOW)


def test_a_negative_amount_is_refused(store: Store) -> None:
    wrong = replace(entry("payment:ip_1", of=with_charge(store)), amount=Money(-1, "USD"))
    with pytest.raises(ValueError, match="positive"), store.begin() as tx:
        ledger.append(tx, wrong, targets=(), now=NOW)


@pytest.mark.parametrize("table", ["ledger_entry", "ledger_fee", "audit"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = 'x'", "DELETE FROM {}"])
def test_what_was_appended_can_be_neither_changed_nor_deleted(store: Store, table: str, statement: str) -> None:
    paid = entry("payment:ip_1", of=with_charge(store), fee=Money(3_93, "USD"))
    with store.begin() as tx:
        ledger.append(tx, paid, targets=(), now=NOW)
        audit.write(tx, who="anna", what="paused", now=NOW)
    column = {"ledger_entry": "detail", "ledger_fee": "currency", "audit": "who"}[table]

    with pytest.raises(DBAPIError, match=f"{table} is append-only"), store.begin() as tx:
        tx.execute(text(statement.format(table, column)))

    with store.read() as tx:
        assert ledger.entries(tx) == [paid]
        assert [row.who for row in audit.every(tx)] == ["anna"]


def test_the_other_ways_to_lose_an_entry_are_closed_too(databases: Databases, store: Store) -> None:
    paid = entry("payment:ip_1", of=with_charge(store))
    with store.begin() as tx:
        ledger.append(tx, paid, targets=(), now=NOW)
    columns = 'id, key, kind, charge, payer, invoice, payment, amount_minor, currency, method, detail, at, "on", written_at'
    replaced = f"REPLACE INTO ledger_entry ({columns}) SELECT {columns} FROM ledger_entry"  # noqa: S608
    statement = replaced if databases.kind == "sqlite" else "TRUNCATE ledger_entry CASCADE"

    with pytest.raises(DBAPIError, match="append-only"), store.begin() as tx:
        tx.execute(text(statement))


def test_the_audit_tells_who_did_what_and_why_the_newest_first(store: Store) -> None:
    with store.begin() as tx:
        audit.write(tx, who="anna", what="paused charging", why="month end", before={"paused": False}, after=True, now=NOW)
        audit.write(tx, who="agent", what="cancelled", now=later(1))

        newest, oldest = audit.every(tx)
        assert (oldest.who, oldest.why, oldest.before, oldest.after, oldest.at) == (
            "anna",
            "month end",
            {"paused": False},
            True,
            NOW,
        )
        assert (newest.before, newest.after) == (None, None)
        assert audit.every(tx, limit=1) == [newest]
