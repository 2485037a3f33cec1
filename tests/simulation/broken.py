"""How an invariant that does not hold is told."""

from __future__ import annotations


class Broken(AssertionError):
    """An invariant does not hold."""


def need(holds: bool, invariant: str, seen: str) -> None:
    if not holds:
        raise Broken(f"{invariant}: {seen}")
