"""The kill switch as the store keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from connector.store import settings

PAUSED = "paused"


def paused(tx: Connection) -> Mapping[str, Any]:
    """Who, why and since when (ISO, UTC); empty while charging goes on."""
    said = settings.get(tx, PAUSED)
    if said and not isinstance(said, Mapping):
        return {"who": "somebody", "why": "no reason was given", "since": ""}
    return said or {}


def sentence(said: Mapping[str, Any]) -> str:
    return f"CHARGING IS PAUSED since {said['since'][:16].replace('T', ' ')} UTC by {said['who']}: {said['why']}"
