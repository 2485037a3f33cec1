"""The databases that the store is tested on, and what the tests put into them. The fixtures are in `store_fixtures`."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import textwrap
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from connector.model.charge import Charge, ChargeState, charge_id
from connector.model.invoice import MethodKind
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.money import Money
from connector.model.period import Period
from connector.store import Store, charges

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
MARCH = Period(date(2026, 3, 1), date(2026, 4, 1))
_numbers = itertools.count(1)


class Databases:
    """Makes fresh ones. `kind` is sqlite or postgresql."""

    def __init__(self, kind: str, folder: Path, server: str) -> None:
        self.kind = kind
        self._folder = folder
        self._server = server
        self._template = ""

    def empty(self) -> str:
        """The address of a database that has no tables yet."""
        name = f"store_{next(_numbers)}"
        if self.kind == "sqlite":
            return f"sqlite:///{self._folder / name}.db"
        self._create(name)
        return self._address(name)

    def ready(self) -> str:
        """The address of a database that was upgraded: a copy of one that was, which is faster."""
        name = f"store_{next(_numbers)}"
        if self.kind == "sqlite":
            return f"sqlite:///{shutil.copy(self._folder / 'template.db', self._folder / f'{name}.db')}"
        self._create(name, template=self._template)
        return self._address(name)

    def make_template(self) -> None:
        address = f"sqlite:///{self._folder / 'template.db'}"
        if self.kind == "postgresql":
            # A name of its own: the runner may set this fixture up more than once on one server.
            self._template = f"template_store_{next(_numbers)}"
            self._create(self._template)
            address = self._address(self._template)
        made = Store(address)
        made.upgrade()
        made.close()

    def _create(self, name: str, template: str = "template0") -> None:
        engine = create_engine(make_url(self._server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        engine.dispose()

    def _address(self, name: str) -> str:
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def charge(unit: str = "cw:1", *, number: int = 0, state: ChargeState = ChargeState.WAITING) -> Charge:
    return Charge(
        id=charge_id(unit, MARCH, number),
        unit=unit,
        period=MARCH,
        number=number,
        state=state,
        currency="USD",
        computed=Money(125_00, "USD"),
    )


def entry(key: str, *, of: Charge, kind: EntryKind = EntryKind.PAYMENT, fee: Money | None = None) -> LedgerEntry:
    return LedgerEntry(
        key=key,
        kind=kind,
        charge=of.id,
        payer="cw:7",
        invoice="in_1",
        payment="pi_1",
        amount=Money(125_00, "USD"),
        fee=fee,
        method=MethodKind.CARD,
        detail="4242",
        at=NOW,
        on=date(2026, 3, 1),
    )


def with_charge(store: Store, unit: str = "cw:1") -> Charge:
    with store.begin() as tx:
        return charges.ensure(tx, charge(unit), now=NOW)[0]


def processes(count: int, body: str, *arguments: str) -> list[str]:
    """Run this program in several processes at once; what each printed. A failed one fails the test with its errors."""
    command = [sys.executable, "-c", textwrap.dedent(body), *arguments]
    pipe = subprocess.PIPE
    running = [subprocess.Popen([*command, str(n)], stdout=pipe, stderr=pipe, text=True) for n in range(count)]
    ended = [(process, *process.communicate(timeout=120)) for process in running]
    for process, _, errors in ended:
        assert process.returncode == 0, errors
    return [output for _, output, _ in ended]
