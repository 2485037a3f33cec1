"""The sandbox's Autotask over HTTP: zones, keys, permissions, limits, what it tells about itself, and its writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from adapters.sandbox.faults import Fault
from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox
from tests.contract.autotask_client import EVERYTHING, HEADERS, USER, Client, where

PARTNERS = ("office",)
MANY = 29684101  # the contract of many services
CHANGING = 29684107
PAID = 7322  # an invoice of 6985.78, paid


@pytest.fixture
def client() -> Iterator[Client]:
    with Sandbox(build_world(psa="autotask", partners=PARTNERS)) as sandbox:
        yield Client(sandbox)


# Zones and keys


def test_the_zone_leads_to_the_data_on_the_same_host(client: Client) -> None:
    zone = client.zone()

    assert zone["url"] == f"{client.root}/zone2/ATServicesRest/"
    assert client.zone(USER.upper())["url"] == zone["url"]
    assert client.get("/Contracts/29684101")["item"]["id"] == MANY


def test_an_unknown_user_is_a_500(client: Client) -> None:
    address = f"{client.root}/ATServicesRest/V1.0/zoneInformation"
    response = requests.get(address, params={"user": "nobody@sandbox.example"}, timeout=5)

    assert response.status_code == 500
    assert response.json() == {"errors": ["Zone information could not be determined"]}


def test_version_2_is_listed_and_is_not_there(client: Client) -> None:
    versions = requests.get(f"{client.root}/ATServicesRest/versioninformation", timeout=5).json()
    second = client.send("GET", client.base.replace("V1.0", "V2.0") + "/Contracts/29684101")

    assert versions == {"apiVersions": ["V1.0", "V2.0"]}
    assert (second.status_code, second.text[:9]) == (404, "<!DOCTYPE")


@pytest.mark.parametrize("header", ["ApiIntegrationCode", "UserName", "Secret"])
def test_a_wrong_or_missing_key_is_unauthorized(client: Client, header: str) -> None:
    wrong = client.send("GET", "/Contracts/1", headers={**HEADERS, header: "wrong"})
    missing = client.send("GET", "/Contracts/1", headers={name: value for name, value in HEADERS.items() if name != header})

    assert (wrong.status_code, missing.status_code) == (401, 401)
    assert wrong.json() == {"Message": "Authorization has been denied for this request."}


def test_a_user_without_an_api_licence_has_a_zone_and_no_data(client: Client) -> None:
    client.psa.set_user("dispatcher@sandbox.example", secret="secret", api=False)
    headers = {**HEADERS, "UserName": "dispatcher@sandbox.example", "Secret": "secret"}

    assert client.zone("dispatcher@sandbox.example")["zoneName"] == "zone2"
    assert client.send("GET", "/Contracts/1", headers=headers).status_code == 401


@pytest.mark.parametrize(("status", "body"), [(401, ""), (500, "<!DOCTYPE")])
def test_a_database_that_moved_is_found_by_asking_for_its_zone_again(client: Client, status: int, body: str) -> None:
    client.psa.move_zone("zone29", wrong_zone_status=status)
    old = client.send("GET", "/Contracts/29684101")
    new = client.send("GET", client.zone()["url"] + "V1.0/Contracts/29684101")

    assert (old.status_code, old.text[:9]) == (status, body)
    assert new.json()["item"]["id"] == MANY


def test_paths_come_in_any_case(client: Client) -> None:
    shouted = client.send(
        "GET", client.base.upper().replace("HTTP", "http").replace("AUTOTASK", "autotask") + "/CONTRACTS/29684101"
    )

    assert shouted.json()["item"]["id"] == MANY


# Permissions


def test_a_missing_permission_is_a_500_with_its_own_text(client: Client) -> None:
    client.psa.set_permission("Invoices", False, doing="update")
    refused = client.patch("/Invoices", id=PAID, paidDate=None)
    read = client.get(f"/Invoices/{PAID}")["item"]
    client.psa.set_permission("Invoices", False)

    assert refused.status_code == 500
    assert refused.json()["errors"][0].startswith("The logged in Resource does not have the adequate permissions")
    assert read["paidDate"] == "2026-01-04T00:00:00Z"
    assert "adequate permissions to query" in client.refused("Invoices", EVERYTHING)


def test_an_entity_may_seem_empty_without_an_error(client: Client) -> None:
    client.psa.set_permission("Contracts", False, silently=True)

    assert client.rows("Contracts") == []
    assert client.post("/Contracts/query/count", {"filter": [EVERYTHING]}) == {"queryCount": 0}


def test_a_line_of_business_hides_contracts_and_what_hangs_on_them(client: Client) -> None:
    client.psa.hide_contracts([MANY])
    of = where("eq", "contractID", MANY)
    hidden = [client.rows(entity, of) for entity in ("ContractServices", "ContractServiceUnits", "BillingItems")]

    assert MANY not in client.ids("Contracts")
    assert hidden == [[], [], []]
    assert client.get(f"/Contracts/{MANY}") == {"item": None}
    assert client.get(f"/Invoices/{PAID}")["item"]["id"] == PAID


# Limits


def test_the_threshold_is_told_and_counts_every_call_but_the_zone(client: Client) -> None:
    client.zone()
    client.rows("Contracts")
    told = client.get("/ThresholdInformation")

    assert told == {"externalRequestThreshold": 10000, "requestThresholdTimeframe": 60, "currentTimeframeRequestCount": 2}


@pytest.mark.parametrize(("used", "latency_s"), [(4_998, 0.0), (4_999, 0.5), (7_498, 0.5), (7_499, 1.0)])
def test_answers_are_late_from_half_of_the_budget_on(client: Client, used: int, latency_s: float) -> None:
    client.psa.spend_requests(used)
    client.get("/ThresholdInformation")

    assert client.psa.state()["budget"] == {"threshold": 10_000, "used": used + 1, "latency_s": latency_s}


def test_a_spent_budget_refuses_until_the_hour_has_rolled_on(client: Client) -> None:
    client.psa.set_threshold(100)
    client.psa.spend_requests(100)
    refused = client.send("GET", "/Contracts/1")
    client.world.advance_days(59 / 24 / 60)
    still = client.send("GET", "/Contracts/1")
    client.world.advance_days(1 / 24 / 60)
    after = client.send("GET", "/Contracts/1")

    assert [refused.status_code, still.status_code, after.status_code] == [429, 429, 200]
    assert refused.json() == {"errors": ["You have exceeded the threshold of 100 requests in 60 minutes."]}
    assert refused.headers["retry-after"] == "60"


def test_a_fourth_thread_of_an_endpoint_is_refused_by_its_text_alone(client: Client) -> None:
    client.psa.hang_threads("Invoices", 3)
    refused = client.send("GET", f"/Invoices/{PAID}")
    other = client.send("GET", f"/Contracts/{MANY}")
    client.psa.hang_threads("Invoices", 2)

    assert refused.status_code == 500
    assert "Thread Threshold Exceeded" in refused.json()["errors"][0]
    assert other.status_code == 200
    assert client.get(f"/Invoices/{PAID}")["item"]["id"] == PAID


def test_threads_are_counted_while_they_wait(client: Client) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(client.send("GET", f"/Invoices/{PAID}").status_code)) for _ in range(4)
    ]
    with client.world.lock:
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 10
        while client.psa.api.gate.threads.most["Invoices"] < 4 and time.monotonic() < deadline:
            threads[-1].join(timeout=0.001)
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200, 200, 200, 500]
    assert client.send("GET", f"/Invoices/{PAID}").status_code == 200


def test_throttling_and_server_errors_sound_like_autotask(client: Client) -> None:
    client.world.faults.add(Fault(kind="429", partner="autotask"))
    client.world.faults.add(Fault(kind="500", partner="autotask"))
    throttled, broken = client.send("GET", "/Contracts/1"), client.send("GET", "/Contracts/1")

    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "30")
    assert broken.status_code == 500
    assert "deadlocked" in broken.json()["errors"][0]


# What it tells about itself


def fields_of(client: Client, entity: str) -> dict[str, dict[str, Any]]:
    return {field["name"]: field for field in client.get(f"/{entity}/entityInformation/fields")["fields"]}


def test_only_three_fields_of_an_invoice_can_be_written(client: Client) -> None:
    found = fields_of(client, "Invoices")

    assert {name for name, field in found.items() if not field["isReadOnly"]} == {"invoiceNumber", "paidDate", "webServiceDate"}
    assert [name for name, field in found.items() if not field["isQueryable"]] == ["dueDate"]


def test_a_tenant_may_have_a_paid_date_that_cannot_be_written(client: Client) -> None:
    client.psa.set_read_only("Invoices", "paidDate")
    refused = client.patch("/Invoices", id=PAID, paidDate=None)

    assert fields_of(client, "Invoices")["paidDate"]["isReadOnly"] is True
    assert refused.status_code == 500
    assert refused.json() == {"errors": ["The field paidDate of the Invoice entity is read-only."]}


def test_picklist_values_are_text_in_the_metadata_and_integers_in_rows(client: Client) -> None:
    choices = fields_of(client, "Services")["periodType"]["picklistValues"]

    assert {choice["value"]: choice["label"] for choice in choices} == {
        "2": "Monthly",
        "3": "Quarterly",
        "4": "Semi-Annual",
        "5": "Yearly",
    }
    assert {row["periodType"] for row in client.rows("Services")} == {2, 3, 4, 5}


def test_adjustments_can_be_made_and_not_read(client: Client) -> None:
    told = client.get("/ContractServiceAdjustments/entityInformation")["info"]
    asked = client.send("POST", "/ContractServiceAdjustments/query", json={"filter": [EVERYTHING]})

    assert (told["canCreate"], told["canQuery"], told["canUpdate"], told["canDelete"]) == (True, False, False, False)
    assert (asked.status_code, asked.json()) == (405, {"Message": "The requested resource does not support http method 'POST'."})


def test_user_defined_fields_are_listed(client: Client) -> None:
    names = [field["name"] for field in client.get("/Companies/entityInformation/userDefinedFields")["fields"]]

    assert names == ["Autopay", "Autopay Link"]


# Reading one, and children


def test_a_missing_row_is_null_and_no_error(client: Client) -> None:
    assert client.get("/Contracts/999") == {"item": None}
    assert client.send("GET", "/Contracts").status_code == 405


def test_children_are_read_through_their_parent(client: Client) -> None:
    listed = client.get(f"/Contracts/{MANY}/Services")
    first = listed["items"][0]["id"]

    assert [row["id"] for row in listed["items"]] == client.ids("ContractServices", where("eq", "contractID", MANY))
    assert client.get(f"/Contracts/{MANY}/Services/{first}")["item"] == listed["items"][0]
    assert client.get(f"/Contracts/{CHANGING}/Services/{first}") == {"item": None}
    assert client.get("/Companies/175/Contacts")["items"][0]["emailAddress"] == "billing@amberchiropractic.example"


def test_a_child_is_written_through_its_parent_only(client: Client) -> None:
    alone = client.patch("/ContractServices", id=701, invoiceDescription="Seat")
    wrong = client.patch(f"/Contracts/{CHANGING}/Services", id=701, invoiceDescription="Seat")
    right = client.patch(f"/Contracts/{MANY}/Services", id=701, invoiceDescription="Seat")

    assert [alone.status_code, wrong.status_code, right.status_code] == [405, 500, 200]
    assert "No matching records found" in wrong.json()["errors"][0]
    assert client.get("/ContractServices/701")["item"]["invoiceDescription"] == "Seat"


# Writing


def test_the_paid_date_is_a_date_and_null_clears_it(client: Client) -> None:
    cleared = client.patch("/Invoices", id=PAID, paidDate=None)
    between = client.get(f"/Invoices/{PAID}")["item"]["paidDate"]
    client.patch("/invoices", Id=str(PAID), PaidDate="2026-01-31T23:30:00")

    assert cleared.json() == {"itemId": PAID}
    assert between is None
    assert client.get(f"/Invoices/{PAID}")["item"]["paidDate"] == "2026-01-31T00:00:00Z"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"id": PAID, "invoiceTotal": 1}, "The field invoiceTotal of the Invoice entity is read-only."),
        ({"id": PAID, "paid": True}, "Unable to find paid in the Invoice Entity."),
        ({"id": PAID, "paidDate": "soon"}, "The value 'soon' of paidDate is not a date."),
        ({"id": 1, "paidDate": None}, "No matching records found for the given id."),
    ],
)
def test_a_write_that_cannot_be_is_a_500_and_changes_nothing(client: Client, body: dict[str, Any], text: str) -> None:
    before = client.get(f"/Invoices/{PAID}")
    response = client.send("PATCH", "/Invoices", json=body)

    assert response.status_code == 500
    assert response.json() == {"errors": [text]}
    assert client.get(f"/Invoices/{PAID}") == before


def test_an_id_in_the_address_of_a_patch_is_not_supported(client: Client) -> None:
    response = client.patch(f"/Invoices/{PAID}", paidDate=None)

    assert (response.status_code, response.json()) == (
        405,
        {"Message": "The requested resource does not support http method 'PATCH'."},
    )


def test_put_empties_what_is_left_out(client: Client) -> None:
    client.send("PUT", "/Invoices", json={"id": PAID, "paidDate": "2026-01-31"})
    item = client.get(f"/Invoices/{PAID}")["item"]

    assert (item["paidDate"], item["invoiceNumber"], item["webServiceDate"]) == ("2026-01-31T00:00:00Z", None, None)


def test_user_defined_fields_are_written_by_name_and_leave_the_others_alone(client: Client) -> None:
    link = {"name": "autopay link", "value": "https://pay.example/1"}
    client.world.advance_days(1)
    client.patch("/Companies", id=175, userDefinedFields=[link])
    refused = client.patch("/Companies", id=175, userDefinedFields=[{"name": "Nothing", "value": "1"}])
    company = client.get("/Companies/175")["item"]

    assert company["userDefinedFields"] == [
        {"name": "Autopay", "value": "Yes"},
        {"name": "Autopay Link", "value": "https://pay.example/1"},
    ]
    assert company["lastTrackedModifiedDateTime"] == "2026-01-06T09:00:00.000Z"
    assert refused.status_code == 500


def test_an_adjustment_changes_units_from_its_day_on(client: Client) -> None:
    sold = client.rows("ContractServices", where("eq", "contractID", CHANGING))[1]
    body = {"contractServiceID": sold["id"], "effectiveDate": "2026-02-01T00:00:00", "unitChange": 3}
    made = client.post(f"/Contracts/{CHANGING}/ServiceAdjustments", body)
    rows = client.rows("ContractServiceUnits", where("eq", "contractServiceID", sold["id"]))
    units = {row["startDate"][:10]: row["units"] for row in rows}

    assert made == {"itemId": 3001}
    assert (units["2026-01-01"], units["2026-02-01"], units["2026-06-01"]) == (2, 5, 5)


def test_an_adjustment_of_a_service_that_the_contract_has_not_adds_it(client: Client) -> None:
    body = {"contractID": CHANGING, "serviceID": 21, "effectiveDate": "2026-02-01", "unitChange": 1, "adjustedUnitPrice": 40.5}
    client.post("/ContractServiceAdjustments", body)
    sold = client.rows("ContractServices", where("eq", "contractID", CHANGING), where("eq", "serviceID", 21))

    assert [row["unitPrice"] for row in sold] == [client.psa.records.contract_services.rows[sold[0]["id"]]["unitPrice"]]
    assert client.rows("ContractServiceUnits", where("eq", "serviceID", 21), where("eq", "contractID", CHANGING))[0]["units"] == 1


@pytest.mark.parametrize("missing", ["effectiveDate", "unitChange"])
def test_an_adjustment_needs_its_day_and_its_change(client: Client, missing: str) -> None:
    body = {"contractServiceID": 701, "effectiveDate": "2026-02-01", "unitChange": 1}
    response = client.send("POST", "/ContractServiceAdjustments", json={k: v for k, v in body.items() if k != missing})

    assert response.status_code == 500
    assert response.json()["errors"][0].startswith(f"The field {missing} of")
