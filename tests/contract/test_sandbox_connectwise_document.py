"""Every body of the sandbox's ConnectWise against the published API document.

Not a strict validation: the document types `value` as an object where the wire has any scalar, calls `errors` an array
where the wire has null, and leaves out what an `_info` may hold.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox

SHARED = Path(os.environ.get("CONNECTOR_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
DOCUMENT = SHARED / "specs" / "connectwise.openapi.json"
ROOT = "/connectwise/v4_6_release/apis/3.0"
AUTH = ("sandbox+sandbox-public", "sandbox-private")
HEADERS = {"clientId": "5c1f0a52-6f0c-4a53-9d1c-0e2b6f3f8a11"}
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, Decimal),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
UNTYPED = {"value", "_info"}  # wrong, or free, in the document
LISTS = {
    "/company/companies": "Company",
    "/company/contacts": "Contact",
    "/finance/agreements": "Agreement",
    "/finance/agreements/types": "AgreementType",
    "/finance/agreements/101/additions": "Addition",
    "/finance/agreementrecap/": "AgreementRecap",
    "/finance/invoices": "Invoice",
    "/finance/invoices/5101/payments": "InvoicePayment",
    "/finance/billingCycles": "BillingCycle",
    "/finance/billingTerms": "BillingTerm",
    "/finance/billingStatuses": "BillingStatus",
    "/finance/taxCodes": "TaxCode",
    "/finance/currencies": "Finance.Currency",
    "/system/userDefinedFields": "UserDefinedField",
    "/system/callbacks": "CallbackEntry",
}


@cache
def schemas() -> dict[str, Any]:
    if not DOCUMENT.exists():
        pytest.skip(f"the published ConnectWise document is not at {DOCUMENT}; set CONNECTOR_SHARED to the folder that holds it")
    found: dict[str, Any] = json.loads(DOCUMENT.read_text())["components"]["schemas"]
    return found


def problems(name: str, body: Any, at: str = "") -> Iterator[str]:
    """What in this body the named schema does not know, or types otherwise."""
    if not isinstance(body, dict):
        yield f"{at or name}: {body!r} is not an object"
        return
    known = schemas()[name].get("properties", {})
    for field, value in body.items():
        place = f"{at or name}.{field}"
        if field not in known:
            yield f"{place} is not in the document"
        elif field not in UNTYPED:
            yield from _typed(known[field], value, place)


def _typed(schema: dict[str, Any], value: Any, place: str) -> Iterator[str]:
    if "$ref" in schema:
        yield from problems(schema["$ref"].rpartition("/")[2], value, place)
        return
    wanted = schema.get("type", "object")
    fits = isinstance(value, TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))
    if not fits:
        yield f"{place}: {value!r} is not {wanted}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is not one of {schema['enum']}"
    elif wanted == "array":
        for number, item in enumerate(value):
            yield from _typed(schema["items"], item, f"{place}[{number}]")


def _fields(body: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(body, list):
        for item in body:
            yield from _fields(item)
    elif isinstance(body, dict):
        for name, value in body.items():
            yield name, value
            yield from _fields(value)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    world = build_world(partners=("connectwise", "office"))
    world.advance_days(40)
    with Sandbox(world) as sandbox:
        requests.post(f"{sandbox.url}/_sandbox/office.record_payment", json={"invoice": 5125, "amount": "12.50"}, timeout=5)
        requests.post(f"{sandbox.url}/_sandbox/office.create_credit_memo", json={"invoice": 5125, "amount": "5"}, timeout=5)
        requests.post(f"{sandbox.url}/_sandbox/office.create_other_invoice", json={"company": 20, "amount": 99}, timeout=5)
        callback = {"url": "https://hook.example/?recordId=", "objectId": 1, "type": "Agreement", "level": "owner"}
        posted = requests.post(f"{sandbox.url}{ROOT}/system/callbacks", json=callback, auth=AUTH, headers=HEADERS, timeout=5)
        assert posted.status_code == 201
        yield sandbox.url


def read(url: str, path: str, **params: str) -> Any:
    response = requests.get(f"{url}{ROOT}{path}", params=params, auth=AUTH, headers=HEADERS, timeout=10)
    assert response.status_code == 200, response.text
    return response.json(parse_float=Decimal)


@pytest.mark.parametrize(("path", "schema"), LISTS.items())
def test_every_record_is_as_the_document_says(url: str, path: str, schema: str) -> None:
    rows = read(url, path, pageSize="1000")

    assert rows
    assert [problem for row in rows for problem in problems(schema, row)] == []


@pytest.mark.parametrize(("path", "schema"), LISTS.items())
def test_a_record_read_alone_is_the_one_in_the_list(url: str, path: str, schema: str) -> None:
    row = read(url, path)[0]
    alone = read(url, f"{path.rstrip('/')}/{row['id']}")

    assert alone == row
    assert list(problems(schema, alone)) == []


def test_payments_that_apply_a_credit_memo_are_as_the_document_says(url: str) -> None:
    rows = read(url, "/finance/invoices/5125/payments")

    assert [("credit" in row, row["amount"]) for row in rows] == [(False, Decimal("12.5")), (True, 5)]
    assert [problem for row in rows for problem in problems("InvoicePayment", row)] == []


def test_system_info_is_as_the_document_says(url: str) -> None:
    assert list(problems("Info", read(url, "/system/info"))) == []


def test_an_error_is_as_the_document_says(url: str) -> None:
    answer = requests.post(f"{url}{ROOT}/finance/invoices/5125/payments", json={}, auth=AUTH, headers=HEADERS, timeout=5)

    assert answer.status_code == 400
    assert list(problems("ErrorResponseMessage", answer.json())) == []


def test_no_field_is_null_and_no_link_lacks_its_double_slash(url: str) -> None:
    bodies = [read(url, path, pageSize="1000") for path in LISTS]
    found = list(_fields(bodies))
    links = [value for name, value in found if name.endswith("_href")]

    assert [name for name, value in found if value is None] == []
    assert links
    assert [link for link in links if not link.startswith(f"{url}{ROOT}//")] == []


def test_the_lists_are_paths_of_the_document() -> None:
    paths = json.loads(DOCUMENT.read_text())["paths"] if schemas() else {}
    asked = {re.sub(r"\d+", "{parentId}", path) for path in LISTS}

    assert asked <= paths.keys()
