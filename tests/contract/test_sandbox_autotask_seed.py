"""The seeded Autotask: its special cases, the past that adds up, and the program that serves it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
import requests

from adapters.sandbox.seed import build_world
from adapters.sandbox.seed_autotask import MANY_SERVICES
from adapters.sandbox.server import Sandbox
from adapters.sandbox.wire import plain
from adapters.sandbox.world import World

PROGRAM = "from adapters.sandbox.main import serve; serve(0, 1, 12, 4, psa='{psa}')"


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(psa="autotask")


def rows(world: World, entity: str, **equal: Any) -> list[dict[str, Any]]:
    found = world.state()["autotask"][entity]
    return [row for row in found if all(row[name] == value for name, value in equal.items())]


def contract(world: World, name: str) -> dict[str, Any]:
    return rows(world, "Contracts", contractName=name)[0]


def invoices_of(world: World, contract_id: int) -> set[int]:
    return {row["invoiceID"] for row in rows(world, "BillingItems", contractID=contract_id)}


def udf(row: dict[str, Any], name: str) -> str | None:
    return next((field["value"] for field in row["userDefinedFields"] if field["name"] == name), None)


def test_the_same_arguments_make_the_same_world(world: World) -> None:
    assert json.dumps(build_world(psa="autotask").state(), default=plain) == json.dumps(world.state(), default=plain)
    assert rows(build_world(psa="autotask", seed=2), "ContractServiceUnits") != rows(world, "ContractServiceUnits")


def test_every_invoice_is_the_sum_of_its_items(world: World) -> None:
    sums: Counter[int] = Counter()
    for item in rows(world, "BillingItems"):
        sums[item["invoiceID"]] += item["totalAmount"]

    assert {row["id"]: row["invoiceTotal"] for row in rows(world, "Invoices", isVoided=False)} == dict(sums)


def test_every_posted_row_is_one_item_rounded_to_the_cent(world: World) -> None:
    posted = [row["price"] for row in rows(world, "ContractServiceUnits") if row["approveAndPostDate"]]
    posted += [row["price"] for row in rows(world, "ContractServiceBundleUnits") if row["approveAndPostDate"]]
    items = [row["extendedPrice"] for row in rows(world, "BillingItems")]

    assert len(posted) == len(items)
    assert all(abs(ours - theirs) <= Decimal("0.005") for ours, theirs in zip(sorted(posted), sorted(items), strict=True))


def test_the_past_is_paid_and_in_quickbooks(world: World) -> None:
    valid = rows(world, "Invoices", isVoided=False)
    totals = {str(row["invoiceNumber"] or row["id"]): row["invoiceTotal"] for row in valid if row["invoiceTotal"]}
    books = world.state()["quickbooks"]["Invoice"]

    assert all(row["paidDate"] for row in valid)
    assert all(row["webServiceDate"] for row in valid if row["invoiceTotal"])
    assert {row["DocNumber"]: Decimal(str(row["TotalAmt"])) for row in books} == totals
    assert {row["Balance"] for row in books} == {0}


def test_one_contract_has_more_services_than_a_gateway_takes_and_an_invoice_made_twice(world: World) -> None:
    many = contract(world, "Managed Services 2025")
    voided = rows(world, "Invoices", isVoided=True)

    assert len(rows(world, "ContractServices", contractID=many["id"])) == MANY_SERVICES
    assert [(row["companyID"], row["paidDate"]) for row in voided] == [(many["companyID"], None)]


def test_two_contracts_share_their_invoices(world: World) -> None:
    first, second = (contract(world, f"{name}, Copperfield") for name in ("Managed Services", "Cloud & Backup"))

    assert invoices_of(world, first["id"]) == invoices_of(world, second["id"])
    assert (udf(first, "Invoice Group"), udf(second, "Invoice Group")) == ("Main", "Main")


def test_one_contract_was_billed_for_a_month_on_two_invoices(world: World) -> None:
    changing = contract(world, "Managed Services, Hawthorn")["id"]
    december = [row for row in rows(world, "BillingItems", contractID=changing) if row["itemDate"].startswith("2025-12")]
    next_month = [
        row for row in rows(world, "ContractServiceUnits", contractID=changing) if row["startDate"].startswith("2026-02")
    ]

    assert len({row["invoiceID"] for row in december}) == 2
    assert sorted((row["startDate"][:10], row["units"]) for row in next_month) == [
        ("2026-02-01", 2),
        ("2026-02-01", 16),
        ("2026-02-15", 21),
    ]


def test_who_pays_is_not_always_who_is_served(world: World) -> None:
    row = contract(world, "Managed Services, Driftwood")
    payers = {invoice["companyID"] for invoice in rows(world, "Invoices") if invoice["id"] in invoices_of(world, row["id"])}

    assert row["billToCompanyID"] != row["companyID"]
    assert payers == {row["billToCompanyID"]}


def test_a_bundle_is_sold_beside_one_of_its_services_on_invoices_without_a_number(world: World) -> None:
    desk = contract(world, "Everything Desk")["id"]
    bundled = {row["serviceID"] for row in rows(world, "ServiceBundleServices")}
    numbers = {row["invoiceNumber"] for row in rows(world, "Invoices") if row["id"] in invoices_of(world, desk)}

    assert {row["serviceID"] for row in rows(world, "ContractServices", contractID=desk)} < bundled
    assert len(rows(world, "ContractServiceBundles", contractID=desk)) == 1
    assert numbers == {None}


def test_ended_renewed_inactive_future_and_own_contracts_are_there(world: World) -> None:
    ended, renewal = (contract(world, f"Managed Services {year}, Inlet") for year in (2025, 2026))
    inactive, future = contract(world, "Camera surveillance (lost)"), contract(world, "Managed Services, Kingfisher")
    block, own = contract(world, "Block of 40 hours"), contract(world, "Our own tools")

    assert (ended["endDate"][:10], renewal["startDate"][:10], renewal["renewedContractID"]) == (
        "2025-11-30",
        "2025-12-01",
        ended["id"],
    )
    assert (inactive["status"], invoices_of(world, inactive["id"])) == (0, set())
    assert (future["startDate"][:10], invoices_of(world, future["id"])) == ("2026-02-01", set())
    assert (block["contractType"], own["companyID"]) == (4, 0)


def test_period_types_mix_on_one_contract(world: World) -> None:
    mixed = contract(world, "Care and domains")["id"]
    types = {row["id"]: row["periodType"] for row in rows(world, "Services")}

    assert {types[row["serviceID"]] for row in rows(world, "ContractServices", contractID=mixed)} == {2, 4, 5}
    assert {row["endDate"][:10] for row in rows(world, "ContractServiceUnits", contractID=mixed)} >= {"2026-02-27", "2026-08-30"}


def test_thousands_of_contracts_are_there_quickly() -> None:
    began = time.monotonic()
    big = build_world(psa="autotask", agreements=2000, partners=("office",))
    names = [row["companyName"] for row in rows(big, "Companies")]

    assert time.monotonic() - began < 30
    assert len(rows(big, "Contracts")) == 2003
    assert len(set(names)) == len(names)


def test_both_psas_live_in_one_world_with_payers_of_their_own() -> None:
    both = build_world(psa="both")
    both.advance_days(35)
    state = both.state()
    customers = {row["DisplayName"] for row in state["quickbooks"]["Customer"]}
    payers = {row["companyID"] for row in rows(both, "Invoices") if row["invoiceTotal"] > 0}

    assert {row["companyName"] for row in rows(both, "Companies") if row["id"] in payers} < customers
    assert {row["billToCompany"]["name"] for row in state["connectwise"]["invoices"]} < customers
    assert {"office", "autotask_office"} < both.partners.keys()


def test_an_unknown_psa_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown PSA 'halo'; known: connectwise, autotask, both"):
        build_world(psa="halo")


def test_a_new_seed_may_have_another_psa() -> None:
    with Sandbox(build_world(partners=("office",))) as sandbox:
        answer = requests.post(f"{sandbox.url}/_sandbox/seed", json={"psa": "autotask", "agreements": 20}, timeout=10)
        refused = requests.post(f"{sandbox.url}/_sandbox/seed", json={"psa": "halo"}, timeout=10)

        assert answer.status_code == 200
        assert len(rows(sandbox.world, "Contracts")) == 23
        assert refused.status_code == 400


def test_actions_over_the_control_interface_answer_in_json() -> None:
    with Sandbox(build_world(psa="autotask", partners=("office",))) as sandbox:
        url = f"{sandbox.url}/_sandbox"
        made = requests.post(f"{url}/office.create_invoices", json={"through": "2026-01-15", "contracts": [29684106]}, timeout=5)
        wrong = requests.post(f"{url}/office.void_invoice", json={"invoice": "AT-1"}, timeout=5)
        requests.post(f"{url}/autotask.set_read_only", json={"entity": "Invoices", "field": "paidDate"}, timeout=5)

        assert [(found["contracts"], found["dated"], found["total"]) for found in made.json()] == [
            ([29684106], "2026-01-15", 478.61)
        ]
        assert (wrong.status_code, "AT-1" in wrong.json()["error"]) == (400, True)
        assert ("Invoices", "paidDate") in sandbox.world.partners["autotask"].tenant.read_only  # type: ignore[attr-defined]


@pytest.mark.parametrize("psa", ["autotask", "both"])
def test_the_program_says_where_autotask_is(psa: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM.format(psa=psa)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        welcome = ""
        while "Ctrl-C" not in welcome:
            line = process.stdout.readline()
            assert line, welcome
            welcome += line
        found = re.search(r"Autotask\s+(\S+)/autotask", welcome)
        process.send_signal(signal.SIGTERM)

    assert found is not None
    assert ("/connectwise" in welcome) == (psa == "both")
