"""Lives with every kind of write in them: customers, subscriptions, charges, payments, what goes back, and a person's word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

from connector.agent import Agent
from connector.flows import billing_run, overrule
from connector.flows.decide import classify, decide
from connector.model.decision import ChargeDecision
from connector.model.ledger import RefundIntent
from connector.store import holds
from tests.crash.matrix import People, Stage, Story

ACCOUNTS = {"clearing": "93", "bank": "35", "fees": "92", "reserves": "95", "foreign": "96"}
ME: dict[str, Any] = {"who": "Dana", "why": "agreed with the customer"}


def on(day: str, hour: int = 18) -> Callable[[People], None]:
    return lambda people: people.world.advance(datetime.combine(date.fromisoformat(day), time(hour), UTC))


def then(*steps: Callable[[People], object]) -> Callable[[People], None]:
    def all_of_them(people: People) -> None:
        for step in steps:
            step(people)

    return all_of_them


# What people do


def customer(name: str, **agreement: Any) -> Callable[[People], None]:
    """500.00 a month from February on, untaxed, due on receipt."""
    fields = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": "500.00", "tax_code": "Exempt", **agreement}

    def come(people: People) -> None:
        company = people.act("office.add_company", name=name, email=f"ap@{name.lower()}.example", Autopay="Yes")
        people.act("office.add_agreement", company=company, name="Managed Services", **fields)

    return come


def enrols(name: str, **method: Any) -> Callable[[People], None]:
    return lambda people: people.enrol(name, **method)


def agreement(people: People, name: str) -> dict[str, Any]:
    (found,) = [row for row in people.rows("connectwise", "agreements") if row["company"]["name"] == name]
    return found


def invoice(people: People, name: str) -> dict[str, Any]:
    """The newest of its agreement."""
    agreed = agreement(people, name)["id"]
    return [row for row in people.rows("connectwise", "invoices") if (row.get("agreement") or {}).get("id") == agreed][-1]


def payment(people: People, name: str) -> str:
    """The newest one."""
    payer = next(row["key"] for row in people.stored("payer") if row["name"] == name)
    mine = {row["id"] for row in people.stored("charge") if row["payer"] == payer}
    paid = [row for row in people.stored("ledger_entry") if row["kind"] == "payment" and row["charge"] in mine]
    return str(max(paid, key=lambda row: str(row["at"]))["payment"])


def grows(name: str) -> Callable[[People], None]:
    return lambda people: people.act(
        "office.add_addition", agreement=agreement(people, name)["id"], product="Managed workstation", quantity="3"
    )


def refund(name: str, **how: Any) -> Callable[[People], None]:
    return lambda people: people.act("stripe.refund", payment_intent=payment(people, name), **how)


def dispute(name: str) -> Callable[[People], None]:
    return lambda people: people.act("stripe.dispute", payment_intent=payment(people, name))


def loses_dispute(people: People) -> None:
    people.act("stripe.close_dispute", dispute=people.rows("stripe", "dispute")[-1]["id"], won=False)


def cheque(name: str, amount: str) -> Callable[[People], None]:
    def enter(people: People) -> None:
        number = str(invoice(people, name)["invoiceNumber"])
        people.act("office.record_payment", invoice=number, amount=amount)
        people.act("quickbooks.enter_payment", customer_name=name, amount=amount, number=number)

    return enter


def bills_in_addition(name: str) -> Callable[[People], None]:
    def bill(people: People) -> None:
        fields = {"product": "Server care", "unitPrice": "149.00", "starts": f"{people.world.now:%Y-%m-%d}"}
        line = people.act("office.add_addition", agreement=agreement(people, name)["id"], **fields)
        people.act("office.bill_addition_now", addition=line)

    return bill


def bills_a_project(name: str) -> Callable[[People], None]:
    def bill(people: People) -> None:
        company = agreement(people, name)["billToCompany"]["id"]
        people.act("office.create_other_invoice", company=company, amount="1200.00", due_days=0, type="Progress")

    return bill


def leaves(name: str) -> Callable[[People], None]:
    return lambda people: people.act(
        "office.cancel_agreement", agreement=agreement(people, name)["id"], on=f"{people.world.now:%Y-%m-%d}"
    )


def moves_on_the_balance(people: People) -> None:
    people.act("stripe.stripe_fee", amount=700)
    people.act("stripe.reserve", amount=2000)
    people.act("stripe.shop_sale", amount=9900)


# What a person tells the agent


def classifies(intent: RefundIntent) -> Callable[[Agent], object]:
    """The newest refund."""

    def say(agent: Agent) -> None:
        refunds = sorted(row for row in _reversals(agent) if row.startswith("reversal:re_"))
        classify(agent.desk, refunds[-1], intent, **ME)

    return say


def _reversals(agent: Agent) -> list[str]:
    from connector.store import ledger

    with agent.store.read() as tx:
        return [entry.key for entry in ledger.entries(tx)]


def decides(decision: ChargeDecision) -> Callable[[Agent], object]:
    """About every charge whose payment was taken back."""

    def say(agent: Agent) -> None:
        for charge in _held(agent, "reversed"):
            decide(agent.desk, charge, decision, **ME)

    return say


def releases(agent: Agent) -> None:
    for charge in _held(agent, "supplementary"):
        overrule.overrule(agent.desk, charge, **ME)


def approves(agent: Agent) -> None:
    run = billing_run.billing_run(agent.desk)
    billing_run.approve(agent.desk, run, charges=(), **ME)


def _held(agent: Agent, name: str) -> list[str]:
    with agent.store.read() as tx:
        return sorted(hold.charge for hold in holds.active(tx) if hold.name == name and hold.charge)


MONEY = Story(
    name="money",
    config={"books": {"method": "clearing_account", "accounts": ACCOUNTS, "foreign": "book"}},
    stages=(
        Stage(name="customers come", people=then(customer("Adatum"), customer("Contoso"))),
        Stage(
            name="they enrol", people=then(enrols("Adatum"), enrols("Contoso", method="us_bank_account", behaviour="ach_returns"))
        ),
        Stage(name="February is billed", people=on("2026-02-02")),
        Stage(name="the card is paid", people=on("2026-02-03")),
        Stage(name="an agreement grows", people=then(on("2026-02-04"), grows("Adatum"))),
        Stage(name="a refund is asked about", people=then(on("2026-02-05"), refund("Adatum", amount=20000))),
        Stage(name="it takes the payment back", agent=classifies(RefundIntent.CANCEL_PAYMENT)),
        Stage(name="it is collected again", people=on("2026-02-06"), agent=decides(ChargeDecision.RECOLLECT)),
        Stage(name="and paid", people=on("2026-02-07")),
        Stage(name="the debit is paid", people=on("2026-02-09")),
        Stage(name="the debit comes back", people=on("2026-02-12")),
        Stage(name="and once more", people=on("2026-02-16")),
        Stage(name="it is written off", people=on("2026-02-17"), agent=decides(ChargeDecision.WRITE_OFF)),
        Stage(name="the balance moves", people=then(on("2026-02-18"), moves_on_the_balance)),
        Stage(name="its journal", people=on("2026-02-20")),
        Stage(name="March is billed", people=on("2026-03-02")),
        Stage(name="March is paid", people=on("2026-03-03")),
        Stage(name="a dispute", people=then(on("2026-03-04"), dispute("Adatum"))),
        Stage(name="it is lost", people=then(on("2026-03-06"), loses_dispute)),
        Stage(name="the payer leaves", people=then(on("2026-03-07"), leaves("Adatum"))),
        Stage(name="the rest of the month", people=on("2026-03-31")),
    ),
)

CARE = Story(
    name="care",
    config={
        "charging": {"approve": "first_periods"},
        "collect": {"other_invoices": {"project": True}, "payers": {"20": {"cap": "5000"}}},
    },
    stages=(
        Stage(
            name="customers come",
            people=then(customer("Adatum", terms="Net 15"), customer("Contoso")),
        ),
        Stage(name="they enrol", people=then(enrols("Adatum", behaviour="decline"), enrols("Contoso"))),
        Stage(name="February is billed", people=on("2026-02-02")),
        Stage(name="a person approves", people=on("2026-02-03"), agent=approves),
        Stage(name="it is paid", people=on("2026-02-04")),
        Stage(name="more is billed", people=then(on("2026-02-05"), bills_in_addition("Contoso"))),
        Stage(name="a person releases it", people=on("2026-02-06"), agent=releases),
        Stage(name="a project is billed", people=then(on("2026-02-08"), bills_a_project("Contoso"))),
        Stage(name="it is collected", people=on("2026-02-10")),
        Stage(name="it arrives", people=on("2026-02-12")),
        Stage(name="a card is declined", people=on("2026-02-18")),
        Stage(name="a cheque for some of it", people=then(on("2026-02-19"), cheque("Adatum", "120.00"))),
        Stage(name="a cheque for the rest", people=then(on("2026-02-20"), cheque("Adatum", "380.00"))),
        Stage(name="a refund", people=then(on("2026-02-21"), refund("Contoso", intent="credit"))),
        Stage(name="the month ends", people=on("2026-02-27")),
    ),
)


def sells(people: People) -> None:
    fields = {"email": "ap@adatum.example", "terms": "Due on receipt", "udfs": {"Autopay": "Yes"}}
    company = people.act("office.add_company", name="Adatum", **fields)
    contract = people.act("office.add_contract", company=company, name="Managed Services", starts="2026-02-01")
    service = people.act("office.add_service", name="Desk", price="500.00", taxed=False)
    people.act("office.sell", contract=contract, product=service)


AUTOTASK = Story(
    name="autotask",
    kind="autotask",
    stages=(
        Stage(name="a customer comes", people=sells),
        Stage(name="it enrols", people=enrols("Adatum")),
        Stage(name="February is billed", people=on("2026-02-02")),
        Stage(name="it is paid", people=on("2026-02-03")),
        Stage(name="it is refunded", people=then(on("2026-02-04"), refund("Adatum", intent="cancel_payment"))),
        Stage(name="the week ends", people=on("2026-02-08")),
    ),
)
