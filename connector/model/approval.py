"""Who has to say yes to a charge before it goes out: in an agreement's first periods, and twice above a limit. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from connector.model.charge import Charge, ChargeState
from connector.model.money import Money
from connector.model.period import Period

NOT_APPROVED = "not_approved"  # name of the hold
WAITS = "billing_run"  # setting: what of the coming run waits for approval, as the last round of release saw it


class Asked(StrEnum):
    """How it stands with the approval of one charge."""

    NO = "no"  # none is asked for
    YES = "yes"  # nobody has approved it yet
    AGAIN = "again"  # it was approved, and its amount has changed since
    SECOND = "second"  # one person has; above the limit a second one is asked
    GIVEN = "given"


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """One person's yes to one charge at one amount. `what`: NOT_APPROVED, or the hold that was overruled."""

    charge: str
    what: str
    amount: Money
    who: str
    why: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    asked: Asked
    message: str = ""

    @property
    def waits(self) -> bool:
        return self.asked in (Asked.YES, Asked.AGAIN, Asked.SECOND)


NOT_ASKED = Standing(asked=Asked.NO)


def is_wanted(approve: str, periods: int, earlier: int) -> bool:
    """`approve`: always, never, or first_periods of which `earlier` were charged already."""
    return approve == "always" or (approve == "first_periods" and earlier < periods)


def people(given: Sequence[Approval], what: str, amount: Money) -> tuple[str, ...]:
    """Who said yes to exactly this amount, each once; a name is the same in capitals and with spaces around it."""
    named = {a.who.strip().casefold(): a.who.strip() for a in given if a.what == what and a.amount == amount}
    return tuple(named.values())


def needed(amount: Money, second_above: Money | None) -> int:
    return 2 if second_above is not None and second_above.currency == amount.currency and amount > second_above else 1


def standing(amount: Money, given: Sequence[Approval], *, second_above: Money | None) -> Standing:
    """Of a charge that wants approval, at the amount that it has now."""
    said = people(given, NOT_APPROVED, amount)
    wanted = needed(amount, second_above)
    if len(said) >= wanted:
        return Standing(asked=Asked.GIVEN, message=f"approved by {' and '.join(said)}")
    if said:
        return Standing(asked=Asked.SECOND, message=f"approved by {said[0]}; above {second_above} a second person has to approve")
    before = [a for a in given if a.what == NOT_APPROVED]
    if before:
        last = max(before, key=lambda a: a.at)
        return Standing(asked=Asked.AGAIN, message=f"{last.who} approved {last.amount}, and it is {amount} now")
    return Standing(asked=Asked.YES, message="nobody has approved it yet")


def went_out(of_unit: Iterable[Charge], *, before: Period) -> tuple[Charge, ...]:
    """The regular charges of earlier periods that a payer was asked to pay."""
    done = (ChargeState.RELEASED, ChargeState.PAID, ChargeState.ENDED)
    return tuple(c for c in of_unit if not c.number and c.period < before and c.state in done)


def waiting_sentences(stored: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    """Of what the setting WAITS holds: on, charges, amount."""
    return tuple(
        f"The run of {one['on']} ({one['charges']} charges, {one['amount']}) waits for approval: connector billing-run"
        for one in stored
    )
