"""One MSP in a test: a simulated world, and the real agent (its configuration, its store, its flows, its adapters) on it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from cryptography.fernet import Fernet

from adapters.sandbox.faults import Fault
from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox
from adapters.sandbox.transport import InProcess
from adapters.sandbox.world import World
from connector.agent import FLOWS, Agent, opened, sync_once
from connector.config.load import load_config
from connector.flows import mirror, reconcile
from connector.flows.reconcile import Reconciliation
from connector.model.charge import Charge, ChargeState, Hold
from connector.model.ledger import LedgerEntry
from connector.store import charges, holds, ledger, outbox, payers
from connector.store.outbox import Delivery
from connector.testing.doubles import WorldClock

SECRETS = {
    "autotask": "sandbox-secret",
    "autotask_code": "SANDBOXCODE",
    "connectwise_public": "sandbox-public",
    "connectwise_private": "sandbox-private",
    "stripe": "sk_test_sandbox",
    "quickbooks_client": "sandbox-secret",
    "quickbooks_refresh": "sandbox-refresh-1",
}


def settings(folder: Path, sandbox: str, *, kind: str = "connectwise", **changes: Any) -> dict[str, Any]:
    """A configuration against the sandbox, with the PSA of this kind; `changes` replace top-level parts, dictionaries are
    merged one level deep."""

    def secret(name: str) -> dict[str, str]:
        return {"file": str(folder / "secrets" / name)}

    content: dict[str, Any] = {
        "instance": "test-msp",
        "company": {"name": "Test MSP", "time_zone": "America/New_York", "currency": "USD"},
        "database": f"sqlite:///{folder}/connector.db",
        "secrets": {"key": secret("key")},
        "collect_from": "2026-01-10",
        "psa": {
            "adapter": "connectwise",
            "mapping": "shipped:connectwise",
            "settings": {
                "base_url": f"{sandbox}/connectwise",
                "company_id": "sandbox",
                "public_key": secret("connectwise_public"),
                "private_key": secret("connectwise_private"),
                "client_id": "11111111-2222-3333-4444-555555555555",
            },
        },
        "gateway": {
            "adapter": "stripe",
            "settings": {"base_url": f"{sandbox}/stripe", "secret_key": secret("stripe"), "return_url": "https://msp.example/"},
        },
        "books": {
            "adapter": "quickbooks",
            "mapping": "shipped:quickbooks",
            "settings": {
                "base_url": f"{sandbox}/quickbooks",
                "discovery_url": f"{sandbox}/quickbooks/.well-known/openid_configuration",
                "realm_id": "9130350000000001",
                "client_id": "sandbox-client",
                "client_secret": secret("quickbooks_client"),
                "refresh_token": secret("quickbooks_refresh"),
            },
        },
        "charging": {"approve": "never"},  # where it is about approval, a test says so
        "write_back": {"psa_payments": "connector"},
        "sandbox": {"url": sandbox},
    }
    if kind == "autotask":
        content["psa"] = {
            "adapter": "autotask",
            "mapping": "shipped:autotask",
            "settings": {
                "base_url": f"{sandbox}/autotask",
                "user_name": "api@sandbox.example",
                "secret": secret("autotask"),
                "integration_code": secret("autotask_code"),
            },
        }
    for name, value in changes.items():
        content[name] = {**content[name], **value} if isinstance(value, dict) and isinstance(content.get(name), dict) else value
    return content


def write_config(folder: Path, sandbox: str, *, kind: str = "connectwise", **changes: Any) -> Path:
    (folder / "secrets").mkdir(exist_ok=True)
    for name, value in {**SECRETS, "key": Fernet.generate_key().decode()}.items():
        path = folder / "secrets" / name
        if not path.exists():
            path.write_text(value)
            path.chmod(0o600)
    path = folder / "connector.yaml"
    path.write_text(yaml.safe_dump(settings(folder, sandbox, kind=kind, **changes)))
    return path


@dataclass
class Msp:
    world: World
    agent: Agent
    folder: Path
    url: str
    stack: ExitStack = field(default_factory=ExitStack)
    kind: str = "connectwise"  # of the PSA

    # What people do

    def sign_up(self, name: str = "Contoso Dental", *, method: str = "card", behaviour: str = "ok", **agreement: Any) -> int:
        """One more customer with one plain agreement (500.00 a month from February on, due on receipt, untaxed), who
        authorises a method at once. The agreement's id."""
        plain = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": "500.00", "tax_code": "Exempt"}
        email = f"ap@{''.join(filter(str.isalnum, name.lower()))}.example"
        company = self.act("office.add_company", name=name, email=email, Autopay="Yes")
        id = self.act("office.add_agreement", company=company, name="Managed Services", **{**plain, **agreement})
        self.run("mirror", "enrol")
        self.enrol(only=name, method=method, behaviour=behaviour)
        self.run("collect", "mirror")
        return int(id)

    def sign_up_in_autotask(
        self, name: str = "Contoso Dental", *, price: str = "500.00", method: str = "card", behaviour: str = "ok", **contract: Any
    ) -> int:
        """The same in Autotask: one service of 500.00 a month on a contract of a year. The contract's id."""
        email = f"ap@{''.join(filter(str.isalnum, name.lower()))}.example"
        company = self.act("office.add_company", name=name, email=email, terms="Due on receipt", udfs={"Autopay": "Yes"})
        id = self.act("office.add_contract", company=company, **{"name": "Managed Services", "starts": "2026-02-01", **contract})
        service = self.act("office.add_service", name=f"Desk {id}", price=price, taxed=False)
        self.act("office.sell", contract=id, product=service)
        self.cycle()
        self.enrol(only=name, method=method, behaviour=behaviour)
        self.cycle()
        return int(id)

    def fault(self, kind: str, partner: str, **where: Any) -> None:
        self.world.faults.add(Fault(kind=kind, partner=partner, **where))

    def act(self, action: str, **arguments: Any) -> Any:
        partner, _, name = action.partition(".")
        with self.world.lock:
            return self.world.partners[partner].actions[name](**arguments)  # type: ignore[attr-defined]

    def enrol(self, *, only: str | None = None, method: str = "card", behaviour: str = "ok") -> list[str]:
        """Every payer with a link opens it (or only those whose name begins so). Names."""
        with self.agent.store.read() as tx:
            waiting = [row for row in payers.every(tx) if row.link and not row.method]
        done = []
        for row in sorted(waiting, key=lambda r: r.name):
            session = re.search(r"cs_test_\w+", row.link)
            if session and (only is None or row.name.startswith(only)):
                self.act("stripe.complete_checkout", session=session.group(), method=method, behaviour=behaviour)
                done.append(row.name)
        return done

    # What time and the agent do

    def to(self, day: str, hour: int = 18) -> None:
        self.at(datetime.combine(date.fromisoformat(day), time(hour), UTC))

    def at(self, moment: datetime) -> None:
        self.world.advance(moment)

    def cycle(self, times: int = 2) -> dict[str, Any]:
        report: dict[str, Any] = {}
        for _ in range(times):
            report = sync_once(self.agent)
            errors = {name: part for name, part in report.items() if isinstance(part, dict) and part.get("error")}
            assert not errors, errors
        return report

    def through(self, day: str, *, every_days: int = 3) -> None:
        """Live until then, the agent going round every few days, and on the first and the last one."""
        end = datetime.combine(date.fromisoformat(day), time(18), UTC)
        self.at(min(end, self.world.now + timedelta(days=1)))
        self.cycle(1)
        while self.world.now < end:
            self.at(min(end, self.world.now + timedelta(days=every_days)))
            self.cycle(1)

    def run(self, *flows: str) -> Any:
        """These flows alone, once; what the last one reports."""
        return [FLOWS[name](self.agent) for name in flows][-1]

    def restart(self, **changes: Any) -> None:
        """The agent ends and starts again on the same store, perhaps with another configuration."""
        self.stack.close()
        config = write_config(self.folder, self.url, kind=self.kind, **changes)
        self.agent = self.stack.enter_context(started(config, self.world))

    def plan(self) -> mirror.Mirror:
        return mirror.plan(self.agent.desk)

    def reconcile(self) -> Reconciliation:
        return reconcile.reconcile(self.agent.desk)

    # What is so afterwards

    def charges(self, *states: ChargeState) -> list[Charge]:
        with self.agent.store.read() as tx:
            return charges.every(tx, states or None)

    def charge(self, id: str) -> Charge:
        return next(charge for charge in self.charges() if charge.id == id)

    def holds(self) -> list[Hold]:
        with self.agent.store.read() as tx:
            return holds.active(tx)

    def ledger(self) -> list[LedgerEntry]:
        with self.agent.store.read() as tx:
            return ledger.entries(tx)

    def undelivered(self) -> list[Delivery]:
        with self.agent.store.read() as tx:
            return outbox.undelivered(tx)

    def requests(self, *, partner: str | None = None, writes: bool = False) -> list[dict[str, Any]]:
        """The sandbox's own record; a query or a token is no write."""
        reads = ("GET", "HEAD")
        return [
            row
            for row in self.world.requests
            if partner in (None, row["partner"])
            and not (writes and (row["method"] in reads or "/query" in row["path"] or "/tokens/" in row["path"]))
        ]

    # The partners' own state

    def psa_invoices(self) -> list[dict[str, Any]]:
        if self.kind == "autotask":
            return _rows(self.world.partners["autotask"].state()["Invoices"])
        return _rows(self.world.partners["connectwise"].state()["invoices"])

    def psa_payments(self) -> list[dict[str, Any]]:
        return _rows(self.world.partners["connectwise"].state()["payments"])

    def stripe(self, kind: str) -> list[dict[str, Any]]:
        return _rows(self.world.partners["stripe"].state().get(kind, []))

    def books(self, kind: str) -> list[dict[str, Any]]:
        return _rows(self.world.partners["quickbooks"].state()[kind])


