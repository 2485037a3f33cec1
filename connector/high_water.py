"""The store is never older than what was done in its name: found out at the gateway before anything is written.

Before a write the present moment is kept in the store, then at the gateway. A store that was restored from a backup, or made
anew, knows an earlier moment than the gateway, or none: then nothing is written until `connector recover` was run.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

import structlog

from connector.errors import NeedsRecovery, OutcomeUnknown, RetryLater, Unauthorized
from connector.ports import READS, Adapter, Clock, Gateway
from connector.store import Store, high_water, links

EVERY = timedelta(minutes=5)  # a backup that is younger than this by the last write may be restored unnoticed
_STEP = timedelta(microseconds=1)
A = TypeVar("A", bound=Adapter)
log = structlog.get_logger(__name__)


class HighWater:
    """`still_ours`: raises when another process took over, asked before each write."""

    def __init__(self, store: Store, gateway: Gateway, clock: Clock, *, instance: str) -> None:
        self.still_ours: Callable[[], None] = lambda: None
        self._store = store
        self._gateway = gateway
        self._clock = clock
        self._instance = instance
        self._checked = False
        self._noted: datetime | None = None

    def checked(self) -> None:
        """NeedsRecovery when the store is behind; asked at the gateway until it said once that it is not."""
        if not self._checked:
            self._check()

    def before_write(self) -> None:
        self.still_ours()
        self.checked()
        now = self._clock.now()
        if self._noted is None or not timedelta() <= now - self._noted < EVERY:
            self._note(now)

    def recovered(self) -> None:
        """The store was brought up to what the gateway knows."""
        self._advance(self._clock.now(), self._gateway.high_water())
        self._checked = True

    def _check(self) -> datetime | None:
        """What the gateway says. It is asked first: the store is always ahead of what it told the gateway."""
        there = self._gateway.high_water()
        why = self._behind(there)
        with self._store.read() as tx:
            said = high_water.behind(tx)
        if said != why:
            with self._store.begin() as tx:
                high_water.note_behind(tx, why, now=self._clock.now())
        if why:
            self._checked = False
            raise NeedsRecovery(why)
        self._checked = True
        return there

    def _behind(self, there: datetime | None) -> str:
        with self._store.read() as tx:
            here = high_water.known(tx)
            empty = here is None and not links.every(tx, "subscription", self._gateway.name)
        if there is None:
            return self._empty_beside_work() if empty else ""
        if here is not None and here >= there:
            return ""
        return _sentence(here, there, self._gateway.name, self._instance)

    def _empty_beside_work(self) -> str:
        if next(iter(self._gateway.subscriptions()), None) is None:
            return ""
        return _sentence(None, None, self._gateway.name, self._instance)

    def _note(self, now: datetime) -> None:
        """A gateway that does not answer keeps nothing back that goes elsewhere: it is told the next time."""
        try:
            self._advance(now, self._check())
        except (RetryLater, OutcomeUnknown, Unauthorized) as error:
            log.warning("the gateway could not be told how far the store is", error=str(error))
            self._noted = now

    def _advance(self, now: datetime, there: datetime | None) -> None:
        with self._store.begin() as tx:
            at = max([now, *(moment + _STEP for moment in (high_water.known(tx), there) if moment is not None)])
            high_water.know(tx, at, now=now)
        self._gateway.note_high_water(at)
        self._noted = now


def _sentence(here: datetime | None, there: datetime | None, gateway: str, instance: str) -> str:
    knows = f"knows what was done until {here:%Y-%m-%d %H:%M} UTC" if here else "is new"
    work = f"until {there:%Y-%m-%d %H:%M} UTC" if there else "already"
    return (
        f"The store {knows}, but {gateway} shows that the instance {instance!r} has worked {work}: an older backup was restored,"
        " the database was lost, or another agent works under this name. Nothing is written to any partner."
        " To see what the store is missing, and to bring it up to date: connector recover"
    )


def guarded(adapter: A, guard: HighWater) -> A:
    """The same adapter; no write passes while the store is behind, or after another process took over."""
    return _Guarded(adapter, guard)  # type: ignore[return-value]


class _Guarded:
    def __init__(self, adapter: Adapter, guard: HighWater) -> None:
        self._adapter = adapter
        self._guard = guard

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._adapter, name)
        return self._asked(value) if callable(value) and name not in READS else value

    def _asked(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def asked(*args: Any, **kwargs: Any) -> Any:
            self._guard.before_write()
            return call(*args, **kwargs)

        return asked
