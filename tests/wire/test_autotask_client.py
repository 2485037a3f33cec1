"""What Autotask's answers mean, on a server that answers as told; settings that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater, Unauthorized
from tests.unit.test_http import answer
from tests.wire.autotask_server import THRESHOLD, page, partner, says, settings, zone

ALL = {"op": "gte", "field": "id", "value": 0}
HTML = b"<!DOCTYPE html><html><head><title>500 - Internal server error.</title></head></html>"


def test_every_call_carries_the_keys_and_goes_to_version_1(tmp_path: Path) -> None:
    with partner(tmp_path, says(page([]))) as (scripted, client):
        list(client.query("Contracts", ALL))

        asked, threshold, query = scripted.seen
        assert "GET /api/atservicesrest/v1.0/zoneInformation?user=api%40acme.example" in asked
        assert "a-secret" not in asked
        assert "GET /api/ATServicesRest/V1.0/ThresholdInformation" in threshold
        assert "POST /api/ATServicesRest/V1.0/Contracts/query" in query
        for header in ("ApiIntegrationCode: A-CODE", "UserName: api@acme.example", "Secret: a-secret"):
            assert header in query


def test_the_next_page_is_asked_for_with_the_same_verb_and_body(tmp_path: Path) -> None:
    first = [{"id": id} for id in range(1, 501)]
    with partner(tmp_path) as (scripted, client):
        further = f"{scripted.url}/ATServicesRest/V1.0/Contracts/query/next?paging=%7B%22nextIds%22%3A%5B500%5D%7D"
        scripted.answers += [says(page(first, further)), says(page([{"id": 501}]))]
        rows = list(client.query("Contracts", ALL))

        assert [row["id"] for row in rows] == list(range(1, 502))
        assert "POST /api/ATServicesRest/V1.0/Contracts/query/next?paging=" in scripted.seen[3]
        assert scripted.seen[3].endswith(json.dumps({"MaxRecords": 500, "Filter": [ALL]}))


@pytest.mark.parametrize("elsewhere", ["https://evil.example/ATServicesRest/V1.0/Contracts/query/next", "http://127.0.0.1:1/x"])
def test_a_page_on_another_host_is_never_called(tmp_path: Path, elsewhere: str) -> None:
    with partner(tmp_path, says(page([{"id": 1}], elsewhere))) as (scripted, client):
        with pytest.raises(Rejected) as caught:
            list(client.query("Contracts", ALL))

        assert caught.value.code == "foreign_address"
        assert len(scripted.seen) == 3


@pytest.mark.parametrize("url", ["https://evil.example/ATServicesRest/", "http://user@127.0.0.1/ATServicesRest/", "ftp://x/"])
def test_a_zone_on_another_host_is_never_called(tmp_path: Path, url: str) -> None:
    with partner(tmp_path, says({"zoneName": "x", "url": url}), lead=False) as (scripted, client):
        with pytest.raises(Unauthorized, match="not called"):
            client.get("Contracts", 1)

        assert len(scripted.seen) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"items": [{"id": 1}]},
        page([{"name": "x"}]),
        page([{"id": 2}, {"id": 1}]),
        page([{"id": 1}, {"id": 1}]),
        page([], "http://127.0.0.1/next"),
        [],
        None,
    ],
)
def test_a_page_that_cannot_be_one_ends_the_read(tmp_path: Path, body: object) -> None:
    with partner(tmp_path, says(body)) as (_, client), pytest.raises(RetryLater):
        list(client.query("Contracts", ALL))


@pytest.mark.parametrize("missing", [says({"item": None}), answer(404, b"")])
def test_a_record_that_is_missing_is_none_in_either_way(tmp_path: Path, missing: bytes) -> None:
    with partner(tmp_path, missing) as (_, client):
        assert client.get("Invoices", 7364) is None


def refusal(tmp_path: Path, *answers: bytes, write: bool = False) -> ConnectorError:
    with partner(tmp_path, *answers) as (_, client):
        try:
            client.patch("Invoices", {"id": 7364, "paidDate": None}) if write else client.get("Invoices", 7364)
        except ConnectorError as error:
            return error
    raise AssertionError("nothing was refused")


def test_a_500_is_a_refusal_when_autotask_says_why(tmp_path: Path) -> None:
    text = "Value does not reference an existing entity for taskType . "
    error = refusal(tmp_path, says({"errors": [text]}, 500), write=True)

    assert isinstance(error, Rejected)
    assert "taskType" in str(error)
    assert "change Invoices" in str(error)


@pytest.mark.parametrize("text", ["Transaction (Process ID 61) was deadlocked on lock resources.", "The operation timed out."])
def test_only_a_500_that_passes_by_itself_is_tried_again(tmp_path: Path, text: str) -> None:
    assert isinstance(refusal(tmp_path, says({"errors": [text]}, 500)), RetryLater)
    assert isinstance(refusal(tmp_path, says({"errors": [text]}, 500), write=True), OutcomeUnknown)


def test_the_three_shapes_of_errors_are_read(tmp_path: Path) -> None:
    objects = refusal(tmp_path, says({"errors": [{"message": "Field is read-only."}]}, 500))
    asp = refusal(tmp_path, says({"Message": "The requested resource does not support http method 'GET'."}, 405))

    assert "Field is read-only." in str(objects)
    assert "does not support http method" in str(asp)
    assert isinstance(asp, Rejected)


def test_a_page_of_html_is_a_server_that_fails_unless_the_zone_has_changed(tmp_path: Path) -> None:
    with partner(tmp_path, answer(500, HTML)) as (scripted, client):
        scripted.answers += [zone(scripted.url)]
        with pytest.raises(RetryLater):
            client.get("Invoices", 7364)

        assert len(scripted.seen) == 4


def test_a_401_asks_for_the_zone_once_more_and_then_says_what_to_check(tmp_path: Path) -> None:
    with partner(tmp_path, answer(401, b"")) as (scripted, client):
        scripted.answers += [zone(scripted.url)]
        with pytest.raises(Unauthorized, match=r"settings\.secret") as caught:
            client.get("Invoices", 7364)

        assert "zoneInformation" in scripted.seen[3]
        assert len(scripted.seen) == 4
        assert "a-secret" not in str(caught.value)


def test_a_zone_that_moved_is_called_at_its_new_place(tmp_path: Path) -> None:
    with partner(tmp_path, answer(401, b"")) as (scripted, client):
        scripted.answers += [zone(f"{scripted.url}/zone29"), says({"item": {"id": 7364}}), says({"item": {"id": 1}})]

        assert client.get("Invoices", 7364) == {"id": 7364}
        assert client.get("Invoices", 1) == {"id": 1}
        assert all("/api/zone29/ATServicesRest/V1.0/" in request for request in scripted.seen[4:])


def test_an_unknown_user_is_a_500_of_the_zone(tmp_path: Path) -> None:
    recorded = says({"errors": ["Zone information could not be determined"]}, 500)
    with (
        partner(tmp_path, recorded, lead=False) as (_, client),
        pytest.raises(Unauthorized, match=r"knows no API user 'api@acme\.example'"),
    ):
        client.get("Invoices", 7364)


def test_a_throttled_tenant_is_said_with_its_time(tmp_path: Path) -> None:
    error = refusal(tmp_path, says({"errors": ["You have exceeded the threshold."]}, 429, retry_after="60"))

    assert isinstance(error, RetryLater)
    assert error.after_s == 60


def test_no_user_defined_fields_is_an_empty_list_in_every_form(tmp_path: Path) -> None:
    with partner(tmp_path, says({"item": {"id": 1, "userDefinedFields": "", "name": "A\u200bcme\x00"}})) as (_, client):
        assert client.get("Companies", 1) == {"id": 1, "userDefinedFields": [], "name": "Acme"}


def test_amounts_leave_as_numbers_and_nothing_but_the_change_is_sent(tmp_path: Path) -> None:
    with partner(tmp_path, says({"itemId": 7364})) as (scripted, client):
        client.patch("Invoices", {"id": 7364, "paidDate": "2026-03-31T00:00:00"})

        assert scripted.seen[2].startswith("PATCH /api/ATServicesRest/V1.0/Invoices ")
        assert scripted.seen[2].endswith('{"id": 7364, "paidDate": "2026-03-31T00:00:00"}')


def test_lists_of_ids_are_asked_for_by_500(tmp_path: Path) -> None:
    with partner(tmp_path, says(page([])), says(page([]))) as (scripted, client):
        list(client.among("Companies", "id", range(1, 502)))

        sizes = [len(json.loads(text.partition("\r\n\r\n")[2])["Filter"][0]["value"]) for text in scripted.seen[2:]]
        assert sizes == [500, 1]


def test_a_budget_that_is_not_told_stops_nothing_but_is_said(tmp_path: Path) -> None:
    with partner(tmp_path, lead=False) as (scripted, client):
        scripted.answers += [zone(scripted.url), says({**THRESHOLD, "externalRequestThreshold": None})]
        with pytest.raises(RetryLater, match="how many requests"):
            client.get("Invoices", 1)


@pytest.mark.parametrize("url", ["http://webservices2.autotask.net", "ftp://x", "https://user@x.example", "autotask"])
def test_an_address_that_would_give_the_secret_away_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValidationError, match="base_url"):
        settings(tmp_path, url)


def test_the_address_may_be_given_as_the_documentation_shows_it(tmp_path: Path) -> None:
    given = settings(tmp_path, "https://webservices6.autotask.net/ATServicesRest/V1.0/")

    assert given.base_url == "https://webservices6.autotask.net"
    assert "a-secret" not in repr(given)
