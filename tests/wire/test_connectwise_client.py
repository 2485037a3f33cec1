"""What ConnectWise's answers mean, on a server that answers as told; settings that are refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.connectwise.client import Client
from adapters.connectwise.settings import ConnectWiseSettings
from connector.config.secret import Secret
from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater, Unauthorized
from connector.testing.doubles import context
from tests.unit.test_http import answer, server

GUID = "5d6b6a4e-58b7-4c3a-9e2f-0c1d2e3f4a5b"


def settings(tmp_path: Path, base_url: str, **changes: Any) -> ConnectWiseSettings:
    key = tmp_path / "key"
    key.write_text("a+b:c\n")
    given = {"company_id": "acme", "public_key": Secret(file=key), "private_key": Secret(file=key), "client_id": GUID}
    return ConnectWiseSettings(base_url=base_url, **{**given, **changes})


def client(tmp_path: Path, base_url: str) -> Client:
    return Client(settings(tmp_path, base_url), context=context())


def says(status: int, content: object) -> bytes:
    return answer(status, json.dumps(content).encode())


def error(code: str, message: str, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "errors": errors}


def test_every_call_carries_the_keys_the_client_id_and_the_version(tmp_path: Path) -> None:
    with server(says(200, [])) as partner:
        list(client(tmp_path, partner.url).list("/finance/agreements"))

        expected = base64.b64encode(b"acme+a+b:c:a+b:c").decode()
        assert f"Authorization: Basic {expected}" in partner.seen[0]
        assert f"clientId: {GUID}" in partner.seen[0]
        assert "Accept: application/vnd.connectwise.com+json; version=2025.1" in partner.seen[0]
        assert "pagination-type: forward-only" in partner.seen[0]


def test_a_full_page_is_followed_by_the_next_from_the_last_id(tmp_path: Path) -> None:
    first = [{"id": id} for id in range(1, 1001)]
    with server(says(200, first), says(200, [{"id": 2000}])) as partner:
        rows = list(client(tmp_path, partner.url).list("/finance/agreements"))

        assert (len(rows), rows[-1]) == (1001, {"id": 2000})
        assert "pageId=1000" in partner.seen[1]


@pytest.mark.parametrize("page", [{"id": 1}, [{"name": "x"}], [{"id": 2}, {"id": 1}], [{"id": 1}, {"id": 1}], ["x"], None])
def test_a_page_that_cannot_be_one_ends_the_read(tmp_path: Path, page: object) -> None:
    with server(says(200, page)) as partner, pytest.raises(RetryLater):
        list(client(tmp_path, partner.url).list("/finance/agreements"))


def test_a_page_that_repeats_the_one_before_ends_the_read(tmp_path: Path) -> None:
    page = says(200, [{"id": id} for id in range(1, 1001)])
    with server(page, page) as partner, pytest.raises(RetryLater, match="does not follow"):
        list(client(tmp_path, partner.url).list("/finance/agreements"))


def test_a_validation_error_is_told_with_its_details_on_one_line(tmp_path: Path) -> None:
    body = error("InvalidObject", "payment object is invalid\r\n", [{"message": "amount is required\r\n", "field": "amount"}])
    with server(says(400, body)) as partner, pytest.raises(Rejected) as caught:
        client(tmp_path, partner.url).post("/finance/invoices/7/payments", {})

    assert str(caught.value) == (
        "ConnectWise refused to add to /finance/invoices/7/payments: payment object is invalid amount is required"
    )
    assert caught.value.code == "InvalidObject"


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (401, error("Unauthorized", "Username or password is incorrect"), Unauthorized, "does not accept the keys"),
        (403, error("Forbidden", "no"), Unauthorized, "Edit (All) on Companies > Company Maintenance"),
        (403, error("Security", "SSL is required."), Unauthorized, "begin with api-"),
        (409, error("ConflictingObject", "possibly in use"), RetryLater, "in use"),
        (415, error("UnsupportedMediaType", "no"), Rejected, "refused to change /company/companies/7"),
        (400, "nonsense", Rejected, "nonsense"),
        (500, error("InternalServerError", "oops"), OutcomeUnknown, "not known whether"),
    ],
)
def test_what_a_refusal_means(tmp_path: Path, status: int, body: object, kind: type[ConnectorError], said: str) -> None:
    with server(says(status, body)) as partner, pytest.raises(kind) as caught:
        client(tmp_path, partner.url).patch("/company/companies/7", {"name": "x"})

    assert said in str(caught.value)


def test_a_missing_record_is_none_only_when_the_keys_are_good(tmp_path: Path) -> None:
    missing = says(404, error("NotFound", "Invoice 7 not found"))
    with server(missing, says(200, {"version": "v2026.4"})) as partner:
        assert client(tmp_path, partner.url).get("/finance/invoices/7") is None
    with server(missing, missing, says(200, None)) as partner, pytest.raises(Unauthorized, match="knows no company id 'acme'"):
        client(tmp_path, partner.url).get("/finance/invoices/7")
    with server(missing, missing, says(200, {"CompanyID": "acme"})) as partner, pytest.raises(Unauthorized, match="the keys"):
        client(tmp_path, partner.url).get("/finance/invoices/7")


def test_the_page_that_tells_company_ids_apart_is_asked_without_keys(tmp_path: Path) -> None:
    missing = says(404, error("NotFound", "nothing"))
    with server(missing, says(200, None)) as partner, pytest.raises(Unauthorized):
        client(tmp_path, partner.url).ping()

    assert "/login/companyinfo/acme " in partner.seen[1]
    assert "Authorization" not in partner.seen[1]


def test_a_change_of_a_record_that_is_gone_is_rejected(tmp_path: Path) -> None:
    missing = says(404, error("NotFound", "nothing"))
    with server(missing, says(200, {})) as partner, pytest.raises(Rejected, match="/company/companies/7"):
        client(tmp_path, partner.url).patch("/company/companies/7", {"name": "x"})


def test_deleting_what_is_gone_is_as_wished(tmp_path: Path) -> None:
    with server(says(404, error("NotFound", "nothing")), says(200, {})) as partner:
        client(tmp_path, partner.url).delete("/finance/invoices/7/payments/1")

        assert len(partner.seen) == 2


def test_a_patch_is_an_array_of_whole_fields(tmp_path: Path) -> None:
    with server(says(200, {"id": 7})) as partner:
        client(tmp_path, partner.url).patch("/company/companies/7", {"name": "x"})

        assert json.loads(partner.seen[0].partition("\r\n\r\n")[2]) == [{"op": "replace", "path": "name", "value": "x"}]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://na.myconnectwise.net", "write https://api-na.myconnectwise.net"),
        ("http://api-na.myconnectwise.net", "https://"),
        ("ftp://psa.example", "must look like"),
        ("https://user:word@psa.example", "must look like"),
        ("psa.example", "must look like"),
    ],
)
def test_an_address_that_cannot_work_is_refused_with_the_right_one(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(tmp_path, url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api-na.myconnectwise.net",
        "https://api-eu.myconnectwise.net/v4_6_release/apis/3.0/",
        "https://psa.example.com",
        "http://127.0.0.1:8080/connectwise",
        "http://sandbox:8080/connectwise",
    ],
)
def test_addresses_that_work(tmp_path: Path, url: str) -> None:
    given = settings(tmp_path, url)

    assert not given.base_url.endswith("3.0")


def test_a_client_id_is_a_guid(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="client_id must be a GUID"):
        settings(tmp_path, "https://psa.example.com", client_id="my-integration")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    given = settings(tmp_path, "https://psa.example.com")

    assert "a+b:c" not in repr(given) + given.model_dump_json()
