"""Send at most once, wherever we crash in between: intent before the call, look-up before the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater
from connector.ports import WriteKey
from connector.store import high_water, links
from connector.store.database import Store
from connector.store.links import Link, LinkState


def write_once(
    store: Store,
    *,
    kind: str,
    source: str,
    target_system: str,
    now: Callable[[], datetime],
    find: Callable[[WriteKey], str | None],
    send: Callable[[WriteKey], str],
    find_lag: timedelta,
    generation: int = 1,
    fingerprint: str = "",
    noted: Callable[[Connection, Link], object] = lambda _tx, _link: None,
) -> Link:
    """Send at most once per (kind, source, target_system, generation), wherever we crash in between.

    `find_lag`: how long what was sent may stay invisible to `find`; it counts from the latest send. RetryLater when that
    time is not over; Rejected and the other errors of `send` that mean "nothing was made" pass through. `noted` is called
    once, in the transaction in which the link gets its target: what is to be remembered of it is not lost in a crash.
    """
    writer = _Writer(store=store, now=now, find=find, send=send, find_lag=find_lag, fingerprint=fingerprint, noted=noted)
    with store.begin() as tx:
        link = links.intend(tx, kind, source, target_system, now=now(), generation=generation)
        lost_since = high_water.look_up(tx)
    _refuse_other_generation(link, generation)
    if link.state is LinkState.LINKED:
        return link
    if link.sent_at is not None or lost_since is not None:
        found = writer.look_up(link, since=lost_since)
        if found is not None:
            return found
    if link.sent_at is not None:
        writer.wait_out_the_lag(link)
    return writer.send_again(link)


def write_key(link: Link) -> WriteKey:
    return WriteKey(value=f"{link.kind}:{link.source}:g{link.generation}", since=link.intended_at, attempt=max(link.attempt, 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Writer:
    store: Store
    now: Callable[[], datetime]
    find: Callable[[WriteKey], str | None]
    send: Callable[[WriteKey], str]
    find_lag: timedelta
    fingerprint: str
    noted: Callable[[Connection, Link], object]

    def send_again(self, link: Link) -> Link:
        with self.store.begin() as tx:
            link = links.sending(tx, link, now=self.now(), attempt=link.attempt + 1)
        try:
            target = self.send(write_key(link))
        except OutcomeUnknown as unknown:
            return self._look_up_or_later(link, unknown)
        except ConnectorError:
            # Every other error of ours means that nothing was made. Anything else may be a crash after the effect.
            with self.store.begin() as tx:
                links.unsent(tx, link, now=self.now())
            raise
        return self._linked(link, target)

    def look_up(self, link: Link, *, since: datetime | None = None) -> Link | None:
        """`since`: it may have been made as long ago, by a store that was lost."""
        key = write_key(link)
        target = self.find(replace(key, since=min(key.since, since or key.since)))
        return self._linked(link, target) if target and target not in link.past else None

    def wait_out_the_lag(self, link: Link) -> None:
        assert link.sent_at is not None  # noqa: S101 - only asked of what was sent
        remaining = link.sent_at + self.find_lag - self.now()
        if remaining > timedelta():
            raise RetryLater(_waiting(link), after_s=remaining.total_seconds())

    def _look_up_or_later(self, link: Link, unknown: OutcomeUnknown) -> Link:
        found = self.look_up(link)
        if found is not None:
            return found
        raise RetryLater(f"{_waiting(link)} ({unknown})", after_s=self.find_lag.total_seconds()) from unknown

    def _linked(self, link: Link, target: str) -> Link:
        with self.store.begin() as tx:
            done = links.linked(tx, link, target=target, fingerprint=self.fingerprint, now=self.now())
            self.noted(tx, done)
            return done


def _waiting(link: Link) -> str:
    return f"{link.kind} of {link.source}: it is not known yet whether {link.target_system} made it; it is looked up again"


def _refuse_other_generation(link: Link, generation: int) -> None:
    if link.generation != generation:
        raise Rejected(
            f"{link.kind} of {link.source}: generation {link.generation} is {link.state} in {link.target_system},"
            f" generation {generation} cannot be made beside it",
            code="other_generation",
        )