def _rows(table: Any) -> list[dict[str, Any]]:
    return list(table.values()) if isinstance(table, dict) else list(table)


@contextmanager
def msp(
    folder: Path,
    *,
    agreements: int = 12,
    lines: int = 4,
    seed: int = 1,
    psa: str | dict[str, Any] = "connectwise",
    **changes: Any,
) -> Iterator[Msp]:
    """`psa`: which one, or changes to the configuration of ConnectWise."""
    kind, given = (psa, {}) if isinstance(psa, str) else ("connectwise", {"psa": psa})
    world = build_world(seed=seed, agreements=agreements, lines=lines, psa=kind)
    with Sandbox(world) as sandbox, ExitStack() as stack:
        config = write_config(folder, sandbox.url, kind=kind, **given, **changes)
        agent = stack.enter_context(started(config, world))
        yield Msp(world=world, agent=agent, folder=folder, url=sandbox.url, stack=stack, kind=kind)


def started(config: Path, world: World) -> AbstractContextManager[Agent]:
    """Without a network, which makes a third of a round: OVER=http sends the same requests through real connections, as the
    demo and the tests of processes, replicas, faults on the wire and kills do."""
    over_http = os.environ.get("OVER") == "http"
    return opened(load_config(config), clock=WorldClock(world), transport=None if over_http else InProcess(world))


def cents(value: Any) -> int:
    return int((Decimal(str(value)) * 100).to_integral_value())
