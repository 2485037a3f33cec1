"""What health, metrics and the status page are made of: gathered once, from the store alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connector.model.approval import WAITS, waiting_sentences
from connector.model.charge import Charge, ChargeState
from connector.model.money import Money, total
from connector.store import Store, charges, freshness, high_water, holds, outbox, payers, settings, shadow, stuck, switch, units
from connector.store.freshness import Freshness
from connector.store.outbox import Delivery
from connector.store.stuck import Stuck

STALE_S = 3600.0  # a connection without success for this long makes health degraded
UNDELIVERED_S = 2 * 86_400.0  # two days of silence is what users were hurt by
MONEY_FLOWS = ("mirror", "release", "collect", "deliver")
SHADOW_FLOWS = ("mirror",)
OPEN_STATES = (ChargeState.WAITING, ChargeState.HELD, ChargeState.RELEASED)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParkedItem:
    """`number` is what `connector parked` shows and `connector retry` takes."""

    number: str
    target: str
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Counts and totals, and of what needs attention our own numbers; no names, no partner's ids. Times are the agent's."""

    now: datetime
    connections: tuple[Freshness, ...]
    units: dict[str, int]
    payers: dict[str, int]
    charges: dict[str, int]
    planned: dict[str, Money]  # state -> total
    holds: dict[str, int]
    deliveries: dict[str, int]
    oldest_undelivered: datetime | None
    attention: int
    notices: tuple[str, ...]
    parked: tuple[ParkedItem, ...] = ()
    planned_counts: dict[str, int] = field(default_factory=dict)  # by the keys of `planned`
    rounds: int = 0
    token_days: dict[str, int] | None = None
    paused: bool = False
    shadow: bool = False
    behind: str = ""  # why the store must be recovered before anything is written

    def lag_s(self, connection: Freshness) -> float | None:
        """Seconds since the last success; None when there was none."""
        return max(0.0, (self.now - connection.last_success).total_seconds()) if connection.last_success else None

    def is_down(self, connection: Freshness) -> bool:
        failed, worked = connection.last_failure, connection.last_success
        return failed is not None and (worked is None or failed > worked)

    @property
    def undelivered_s(self) -> float:
        return max(0.0, (self.now - self.oldest_undelivered).total_seconds()) if self.oldest_undelivered else 0.0

    @property
    def silent_s(self) -> float:
        """Since when the quietest of the flows that move money did not finish, in seconds: silence is a failure too."""
        flows = SHADOW_FLOWS if self.shadow else MONEY_FLOWS
        return max((self.lag_s(c) or 0.0 for c in self.connections if c.name in flows), default=0.0)

    @property
    def status(self) -> str:
        """failing: money does not move as it should and it takes a person; degraded: late."""
        tokens = (self.token_days or {}).values()
        if self.behind:
            return "failing"
        if self.undelivered_s > UNDELIVERED_S or any(days <= 0 for days in tokens):
            return "failing"
        if self.silent_s > UNDELIVERED_S:
            return "failing"
        late = any(self.is_down(c) and (self.lag_s(c) is None or (self.lag_s(c) or 0) > STALE_S) for c in self.connections)
        if late or self.silent_s > STALE_S or self.parked or self.attention or self.paused or any(days < 14 for days in tokens):
            return "degraded"
        return "ok"


def gather(store: Store, now: datetime, *, rounds: int = 0, token_days: dict[str, int] | None = None) -> Facts:
    """One read transaction."""
    with store.read() as tx:
        stored = charges.every(tx, OPEN_STATES)
        attention = [said for name in ("needs_attention", "refused", "payouts.waits") for said in settings.get(tx, name) or []]
        without = settings.get(tx, "due_without_invoice") or {}
        waits = settings.get(tx, WAITS) or []
        partly = settings.get(tx, "partly_paid") or {}
        return Facts(
            now=now,
            connections=tuple(freshness.every(tx)),
            units=dict(Counter(row.state for row in units.every(tx))),
            payers=dict(Counter(row.state for row in payers.every(tx))),
            charges={str(state): sum(c.state is state for c in stored) for state in OPEN_STATES},
            planned=_totals(stored),
            planned_counts=dict(Counter(f"{charge.state} {charge.currency}" for charge in stored)),
            parked=_parked(outbox.parked(tx), stuck.parked(tx)),
            holds=dict(Counter(hold.name for hold in holds.active(tx))),
            deliveries=outbox.counts(tx),
            oldest_undelivered=outbox.oldest_undelivered(tx),
            attention=len(attention) + len(settings.get(tx, "decisions.asked") or {}),
            behind=(behind := high_water.behind(tx)),
            notices=(*([behind] if behind else []), *waiting_sentences(waits), *_notices(without), *_partly_paid(len(partly))),
            rounds=rounds,
            token_days=token_days,
            paused=bool(switch.paused(tx)),
            shadow=shadow.is_on(tx),
        )


def _parked(deliveries: Sequence[Delivery], others: Sequence[Stuck]) -> tuple[ParkedItem, ...]:
    further = [ParkedItem(number=f"s{one.id}", target=str(one.kind), since=one.parked_at or one.last_at) for one in others]
    return (*(ParkedItem(number=str(d.id), target=d.target, since=d.run_at) for d in deliveries), *further)


def _totals(stored: list[Charge]) -> dict[str, Money]:
    result: dict[str, Money] = {}
    for state in OPEN_STATES:
        for currency in sorted({c.currency for c in stored if c.state is state}):
            amounts = [c.owed or c.computed for c in stored if c.state is state and c.currency == currency]
            result[f"{state} {currency}"] = total(amounts, currency)
    return result


def _notices(without: dict[str, object]) -> tuple[str, ...]:
    if not without.get("units"):
        return ()
    return (f"{without['units']} billing units due {without['day']} have no invoice in the PSA yet.",)


def _partly_paid(number: int) -> tuple[str, ...]:
    return (f"{number} invoices are partly paid, which the PSA cannot hold: it shows them open.",) if number else ()
