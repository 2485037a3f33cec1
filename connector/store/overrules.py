"""Holds that a person overruled: for one charge, at one amount, until it is released."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection

from connector.model.money import Money
from connector.store import settings

_NAME = "overruled"  # charge -> hold -> {minor, currency}; who and why stand in the audit


def add(tx: Connection, charge: str, names: Collection[str], amount: Money, *, now: datetime) -> None:
    """These holds keep the charge back no longer, as long as its amount is this one."""
    said = {"minor": amount.minor, "currency": amount.currency}
    stored = settings.get(tx, _NAME, {})
    settings.set(tx, _NAME, {**stored, charge: {**stored.get(charge, {}), **dict.fromkeys(names, said)}}, now=now)


def every(tx: Connection) -> dict[str, Mapping[str, Money]]:
    """Charge -> hold -> the amount for which it was overruled."""
    stored = settings.get(tx, _NAME, {})
    return {charge: {name: Money(s["minor"], s["currency"]) for name, s in held.items()} for charge, held in stored.items()}


def forget(tx: Connection, charge: str, *, now: datetime) -> None:
    """The charge was released: what is found about it later is a new question."""
    stored = settings.get(tx, _NAME, {})
    if charge in stored:
        settings.set(tx, _NAME, {id: held for id, held in stored.items() if id != charge}, now=now)
