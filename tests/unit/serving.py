"""A served agent's status, with everything a test can turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from connector.serve.app import Server, Sources
from connector.serve.facts import Facts, gather
from connector.store import Store

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass(kw_only=True)
class Dials:
    """What the agent would say of itself."""

    now: datetime = NOW
    rounds: int = 1
    silent_s: float = 0.0
    token_days: dict[str, int] = field(default_factory=dict)
    enrol: Callable[[str], str | None] = lambda _: None
    company: str = "Example MSP"
    broken: Exception | None = None


@dataclass(frozen=True, kw_only=True)
class Served:
    url: str
    store: Store
    dials: Dials


@contextmanager
def served(folder: Path, dials: Dials | None = None) -> Iterator[Served]:
    dials = dials or Dials()
    store = Store(f"sqlite:///{folder / 'connector.db'}")
    store.upgrade()
    server = Server(sources(store, dials), host="127.0.0.1", port=0)
    server.start()
    try:
        yield Served(url=server.url, store=store, dials=dials)
    finally:
        server.stop()
        store.close()


def sources(store: Store, dials: Dials) -> Sources:
    def facts() -> Facts:
        if dials.broken is not None:
            raise dials.broken
        return gather(store, dials.now, rounds=dials.rounds, token_days=dials.token_days)

    return Sources(
        facts=facts,
        beat=lambda: time.monotonic() - dials.silent_s,
        rounds=lambda: dials.rounds,
        enrol=lambda token: dials.enrol(token),
        company=dials.company,
        version="1.2.3",
    )
