"""The sandbox's ConnectWise over HTTP: keys, both ways to page, the conditions language, errors, patches, payments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from adapters.sandbox.connectwise import ConnectWise
from adapters.sandbox.faults import Fault
from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox
from adapters.sandbox.world import World

ROOT = "/connectwise/v4_6_release/apis/3.0"
AUTH = ("sandbox+sandbox-public", "sandbox-private")
HEADERS = {"clientId": "5c1f0a52-6f0c-4a53-9d1c-0e2b6f3f8a11"}
FORWARD = {"pagination-type": "forward-only"}


class Client:
    def __init__(self, sandbox: Sandbox) -> None:
        self.url = sandbox.url + ROOT
        self.world: World = sandbox.world
        self._session = requests.Session()

    def send(self, method: str, path: str, *, headers: dict[str, str] | None = None, **kwargs: Any) -> requests.Response:
        sent = {**HEADERS, **(headers or {})}
        return self._session.request(method, self.url + path, headers=sent, auth=AUTH, timeout=10, **kwargs)

    def get(self, path: str, **params: Any) -> Any:
        response = self.send("GET", path, params=params)
        assert response.status_code == 200, response.text
        return response.json(parse_float=Decimal)

    def ids(self, path: str, **params: Any) -> list[int]:
        return [row["id"] for row in self.get(path, pageSize=1000, **params)]

    @property
    def psa(self) -> ConnectWise:
        psa = self.world.partners["connectwise"]
        assert isinstance(psa, ConnectWise)
        return psa

    def act(self, action: str, **kwargs: Any) -> Any:
        return self.world.partners["office"].actions[action](**kwargs)  # type: ignore[attr-defined]


def next_page(response: requests.Response) -> str:
    return response.links.get("next", {}).get("url", "")


@pytest.fixture
def client() -> Iterator[Client]:
    with Sandbox(build_world(partners=("connectwise", "office"))) as sandbox:
        yield Client(sandbox)


@pytest.fixture
def unpaid(client: Client) -> int:
    """An invoice of 2350.00 that nobody has paid."""
    client.world.advance_days(30)
    return int(client.ids("/finance/invoices", conditions='balance > 0 and agreement/name = "Managed Services"')[-1])


# Keys and permissions


def test_an_unknown_company_is_null_and_needs_no_key(client: Client) -> None:
    root = client.url.removesuffix("/v4_6_release/apis/3.0")
    unknown = requests.get(f"{root}/login/companyinfo/nobody", timeout=5)
    known = requests.get(f"{root}/login/companyinfo/sandbox", timeout=5)

    assert unknown.json() is None
    assert known.json()["Codebase"] == "v4_6_release/"


@pytest.mark.parametrize("auth", [("sandbox+sandbox-public", "wrong"), ("other+sandbox-public", "sandbox-private"), None])
def test_wrong_keys_are_answered_as_if_there_were_nothing(client: Client, auth: tuple[str, str] | None) -> None:
    response = requests.get(f"{client.url}/system/info", auth=auth, headers=HEADERS, timeout=5)

    assert response.status_code == 404
    assert response.json()["code"] == "NotFound"


def test_a_call_without_client_id_is_unauthorized(client: Client) -> None:
    response = requests.get(f"{client.url}/system/info", auth=AUTH, timeout=5)

    assert response.status_code == 401
    assert "clientId" in response.json()["message"]


def test_a_right_that_was_taken_away_is_forbidden_until_it_is_given_back(client: Client) -> None:
    client.psa.set_permission("payments.write", False)
    refused = client.send("POST", "/finance/invoices/5101/payments", json={"amount": 1})
    read = client.send("GET", "/finance/invoices/5101/payments")
    client.psa.set_permission("payments.write", True)
    allowed = client.send("POST", "/finance/invoices/5101/payments", json={"amount": 1})

    assert (refused.status_code, read.status_code, allowed.status_code) == (403, 200, 201)
    assert refused.json()["errors"] is None


def test_a_role_may_hide_rows_without_an_error(client: Client) -> None:
    client.psa.set_permission("agreements", False, silently=True)

    assert client.get("/finance/agreements") == []
    assert client.get("/finance/agreements/count") == {"count": 0}


def test_system_info_needs_a_right_of_its_own(client: Client) -> None:
    client.psa.set_permission("system", False)
    response = client.send("GET", "/system/info")

    assert (response.status_code, response.json()["code"]) == (401, "UserNotAuthenticated")


def test_every_answer_names_its_version_and_request(client: Client) -> None:
    first, second = client.send("GET", "/system/info"), client.send("GET", "/finance/agreements/9999")

    assert first.headers["api-current-version"] == "2026.4"
    assert first.headers["x-cw-request-id"] != second.headers["x-cw-request-id"]


def test_throttling_and_server_errors_sound_like_connectwise(client: Client) -> None:
    client.world.faults.add(Fault(kind="429", partner="connectwise"))
    client.world.faults.add(Fault(kind="500", partner="connectwise"))
    throttled, broken = client.send("GET", "/system/info"), client.send("GET", "/system/info")

    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "30")
    assert throttled.json() == {
        "error": "ConnectWiseAPI",
        "message": "Too many requests. Please try again in 30 seconds.",
    }
    assert (broken.status_code, broken.json()["code"]) == (500, "InternalServerError")


# Paging


def test_numbered_pages_link_to_their_neighbours(client: Client) -> None:
    first = client.send("GET", "/finance/agreements", params={"pageSize": 5})
    second = requests.get(next_page(first), auth=AUTH, headers=HEADERS, timeout=5)
    last = requests.get(next_page(second), auth=AUTH, headers=HEADERS, timeout=5)

    assert [len(page.json()) for page in (first, second, last)] == [5, 5, 2]
    assert [sorted(page.links) for page in (first, second, last)] == [
        ["last", "next"],
        ["first", "last", "next", "prev"],
        ["first", "prev"],
    ]


def test_a_page_past_the_end_is_empty(client: Client) -> None:
    assert client.get("/finance/agreements", page=9) == []


def test_a_page_has_25_rows_unless_asked_otherwise(client: Client) -> None:
    assert len(client.get("/finance/agreements/101/additions")) == 25
    assert len(client.get("/finance/agreements/101/additions", pageSize=26)) == 26


@pytest.mark.parametrize("size", ["0", "1001", "many"])
def test_a_page_size_out_of_range_is_refused(client: Client, size: str) -> None:
    assert client.send("GET", "/finance/agreements", params={"pageSize": size}).status_code == 400


def test_next_keeps_the_conditions(client: Client) -> None:
    params = {"conditions": 'type/name="Managed Services" and cancelledFlag=False', "pageSize": 3}
    first = client.send("GET", "/finance/agreements", params=params)
    second = requests.get(next_page(first), auth=AUTH, headers=HEADERS, timeout=5)

    assert {row["type"]["name"] for row in first.json() + second.json()} == {"Managed Services"}
    assert len(second.json()) == 3


def test_forward_only_pages_always_have_a_next_and_go_by_id(client: Client) -> None:
    seen: list[list[int]] = []
    url = f"{client.url}/finance/agreements?pageSize=5&pageId=0&page=7"
    for _ in range(4):
        response = requests.get(url, auth=AUTH, headers={**HEADERS, **FORWARD}, timeout=5)
        seen.append([row["id"] for row in response.json()])
        url = next_page(response)

    assert [len(ids) for ids in seen] == [5, 5, 2, 0]
    assert [id for ids in seen for id in ids] == list(range(101, 113))
    assert url.endswith("pageId=112")


def test_forward_only_pages_take_no_order(client: Client) -> None:
    response = client.send("GET", "/finance/agreements", headers=FORWARD, params={"orderBy": "id"})

    assert response.status_code == 400


# Conditions


@pytest.mark.parametrize(
    ("conditions", "ids"),
    [
        ('name = "cloud & backup"', [112]),
        ('name like "Managed*2025"', [101]),
        ('name contains "backup"', [104, 112]),
        ('name not contains "Managed"', [104, 106, 110, 112]),
        ("id in (101, 103, 999)", [101, 103]),
        ("id not in (101,102,103,104,105,106,107,108,109,110)", [111, 112]),
        ('agreementStatus="Cancelled" or billOneTimeFlag=True', [106, 108]),
        ("(id < 103 or id >= 111) and id != 101", [102, 111, 112]),
        ("id < 103 or id >= 111 and id != 112", [101, 102, 111]),
        ("startDate > [2025-08-01] and startDate <= [2025-10-01T00:00:00Z]", [112]),
        ("startDate = [2025-08-31T02:00:00+02:00]", [112]),
        ("parentAgreement/id = 103", [104]),
        ("parentAgreement/id != 5", [104]),
        ("parentAgreement = null and id < 106 and not (id = 101)", [102, 103, 105]),
    ],
)
def test_conditions_choose(client: Client, conditions: str, ids: list[int]) -> None:
    assert client.ids("/finance/agreements", conditions=conditions) == ids


@pytest.mark.parametrize(
    "conditions",
    ["id =", "id = 1 and", "cancelledFlag = false", 'id = "one"', "startDate > [soon]", "(id = 1", "id", "name = 'x'"],
)
def test_conditions_that_cannot_be_read_are_refused(client: Client, conditions: str) -> None:
    response = client.send("GET", "/finance/agreements", params={"conditions": conditions})

    assert (response.status_code, response.json()["code"]) == (400, "BadRequest")


def test_a_condition_on_an_unknown_field_is_a_server_error(client: Client) -> None:
    response = client.send("GET", "/finance/agreements", params={"conditions": "Status = 1"})

    assert response.status_code == 500


def test_conditions_that_make_the_address_too_long_are_refused(client: Client) -> None:
    wanted = ",".join(str(number) for number in range(2500))
    response = client.send("GET", "/finance/agreements", params={"conditions": f"id in ({wanted})"})

    assert response.status_code == 414


def test_records_are_found_by_when_they_changed(client: Client) -> None:
    client.world.advance_days(1)
    client.act("set_field", record="companies", id=20, field="city", value="Miami")

    assert client.ids("/company/companies", conditions="lastUpdated > [2026-01-05T09:00:00Z]") == [20]


def test_custom_fields_and_children_have_conditions_of_their_own(client: Client) -> None:
    opted_out = client.ids("/company/companies", customFieldConditions='caption="Autopay" AND value="No"')
    email = client.ids("/company/contacts", childConditions='communicationItems/value like "billing@cedar*"')

    assert opted_out == [22, 27]
    assert client.get(f"/company/contacts/{email[0]}")["company"]["name"] == "Cedar Foods"


def test_rows_come_in_the_order_asked_for(client: Client) -> None:
    names = [row["company"]["name"] for row in client.get("/finance/agreements", orderBy="company/name desc,id asc")]

    assert names == sorted(names, reverse=True)
    assert client.ids("/finance/agreements", orderBy="id desc")[0] == 112


def test_fields_leave_out_the_rest_and_also_info(client: Client) -> None:
    bare = client.get("/finance/agreements", fields="id,company/identifier", pageSize=1)
    asked = client.get("/finance/agreements/101", fields="id,_info/lastUpdated")

    assert bare == [{"id": 101, "company": {"identifier": "AcmeDentalGroup"}}]
    assert asked["_info"].keys() == {"lastUpdated"}


def test_counts_follow_the_conditions(client: Client) -> None:
    assert client.get("/finance/agreements/count") == {"count": 12}
    assert client.get("/finance/agreements/101/additions/count", conditions='billCustomer="Billable"') == {"count": 26}
    assert client.get("/finance/invoices/count", conditions="balance > 0") == {"count": 0}


# Errors


@pytest.mark.parametrize(
    "path", ["/finance/agreements/9999", "/finance/agreements/9999/additions", "/finance/invoices/1/payments", "/finance/nothing"]
)
def test_what_is_not_there_is_not_found(client: Client, path: str) -> None:
    response = client.send("GET", path)

    assert (response.status_code, response.json()["code"]) == (404, "NotFound")


def test_a_known_path_refuses_other_methods(client: Client) -> None:
    assert client.send("DELETE", "/finance/agreements/101").status_code == 405


def test_a_body_that_is_not_json_is_refused(client: Client) -> None:
    assert client.send("PATCH", "/company/companies/20", data="{").status_code == 400


# Change detection and patches


def test_a_changed_addition_does_not_touch_its_agreement_but_moves_the_recap(client: Client) -> None:
    before, recap = client.get("/finance/agreements/103"), client.get("/finance/agreementrecap/103")
    addition = client.get("/finance/agreements/103/additions")[0]
    client.world.advance_days(1)
    client.act("change_quantity", addition=addition["id"], quantity=addition["quantity"] + 2)
    changed = client.get(f"/finance/agreements/103/additions/{addition['id']}")

    assert client.get("/finance/agreements/103") == before
    assert changed["_info"]["lastUpdated"] > addition["_info"]["lastUpdated"]
    assert changed["extPrice"] - addition["extPrice"] == 90
    assert client.get("/finance/agreementrecap/103")["nextInvoiceAmount"] - recap["nextInvoiceAmount"] == 90


def test_who_changed_a_record_is_padded_with_blanks(client: Client) -> None:
    assert client.get("/finance/agreements/101")["_info"]["updatedBy"] == "Admin1         "


def test_a_patch_replaces_the_whole_custom_field_array(client: Client) -> None:
    company = client.get("/company/companies/20")
    link = [
        {**field, "value": "https://pay.example/20"} for field in company["customFields"] if field["caption"] == "Autopay Link"
    ]
    patch = [{"op": "replace", "path": "customFields", "value": link}]
    answer = client.send("PATCH", "/company/companies/20", json=patch)
    fields = {field["caption"]: field.get("value") for field in client.get("/company/companies/20")["customFields"]}

    assert answer.status_code == 200
    assert fields == {"Autopay": None, "Autopay Link": "https://pay.example/20"}


def test_a_patch_inside_a_reference_says_200_and_does_nothing(client: Client) -> None:
    before = client.get("/company/companies/20")["billingContact"]
    answer = client.send("PATCH", "/company/companies/20", json=[{"op": "replace", "path": "billingContact/id", "value": 1}])

    assert answer.status_code == 200
    assert client.get("/company/companies/20")["billingContact"] == before


@pytest.mark.parametrize(
    "patch",
    [
        {"op": "replace", "path": "city", "value": "Miami"},
        [{"op": "replace", "path": "City", "value": "Miami"}],
        [{"op": "replace", "path": "/city", "value": "Miami"}],
        [{"op": "replace", "path": "name", "value": None}],
        [{"op": "move", "path": "city", "value": "Miami"}],
        [{"op": "replace", "path": "customFields", "value": "Miami"}],
    ],
)
def test_a_patch_that_is_not_one_is_refused_and_changes_nothing(client: Client, patch: Any) -> None:
    before = client.get("/company/companies/20")
    answer = client.send("PATCH", "/company/companies/20", json=patch)

    assert answer.status_code == 400
    assert client.get("/company/companies/20") == before


# Payments


def pay(client: Client, invoice: int, amount: float) -> Any:
    response = client.send(
        "POST", f"/finance/invoices/{invoice}/payments", json={"amount": amount, "paymentDate": "2026-02-03T00:00:00Z"}
    )
    assert response.status_code == 201, response.text
    return response.json(parse_float=Decimal)


def sums(client: Client, invoice: int) -> tuple[Any, ...]:
    row = client.get(f"/finance/invoices/{invoice}")
    return (row["total"], row["payments"], row["credits"], row["balance"])


def test_many_payments_add_up(client: Client, unpaid: int) -> None:
    total = client.get(f"/finance/invoices/{unpaid}")["total"]
    first, second = pay(client, unpaid, 100.25), pay(client, unpaid, 50)

    assert first["id"] != second["id"]
    assert second["invoiceBalance"] == total - Decimal("150.25")
    assert second["appliedBy"] == "AutopayAPI"
    assert sums(client, unpaid) == (total, Decimal("150.25"), 0, total - Decimal("150.25"))


def test_many_payments_may_exceed_the_total(client: Client, unpaid: int) -> None:
    total = client.get(f"/finance/invoices/{unpaid}")["total"]
    pay(client, unpaid, 5000)

    assert sums(client, unpaid) == (total, 5000, 0, total - 5000)


def test_a_single_payment_replaces_the_earlier_one(client: Client, unpaid: int) -> None:
    client.psa.payment_mode = "single"
    total = client.get(f"/finance/invoices/{unpaid}")["total"]
    first, second = pay(client, unpaid, 100.25), pay(client, unpaid, 50)

    assert client.ids(f"/finance/invoices/{unpaid}/payments") == [second["id"]]
    assert client.send("GET", f"/finance/invoices/{unpaid}/payments/{first['id']}").status_code == 404
    assert sums(client, unpaid) == (total, 50, 0, total - 50)


def test_a_single_payment_is_cut_down_to_the_total_less_credits(client: Client, unpaid: int) -> None:
    client.psa.payment_mode = "single"
    total = client.get(f"/finance/invoices/{unpaid}")["total"]
    client.act("create_credit_memo", invoice=unpaid, amount="10")

    assert pay(client, unpaid, 5000)["amount"] == total - 10
    assert sums(client, unpaid) == (total, total - 10, 10, 0)


def test_payments_are_changed_and_taken_back(client: Client, unpaid: int) -> None:
    total = client.get(f"/finance/invoices/{unpaid}")["total"]
    payment = pay(client, unpaid, 100)
    path = f"/finance/invoices/{unpaid}/payments/{payment['id']}"
    client.send("PATCH", path, json=[{"op": "replace", "path": "amount", "value": 70.5}])
    after_patch = sums(client, unpaid)
    client.send("PUT", path, json={"amount": 60})
    after_put, put = sums(client, unpaid), client.get(path)
    deleted = client.send("DELETE", path)

    assert after_patch == (total, Decimal("70.5"), 0, total - Decimal("70.5"))
    assert after_put == (total, 60, 0, total - 60)
    assert put["paymentDate"] != payment["paymentDate"]  # what PUT leaves out falls back to its default
    assert deleted.status_code == 204
    assert sums(client, unpaid) == (total, 0, 0, total)


def test_a_payment_in_a_ledger_batch_can_no_longer_be_changed(client: Client, unpaid: int) -> None:
    payment = pay(client, unpaid, 100)
    client.act("post_payments", batch="2026-02")
    path = f"/finance/invoices/{unpaid}/payments/{payment['id']}"

    assert client.send("DELETE", path).status_code == 409
    assert client.send("PATCH", path, json=[{"op": "replace", "path": "amount", "value": 1}]).status_code == 409
    assert client.get(path)["amount"] == 100


@pytest.mark.parametrize("body", [{}, {"amount": "12.50"}, {"amount": None}, {"amount": 1, "paymentDate": "soon"}, [], None])
def test_a_payment_that_is_not_one_is_refused(client: Client, unpaid: int, body: Any) -> None:
    before = sums(client, unpaid)
    response = client.send("POST", f"/finance/invoices/{unpaid}/payments", json=body)

    assert (response.status_code, response.json()["code"]) == (400, "InvalidObject")
    assert sums(client, unpaid) == before


def test_callbacks_are_kept_and_deleted(client: Client) -> None:
    callback = {"url": "https://hook.example/?recordId=", "objectId": 1, "type": "Invoice", "level": "owner"}
    made = client.send("POST", "/system/callbacks", json=callback).json()
    refused = client.send("POST", "/system/callbacks", json={"url": "https://hook.example"})
    listed = client.ids("/system/callbacks")
    client.send("DELETE", f"/system/callbacks/{made['id']}")

    assert listed == [made["id"]]
    assert refused.json()["errors"][0]["field"] == "objectId"
    assert client.get("/system/callbacks") == []


# Size


def test_two_thousand_agreements_are_listed_in_well_under_a_second() -> None:
    world = build_world(agreements=2000, lines=4, partners=("connectwise", "office"))
    with Sandbox(world) as sandbox:
        client = Client(sandbox)
        response = client.send("GET", "/finance/agreements", headers=FORWARD, params={"pageSize": 1000, "pageId": 0})
        started = response.elapsed
        again = client.send("GET", "/finance/agreementrecap/", headers=FORWARD, params={"pageSize": 1000, "pageId": 0})

    assert (len(response.json()), len(again.json())) == (1000, 1000)
    assert started.total_seconds() < 1
    assert re.search(r"pageId=1100\b", again.headers["link"])
