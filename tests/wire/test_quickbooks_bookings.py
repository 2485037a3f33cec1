"""Recorded and documented bodies of deposits, changes and reports, as we read them; and what we send, by published names."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.http import Reply
from adapters.quickbooks import entries, wire
from adapters.quickbooks.reports import Figures, figures
from connector.errors import Rejected, RetryLater
from connector.model.bookings import (
    Booked,
    Booking,
    BookingKind,
    BookingLine,
    BooksChange,
    ChangedKind,
    DepositBooking,
    JournalBooking,
    TransferBooking,
)
from connector.model.money import Money
from connector.ports import WriteKey
from tests.wire.test_quickbooks_bodies import SHARED, needs_samples, record, sample

XSD = Path(os.environ.get("CONNECTOR_SHARED", SHARED)) / "specs" / "quickbooks_xsd"
XS = "{http://www.w3.org/2001/XMLSchema}"
REPLY = Reply(partner="quickbooks", method="GET", path="/reports/x", status=200, headers={}, body=b"", write=False)
KEY = WriteKey(value="payout/po_1", since=datetime(2026, 1, 5, tzinfo=UTC))
DAY = date(2026, 1, 5)


def usd(cents: int) -> Money:
    return Money(cents, "USD")


# Reading.


@needs_samples
@pytest.mark.parametrize(
    ("name", "id", "dated", "cents"),
    [
        ("deposit_102_linked_payments", "102", date(2023, 2, 17), 40800),
        ("deposit_155_payment_minus_fee_line", "155", date(2015, 3, 7), 20000),
    ],
)
def test_a_recorded_deposit_is_read(name: str, id: str, dated: date, cents: int) -> None:
    deposit = wire.read(wire.Deposit, record(name, "Deposit"))

    booked = entries.booked(deposit, BookingKind.DEPOSIT, "USD")

    assert booked == Booked(id=f"deposit:{id}", kind=BookingKind.DEPOSIT, dated=dated, amount=usd(cents))
    assert entries.parsed(booked.id) == (BookingKind.DEPOSIT, id)


@needs_samples
def test_a_deposited_payment_names_its_deposit() -> None:
    assert wire.read(wire.Payment, record("payment_98_deposited", "Payment")).deposit == "121"


def test_a_journal_is_worth_its_debits_whatever_its_total_says() -> None:
    sides = [("Debit", 2.5), ("Debit", 0.4), ("Credit", 2.9)]
    lines = [{"Amount": n, "JournalEntryLineDetail": {"PostingType": side}} for side, n in sides]
    shown = {"Id": "7", "SyncToken": "0", "TxnDate": "2026-01-05", "TotalAmt": 0, "Line": lines}

    journal = wire.read(wire.JournalEntry, json.loads(json.dumps(shown)))

    assert entries.booked(journal, BookingKind.JOURNAL, "USD").amount == usd(290)
    assert wire.read(wire.JournalEntry, {**shown, "Line": []}).voided


@needs_samples
def test_recorded_changes_are_told_apart() -> None:
    groups = json.loads(sample("cdc_response_with_deleted"))["CDCResponse"][0]["QueryResponse"]
    groups += [{"Deposit": [{"Id": "5", "status": "Deleted"}]}, {"Customer": [{"Id": "9", "Active": False}]}, {}]

    told = list(entries.changes(groups))

    assert told == [
        BooksChange(kind=ChangedKind.CUSTOMER, id="63", gone=False),
        BooksChange(kind=ChangedKind.CUSTOMER, id="99", gone=False),
        BooksChange(kind=ChangedKind.DEPOSIT, id="deposit:5", gone=True),
        BooksChange(kind=ChangedKind.CUSTOMER, id="9", gone=True),
    ]


@pytest.mark.parametrize("id", ["", "7", "journal:", "journal:x", "cheque:7", "payment:7"])
def test_what_is_no_id_of_a_booking_is_none(id: str) -> None:
    assert entries.parsed(id) is None


# Reports.


def cells(*texts: str, id: str = "") -> list[dict[str, str]]:
    first, *others = texts
    return [{"value": first, **({"id": id} if id else {})}, *({"value": text} for text in others)]


def report(*rows: dict[str, Any], currency: str = "USD") -> dict[str, Any]:
    return {"Header": {"Currency": currency}, "Rows": {"Row": list(rows)}}


TOTAL = {"Summary": {"ColData": cells("TOTAL", "1.00", "1.00")}, "type": "Section", "group": "GrandTotal"}


def test_a_row_has_its_figures_and_the_total_is_nobodys() -> None:
    checking, fees = {"ColData": cells("Checking", "1,234.50", "", id="35")}, {"ColData": cells("Fees", "", "-2.00", id="9")}

    assert figures(report(checking, fees, TOTAL), REPLY, 2, "USD") == {
        "35": Figures(name="Checking", amounts=(usd(123450), usd(0))),
        "9": Figures(name="Fees", amounts=(usd(0), usd(-200))),
    }


def test_rows_under_headings_count_and_so_does_a_heading_with_a_figure() -> None:
    section = {
        "Header": {"ColData": cells("Freeman", "80.00", id="8")},
        "Rows": {"Row": [{"ColData": cells("Ocean View Road", "477.50", id="9")}]},
        "Summary": {"ColData": cells("Total Freeman", "557.50")},
        "type": "Section",
    }

    found = figures(report(section, TOTAL), REPLY, 1, "USD")

    assert {id: row.amounts for id, row in found.items()} == {"8": (usd(8000),), "9": (usd(47750),)}


def test_an_empty_report_has_nothing() -> None:
    assert figures({"Header": {"Currency": "USD"}, "Rows": {}}, REPLY, 1, "USD") == {}


@pytest.mark.parametrize(
    "row",
    [
        {"ColData": cells("Checking", "5.00")},
        {"ColData": [{"id": "35", "value": "Checking"}, {}]},
        {"ColData": cells("Checking", "five", id="35")},
        {"type": "Data"},
    ],
)
def test_a_report_that_cannot_be_read_whole_is_not_read_at_all(row: dict[str, Any]) -> None:
    with pytest.raises(RetryLater):
        figures(report(row, TOTAL), REPLY, 1, "USD")


def test_a_report_in_another_currency_is_refused() -> None:
    with pytest.raises(Rejected, match="CAD"):
        figures(report(TOTAL, currency="CAD"), REPLY, 1, "USD")


# What we send.


def element_names(kind: str) -> set[str]:
    """Of a complex type of the XSDs, base types included."""
    types = {node.get("name"): node for path in XSD.glob("*.xsd") for node in ET.parse(path).iter(f"{XS}complexType")}  # noqa: S314
    names: set[str] = set()
    while kind in types:
        names |= {str(node.get("name") or node.get("ref")) for node in types[kind].iter(f"{XS}element")}
        kind = next((str(node.get("base")) for node in types[kind].iter(f"{XS}extension")), "")
    return names


def line(cents: int, account: str = "93", customer: str = "") -> BookingLine:
    return BookingLine(account=account, amount=usd(cents), customer=customer, memo="why")


BOOKINGS: dict[str, Booking] = {
    "JournalEntry": JournalBooking(dated=DAY, memo="m", lines=(line(500, "", "7"), line(-500))),
    "Transfer": TransferBooking(from_account="93", to_account="35", amount=usd(500), dated=DAY, memo="m"),
    "Deposit": DepositBooking(
        to_account="35", payments=("12",), lines=(line(30, "92"), line(20, "", "7")), total=usd(950), dated=DAY, memo="m"
    ),
}


def sent(kind: str, instance: str = "test") -> dict[str, Any]:
    amounts = {"12": usd(1000).major}
    return entries.body(BOOKINGS[kind], key=KEY, instance=instance, receivable="84", amounts=amounts)


@pytest.mark.skipif(not XSD.exists(), reason=f"the published XSDs are not at {XSD}; set CONNECTOR_SHARED")
@pytest.mark.parametrize("kind", sorted(BOOKINGS))
def test_bodies_use_the_published_element_names(kind: str) -> None:
    body = sent(kind)

    assert set(body) <= element_names(kind)
    for part in body.get("Line", ()):
        assert set(part) <= element_names("Line")
        for detail in ("JournalEntryLineDetail", "DepositLineDetail"):
            assert set(part.get(detail, {})) <= element_names(detail)
        assert set(part.get("JournalEntryLineDetail", {}).get("Entity", {})) <= element_names("EntityTypeRef")


@needs_samples
def test_a_deposit_is_sent_in_the_shape_of_a_recorded_one() -> None:
    recorded = record("deposit_155_payment_minus_fee_line", "Deposit")["Line"]
    body = sent("Deposit")

    taken, fee, refund = body["Line"]

    assert set(taken) == set(recorded[0])
    assert taken["LinkedTxn"] == [{"TxnId": "12", "TxnType": "Payment", "TxnLineId": "0"}]
    assert set(fee) - {"Description"} <= set(recorded[1])
    assert [str(part["Amount"]) for part in body["Line"]] == ["10.00", "-0.30", "-0.20"]
    assert refund["DepositLineDetail"]["Entity"]["type"] == recorded[1]["DepositLineDetail"]["Entity"]["type"]
    assert refund["DepositLineDetail"]["AccountRef"] == {"value": "84"}


def test_a_very_long_memo_is_cut_and_the_mark_stays() -> None:
    booking = JournalBooking(dated=DAY, memo="m" * 9000, lines=BOOKINGS["JournalEntry"].lines)  # type: ignore[union-attr]

    note = entries.body(booking, key=KEY, instance="test", receivable="84", amounts={})["PrivateNote"]

    assert len(note) == 4000
    assert note.startswith(entries.mark(KEY, "test"))
