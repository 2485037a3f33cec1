"""Until when this store knows what was done in its name, and what has to be looked up because it was once behind."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from connector.store import settings

_KNOWN, _BEHIND, _LOOK_UP = "high_water", "needs_recovery", "look_up"


def known(tx: Connection) -> datetime | None:
    said = settings.get(tx, _KNOWN)
    return datetime.fromisoformat(said) if said else None


def know(tx: Connection, at: datetime, *, now: datetime) -> None:
    settings.set(tx, _KNOWN, at.isoformat(), now=now)


def behind(tx: Connection) -> str:
    """Why nothing is written, as a sentence; "" when the store is complete."""
    return str(settings.get(tx, _BEHIND) or "")


def note_behind(tx: Connection, why: str, *, now: datetime) -> None:
    if behind(tx) != why:
        settings.set(tx, _BEHIND, why, now=now)


def look_up(tx: Connection) -> datetime | None:
    """Since this store was recovered: what is about to be made may have been made, at this moment or later, by the store that
    was lost. It is looked up before it is sent."""
    said = settings.get(tx, _LOOK_UP)
    return datetime.fromisoformat(said) if said else None


def set_look_up(tx: Connection, since: datetime, *, now: datetime) -> None:
    earlier = look_up(tx)
    settings.set(tx, _LOOK_UP, min(since, earlier or since).isoformat(), now=now)
