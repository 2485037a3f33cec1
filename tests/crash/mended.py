"""Lives in which something is put right: what people changed or removed, a book that is joined, a store that was lost."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connector.agent import Agent
from connector.flows import adopt, adopt_confirm, adopt_file, attention, month_end, reconcile, recover, repair, switch
from connector.model.decision import ChargeDecision
from connector.model.ledger import RefundIntent
from tests.crash.matrix import People, Stage, Story
from tests.crash.story import (
    ACCOUNTS,
    ME,
    cheque,
    classifies,
    customer,
    decides,
    enrols,
    invoice,
    on,
    payment,
    refund,
    then,
)

# What people do


def has_money_again(people: People) -> None:
    for method in people.rows("stripe", "payment_method"):
        people.act("stripe.set_behaviour", method=method["id"], behaviour="ok")


def in_books(people: People, name: str) -> str:
    """Our payment in the books, the newest of this payer."""
    said = payment(people, name)
    return str([row for row in people.rows("quickbooks", "Payment") if said in row.get("PrivateNote", "")][-1]["Id"])


def edits_payment(name: str, **changes: Any) -> Callable[[People], None]:
    return lambda people: people.act("quickbooks.edit_payment", id=in_books(people, name), **changes)


def takes_off_its_invoice(name: str) -> Callable[[People], None]:
    return lambda people: people.act("quickbooks.move_payment", id=in_books(people, name), number=None)


def deletes_in_books(name: str) -> Callable[[People], None]:
    return lambda people: people.act("quickbooks.delete_payment", id=in_books(people, name))


def deletes_payout_in_books(people: People) -> None:
    people.act("quickbooks.delete_transfer", id=people.rows("quickbooks", "Transfer")[-1]["Id"])


def deletes_in_psa(name: str) -> Callable[[People], None]:
    def delete(people: People) -> None:
        bill = invoice(people, name)
        (mine,) = [row for row in people.rows("connectwise", "payments") if row["invoice"]["id"] == bill["id"]]
        people.act("office.delete_payment", invoice=bill["invoiceNumber"], payment=mine["id"])

    return delete


def collected_elsewhere(name: str) -> Callable[[People], None]:
    """Another product has collected from it so far."""

    def collect(people: People) -> None:
        people.act(
            "stripe.add_autopay_customer", name=name, email=f"ap@{name.lower()}.example", amount=45000, next_on="2026-02-01"
        )

    return collect


def keeps_a_copy(people: People) -> None:
    shutil.copy(people.folder / "connector.db", people.folder / "kept.db")


def puts_the_copy_back(people: People) -> None:
    for ending in ("", "-wal", "-shm"):
        (people.folder / f"connector.db{ending}").unlink(missing_ok=True)
    shutil.copy(people.folder / "kept.db", people.folder / "connector.db")
    (people.folder / "secrets" / "quickbooks_refresh").write_text(people.act("quickbooks.reconnect"))  # tokens rotate


# What a person tells the agent


def pauses(agent: Agent) -> None:
    switch.pause(agent.desk, **ME)


def resumes(agent: Agent) -> None:
    switch.resume(agent.desk, **ME)


def repairs(agent: Agent) -> None:
    """Whatever the three-way check finds and the agent can mend."""
    for drift in reconcile.reconcile(agent.desk).drifts:
        found = repair.plan(agent.desk, drift.id)
        if found.steps:
            repair.carry_out(agent.desk, found, **ME)


def says_it_is_right(agent: Agent) -> None:
    for one in attention.parked(agent.desk):
        attention.dismiss(agent.desk, one.id, **ME)


def closes_february(agent: Agent) -> None:
    month_end.close(agent.desk, month_end.parse_month("2026-02", agent.desk.today()), **ME)


def confirms(agent: Agent) -> None:
    """Every proposal of the review file."""
    rows = list(csv.DictReader(adopt_file.as_csv(adopt.propose(agent.desk)).splitlines()))
    with tempfile.TemporaryDirectory() as folder, (path := Path(folder) / "review.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys() if rows else ())
        writer.writeheader()
        writer.writerows({**row, "decision": "yes"} for row in rows)
        file.flush()
        adopt_confirm.confirm(agent.desk, path, **ME)


def recovers(agent: Agent) -> None:
    recover.recover(agent.desk, recover.survey(agent.desk), **ME)
    agent.high_water.recovered()


MENDED = Story(
    name="mended",
    config={"books": {"method": "clearing_account", "accounts": ACCOUNTS, "foreign": "book"}},
    stages=(
        Stage(name="customers come", people=then(customer("Adatum"), customer("Contoso"))),
        Stage(name="they enrol", people=then(enrols("Adatum", behaviour="decline"), enrols("Contoso"))),
        Stage(name="February is billed", people=on("2026-02-02")),
        Stage(name="one is paid, one is declined", people=on("2026-02-03")),
        Stage(name="a cheque for some of it", people=then(on("2026-02-04"), cheque("Adatum", "120.00"))),
        Stage(name="a person pauses", agent=pauses),
        Stage(name="and resumes", people=on("2026-02-05"), agent=resumes),
        Stage(name="the card has money again", people=then(has_money_again, on("2026-02-12"))),
        Stage(name="a payment is taken off its invoice", people=takes_off_its_invoice("Contoso")),
        Stage(name="that is mended", people=on("2026-02-13"), agent=repairs),
        Stage(name="a payment is changed", people=edits_payment("Contoso", amount="400.00")),
        Stage(name="it is entered again", people=on("2026-02-14"), agent=repairs),
        Stage(name="a payment is deleted in the PSA", people=deletes_in_psa("Contoso")),
        Stage(name="it is recorded again", people=on("2026-02-15"), agent=repairs),
        Stage(name="a payout is deleted in the books", people=deletes_payout_in_books),
        Stage(name="it is booked again", people=on("2026-02-19"), agent=repairs),
        Stage(name="a refund is asked about", people=refund("Contoso", amount=10000)),
        Stage(name="it takes the payment back", agent=classifies(RefundIntent.CANCEL_PAYMENT)),
        Stage(name="it will be credited", people=on("2026-02-20"), agent=decides(ChargeDecision.CREDIT)),
        Stage(name="a person removes a payment", people=then(deletes_in_books("Adatum"), on("2026-02-24"))),
        Stage(name="and says that it is right", agent=says_it_is_right),
        Stage(name="the month ends", people=on("2026-03-10")),
        Stage(name="it is closed", agent=closes_february),
    ),
)

JOINED = Story(
    name="joined",
    replaces_store=True,
    stages=(
        Stage(
            name="a customer of another product comes",
            people=then(customer("Adatum"), collected_elsewhere("Adatum")),
            agent=confirms,
        ),
        Stage(name="the store is kept", people=keeps_a_copy),
        Stage(name="February is billed", people=on("2026-02-02")),
        Stage(name="it is paid", people=on("2026-02-03")),
        Stage(name="the older store is put back", people=then(puts_the_copy_back, on("2026-02-04")), agent=recovers),
        Stage(name="charging goes on", people=on("2026-02-05"), agent=resumes),
        Stage(name="March is billed", people=on("2026-03-02")),
        Stage(name="and paid", people=on("2026-03-03")),
    ),
)
