"""What comes of one attempt to deliver."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    external_id: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Later:
    """Not an error: it waits for something. `note` says for what."""

    note: str
    after: timedelta


Outcome = Done | Later
