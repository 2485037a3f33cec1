"""An agent that can die at any moment, and whose clock may be wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

from adapters.sandbox.world import World


class Crash(BaseException):
    """The process is gone: no `except Exception` of the agent sees it."""


class Mortal:
    """The agent's clock and its sleep between retries: both are where it dies, once it is told when.

    It looks at the clock at every step and inside every transaction that writes, so counting looks reaches all of them.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._looks: int | None = None
        self._mark: int | None = None
        self.off = timedelta(0)

    def now(self) -> datetime:
        self._live()
        return self._world.now + self.off

    def sleep(self, seconds: float) -> None:
        """Takes no time: how long is drawn from chance that no seed governs."""
        del seconds
        self._live()

    def dies_after(self, looks: int) -> None:
        self._looks = looks

    def dies_at_next_fault(self) -> None:
        """As soon as a request to a partner has met a fault, whether it had an effect there or not."""
        self._mark = len(self._world.requests)

    def spare(self) -> None:
        self._looks = self._mark = None

    def _live(self) -> None:
        if self._looks is not None:
            self._looks -= 1
            if self._looks < 0:
                self.spare()
                raise Crash
        if self._mark is not None and any(row["fault"] for row in list(self._world.requests)[self._mark :]):
            self.spare()
            raise Crash
