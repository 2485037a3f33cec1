"""A store that was restored from a backup, or lost: found out before anything is written, and brought up to date."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import delete
from typer.testing import CliRunner

from connector import lease
from connector.agent import FLOWS, sync_once
from connector.cli import app
from connector.flows import recover, switch
from connector.store.schema import link
from tests.conftest import _quiet
from tests.e2e.msp import Msp, msp


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Msp]:
    """Two customers since January."""
    with msp(tmp_path, agreements=0) as running:
        running.to("2026-01-15")
        running.sign_up("Contoso Dental")
        running.sign_up("Fabrikam Law", method="us_bank_account")
        yield running


def _backup(life: Msp) -> Path:
    life.agent.store.close()
    return Path(shutil.copy(life.folder / "connector.db", life.folder / "backup.db"))


def _restore(life: Msp, backup: Path | None) -> None:
    life.stack.close()
    for name in ("connector.db", "connector.db-wal", "connector.db-shm"):
        (life.folder / name).unlink(missing_ok=True)
    if backup is not None:
        shutil.copy(backup, life.folder / "connector.db")
    (life.folder / "secrets" / "quickbooks_refresh").write_text(life.act("quickbooks.reconnect"))  # tokens rotate
    life.restart()


def _month(life: Msp, month: str) -> None:
    """Bills, charges, payments, and what they look like in PSA and books."""
    life.to(f"{month}-02")
    life.cycle()
    life.through(f"{month}-12", every_days=3)


def _partners(life: Msp) -> dict[str, Any]:
    """Everything that moves money or records it."""
    stripe = {kind: life.stripe(kind) for kind in ("customer", "subscription", "invoice", "payment_intent", "invoiceitem")}
    books = {kind: life.books(kind) for kind in ("Payment", "JournalEntry", "Deposit")}
    return {**stripe, **books, "psa": life.psa_payments()}


def _recover(life: Msp) -> recover.Survey:
    found = recover.survey(life.agent.desk)
    recover.recover(life.agent.desk, found, who="Dana", why="the disk died")
    life.agent.high_water.recovered()
    return found


def _errors(life: Msp) -> list[str]:
    return [str(part["error"]) for part in sync_once(life.agent).values() if isinstance(part, dict) and part.get("error")]


@pytest.mark.parametrize("lost", ["restored", "empty"])
def test_nothing_is_written_while_the_store_is_behind(life: Msp, lost: str) -> None:
    _month(life, "2026-02")
    backup = _backup(life)
    _month(life, "2026-03")
    before = _partners(life)

    _restore(life, backup if lost == "restored" else None)
    errors = _errors(life)

    assert len(errors) == len(FLOWS)
    assert all("connector recover" in said for said in errors)
    assert _partners(life) == before


@pytest.mark.parametrize("lost", ["restored", "empty"])
def test_a_recovered_store_writes_nothing_a_second_time(life: Msp, lost: str) -> None:
    _month(life, "2026-02")
    backup = _backup(life)
    _month(life, "2026-03")
    before, ledger = _partners(life), life.ledger()

    _restore(life, backup if lost == "restored" else None)
    found = _recover(life)
    life.cycle(3)

    assert _partners(life) == before
    assert {entry.key for entry in life.ledger()} == {entry.key for entry in ledger}
    assert life.undelivered() == []
    assert found.unclear == ()
    assert len(found.payments) == (2 if lost == "restored" else 4)


def test_after_it_was_resumed_the_next_month_is_charged_once(life: Msp) -> None:
    _month(life, "2026-02")
    _restore(life, None)
    _recover(life)
    life.cycle()
    switch.resume(life.agent.desk, who="Dana", why="looked")

    _month(life, "2026-03")

    assert len([i for i in life.stripe("invoice") if i["status"] == "paid" and i["total"]]) == 4
    assert len(life.psa_payments()) == 4
    assert len(life.books("Payment")) == 4
    assert life.reconcile().ties


def test_a_link_that_was_lost_is_found_again_and_nothing_is_made_twice(life: Msp) -> None:
    _month(life, "2026-02")
    before = _partners(life)
    for kind in ("customer", "subscription", "psa_payment", "books_payment"):
        _lose(life, kind)
        life.cycle(1)

        assert _partners(life) == before, kind

    _lose(life, "customer", "subscription", "psa_payment", "books_payment")
    _month(life, "2026-03")

    assert len(life.psa_payments()) == len(life.books("Payment")) == 4
    assert len(life.stripe("customer")) == len(life.stripe("subscription")) == 2
    assert life.reconcile().ties


def _lose(life: Msp, *kinds: str) -> None:
    with life.agent.store.begin() as tx:
        assert tx.execute(delete(link).where(link.c.kind.in_(kinds))).rowcount


def test_a_payment_whose_link_was_lost_is_still_taken_back(life: Msp) -> None:
    _month(life, "2026-02")
    _lose(life, "books_payment")
    [debit] = [entry.payment for entry in life.ledger() if entry.method == "bank_debit"]

    life.act("stripe.ach_return", payment_intent=debit)
    life.to("2026-02-20")
    life.cycle()

    assert life.undelivered() == []
    assert [entry.kind for entry in life.ledger() if entry.payment == debit] == ["payment", "reversal"]


def test_the_command_shows_first_and_then_recovers_beside_the_agent_that_waits_for_it(life: Msp) -> None:
    _month(life, "2026-02")
    _restore(life, None)
    assert len(_errors(life)) == len(FLOWS)
    with lease.held(life.agent.store, threading.Event(), who="run"):
        shown = _command(life, "recover")
        assert len(_errors(life)) == len(FLOWS)
        done = _command(life, "recover", "--yes", "--as", "Dana", "--why", "the disk died")

    assert shown.exit_code == done.exit_code == 0
    assert "2 customers, 2 subscriptions" in shown.stdout
    assert "2 payments that the payment journal lacks, 1,000.00 USD; 2 of them are in the books" in shown.stdout
    assert "Charging is paused" in done.stdout
    assert _errors(life) == []
    assert len(life.books("Payment")) == len(life.ledger()) == 2


def _command(life: Msp, *arguments: str) -> Result:
    """What it logs goes to a stream that is closed afterwards."""
    result = CliRunner().invoke(app, [*arguments, "--config", str(life.folder / "connector.yaml")])
    _quiet()
    return result
