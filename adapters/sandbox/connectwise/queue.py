"""Which periods of an agreement were invoiced, and which come next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from adapters.sandbox.connectwise.periods import Span


@dataclass(kw_only=True, slots=True)
class Queue:
    """Which periods of a root agreement were invoiced: all before `next`, but for those that came back."""

    next: int = 0
    tracked_from: int = 0  # what was charged for earlier periods is not known line by line
    returned: set[int] = field(default_factory=set)
    option: str = ""  # the cycle that the numbers count in
    until: date | None = None  # the first day that is not invoiced yet

    def invoiced(self, number: int, option: str, period: Callable[[int], Span]) -> None:
        self.returned.discard(number)
        self.next = max(self.next, number + 1)
        self.option, self.until = option, period(self.next - 1).end

    def count_in(self, option: str, period: Callable[[int], Span]) -> None:
        """Under another cycle the numbers mean other days: it goes on with the first period after what was invoiced."""
        if self.until is not None and self.option != option:
            self.next = 0
            while period(self.next).start < self.until:
                self.next += 1
            self.returned.clear()
            self.tracked_from = self.next
        self.option = option
