"""What an outsider writes down while life goes on, and holds against the agent: read at the partners and in the store."""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any

import structlog
from sqlalchemy import select

from connector.model.charge import Charge, ChargeState
from connector.store import outbox
from connector.store.outbox import DeliveryState
from connector.store.schema import APPEND_ONLY, metadata
from tests.e2e.msp import SECRETS, Msp
from tests.simulation.broken import need
from tests.simulation.partners import books_net, collected, ledger_net, ours, psa_invoices, psa_net, psa_others, still_paid

ENDED = ("canceled", "incomplete_expired")
SECRET = re.compile("|".join([*(re.escape(v) for v in SECRETS.values() if "sandbox-" in v or "_test_" in v), "SANDBOXCODE"]))
LATE = timedelta(days=6)


@dataclass(kw_only=True)
class Record:
    invoiced: dict[str, int] = field(default_factory=dict)  # PSA invoice -> the highest total it ever had, also once gone
    stands: dict[str, int] = field(default_factory=dict)  # PSA invoice -> its total, of those there are
    period: Counter[str] = field(default_factory=Counter)  # unit and start -> the most that its invoices came to at one time
    open: dict[str, int] = field(default_factory=dict)  # PSA invoice -> its balance as this round began
    unreleased: frozenset[str] = frozenset()  # charges that were not released when the last finished check was made
    highest: dict[str, int] = field(default_factory=dict)  # PSA invoice -> highest balance since then
    bound: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # charge -> PSA invoices it ever had
    asked: set[str] = field(default_factory=set)  # gateway invoices that the agent asked to be finalized; not the gateway alone
    heard: int = 0  # so many requests were looked through
    rows: dict[str, set[str]] = field(default_factory=dict)  # append-only table -> a digest of each row
    foreign: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    loose: set[str] = field(default_factory=set)  # what makes an exact comparison pointless, e.g. a payment a person deleted

    # Listening

    @contextmanager
    def listening(self) -> Iterator[None]:
        """To everything that the agent logs."""
        handler, was = _Listener(self.said), structlog.get_config()
        logging.getLogger().addHandler(handler)
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            processors=[self._hear],
            cache_logger_on_first_use=False,
        )
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)
            structlog.configure(**was)

    def _hear(self, _logger: Any, _name: str, event: MutableMapping[str, Any]) -> str:
        self.said.append(repr(sorted((key, str(value)) for key, value in event.items())))
        if event.get("exc_info"):
            told = structlog.processors.format_exc_info(_logger, _name, dict(event))
            self.said.append(f"exception in {event.get('event')}: {told['exception']}")
        raise structlog.DropEvent

    # Before and after each round

    def begin(self, m: Msp) -> None:
        made = m.act("stripe.create_foreign_objects")
        m.act("quickbooks.enter_customer", name="Walk-in customer")
        m.act(
            "quickbooks.enter_invoice",
            number="W-1",
            customer_name="Walk-in customer",
            dated="2026-01-03",
            due="2026-02-03",
            total="75.00",
        )
        m.act("quickbooks.enter_payment", customer_name="Walk-in customer", amount="20.00", number="W-1")
        self.foreign = {"made": made, **_foreign(m, made)}

    def look(self, m: Msp) -> None:
        """People act between rounds only, so this is what the PSA says during the whole round."""
        self.stands = {id: total for id, total, _ in psa_invoices(m)}
        for id, total, balance in psa_invoices(m):
            self.invoiced[id] = max(self.invoiced.get(id, 0), total)
            self.open[id] = balance
            self.highest[id] = max(self.highest.get(id, 0), balance)

    def hear(self, m: Msp) -> None:
        """What the agent let go, and what the gateway finalized alone or a person did in the dashboard."""
        new = [row["path"] for row in islice(m.world.requests, self.heard, None) if row["path"].endswith("/finalize")]
        self.asked |= {path.split("/")[-2] for path in new}
        self.heard = len(m.world.requests)

    def check_round(self, m: Msp, report: dict[str, Any]) -> None:
        for flow, part in report.items():
            error = part.get("error", "") if isinstance(part, dict) else ""
            need(not error.startswith("unexpected "), "the agent never raises", f"{flow}: {error}; {self.said[-2:]}")
        leaked = next((text for text in [*self.said, str(report)] if SECRET.search(text)), None)
        need(leaked is None, "no secret is written", str(leaked))
        self.said.clear()
        self._append_only(m)
        _one_subscription(m)
        _holds_speak(m)
        self.hear(m)
        self._releases(m)
        self._collections(m, self.asked)

    def _append_only(self, m: Msp) -> None:
        for name in APPEND_ONLY:
            table = metadata.tables[name]
            with m.agent.store.read() as tx:
                found = [str(tuple(row)) for row in tx.execute(select(table))]
            now = {hashlib.sha256(row.encode()).hexdigest() for row in found}
            changed = self.rows.get(name, set()) - now
            need(not changed, "ledger and audit only grow", f"{name}: {len(changed)} rows are not what they were")
            self.rows[name] = now

    def _releases(self, m: Msp) -> None:
        """What was let go is at most what was open in the PSA then."""
        charges = m.charges()
        gateway = {row["id"]: row for row in ours(m)}
        left = set()
        for charge in charges:
            self.bound[charge.id] |= {charge.psa_invoice} - {""}
            row = gateway.get(charge.gateway_invoice)
            if row is None or row["status"] == "draft":
                left.add(charge.id)
            elif charge.id in self.unreleased and charge.psa_invoice and row["id"] in self.asked and row["status"] != "void":
                most = self.highest.get(charge.psa_invoice, 0)
                need(
                    row["amount_due"] <= most,
                    "released at most what was open",
                    f"{charge.id} {row['amount_due']} > {most} on {charge.psa_number}",
                )
        self.unreleased = frozenset(left)
        self.highest = dict(self.open)

    def _collections(self, m: Msp, of: Collection[str]) -> None:
        net = Counter({id: got for id, got in collected(m).items() if id in of})
        per_bill: Counter[str] = Counter()
        total = dict(self.invoiced)
        per_period: Counter[str] = Counter()
        for charge in m.charges():
            got = net[charge.gateway_invoice]
            per_bill[charge.psa_invoice] += got if charge.psa_invoice else 0
            ever = [self.invoiced.get(bill, 0) for bill in self.bound[charge.id]]  # what was collected follows a bill made anew
            total[charge.psa_invoice] = max([total.get(charge.psa_invoice, 0), *ever])
            per_period[_period(charge)] += got
        most = self._most_invoiced(m)
        for bill, got in per_bill.items():
            need(not bill or got <= total[bill], "no invoice is collected beyond its total", f"{bill}: {got}")
        for period, got in per_period.items():
            need(not most[period] or got <= most[period], "no period is collected twice", f"{period}: {got} of {most[period]}")
        known = {charge.gateway_invoice for charge in m.charges()}
        lost = [id for id in net if net[id] and id not in known]
        need(not lost, "money has a charge", str(lost))

    def _most_invoiced(self, m: Msp) -> Counter[str]:
        """An invoice that was replaced by another counts as long as it stood: the two of them are not owed together."""
        bills: dict[str, set[str]] = defaultdict(set)
        for charge in m.charges():
            bills[_period(charge)] |= self.bound[charge.id]
        for period, ids in bills.items():
            alone = [self.invoiced.get(id, 0) for id in ids]
            together = sum(self.stands.get(id, 0) for id in ids)
            self.period[period] = max([self.period[period], together, *alone])
        return self.period

    # At the end

    def counted(self, m: Msp) -> Counter[str]:
        seen = Counter(f"charges {charge.state}" for charge in m.charges())
        seen.update(f"ledger {entry.kind}s" for entry in m.ledger())
        seen.update(f"deliveries {delivery.state}" for delivery in m.undelivered())
        seen.update(f"holds {hold.name}" for hold in m.holds())
        return seen

    def check_quiet(self, m: Msp, *, writes: list[dict[str, Any]]) -> None:
        need(not writes, "when nothing changes nothing is written", str(writes[:3]))
        made = self.foreign.pop("made")
        now = _foreign(m, made)
        need(now == self.foreign, "what is not ours stays", str([key for key in now if now[key] != self.foreign[key]]))
        self._ledger_is_gateway(m)
        self._delivered(m)
        self._no_charge_is_lost(m)

    def _ledger_is_gateway(self, m: Msp) -> None:
        net = collected(m)
        known = {charge.gateway_invoice for charge in m.charges()}
        lost = [id for id in net if net[id] and id not in known]
        need(not lost, "money has a charge, also what the gateway took alone", str(lost))
        for charge in m.charges():
            got, booked = net[charge.gateway_invoice], ledger_net(m, charge)
            need(got == booked, "the ledger is what the gateway collected", f"{charge.id}: {got} there, {booked} in the ledger")

    def _delivered(self, m: Msp) -> None:
        with m.agent.store.read() as tx:
            targets = {entry.key: outbox.of_entry(tx, entry.key) for entry in m.ledger()}
        for key, found in targets.items():
            names = sorted(d.target.partition(":")[0] for d in found)
            need(names == ["books", "psa"], "each entry has one delivery to each", f"{key}: {names}")
            for delivery in found:
                done = delivery.state is DeliveryState.DONE
                parked = delivery.state is DeliveryState.PARKED and bool(delivery.note)
                behind = delivery.state is DeliveryState.READY and _is_behind(delivery, targets)
                told = f"{key} to {delivery.target}: {delivery.state} {delivery.note}"
                need(done or parked or behind, "each entry is delivered or parked with a reason", told)
        self._equal_everywhere(m, targets)

    def _equal_everywhere(self, m: Msp, targets: dict[str, list[outbox.Delivery]]) -> None:
        """Of charges without anything parked: what we wrote at the PSA and in the books is what the ledger says."""
        entries = defaultdict(list)
        for entry in m.ledger():
            entries[entry.charge].append(entry)
        bills = {id for id, _, _ in psa_invoices(m)}
        books = books_net(m)
        kept = still_paid(m)
        recorded = psa_net(m) if m.kind == "connectwise" else None
        told = " ".join(drift.message for drift in m.reconcile().drifts if drift.kind == "paid_twice")
        for charge in m.charges():
            deliveries = [d for entry in entries[charge.id] for d in targets[entry.key]]
            if self.loose or charge.psa_invoice not in bills or any(d.state is not DeliveryState.DONE for d in deliveries):
                continue
            booked = ledger_net(m, charge)
            if any("adopted" in d.note or "by hand" in d.note for d in deliveries):
                continue
            need(
                books[charge.id] == booked, "the books have what the ledger has", f"{charge.id}: {books[charge.id]} and {booked}"
            )
            if recorded is not None and len([c for c in m.charges() if c.psa_invoice == charge.psa_invoice]) == 1:
                there = recorded[charge.psa_invoice]
                paid = min(booked + kept[charge.id], self.stands[charge.psa_invoice])  # a bill made anew may be a smaller one
                room = self.stands[charge.psa_invoice] - psa_others(m)[charge.psa_invoice]
                said = f"{charge.id} ({charge.psa_number}): {there} and {paid}"
                need(there in (paid, min(paid, room)), "the PSA has what the ledger has", said)
                need(there >= paid or charge.psa_number in told, "what does not fit on its bill is told", said)

    def _no_charge_is_lost(self, m: Msp) -> None:
        """Each charge of an enrolled payer whose day has come was released, or says what holds it."""
        held = {hold.charge for hold in m.holds()}
        today = m.agent.desk.today()
        for charge in m.charges(ChargeState.WAITING):
            late = charge.charge_date is not None and charge.charge_date + LATE < today
            need(not late or charge.id in held, "no charge is forgotten", f"{charge.id} was due on {charge.charge_date}")
        gateway = {row["id"]: row for row in ours(m)}
        known = {charge.gateway_invoice for charge in m.charges()}
        for id, row in gateway.items():
            old = row["created"] < (m.world.now - LATE).timestamp()
            need(row["status"] != "draft" or not old or id in known, "every draft has its charge", f"{id} {row['metadata']}")


