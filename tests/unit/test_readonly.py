"""The two walls of shadow mode, each by itself."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.http import Http
from connector import ports
from connector.errors import Rejected, RetryLater
from connector.ports import READS
from connector.readonly import read_only
from connector.testing.doubles import FixedClock, NoBudget

WRITES = (
    "record_paid publish_enrolment ensure_customer adopt_customer apply draft adjust release write_off stop reduce enrolment_link"
    " adopt_new_methods note_high_water post void apply unapply book unbook"
).split()


class Gateway:
    name = "stripe"

    def drafts(self) -> list[str]:
        return ["in_1"]

    def release(self, draft: str) -> str:
        raise AssertionError(f"{draft} was released")

    def written_by_somebody_later(self) -> None:
        raise AssertionError("a method that nobody named a read was called")


def test_the_reading_half_of_an_adapter_answers() -> None:
    guarded: Any = read_only(Gateway())  # type: ignore[type-var]

    assert (guarded.name, guarded.drafts()) == ("stripe", ["in_1"])


@pytest.mark.parametrize("method", ["release", "written_by_somebody_later"])
def test_the_other_half_is_refused_also_what_nobody_thought_of(method: str) -> None:
    guarded: Any = read_only(Gateway())  # type: ignore[type-var]

    with pytest.raises(Rejected, match="this is shadow mode"):
        getattr(guarded, method)("in_1")


def test_every_method_of_a_port_is_named_a_read_or_is_a_write() -> None:
    known = {name for port in (ports.Psa, ports.Gateway, ports.Books) for name, _ in inspect.getmembers(port)}

    assert {name for name in known if not name.startswith("_")} == READS | set(WRITES)
    assert READS & set(WRITES) == set()


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_http_sends_no_write_where_only_reading_is_allowed(method: str) -> None:
    http = _http()

    with pytest.raises(Rejected, match="was not sent: this is shadow mode"):
        http.send(method, "invoices/1", json={}, idempotent=True)


@pytest.mark.parametrize(("method", "query"), [("GET", False), ("POST", True)])
def test_http_reads_where_only_reading_is_allowed(method: str, query: bool) -> None:
    http = _http()

    with pytest.raises(RetryLater):  # it was sent, and nobody listens there
        http.send(method, "invoices/query", idempotent=False, query=query)


def _http() -> Http:
    clock = FixedClock(datetime(2026, 1, 5, tzinfo=UTC))
    return Http("psa", "http://127.0.0.1:9", budget=NoBudget(), clock=clock, read_only=True)
