"""What happens to a released charge until it is paid: nothing, it becomes smaller, it is voided, or it is stopped. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from connector.model.dunning import tried_again
from connector.model.guards import Reason
from connector.model.invoice import GatewayInvoice
from connector.model.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class Keep:
    """Nothing to do. `note` tells an admin why money is not coming, if it is not."""

    note: Reason | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reduce:
    by: Money


@dataclass(frozen=True, kw_only=True, slots=True)
class Void:
    pass


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """The gateway is not to try again until a person has decided."""

    reason: Reason


WatchDecision = Keep | Reduce | Void | Stop


def method_returned(payer: str, what: str, on: date) -> Reason:
    return Reason(
        name="method_returned",
        message=f"a debit of the payer's payment method came back on {on.isoformat()} ({what}): it is not debited any more",
        way_on=f"send the link that `connector enrol {payer}` shows, this hold ends with a new method; or, if the payer says that"
        f" the same account may be debited again: connector allow-method {payer}",
    )


def watch(invoice: GatewayInvoice, *, open_now: Money | None, paused: bool, stopped: Reason | None = None) -> WatchDecision:
    """A released invoice, compared each cycle until paid. `open_now`: what is still owed beside what the gateway collected of
    it, None when the bill is gone. `stopped`: why the gateway is not to try again as things are."""
    if paused and not invoice.in_flight:
        return Stop(reason=Reason(name="paused", message="charging is paused for everybody", way_on="connector resume"))
    if open_now is None:
        return _gone(invoice)
    surplus = invoice.amount_remaining - open_now
    if surplus.minor <= 0 and stopped is not None and not invoice.in_flight:
        return Stop(reason=stopped)
    if surplus.minor <= 0:
        return Keep(note=tried_again(invoice) or _stuck(invoice))
    if invoice.in_flight:
        reason = Reason(
            name="in_flight",
            message=f"{surplus} of it was paid elsewhere while a debit of {invoice.amount_remaining} is under way at the bank",
            way_on="refund the difference when the debit has settled",
        )
        return Keep(note=reason)
    if surplus >= invoice.amount_remaining:
        return Void() if not invoice.amount_paid else Reduce(by=invoice.amount_remaining)
    return Reduce(by=surplus)


def _gone(invoice: GatewayInvoice) -> WatchDecision:
    reason = Reason(
        name="invoice_gone",
        message="its invoice was deleted, voided or written off in the PSA after the charge was released",
        way_on="create the invoice again in the PSA (or take back what was written off) and the charge goes on; or void it at the"
        " gateway",
    )
    return Keep(note=reason) if invoice.in_flight else Stop(reason=reason)


def _stuck(invoice: GatewayInvoice) -> Reason | None:
    if invoice.in_flight or invoice.next_attempt is not None or not invoice.attempts:
        return None
    return Reason(
        name="not_retrying",
        message=f"the gateway gave up after {invoice.attempts} attempts ({invoice.failure or 'no reason given'})",
        way_on="ask the payer for another method (`connector enrol`), or collect it outside autopay",
    )
