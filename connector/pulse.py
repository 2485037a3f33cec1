"""Which partner answers: every call to an adapter is noted, so that health can say since when one is down.

Here also ends what an adapter does not understand: an answer of a shape that nobody documents is an expected failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

import structlog

from connector.errors import ConnectorError, OutcomeUnknown, RetryLater, Unauthorized
from connector.ports import READS, Adapter, Clock
from connector.store import Store, freshness

log = structlog.get_logger(__name__)
A = TypeVar("A", bound=Adapter)
_END = object()


@dataclass
class _Beat:
    success: datetime | None = None
    failure: datetime | None = None
    error: str = ""
    down: bool = False


class Pulse:
    """Notes successes and failures per partner in memory; `flush` writes what changed to the store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beats: dict[str, _Beat] = {}
        self._dirty: set[str] = set()

    def succeeded(self, partner: str) -> None:
        beat = self._beats.setdefault(partner, _Beat())
        beat.success, self._dirty = self._clock.now(), self._dirty | {partner}
        if beat.down:
            beat.down = False
            log.info("partner is back", partner=partner)

    def failed(self, partner: str, error: ConnectorError) -> None:
        beat = self._beats.setdefault(partner, _Beat())
        beat.failure, beat.error, self._dirty = self._clock.now(), str(error), self._dirty | {partner}
        if not beat.down:
            beat.down = True
            log.warning("partner is down", partner=partner, error=str(error))

    def flush(self, store: Store) -> None:
        with store.begin() as tx:
            for partner in sorted(self._dirty):
                beat = self._beats[partner]
                if beat.down and beat.failure is not None:
                    freshness.failed(tx, partner, now=beat.failure, error=beat.error)
                elif beat.success is not None:
                    freshness.succeeded(tx, partner, now=beat.success)
        self._dirty = set()


def watched(adapter: A, pulse: Pulse) -> A:
    """The same adapter; each public call is noted. A refused record (Rejected) is an answer, so the partner is up."""
    return _Watched(adapter, pulse)  # type: ignore[return-value]


class _Watched:
    def __init__(self, adapter: Adapter, pulse: Pulse) -> None:
        self._adapter = adapter
        self._pulse = pulse

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._adapter, name)
        return self._noted(value) if callable(value) and name not in ("canonical", "close") else value

    def _noted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def noted(*args: Any, **kwargs: Any) -> Any:
            result = self._note(call.__name__, lambda: call(*args, **kwargs))
            return self._iterate(call.__name__, result) if isinstance(result, Iterator) else result

        return noted

    def _note(self, name: str, act: Callable[[], Any]) -> Any:
        try:
            with self._understood(name):
                result = act()
        except (RetryLater, OutcomeUnknown, Unauthorized) as error:
            self._pulse.failed(self._adapter.name, error)
            raise
        self._pulse.succeeded(self._adapter.name)
        return result

    def _iterate(self, name: str, items: Iterator[Any]) -> Iterator[Any]:
        """Only a failure is noted on the way; that all was read is one success."""
        try:
            while True:
                with self._understood(name):
                    item = next(items, _END)
                if item is _END:
                    break
                yield item
        except (RetryLater, OutcomeUnknown, Unauthorized) as error:
            self._pulse.failed(self._adapter.name, error)
            raise
        self._pulse.succeeded(self._adapter.name)

    @contextmanager
    def _understood(self, name: str) -> Iterator[None]:
        """RetryLater (OutcomeUnknown for a write) in place of what an adapter must not raise."""
        try:
            yield
        except ConnectorError:
            raise
        except Exception as error:
            log.exception("an answer was not understood", partner=self._adapter.name, call=name)
            said = f"{self._adapter.name}: its answer to '{name.replace('_', ' ')}' was not understood ({type(error).__name__})"
            if name in READS:
                raise RetryLater(f"{said}. It is tried again later; the log has the details.") from error
            raise OutcomeUnknown(f"{said}. It is looked up before it is sent again; the log has the details.") from error
