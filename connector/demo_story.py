"""What happens in the demo: two billing periods in the life of a managed service provider."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from typing import Any

import requests

from connector.config.load import load_config
from connector.demo import Demo
from connector.model.charge import ChargeState
from connector.model.ledger import EntryKind
from connector.model.money import Money, total
from connector.show import table
from connector.store import Store, charges, ledger, outbox, payers, units


def tell(demo: Demo) -> None:
    demo.settle()
    _enrolment(demo)
    _first_period(demo)
    _changes(demo)
    _second_period(demo)


def summary(demo: Demo) -> bool:
    """Print the three-way check as a user would see it, and what an owner wants to know. True when everything ties."""
    demo.console.rule("Three-way check")
    check = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "connector.cli", "reconcile", "--all", "--config", str(demo.config)], check=False
    )
    demo.console.rule("Summary")
    _owner_summary(demo)
    return check.returncode == 0


def _enrolment(demo: Demo) -> None:
    state = demo.state()[demo.psa]
    agreements = len(state["agreements" if demo.psa == "connectwise" else "Contracts"])
    with _store(demo).read() as tx:
        waiting = [row for row in payers.every(tx) if row.link]
        mirrored = len(units.every(tx))
    demo.say(f"{_psa(demo)} holds {agreements} agreements; the field mapping takes {mirrored} billing units of opted-in payers.")
    demo.say(f"{len(waiting)} payers got a link to authorise a payment method once. All but one open it:")
    for number, row in enumerate(sorted(waiting, key=lambda r: r.name)[:-1]):
        method = "us_bank_account" if number % 3 == 2 else "card"
        session = re.search(r"cs_test_\w+", row.link)
        if session is not None:
            demo.act("stripe.complete_checkout", session=session.group(), method=method)
            demo.say(f"  {row.name} authorises a {'bank debit (ACH)' if method != 'card' else 'card'}")
    demo.settle()


def _first_period(demo: Demo) -> None:
    demo.to("2026-01-16")
    demo.to("2026-02-02")
    demo.say(
        f"The office created February's invoices in {_psa(demo)}; each draft waits for its due date, then is trued up and"
        " released."
    )
    _progress(demo)
    demo.to("2026-02-17")
    demo.say(
        f"{'Net 15' if demo.psa == 'connectwise' else 'The first'} invoices fell due. Cards are charged at once; bank debits take"
        " days and are not collected twice meanwhile."
    )
    _progress(demo)
    demo.to("2026-02-24")
    _progress(demo)


def _changes(demo: Demo) -> None:
    """In the middle of the contract, by what people do in the PSA: nobody touches Stripe."""
    if demo.psa == "autotask":
        _changes_in_autotask(demo)
    else:
        _changes_in_connectwise(demo)
    demo.settle()
    demo.say(f"The subscriptions in Stripe follow by themselves; the invoices stay {_psa(demo)}'s business.")


def _changes_in_autotask(demo: Demo) -> None:
    more, ended, home = _sold(demo)
    demo.act("office.adjust", sold=more["id"], units=3, on="2026-03-01")
    demo.say(f"Three more of '{more['invoiceDescription']}' on contract {more['contractID']} from 1 March on.")
    demo.act("office.adjust", sold=ended["id"], units=-ended["units"], on="2026-03-01")
    demo.say(f"'{ended['invoiceDescription']}' ends on contract {ended['contractID']}.")
    demo.act("office.sell", contract=home["contractID"], product="Managed workstation", units=2, starts="2026-04-01")
    demo.say(f"Two managed workstations are sold on contract {home['contractID']} from 1 April on.")


def _sold(demo: Demo) -> list[dict[str, Any]]:
    """Services on three different monthly contracts that are collected, with the units in force."""
    mine, state = _monthly_members(demo), demo.state()["autotask"]
    units = {row["contractServiceID"]: row["units"] for row in state["ContractServiceUnits"] if row["startDate"][:7] == "2026-03"}
    found: dict[int, dict[str, Any]] = {}
    for row in state["ContractServices"]:
        if row["contractID"] in mine and units.get(row["id"], 0) >= 2 and row["unitPrice"] > 0:
            found.setdefault(row["contractID"], {**row, "units": units[row["id"]]})
    return list(found.values())[:3]


def _changes_in_connectwise(demo: Demo) -> None:
    billable = _billable_additions(demo)
    more, cancelled, home = billable[0], billable[1], billable[2]["agreementId"]
    demo.act("office.change_quantity", addition=more["id"], quantity=float(more["quantity"]) + 3)
    demo.say(f"Three more of '{_name(more)}' for agreement {more['agreementId']}.")
    demo.act("office.cancel_addition", addition=cancelled["id"], on="2026-02-27")
    demo.say(f"'{_name(cancelled)}' is cancelled on agreement {cancelled['agreementId']}.")
    demo.act(
        "office.add_addition", agreement=home, product="Managed workstation", quantity=2, unitPrice=45, effectiveDate="2026-04-01"
    )
    demo.say(f"Two managed workstations are added to agreement {home} from 1 April on.")


def _second_period(demo: Demo) -> None:
    for day in ("2026-03-02", "2026-03-04", "2026-03-17"):
        demo.to(day)
    demo.say("March is billed at the new quantities and collected on its due dates.")
    _progress(demo)
    for day in ("2026-03-25", "2026-04-01", "2026-04-09"):
        demo.to(day)
    _progress(demo)


def _billable_additions(demo: Demo) -> list[dict[str, Any]]:
    """Lines of three different monthly agreements that are collected, all in force."""
    mine = _monthly_members(demo)
    found: dict[int, dict[str, Any]] = {}
    for row in _rows(demo.state()["connectwise"]["additions"]):
        plain = row.get("billCustomer") == "Billable" and not row.get("cancelledDate") and float(row["unitPrice"]) > 0
        if plain and row["agreementId"] in mine and float(row["quantity"]) >= 2 and row.get("effectiveDate", "") < "2026":
            found.setdefault(row["agreementId"], row)
    return list(found.values())[:3]


def _monthly_members(demo: Demo) -> set[int]:
    with _store(demo).read() as tx:
        return {int(id) for unit in units.every(tx) if unit.state == "active" and unit.cycle == "monthly" for id in unit.members}


def _psa(demo: Demo) -> str:
    return {"connectwise": "ConnectWise", "autotask": "Autotask"}[demo.psa]


def _rows(table_: Any) -> list[dict[str, Any]]:
    return list(table_.values()) if isinstance(table_, dict) else list(table_)


def _name(addition: dict[str, Any]) -> str:
    return str(addition.get("invoiceDescription") or addition.get("description") or addition["product"]["identifier"])


def _progress(demo: Demo) -> None:
    with _store(demo).read() as tx:
        counted = Counter(str(charge.state) for charge in charges.every(tx))
        entries = ledger.entries(tx)
        written = outbox.counts(tx)["done"]
    money = total((e.amount if e.kind is EntryKind.PAYMENT else -e.amount for e in entries), "USD")
    states = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in sorted(counted.items()))
    demo.say(f"  charges: {states}; collected so far {money}; {written} payments written back")


def _owner_summary(demo: Demo) -> None:
    with _store(demo).read() as tx:
        made = charges.every(tx)
        entries = ledger.entries(tx)
        deliveries = outbox.counts(tx)
        waiting = [row.name for row in payers.every(tx) if not row.method]
    rows = table("", "what", "number", "amount", right=("number", "amount"))
    for state in ChargeState:
        mine = [c for c in made if c.state is state]
        if mine:
            rows.add_row(
                f"charges {state.replace('_', ' ')}", str(len(mine)), str(total((c.owed or c.computed for c in mine), "USD"))
            )
    for method in sorted({entry.method for entry in entries}):
        paid = [e for e in entries if e.method is method and e.kind is EntryKind.PAYMENT]
        rows.add_row(f"collected by {method.replace('_', ' ')}", str(len(paid)), str(total((e.amount for e in paid), "USD")))
    fees = total((e.fee or Money.zero("USD") for e in entries), "USD")
    rows.add_row("gateway fees", "", str(fees))
    rows.add_row(f"payments written to {_psa(demo)} and QuickBooks", str(deliveries["done"]), "")
    rows.add_row("payments that wait or need attention", str(sum(deliveries.values()) - deliveries["done"]), "")
    demo.console.print(rows)
    if waiting:
        demo.console.print(
            f"Not collected, and said so in `connector status`: {', '.join(waiting)} has not authorised a method yet."
        )
    _requests(demo)


def _requests(demo: Demo) -> None:
    log = requests.get(f"{demo.sandbox}/_sandbox/requests", timeout=30).json()
    counted = Counter(row["partner"] for row in log)
    said = ", ".join(f"{partner} {number}" for partner, number in sorted(counted.items()) if partner != "office")
    demo.console.print(f"Requests to partners: {said}. Clicks by you in Stripe or QuickBooks: none.")


def _store(demo: Demo) -> Store:
    return Store(load_config(demo.config).database)
