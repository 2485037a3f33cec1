"""Which customer and subscription at the gateway may belong to which payer: proposals only, a person decides. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connector.model.agreement import BillingUnit, Payer
from connector.model.invoice import Customer
from connector.model.money import Money
from connector.model.others import ForeignSubscription

_LEGAL_FORMS = re.compile(r"\b(inc|llc|ltd|corp|co|company|gmbh|plc|pty|the)\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """One payer's unit, and what may be its own at the gateway. `matched_by` "" and no customer: nothing was found."""

    payer: Payer
    unit: BillingUnit | None
    amount: Money | None  # what the unit's agreements come to a cycle, before tax
    customer: Customer | None
    subscription: ForeignSubscription | None
    matched_by: str  # id, email, name
    confidence: str  # certain, high, medium, ambiguous, none
    note: str = ""

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.payer, self.customer, self.subscription)


def fingerprint(payer: Payer, customer: Customer | None, subscription: ForeignSubscription | None) -> str:
    """Changes when what a person looked at has changed. The subscription's next date moves by itself and is no part of it."""
    method = customer.default_method if customer else None
    seen = (
        (payer.key, payer.name, payer.email),
        (customer.id, customer.name, customer.email, method.id if method else "") if customer else (),
        (subscription.id, str(subscription.amount), subscription.customer) if subscription else (),
    )
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:12]


def plain_name(name: str) -> str:
    """For comparing: without case, punctuation and legal form."""
    words = re.sub(r"[^a-z0-9 ]+", " ", name.casefold().replace("&", " and "))
    return " ".join(_LEGAL_FORMS.sub(" ", words).split())


def candidates(payer: Payer, customers: Sequence[Customer]) -> tuple[list[Customer], str]:
    """The customers of the strongest ground that any has, and that ground."""
    by_id = [c for c in customers if payer.gateway_customer and c.id == payer.gateway_customer]
    if by_id:
        return by_id, "id"
    by_email = [c for c in customers if payer.email and c.email.casefold() == payer.email.casefold()]
    if by_email:
        named = [c for c in by_email if plain_name(c.name) == plain_name(payer.name)]
        return (named or by_email), "email and name" if named else "email"
    name = plain_name(payer.name)
    return [c for c in customers if name and plain_name(c.name) == name], "name"


def confidence(ground: str, found: int, payers: int) -> str:
    """`payers`: how many payers found the same customer."""
    if not found:
        return "none"
    if found > 1 or payers > 1:
        return "ambiguous"
    return {"id": "certain", "email and name": "high", "email": "high"}.get(ground, "medium")


def pair(
    units: Sequence[tuple[BillingUnit, Money]], subscriptions: Iterable[ForeignSubscription]
) -> list[tuple[BillingUnit | None, Money | None, ForeignSubscription | None]]:
    """By equal amounts; what is left is paired only if it is one and one."""
    left, rest = list(subscriptions), []
    result: list[tuple[BillingUnit | None, Money | None, ForeignSubscription | None]] = []
    for unit, amount in units:
        same = [one for one in left if one.amount == amount]
        if len(same) == 1:
            left.remove(same[0])
            result.append((unit, amount, same[0]))
        else:
            rest.append((unit, amount))
    if len(rest) == 1 and len(left) == 1:
        return [*result, (*rest[0], left[0])]
    return [*result, *((unit, amount, None) for unit, amount in rest), *((None, None, one) for one in left)]
