from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from connector.flows.late import undelivered
from connector.model.charge import Charge, ChargeState, charge_id
from connector.model.invoice import MethodKind
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.period import Period
from connector.store import Store, charges, ledger, outbox
from tests.unit.nouns import usd

NOW = datetime(2026, 2, 20, 12, 0, tzinfo=UTC)
FEBRUARY = Period(date(2026, 2, 1), date(2026, 3, 1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path}/store.db")
    opened.upgrade()
    yield opened
    opened.close()


def test_what_one_target_shows_already_and_the_other_not_yet_is_told_apart(store: Store) -> None:
    id = charge_id("psa:17", FEBRUARY)
    charge = Charge(
        id=id, unit="psa:17", period=FEBRUARY, number=0, state=ChargeState.RELEASED, currency="USD", computed=usd("100")
    )
    entry = LedgerEntry(
        key="payment:inpay_1",
        kind=EntryKind.PAYMENT,
        charge=id,
        payer="psa:250",
        invoice="in_1",
        payment="pi_1",
        amount=usd("30"),
        fee=None,
        method=MethodKind.CARD,
        detail="",
        at=NOW,
        on=NOW.date(),
    )
    with store.begin() as tx:
        charges.ensure(tx, charge, now=NOW)
        ledger.append(tx, entry, targets=["psa:connectwise", "books:quickbooks"], now=NOW)
    with store.begin() as tx:
        (to_psa,) = outbox.claim(tx, now=NOW, lease_s=60, limit=1, worker="w", target="psa:connectwise")
        outbox.done(tx, to_psa, external_id="1", now=NOW)

    assert undelivered(SimpleNamespace(store=store), charge) == (usd("0"), usd("30"))  # type: ignore[arg-type]
