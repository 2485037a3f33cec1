"""Half a year with every kind of write in it: customers, products, subscriptions, charges, payments, what goes back."""

from __future__ import annotations

from typing import Any

from tests.crash.matrix import People, Stage, nothing

NAMES = ("Adatum", "Contoso")


def _customers_come(people: People) -> None:
    for name, method in zip(NAMES, ("Yes", "Yes"), strict=True):
        company = people.act("office.add_company", name=name, email=f"ap@{name.lower()}.example", Autopay=method)
        fields = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": "500.00", "tax_code": "Exempt"}
        people.act("office.add_agreement", company=company, name="Managed Services", **fields)


def _until(day: float) -> Any:
    return lambda people: people.later(days=day)


def _they_enrol(people: People) -> None:
    people.enrol()


def _bills_come(people: People) -> None:
    people.world.advance(people.world.now.replace(month=2, day=2, hour=18))


def _an_agreement_changes(people: People) -> None:
    for row in _agreements(people):
        people.act("office.add_addition", agreement=row["id"], product="Managed workstation", quantity="3")
    people.later(days=1)


def _refund_and_dispute(people: People) -> None:
    payments = [row["payment"] for row in people.stored("ledger_entry") if row["kind"] == "payment"]
    people.act("stripe.refund", payment_intent=payments[0], amount=20000, intent="cancel_payment")
    people.act("stripe.dispute", payment_intent=payments[1])
    people.later(days=1)


def _the_next_month(people: People) -> None:
    people.world.advance(people.world.now.replace(month=3, day=2, hour=18))


def _one_leaves(people: People) -> None:
    people.act("office.cancel_agreement", agreement=_agreements(people)[0]["id"], on=f"{people.world.now:%Y-%m-%d}")
    people.later(days=1)


def _agreements(people: People) -> list[dict[str, Any]]:
    state = people.world.partners["connectwise"].state()["agreements"]
    rows = list(state.values()) if isinstance(state, dict) else list(state)
    return [row for row in rows if row["company"]["name"] in NAMES]


STORY = (
    Stage(name="customers come", people=_customers_come, agent=nothing),
    Stage(name="they enrol", people=_they_enrol, agent=nothing),
    Stage(name="February is billed", people=_bills_come, agent=nothing),
    Stage(name="February is paid", people=_until(0.25), agent=nothing),
    Stage(name="an agreement changes", people=_an_agreement_changes, agent=nothing),
    Stage(name="money goes back", people=_refund_and_dispute, agent=nothing),
    Stage(name="March is billed", people=_the_next_month, agent=nothing),
    Stage(name="March is paid", people=_until(0.25), agent=nothing),
    Stage(name="one leaves", people=_one_leaves, agent=nothing),
)
