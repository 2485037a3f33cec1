"""Agreements that end, leave or are renewed: cancelled at the end of what was billed, under the safety limit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.agent import sync_once
from connector.flows import mirror
from connector.model.plan import refusals
from tests.e2e.charging import agreement, autopay, bills, debits, expected, only, subscriptions
from tests.e2e.msp import Msp, msp


def cancel_at(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp())


def february(m: Msp, **fields: Any) -> int:
    """One agreement, billed and charged for February."""
    id = m.sign_up(**fields)
    m.to("2026-02-02")
    m.cycle(1)
    return id


def leave(m: Msp, id: int, how: str) -> None:
    match how:
        case "ends":
            m.act("office.end_agreement", agreement=id, on="2026-02-28")
        case "ends in the middle of a period":
            m.act("office.end_agreement", agreement=id, on="2026-02-14")
        case "is cancelled":
            m.act("office.cancel_agreement", agreement=id, on="2026-02-28")
        case "was cancelled some time ago":
            m.act("office.cancel_agreement", agreement=id, on="2026-01-31")
        case "leaves the filter":
            m.act("office.set_field", record="agreements", id=id, field="billOneTimeFlag", value=True)
        case "is deleted":
            m.act("office.delete_agreement", agreement=id)
        case "opts out":
            autopay(m, id, "No")


WAYS = (
    "ends",
    "ends in the middle of a period",
    "is cancelled",
    "was cancelled some time ago",
    "leaves the filter",
    "is deleted",
    "opts out",
)


@pytest.mark.parametrize("how", WAYS)
def test_an_agreement_that_leaves_is_cancelled_at_the_end_of_what_was_billed(tmp_path: Path, how: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = february(m)
        leave(m, id, how)
        m.to("2026-02-20")
        m.cycle()

        live = subscriptions(m, id)
        assert [s["cancel_at"] for s in live] in ([cancel_at("2026-03-01")], [])

        for day in ("2026-03-02", "2026-04-02"):
            m.to(day)
            m.cycle()

        assert subscriptions(m, id) == []
        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}
        assert m.holds() == []
        assert m.plan().plan.changes == ()


def test_an_agreement_that_ends_later_is_charged_until_then(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = february(m)
        m.act("office.end_agreement", agreement=id, on="2026-04-10")
        m.cycle(1)
        for day in ("2026-03-02", "2026-04-02", "2026-05-02"):
            m.to(day)
            m.cycle()

        assert len(bills(m, id)) == 3
        assert debits(m) == expected(m, id)
        assert subscriptions(m) == []


def test_an_end_that_is_taken_back_goes_on(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = february(m)
        m.act("office.end_agreement", agreement=id, on="2026-02-28")
        m.cycle(1)
        m.act("office.set_field", record="agreements", id=id, field="endDate", value=None)
        m.act("office.set_field", record="agreements", id=id, field="noEndingDateFlag", value=True)
        for day in ("2026-02-20", "2026-03-02", "2026-04-02"):
            m.to(day)
            m.cycle()

        assert only(subscriptions(m, id, ended=True))["cancel_at"] is None
        assert len(debits(m)) == 3
        assert debits(m) == expected(m, id)


def test_a_charge_that_waits_when_its_agreement_ends_is_still_collected(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = february(m, terms="Net 30")
        m.act("office.end_agreement", agreement=id, on="2026-02-28")
        for day in ("2026-02-20", "2026-03-02", "2026-03-04", "2026-03-10"):
            m.to(day)
            m.cycle()

        assert debits(m) == expected(m, id)
        assert len(debits(m)) == 1


# Many at once


def book(m: Msp, number: int) -> list[int]:
    """That many agreements, everybody enrolled."""
    ids = []
    for place in range(number):
        company = m.act("office.add_company", name=f"Payer {place:02}", email=f"ap{place}@payer.example", Autopay="Yes")
        plain = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": "500.00", "tax_code": "Exempt"}
        ids.append(m.act("office.add_agreement", company=company, name="Managed Services", **plain))
    m.cycle(1)
    m.enrol()
    m.cycle(1)
    return ids


def test_many_cancellations_at_once_are_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        ids = book(m, 8)
        for id in ids[:5]:
            m.act("office.cancel_agreement", agreement=id, on="2026-01-31")
        before = m.stripe("subscription")
        report = m.cycle(1)

        sentence = "5 of 8 subscriptions would be cancelled (limit 10 %); if intended: connector apply --allow-cancels 5"
        assert report["mirror"]["refused"] == [sentence]
        assert m.stripe("subscription") == before


def test_many_cancellations_at_once_are_carried_out_when_a_person_allows_them(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        ids = book(m, 8)
        for id in ids[:5]:
            m.act("office.cancel_agreement", agreement=id, on="2026-01-31")
        planned = m.plan()
        limits = m.agent.desk.settings.limits
        assert refusals(planned.plan, limits, allow_cancels=4)
        assert not refusals(planned.plan, limits, allow_cancels=5)
        mirror.apply(m.agent.desk, planned)
        m.to("2026-02-02")
        m.cycle()

        assert len(subscriptions(m)) == 3
        assert sorted(debits(m)) == [f"connectwise:{id}/2026-02-01" for id in ids[5:]]


def test_agreements_that_say_when_they_end_are_many_cancellations_too(tmp_path: Path) -> None:
    """An end date on every agreement of the book (a mistaken mass change) is stopped like any other."""
    with msp(tmp_path, agreements=0) as m:
        ids = book(m, 8)
        for id in ids[:5]:
            m.act("office.end_agreement", agreement=id, on="2026-01-31")
        report = m.cycle(1)

        assert "5 of 8 subscriptions would be cancelled" in report["mirror"]["refused"][0]
        assert [s["cancel_at"] for s in subscriptions(m)] == [None] * 8


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("500", "/finance/agreements$"),
        ("500", "/finance/agreementrecap"),
        ("500", "/additions"),
        ("500", "/company/companies"),
        ("429", "/finance/agreements$"),
    ],
)
def test_a_half_read_psa_cannot_cancel_the_book(tmp_path: Path, path: str, kind: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        book(m, 3)
        m.to("2026-02-10")  # so that the additions are read again
        before = m.stripe("subscription")
        m.fault(kind, "connectwise", path=path, count=20)
        report = sync_once(m.agent)
        m.world.faults.clear()

        assert "error" in report["mirror"]
        assert m.stripe("subscription") == before

        m.cycle()

        assert [s["cancel_at"] for s in subscriptions(m)] == [None] * 3


def test_a_list_that_shows_fewer_agreements_than_there_are_cancels_nothing(tmp_path: Path) -> None:
    """The API member's role was narrowed: ConnectWise answers 200 with less."""
    with msp(tmp_path, agreements=0) as m:
        ids = book(m, 2)
        before = m.stripe("subscription")
        psa = m.world.partners["connectwise"]
        hidden = psa.records.agreements.rows.pop(ids[0])  # type: ignore[attr-defined]
        report = sync_once(m.agent)
        shown = psa.records.agreements.rows  # type: ignore[attr-defined]
        shown.update({ids[0]: hidden, ids[1]: shown.pop(ids[1])})
        m.cycle()

        assert report["mirror"]
        assert {s["id"] for s in before} == {s["id"] for s in subscriptions(m)}
        assert [s["cancel_at"] for s in subscriptions(m)] == [None] * 2


