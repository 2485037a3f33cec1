"""The commands for money that went back: what a refund is for, and what becomes of the charge."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from connector.cli_common import ConfigOption, agent_of

WhoOption = Annotated[str, typer.Option("--as", help="Your name, for the audit.")]
WhyOption = Annotated[str, typer.Option("--why", help="Why, for the audit.")]


class For(StrEnum):
    CREDIT = "credit"
    OVERPAYMENT = "overpayment"
    CANCEL_PAYMENT = "cancel-payment"


class Becomes(StrEnum):
    RECOLLECT = "recollect"
    CREDIT = "credit"
    WRITE_OFF = "write-off"


_THEN = {
    For.CREDIT: "The invoice stays paid; create the credit memo in the PSA, the three-way check waits for it.",
    For.OVERPAYMENT: "It is taken from the payer's unapplied money; no invoice changes.",
    For.CANCEL_PAYMENT: "The payment is taken back in the PSA and the books, and the invoice is open again."
    " What becomes of it is asked next: connector decide",
}


def classify(
    refund: Annotated[str, typer.Argument(help="The refund's id at the gateway, as `connector holds` shows it (re_...).")],
    as_: Annotated[
        For, typer.Argument(metavar="credit|overpayment|cancel-payment", help="What the refund is for.", show_default=False)
    ],
    why: WhyOption = "",
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Say what a refund is for, where its metadata at the gateway does not: until then it is not booked."""
    from connector.flows.decide import classify as said
    from connector.model.ledger import RefundIntent

    _named(who, why)
    with agent_of(config) as agent:
        done = said(agent.desk, refund, RefundIntent(as_.value.replace("-", "_")), who=who, why=why)
        print(f"The refund of {done.entry.amount} of {done.entry.on.isoformat()} is booked as: {as_.value}. {_THEN[as_]}")


def decide(
    charge: Annotated[str, typer.Argument(help="The charge's id, as `connector holds` shows it.")],
    becomes: Annotated[
        Becomes,
        typer.Argument(metavar="recollect|credit|write-off", help="What becomes of it.", show_default=False),
    ],
    why: WhyOption = "",
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Say what becomes of a charge whose payment went back: it is never collected again by itself."""
    from connector.flows.decide import decide as said
    from connector.model.decision import ChargeDecision

    _named(who, why)
    with agent_of(config) as agent:
        done = said(agent.desk, charge, ChargeDecision(becomes.value.replace("-", "_")), who=who, why=why)
        then = {
            Becomes.RECOLLECT: f"Charge {done.next} collects it with the agent's next rounds, at what is owed then and if nothing"
            " holds it (connector holds).",
            Becomes.CREDIT: "Credit the invoice in the PSA; the three-way check waits for it.",
            Becomes.WRITE_OFF: "Nothing more is collected; write the invoice off in the PSA and the books.",
        }[becomes]
        print(f"{done.name}, {done.charge.period}: {done.back} went back; {becomes.value}. {then}")


def allow_method(
    payer: Annotated[str, typer.Argument(help="Payer's id or name, as `connector enrol` lists them.")],
    why: WhyOption = "",
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Let a payment method be debited again after a debit came back: the payer said that it is right to do so."""
    from connector.flows.returned import allow
    from connector.overview import find_payer

    _named(who, why)
    with agent_of(config) as agent:
        row = allow(agent.desk, find_payer(agent.desk, payer).key, who=who, why=why)
        print(f"{row.name}: the same payment method may be debited again. What waits goes on with the agent's next round.")
        print("Where the bank ended the authorisation, the gateway refuses it: then only a new authorisation helps.")


COMMANDS: tuple[Any, ...] = (classify, decide, allow_method)


def _named(who: str, why: str) -> None:
    if not who.strip() or not why.strip():
        raise typer.BadParameter('say who you are and why, both are kept: --as "Dana" --why "agreed with the customer"')
