"""The composition root: the only place that builds objects; and the flows, in the order that money takes."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from connector import lease, policies
from connector.clock import SystemClock
from connector.config.adapters import find_adapter, installed
from connector.config.model import Config
from connector.errors import Busy, ConfigError, ConnectorError, RetryLater
from connector.flows import books_changes, collect, deliver, enrol, mirror, payouts, reconcile, release, retention, shadow
from connector.flows.desk import Accounts, Desk, Settings
from connector.high_water import HighWater, guarded
from connector.lease import LeaseLost
from connector.mapping import load_mapping
from connector.model.plan import Limits, refusals
from connector.ports import AdapterSpec, Clock, Context
from connector.pulse import Pulse, watched
from connector.readonly import read_only
from connector.store import Store, freshness, holders, settings
from connector.store.budget import Rate, StoredBudget
from connector.store.tokens import StoredTokens

# Below each partner's documented limit, with room for the customer's other tools (psa.md 2A.5, payments.md 1.7 and 2.4).
RATES = {
    "autotask": Rate(per_s=2, burst=100),
    "connectwise": Rate(per_s=10, burst=100),
    "stripe": Rate(per_s=20, burst=20),
    "quickbooks": Rate(per_s=6, burst=8),
}
log = structlog.get_logger(__name__)


class Stopping(BaseException):
    """Asked to stop: raised between two steps of a flow. Every step is safe to be the last."""


@dataclass(kw_only=True)
class Agent:
    """Everything that a command works with. `cycles` counts finished rounds of all flows; `beat` is when the loop last moved."""

    config: Config
    store: Store
    desk: Desk
    tokens: StoredTokens
    pulse: Pulse
    high_water: HighWater
    stop: threading.Event
    cycles: int = 0
    beat: float = field(default_factory=time.monotonic)

    def close(self) -> None:
        for adapter in (self.desk.psa, self.desk.gateway, self.desk.books):
            if adapter is not None:
                adapter.close()
        self.store.close()


@contextmanager
def opened(
    config: Config,
    *,
    progress: Callable[[str, int, int], None] | None = None,
    clock: Clock | None = None,
    sleep: Callable[[float], None] | None = None,
    transport: Any = None,
) -> Iterator[Agent]:
    """Build everything, with the store's tables brought up to date. ConfigError says what is wrong, and where.

    `sleep`: how adapters wait between retries; a simulation's clock stands still meanwhile.
    `transport`: what their requests go through in place of the network.
    """
    store = Store(config.database)
    store.upgrade()
    clock = clock or _clock(config)
    pulse = Pulse(clock)
    stop = threading.Event()

    def step(what: str, done: int, of: int) -> None:
        if stop.is_set():
            raise Stopping
        if progress is not None:
            progress(what, done, of)

    def wait(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopping

    sleep = sleep or wait
    tokens = StoredTokens(store, config.secrets.key.get(), clock=clock, sleep=sleep)
    desk, water = _walled(config, _desk(config, store, clock, tokens, pulse, step, sleep, stop.is_set, transport))
    agent = Agent(config=config, store=store, desk=desk, tokens=tokens, pulse=pulse, high_water=water, stop=stop)
    try:
        shadow.note_mode(desk, config.mode)
        _forget_removed(desk)
        yield agent
    finally:
        pulse.flush(store)
        agent.close()


def _forget_removed(desk: Desk) -> None:
    """A partner that is no longer configured must not make health fail for ever."""
    configured = {adapter.name for adapter in (desk.psa, desk.gateway, desk.books) if adapter is not None}
    removed = set(installed()) - configured
    names = {name for partner in removed for name in (partner, f"{partner}.events")}
    with desk.store.begin() as tx:
        if any(one.name in names for one in freshness.every(tx)):
            freshness.forget(tx, names)


@contextmanager
def writing(agent: Agent, *, who: str) -> Iterator[None]:
    """Hold the one lease under which partners are written to. Busy when another process has it, or took it over meanwhile."""
    try:
        with leading(agent, who=who):
            yield
    except LeaseLost:
        raise Busy("another process took over, because this one did not answer: look at `connector status`") from None


@contextmanager
def leading(agent: Agent, *, who: str, wait_s: float = 0, meanwhile: Callable[[], None] = lambda: None) -> Iterator[None]:
    """As `writing`, but LeaseLost tells that another process took over. `meanwhile`: done while waiting."""
    ttl_s = agent.config.schedule.lease_s
    with lease.held(agent.store, agent.stop, who=who, wait_s=wait_s, ttl_s=ttl_s, meanwhile=meanwhile) as ours:
        agent.high_water.still_ours = ours.check
        agent.store.fence(ours.require)
        try:
            yield
        finally:
            agent.high_water.still_ours = lambda: None
            agent.store.fence(None)


# One flow, and all of them


def sync_once(agent: Agent) -> dict[str, Any]:
    """Every flow once, in the order of FLOWS. A partner that is down stops only its own flows."""
    report = {name: run_flow(agent, name) for name in flows_of(agent.config)}
    agent.pulse.flush(agent.store)
    return report


def _mirror(agent: Agent) -> dict[str, Any]:
    planned = mirror.plan(agent.desk)
    refused = refusals(planned.plan, agent.desk.settings.limits)
    _note_attention(agent, _unusable(planned), list(refused))
    if refused:
        mirror.remember_units(agent.desk, planned)
        return {"refused": list(refused), "changes": len(planned.plan.changes), "unusable": _unusable(planned)}
    applied = mirror.apply(agent.desk, planned)
    return {"done": len(applied.done), "failed": [message for _, message in applied.failed], "unusable": _unusable(planned)}


def _note_attention(agent: Agent, unusable: list[str], refused: list[str]) -> None:
    with agent.store.begin() as tx:
        for name, said in (("needs_attention", unusable), ("refused", refused)):
            if (settings.get(tx, name) or []) != said:
                settings.set(tx, name, said, now=agent.desk.now())


def _unusable(planned: mirror.Mirror) -> list[str]:
    return [item.message for item in planned.plan.unusable]


def _reconcile(agent: Agent) -> reconcile.Reconciliation:
    found = reconcile.reconcile(agent.desk)
    retention.prune(agent.desk)
    return found


FLOWS: dict[str, Callable[[Agent], object]] = {
    "collect": lambda agent: collect.collect(agent.desk),
    "mirror": _mirror,
    "enrol": lambda agent: enrol.enrol(agent.desk),
    "release": lambda agent: release.release(agent.desk),
    "deliver": lambda agent: deliver.deliver(agent.desk),
    "payouts": lambda agent: payouts.payouts(agent.desk),
    "books_changes": lambda agent: books_changes.books_changes(agent.desk),
    "reconcile": _reconcile,
}


def _watch(agent: Agent) -> dict[str, Any]:
    """In shadow mode: what the mirror would look at, kept in the store alone."""
    planned = mirror.plan(agent.desk)
    mirror.remember_units(agent.desk, planned)
    enrol.remember_payers(agent.desk, planned.units.values())
    _note_attention(agent, _unusable(planned), [])
    return {"agreements": len(planned.units), "changes": len(planned.plan.changes), "unusable": _unusable(planned)}


SHADOW_FLOWS: dict[str, Callable[[Agent], object]] = {
    "mirror": _watch,
    "shadow": lambda agent: shadow.shadow(agent.desk),
}


def flows_of(config: Config) -> dict[str, Callable[[Agent], object]]:
    return SHADOW_FLOWS if config.mode == "shadow" else FLOWS


def run_flow(agent: Agent, name: str) -> object:
    """One flow; an expected failure is logged, kept for health, and stops nothing else."""
    agent.beat = time.monotonic()
    try:
        if agent.config.mode == "live":
            agent.high_water.checked()
        report = flows_of(agent.config)[name](agent)
    except ConnectorError as error:
        log.warning("flow failed", flow=name, error=str(error))
        _failed(agent, name, str(error))
        return {"error": str(error)}
    except Exception as error:  # a defect of ours must not end the loop: late is acceptable, silence is not
        log.exception("flow failed unexpectedly", flow=name)
        _failed(agent, name, f"unexpected {type(error).__name__}; the log has the details")
        return {"error": f"unexpected {type(error).__name__}"}
    with agent.store.begin() as tx:
        freshness.succeeded(tx, name, now=agent.desk.now())
    return report


def _failed(agent: Agent, name: str, error: str) -> None:
    try:
        now = agent.desk.now()
    except RetryLater:
        now = SystemClock().now()
    with agent.store.begin() as tx:
        freshness.failed(tx, name, now=now, error=error)


# Building


def _clock(config: Config) -> Clock:
    if config.sandbox.url is None:
        return SystemClock()
    from adapters.sandbox.clock import SandboxClock

    return SandboxClock(str(config.sandbox.url))


def _desk(
    config: Config,
    store: Store,
    clock: Clock,
    tokens: StoredTokens,
    pulse: Pulse,
    step: Callable[[str, int, int], None],
    sleep: Callable[[float], None],
    stopping: Callable[[], bool],
    transport: Any,
) -> Desk:
    # A sandbox on loopback lives on simulated time: real seconds between requests would mean nothing there.
    budget = StoredBudget(store, RATES if config.sandbox.url is None else {}, clock=SystemClock())

    def build(part: Any) -> Any:
        spec = find_adapter(part.adapter)
        mapping = load_mapping(part.mapping, spec.mapping) if spec.mapping is not None else None
        context = Context(
            instance=config.instance,
            currency=config.company.currency,
            time_zone=ZoneInfo(config.company.time_zone),
            clock=clock,
            tokens=tokens,
            budget=budget,
            mapping=mapping,
            sleep=sleep,
            stopping=stopping,
            transport=transport,
            read_only=config.mode == "shadow",
        )
        return watched(_built(spec, part.settings, context), pulse)

    return Desk(
        store=store,
        clock=clock,
        psa=build(config.psa),
        gateway=build(config.gateway),
        books=build(config.books) if config.books is not None else None,
        settings=_settings(config, step),
    )


def _walled(config: Config, desk: Desk) -> tuple[Desk, HighWater]:
    """Nothing is written in shadow mode, nor while the store is behind."""
    water = HighWater(desk.store, desk.gateway, desk.clock, instance=config.instance)

    def walled(adapter: Any) -> Any:
        return read_only(adapter) if config.mode == "shadow" else guarded(adapter, water)

    books = walled(desk.books) if desk.books is not None else None
    return replace(desk, psa=walled(desk.psa), gateway=walled(desk.gateway), books=books), water


def _built(spec: AdapterSpec, given: object, context: Context) -> Any:
    try:
        return spec.build(given, context)
    except ValueError as error:
        raise ConfigError(f"{spec.name}: {error}") from None


def _settings(config: Config, step: Callable[[str, int, int], None]) -> Settings:
    return Settings(
        currency=config.company.currency,
        time_zone=ZoneInfo(config.company.time_zone),
        policy=policies.policy(config),
        payer_policies=policies.own_policies(config, config.charging.payers),
        agreement_policies=policies.own_policies(config, config.charging.agreements),
        limits=Limits(
            cancels_percent=config.limits.cancels_percent,
            changes_percent=config.limits.changes_percent,
            always_allowed=config.limits.always_allowed,
        ),
        invoice_early_days=config.charging.invoice_early_days,
        psa_payments=config.write_back.psa_payments,
        books_payments=config.write_back.books == "connector",
        books_sync=config.write_back.books == "psa_sync",
        wait_days=config.write_back.wait_days,
        return_url=str(config.serve.public_url or ""),
        durable_link=_durable_link(config),
        accounts=_accounts(config),
        gateway_releases=config.charging.release == "automatic",
        run_days_ahead=config.charging.run_days_ahead,
        other=policies.other_rules(config),
        dunning=policies.dunning(config),
        keep=timedelta(days=config.store.keep_days),
        worker=holders.process(),
        progress=step,
    )


def _accounts(config: Config) -> Accounts:
    if config.books is None:
        return Accounts()
    named = {name: id or "" for name, id in config.books.accounts.model_dump().items()}
    return Accounts(method=config.books.method, books_foreign=config.books.foreign == "book", **named)


def enrolment_token(config: Config, payer: str) -> str:
    """Unguessable, the same each time for one payer: it names whose page is opened."""
    return hmac.new(config.secrets.key.get().encode(), f"enrol:{payer}".encode(), hashlib.sha256).hexdigest()[:40]


def _durable_link(config: Config) -> Callable[[str], str] | None:
    if config.serve.public_url is None:
        return None
    base = str(config.serve.public_url).rstrip("/")
    return lambda payer: f"{base}/enrol/{enrolment_token(config, payer)}"