class _Listener(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.INFO)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(self.format(record))


def _period(charge: Charge) -> str:
    return f"{charge.unit}/{charge.period.start}"


def _one_subscription(m: Msp) -> None:
    live = Counter(
        row["metadata"]["unit"]
        for row in m.stripe("subscription")
        if row["metadata"].get("psa_connector") and row["status"] not in ENDED and not _bills_no_more(row)
    )
    need(all(count == 1 for count in live.values()), "one live subscription for a billing unit", str(live))


def _bills_no_more(row: dict[str, Any]) -> bool:
    """It lives out what it billed already: a renewal in the middle of a quarter begins anew beside it."""
    paid_until = max(item["current_period_end"] for item in row["items"]["data"])
    return row["cancel_at"] is not None and row["cancel_at"] <= paid_until


def _holds_speak(m: Msp) -> None:
    speaking = {hold.charge for hold in m.holds() if hold.message and hold.way_on}
    for hold in m.holds():
        need(bool(hold.message and hold.way_on), "a hold says why and what to do", str(hold))
    for charge in m.charges(ChargeState.HELD):
        need(charge.id in speaking, "a held charge says why", charge.id)


def _is_behind(delivery: outbox.Delivery, targets: dict[str, list[outbox.Delivery]]) -> bool:
    """It waits for an older one that is parked or says what it waits for itself, or is tried again later."""
    older = [d for found in targets.values() for d in found if d.target == delivery.target and d.id < delivery.id]
    return any(d.state is DeliveryState.PARKED or (d.state is DeliveryState.READY and d.note) for d in older) or bool(
        delivery.note
    )


def _foreign(m: Msp, made: dict[str, str]) -> dict[str, Any]:
    stripe = {
        kind: str(next(row for row in m.stripe(kind) if row["id"] == made[kind]))
        for kind in ("payment_method", "invoice", "payment_intent")
    }
    stripe["customer"] = str({k: v for k, v in _row(m, "customer", made).items() if k != "next_invoice_sequence"})
    renewing = _row(m, "subscription", made)
    stripe["subscription"] = str({k: renewing[k] for k in ("metadata", "status", "pause_collection", "cancel_at", "description")})
    walk_in = {kind: str([r for r in m.books(kind) if "Walk-in" in str(r)]) for kind in ("Customer", "Invoice", "Payment")}
    return {**stripe, **walk_in}


def _row(m: Msp, kind: str, made: dict[str, str]) -> dict[str, Any]:
    return next(row for row in m.stripe(kind) if row["id"] == made[kind])
