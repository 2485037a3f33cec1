"""Every body of the sandbox's Autotask against the published API document.

The document is derived: names, types and paths are official, envelopes and error shapes are as seen on the wire. What it
adds to children only (`soapParentPropertyId`) is not on the wire.
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

from adapters.sandbox.autotask.fields import ENTITIES
from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox
from tests.contract.autotask_client import EVERYTHING, Client, where

SHARED = Path(os.environ.get("CONNECTOR_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
DOCUMENT = SHARED / "specs" / "autotask.openapi.json"
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, Decimal),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
MODELS = {
    **{name: name[:-1] + "Model" for name in ENTITIES},
    "Companies": "CompanyModel",
    "Currencies": "CurrencyModel",
    "Taxes": "TaxModel",
}
READABLE = [name for name, entity in ENTITIES.items() if entity.can_query]
CHILDREN = {
    "/Contracts/29684101/Services": "ContractServiceModel",
    "/Contracts/29684101/ServiceUnits": "ContractServiceUnitModel",
    "/Contracts/29684106/ServiceBundles": "ContractServiceBundleModel",
    "/Contracts/29684106/ServiceBundleUnits": "ContractServiceBundleUnitModel",
    "/Companies/175/Contacts": "ContactModel",
    "/ServiceBundles/31/Services": "ServiceBundleServiceModel",
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
_NOT_SENT = {"soapParentPropertyId"}
_UNTYPED = {"itemId", "isSupportedWebhookField"}  # an empty object in the document
_UNMARKED = {"picklistValues"}  # nullable on the wire, and not in the document


@cache
def document() -> dict[str, Any]:
    if not DOCUMENT.exists():
        pytest.skip(f"the published Autotask document is not at {DOCUMENT}; set CONNECTOR_SHARED to the folder that holds it")
    found: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return found


def problems(name: str, body: Any, at: str = "") -> Iterator[str]:
    """What in this body the named schema does not know, or types otherwise, and what it lacks."""
    known = document()["components"]["schemas"][name].get("properties", {})
    if not isinstance(body, dict):
        yield f"{at or name}: {body!r} is not an object"
        return
    for field, value in body.items():
        place = f"{at or name}.{field}"
        if field not in known:
            yield f"{place} is not in the document"
        elif field not in _UNTYPED:
            yield from _typed(known[field], value, place, nullable=field in _UNMARKED)
    yield from (f"{at or name}.{field} is missing" for field in known.keys() - body.keys() - _NOT_SENT)


def _typed(schema: dict[str, Any], value: Any, place: str, *, nullable: bool = False) -> Iterator[str]:
    if "$ref" in schema:
        target = schema["$ref"].rpartition("/")[2]
        if document()["components"]["schemas"][target].get("properties"):
            yield from problems(target, value, place)
        return
    if value is None:
        if not schema.get("nullable") and not nullable:
            yield f"{place} is null"
        return
    wanted = schema.get("type", "object")
    if not isinstance(value, TYPES[wanted]) or (wanted != "boolean" and isinstance(value, bool)):
        yield f"{place}: {value!r} is not {wanted}"
    elif schema.get("format") == "date-time" and not MOMENT.fullmatch(value):
        yield f"{place}: {value!r} is not a moment in UTC"
    elif wanted == "array":
        for number, item in enumerate(value):
            yield from _typed(schema["items"], item, f"{place}[{number}]")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    world = build_world(psa="autotask")
    world.advance_days(40)
    office = world.partners["office"].actions  # type: ignore[attr-defined]
    office["add_charge"](company=175, amount="99.00")
    office["create_invoices"](through="2026-02-14")
    with Sandbox(world) as sandbox:
        yield Client(sandbox)


@pytest.mark.parametrize("entity", READABLE)
def test_every_row_is_as_the_document_says(client: Client, entity: str) -> None:
    found = client.query(entity)

    assert found["items"]
    assert [problem for row in found["items"] for problem in problems(MODELS[entity], row)] == []
    assert list(problems("PageDetails", found["pageDetails"])) == []


@pytest.mark.parametrize("entity", READABLE)
def test_a_row_read_alone_is_the_one_of_the_query(client: Client, entity: str) -> None:
    row = client.rows(entity)[-1]

    assert client.get(f"/{entity}/{row['id']}") == {"item": row}


@pytest.mark.parametrize(("path", "model"), CHILDREN.items())
def test_children_are_as_the_document_says(client: Client, path: str, model: str) -> None:
    found = client.get(path)

    assert found["items"]
    assert [problem for row in found["items"] for problem in problems(model, row)] == []


@pytest.mark.parametrize("entity", ENTITIES)
def test_the_fields_that_are_told_are_those_of_the_document(client: Client, entity: str) -> None:
    told = client.get(f"/{entity}/entityInformation/fields")
    known = document()["components"]["schemas"][MODELS[entity]]["properties"].keys()

    assert list(problems("FieldInformationResultModel", told)) == []
    assert {field["name"] for field in told["fields"]} == known - _NOT_SENT - {"userDefinedFields"}


@pytest.mark.parametrize("entity", ENTITIES)
def test_an_entity_tells_about_itself_as_the_document_says(client: Client, entity: str) -> None:
    about = client.get(f"/{entity}/entityInformation")
    udfs = client.get(f"/{entity}/entityInformation/userDefinedFields")

    assert list(problems("EntityInformationResultModel", about)) == []
    assert list(problems("UserDefinedFieldInformationResultModel", udfs)) == []


def test_picklists_name_every_value_that_rows_have(client: Client) -> None:
    unnamed = []
    for name in READABLE:
        picks = {field.name: field.picklist for field in ENTITIES[name].fields.values() if field.picklist is not None}
        for row in client.rows(name):
            unnamed += [(name, field, row[field]) for field, choices in picks.items() if row[field] not in (None, *choices)]

    assert unnamed == []


def test_the_rest_is_as_the_document_says(client: Client) -> None:
    versions = client.send("GET", f"{client.root}/ATServicesRest/VersionInformation").json()

    assert list(problems("ZoneInformationResultModel", client.zone())) == []
    assert list(problems("ApiVersionResultModel", versions)) == []
    assert list(problems("ThresholdStatusResultModel", client.get("/ThresholdInformation"))) == []
    assert list(problems("QueryCountResultModel", client.post("/Invoices/query/count", {"filter": [EVERYTHING]}))) == []
    assert list(problems("ItemId", client.patch("/Invoices", id=7322, paidDate="2026-02-01").json())) == []


@pytest.mark.parametrize(
    "body", [{"filter": [where("eq", "dueDate", "2026-01-01")]}, {"filter": [where("between", "id", 1)]}, {"filter": None}]
)
def test_an_error_is_a_list_of_texts(client: Client, body: dict[str, Any]) -> None:
    answer = client.send("POST", "/Invoices/query", json=body)

    assert answer.status_code == 500
    assert [type(text) for text in answer.json()["errors"]] == [str]


def test_what_is_served_is_in_the_document() -> None:
    paths = document()["paths"].keys()
    queries = {f"/V1.0/{name}/query" for name in READABLE} | {f"/V1.0/{name}/query/count" for name in READABLE}
    children = {"/V1.0" + re.sub(r"/\d+/", "/{parentId}/", path) for path in CHILDREN}

    assert queries <= paths
    assert children <= paths
    assert {"/V1.0/ContractServiceAdjustments", "/V1.0/ThresholdInformation", "/V1.0/ZoneInformation"} <= paths


def _writable_from_the_root() -> Iterator[tuple[str, str]]:
    yield from ((name, method) for name in ENTITIES for method in ("patch", "put", "post"))


def test_no_entity_takes_a_write_that_the_document_does_not_have(client: Client) -> None:
    paths = document()["paths"]
    wrong = []
    for name, method in _writable_from_the_root():
        taken = client.send(method.upper(), f"/{name}", json={"id": -5}).status_code != 405
        if taken and method not in paths.get(f"/V1.0/{name}", {}):
            wrong.append((name, method))

    assert wrong == []