# Renewals


def test_an_agreement_renewed_under_a_new_id_goes_on_as_one_subscription(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = february(m)
        before = only(subscriptions(m))["id"]
        new = m.act("office.renew_agreement", agreement=id, starts="2026-03-01")
        for day in ("2026-02-20", "2026-03-02", "2026-04-02"):
            m.to(day)
            m.cycle()

        subscription = only(subscriptions(m, ended=True))
        assert (subscription["id"], subscription["cancel_at"]) == (before, None)
        assert [bill["agreement"]["id"] for bill in bills(m)] == [id, new, new]
        assert debits(m) == {f"connectwise:{id}/2026-0{month}-01": [50000] for month in (2, 3, 4)}
        assert m.holds() == []


def test_a_renewal_with_another_year_in_its_name_and_a_new_price_goes_on_at_the_new_price(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = february(m)
        m.act("office.set_field", record="agreements", id=id, field="name", value="Managed Services 2025")
        m.cycle(1)
        new = m.act("office.renew_agreement", agreement=id, starts="2026-03-01")
        m.act("office.set_field", record="agreements", id=new, field="name", value="Managed Services 2026")
        m.act("office.set_field", record="agreements", id=new, field="billAmount", value=agreement(m, id)["billAmount"] + 50)
        for day in ("2026-02-20", "2026-03-02"):
            m.to(day)
            m.cycle()

        assert len(subscriptions(m, ended=True)) == 1
        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000], f"connectwise:{id}/2026-03-01": [55000]}


def test_a_renewal_that_is_entered_weeks_after_the_old_one_ended_is_no_second_subscription(tmp_path: Path) -> None:
    """Ended on the last of February; the renewal from March on is entered on the 10th of March."""
    with msp(tmp_path, agreements=0) as m:
        id = february(m)
        m.act("office.end_agreement", agreement=id, on="2026-02-28")
        for day in ("2026-02-20", "2026-03-02", "2026-03-10"):
            m.to(day)
            m.cycle()
        new = m.act("office.renew_agreement", agreement=id, starts="2026-03-01")
        m.act("office.end_agreement", agreement=id, on="2026-02-28")
        m.cycle()
        for day in ("2026-03-12", "2026-04-02"):
            m.to(day)
            m.cycle()

        assert len(subscriptions(m)) == 1
        assert [bill["agreement"]["id"] for bill in bills(m)] == [id, new, new]
        assert debits(m) == {f"connectwise:{id}/2026-0{month}-01": [50000] for month in (2, 3, 4)}
        assert m.world.now == datetime(2026, 4, 2, 18, tzinfo=UTC)


def test_an_old_agreement_that_is_deleted_after_its_renewal_changes_nothing(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = february(m)
        m.act("office.renew_agreement", agreement=id, starts="2026-03-01")
        m.to("2026-03-02")
        m.cycle()
        m.act("office.delete_agreement", agreement=id)
        for day in ("2026-03-10", "2026-04-02", "2026-06-20"):
            m.to(day)
            m.cycle()

        assert len(subscriptions(m, ended=True)) == 1
        assert len(debits(m)) == 5
        assert all(amounts == [50000] for amounts in debits(m).values())
