"""Autotask's query language and its pages, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox
from tests.contract.autotask_client import EVERYTHING, HEADERS, Client, where

SERVICES = list(range(11, 28))
OR = {"op": "or", "items": [where("eq", "name", "voip seat"), where("eq", "periodType", 5)]}
NESTED = {
    "op": "and",
    "items": [where("eq", "periodType", 2), {"op": "or", "items": [where("eq", "id", 11), where("eq", "id", 24)]}],
}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Sandbox(build_world(psa="autotask", partners=("office",), agreements=60)) as sandbox:
        yield Client(sandbox)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (where("eq", "name", "SERVER CARE"), [12]),
        (where("eq", "ID", "12"), [12]),
        (where("noteq", "periodType", 2), [23, 24, 25, 26]),
        (where("gt", "unitPrice", 450), [25, 26]),
        (where("gte", "unitPrice", 450), [23, 25, 26]),
        (where("lt", "unitPrice", 0), [27]),
        (where("lte", "unitPrice", 0.045), [14, 27]),
        (where("beginsWith", "name", "managed"), [11, 15]),
        (where("endsWith", "name", "CARE"), [12, 22]),
        (where("contains", "name", "365"), [13]),
        (where("in", "id", [11, 12, 99]), [11, 12]),
        (where("notIn", "periodType", [2, 3]), [25, 26]),
        (where("exist", "vendorCompanyID"), []),
        (where("notExist", "vendorCompanyID"), SERVICES),
        (where("eq", "isActive", True), SERVICES),
        (where("noteq", "vendorCompanyID", 5), []),
        (where("lt", "lastModifiedDate", "2025-01-06T15:00:00+01:00"), []),
        (where("lte", "lastModifiedDate", "2025-01-06T15:00:00+01:00"), SERVICES),
        (OR, [20, 26]),
        (NESTED, [11]),
        ({"Op": "EQ", "Field": "Id", "Value": 13}, [13]),
    ],
)
def test_a_condition_finds_what_it_says(client: Client, condition: dict[str, Any], found: list[int]) -> None:
    assert client.ids("Services", condition) == found


def test_conditions_side_by_side_are_joined_by_and(client: Client) -> None:
    assert client.ids("Services", where("eq", "periodType", 2), where("gt", "unitPrice", 80)) == [12, 15]


def test_a_get_asks_the_same_in_its_search_parameter(client: Client) -> None:
    search = json.dumps({"filter": [where("eq", "periodType", 5)]})

    assert [row["id"] for row in client.get("/Services/query", search=search)["items"]] == [26]
    assert client.get("/Services/query/count", search=search) == {"queryCount": 1}
    assert client.post("/Services/query/count", {"filter": [EVERYTHING]}) == {"queryCount": len(SERVICES)}


def test_the_msp_itself_is_company_0(client: Client) -> None:
    assert client.get("/Companies/0")["item"]["companyName"] == "Sandbox MSP"
    assert client.ids("Companies")[0] == 0
    assert client.ids("Companies", where("gt", "id", 0))[0] == 175


def test_dates_compare_in_utc(client: Client) -> None:
    in_force = client.rows(
        "ContractServiceUnits",
        where("eq", "contractID", 29684101),
        where("lte", "startDate", "2026-01-31"),
        where("gte", "endDate", "2026-01-31T00:00:00Z"),
    )

    assert {(row["startDate"], row["endDate"]) for row in in_force} == {("2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z")}
    assert len(in_force) == 26


def test_one_user_defined_field_can_be_asked_for(client: Client) -> None:
    no = client.rows("Companies", where("eq", "autopay", "no", udf=True))
    two = client.refused(
        "Companies", where("eq", "Autopay", "No", udf=True), {"op": "or", "items": [where("exist", "Autopay Link", udf=True)]}
    )

    assert no
    assert {row["userDefinedFields"][0]["value"] for row in no} == {"No"}
    assert two == "Only one user-defined field is allowed in a query."


@pytest.mark.parametrize(
    ("entity", "condition", "text"),
    [
        ("Invoices", where("gt", "dueDate", "2026-01-01"), "The field dueDate of the Invoice entity cannot be queried."),
        ("BillingItems", where("exist", "lineItemFullDescription"), "cannot be queried"),
        ("Services", where("startsWith", "name", "x"), "The operator 'startsWith' is not valid."),
        ("Services", where("eq", "accountID", 1), "Unable to find accountID in the Service Entity."),
        ("Services", where("eq", "isActive", "true"), "The value of isActive must be true or false."),
        ("Services", where("eq", "unitPrice", "much"), "is not a number"),
        ("Services", where("contains", "unitPrice", "4"), "needs a text field"),
        ("Invoices", where("gt", "createDateTime", "yesterday"), "is not a date"),
        ("Services", where("in", "id", []), "needs a list of values"),
        ("Services", where("in", "id", list(range(501))), "limit of 500 OR conditions"),
        ("Services", {"op": "or", "items": [where("eq", "id", 1)] * 501}, "limit of 500 OR conditions"),
        ("Services", {"op": "and", "items": []}, "has no items"),
        ("Services", {"op": "eq", "value": 1}, "names no field"),
        ("Services", "id = 1", "is not an object"),
        ("Companies", where("eq", "Nothing", "1", udf=True), "Unable to find Nothing in the Company Entity."),
    ],
)
def test_a_query_that_cannot_be_is_a_500_that_says_why(client: Client, entity: str, condition: Any, text: str) -> None:
    assert text in client.refused(entity, condition)


@pytest.mark.parametrize(
    "body", [{}, {"filter": []}, {"filter": [EVERYTHING], "pageNumber": 2}, {"filter": [EVERYTHING], "MaxRecords": 501}, None]
)
def test_a_query_needs_a_filter_and_nothing_unknown(client: Client, body: Any) -> None:
    response = client.send("POST", "/Services/query", json=body)

    assert response.status_code == 500
    assert len(response.json()["errors"]) == 1


def test_a_get_without_a_search_is_not_supported_and_a_long_one_is_too_long(client: Client) -> None:
    bare = client.send("GET", "/Services/query")
    long = client.send("GET", "/Services/query", params={"search": json.dumps({"filter": [where("in", "id", list(range(490)))]})})

    assert (bare.status_code, bare.json()) == (405, {"Message": "The requested resource does not support http method 'GET'."})
    assert (long.status_code, long.text[:9]) == (414, "<!DOCTYPE")


def test_included_fields_are_all_there_is(client: Client) -> None:
    found = client.query("Companies", where("eq", "id", 175), IncludeFields=["Id", "CompanyName"])["items"]
    with_udf = client.query("Companies", where("eq", "id", 175), IncludeFields=["Id", "autopay"])["items"]

    assert found == [{"id": 175, "companyName": "Amber Chiropractic", "userDefinedFields": []}]
    assert with_udf == [{"id": 175, "userDefinedFields": [{"name": "Autopay", "value": "Yes"}]}]
    assert "Unable to find" in client.refused("Companies", EVERYTHING, IncludeFields=["Id", "AccountName"])


# Pages


def pages(client: Client, method: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """All pages, each asked for as Autotask demands."""
    given: dict[str, Any] = {"json": body} if method == "POST" else {"params": {"search": json.dumps(body)}}
    found = [client.send(method, "/ContractServiceUnits/query", **given).json()]
    while address := found[-1]["pageDetails"]["nextPageUrl"]:
        more = {"json": body} if method == "POST" else {}
        found.append(requests.request(method, address, headers=HEADERS, timeout=10, **more).json())
    return found


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_500_hold_every_row_once(client: Client, method: str) -> None:
    found = pages(client, method, {"filter": [EVERYTHING]})
    ids = [row["id"] for page in found for row in page["items"]]
    count = client.post("/ContractServiceUnits/query/count", {"filter": [EVERYTHING]})["queryCount"]

    assert len(found) > 3
    assert [page["pageDetails"]["count"] for page in found[:-1]] == [500] * (len(found) - 1)
    assert ids == sorted(set(ids))
    assert len(ids) == count


def test_a_further_page_keeps_the_filter_and_the_size(client: Client) -> None:
    body = {"filter": [where("eq", "contractID", 29684101)], "MaxRecords": 100}
    found = pages(client, "POST", body)

    assert {row["contractID"] for page in found for row in page["items"]} == {29684101}
    assert {page["pageDetails"]["requestCount"] for page in found} == {100}


def test_one_can_go_back(client: Client) -> None:
    body = {"filter": [EVERYTHING], "MaxRecords": 7}
    first = client.post("/Services/query", body)
    second = client.post(first["pageDetails"]["nextPageUrl"], body)
    third = client.post(second["pageDetails"]["nextPageUrl"], body)

    assert first["pageDetails"]["prevPageUrl"] is None
    assert client.post(third["pageDetails"]["prevPageUrl"], body)["items"] == second["items"]
    assert client.post(second["pageDetails"]["prevPageUrl"], body)["items"] == first["items"]
    assert [row["id"] for row in third["items"]] == SERVICES[14:]


def test_the_next_page_of_a_post_takes_no_get_and_needs_the_body_again(client: Client) -> None:
    address = client.query("ContractServiceUnits")["pageDetails"]["nextPageUrl"]
    got = client.send("GET", address)
    bare = client.send("POST", address)

    assert (got.status_code, got.json()) == (405, {"Message": "The requested resource does not support http method 'GET'."})
    assert (bare.status_code, bare.json()) == (500, {"errors": ["The body is missing or is not valid JSON."]})


def test_a_page_address_is_on_the_host_that_was_asked(client: Client) -> None:
    address = client.query("ContractServiceUnits")["pageDetails"]["nextPageUrl"]

    assert address.startswith(f"{client.base}/ContractServiceUnits/query/next?paging=")


def test_more_than_a_page_needs_the_id(client: Client) -> None:
    enough = client.query("Services", EVERYTHING, IncludeFields=["name"])["items"]

    assert len(enough) == len(SERVICES)
    assert "must contain Id" in client.refused("ContractServiceUnits", EVERYTHING, IncludeFields=["price"])


def test_rows_that_come_and_go_between_pages_move_no_other(client: Client) -> None:
    body = {"filter": [EVERYTHING], "MaxRecords": 5}
    first = client.post("/Companies/query", body)
    client.act("add_company", name="Newcomer")
    second = client.post(first["pageDetails"]["nextPageUrl"], body)

    assert second["items"][0]["id"] == first["items"][-1]["id"] + 1
