"""How long a payment that fails is tried: the gateway retries by itself, the agent says when that is enough. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from connector.model.guards import Reason
from connector.model.invoice import GatewayInvoice, MethodKind

OVER = "dunning_over"  # the gateway was told to stop
FAILED = "payment_failed"  # it is tried again
# Only these returned debits may be presented again, and at most twice (Nacha rules); any other one needs the payer.
DEBITS_TRIED_AGAIN = frozenset({"insufficient_funds", "uncollected_funds"})
WAY_ON = "ask the payer for another method (`connector enrol`): it then goes on by itself; or enter the payer's cheque in the PSA"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dunning:
    """Attempts count the first one. None: as often as the gateway's own schedule has it."""

    card_attempts: int | None = None
    bank_attempts: int = 3
    days: int = 30


def over(invoice: GatewayInvoice, policy: Dunning, *, released_on: date, today: date) -> Reason | None:
    """Why the gateway is to try no longer, as long as the method that failed is still the payer's."""
    if invoice.in_flight or not invoice.attempts or not invoice.failure:
        return None
    why = _refused(invoice) or _often_enough(invoice, policy) or _long_enough(policy, released_on, today)
    if not why:
        return None
    message = f"{invoice.attempts} {_attempts(invoice)} failed ({invoice.failure}); {why}, so the gateway was told to stop"
    return Reason(name=OVER, message=message, way_on=WAY_ON)


def _attempts(invoice: GatewayInvoice) -> str:
    return "attempt" if invoice.attempts == 1 else "attempts"


def _refused(invoice: GatewayInvoice) -> str:
    is_debit = invoice.failed_kind is MethodKind.BANK_DEBIT
    if is_debit and invoice.failure_code and invoice.failure_code not in DEBITS_TRIED_AGAIN:
        return "a bank debit with this answer may not be presented again"
    return ""


def _often_enough(invoice: GatewayInvoice, policy: Dunning) -> str:
    limit = policy.bank_attempts if invoice.failed_kind is MethodKind.BANK_DEBIT else policy.card_attempts
    return f"that is the limit of {limit}" if limit is not None and invoice.attempts >= limit else ""


def _long_enough(policy: Dunning, released_on: date, today: date) -> str:
    last = released_on + timedelta(days=policy.days)
    return f"the last day for it was {last.isoformat()}" if today > last else ""


def tried_again(invoice: GatewayInvoice) -> Reason | None:
    """What an admin is told while the gateway goes on by itself."""
    if invoice.in_flight or not invoice.attempts or invoice.next_attempt is None or not invoice.failure:
        return None
    message = (
        f"{invoice.attempts} {_attempts(invoice)} failed ({invoice.failure}); the gateway tries again on"
        f" {invoice.next_attempt.date().isoformat()}"
    )
    return Reason(name=FAILED, message=message, way_on=f"wait; or {WAY_ON}")
