"""A contract's life in Autotask: renewals under a new id, companies that merge, other payers, currencies, types and cycles.

Each ends the same way: every invoice of Autotask is debited once, in full, from whom it is billed to, or held with a reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.charging import at_stripe, debits, hold_names, only
from tests.e2e.msp import Msp, cents, msp

NAME = "Contoso Dental"
PAYER: dict[str, Any] = {"email": "ap@payer.example", "terms": "Due on receipt", "udfs": {"Autopay": "Yes"}}
ON_THE_TENTH = {"approve": "never", "date": "day_of_month", "day": 10}


def live(m: Msp, *days: str) -> None:
    for day in days:
        m.to(day)
        m.cycle(1)


def month(m: Msp, *months: str) -> None:
    """Autotask invoices on the first, at once due."""
    for one in months:
        live(m, f"2026-{one}-01")


def rows(m: Msp, entity: str) -> list[dict[str, Any]]:
    return list(m.world.partners["autotask"].state()[entity])


def company(m: Msp, name: str) -> int:
    return int(only([row["id"] for row in rows(m, "Companies") if row["companyName"] == name]))


def billed(m: Msp) -> list[int]:
    """Invoices of customers that come to something and stand, oldest first, in cents."""
    found = [row for row in m.psa_invoices() if row["companyID"] and not row["isVoided"] and row["invoiceTotal"]]
    return [cents(row["invoiceTotal"]) for row in sorted(found, key=lambda row: (row["invoiceDateTime"], row["id"]))]


def debited(m: Msp) -> list[int]:
    """By day, as `billed`."""
    return [amount for _, amounts in sorted(debits(m).items(), key=lambda pair: pair[0][-10:]) for amount in amounts]


def paid_by(m: Msp) -> dict[str, list[int]]:
    names = {row["id"]: row["name"] for row in m.stripe("customer")}
    found: dict[str, list[int]] = {}
    for invoice in at_stripe(m, "open", "paid"):
        if invoice["total"]:
            found.setdefault(names[invoice["customer"]], []).append(invoice["total"])
    return found


def going_on(m: Msp) -> list[str]:
    """Billing units of the subscriptions that will make a further draft: nothing says when they end before it."""
    found = [row for row in m.stripe("subscription") if row["status"] == "active"]
    ends = [row["items"]["data"][0]["current_period_end"] for row in found]
    return [
        row["metadata"]["unit"] for row, end in zip(found, ends, strict=True) if not row["cancel_at"] or row["cancel_at"] > end
    ]


# Renewals


def test_contracts_renewed_under_a_new_id_go_on_as_one_subscription_whichever_names_the_other(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0, books=None) as m:
        id = m.sign_up_in_autotask(ends="2026-02-28")
        month(m, "02")
        second = m.act("office.renew_contract", contract=id, starts="2026-03-01", ends="2026-03-31")
        live(m, "2026-02-20", "2026-03-01")
        m.act("office.renew_contract", contract=second, starts="2026-04-01", points_back=False)
        live(m, "2026-03-20", "2026-04-01")

        assert debits(m) == {f"autotask:{id}/2026-0{number}-01": [50000] for number in (2, 3, 4)}
        assert billed(m) == [50000] * 3
        assert len([s for s in m.stripe("subscription") if s["metadata"].get("unit")]) == 1
        assert (m.holds(), m.reconcile().ties) == ([], True)


def quarterly(m: Msp) -> int:
    payer = m.act("office.add_company", name=NAME, **PAYER)
    id = m.act("office.add_contract", company=payer, name="Managed Services", starts="2026-02-01")
    service = m.act("office.add_service", name="Desk", price="1500.00", period_type=3, taxed=False)
    m.act("office.sell", contract=id, product=service)
    m.cycle()
    m.enrol()
    m.cycle()
    return int(id)


def test_a_quarterly_contract_renewed_in_the_middle_of_its_quarter_is_charged_by_the_new_quarters_alone(tmp_path: Path) -> None:
    """The old subscription was billed until the end of April: it ends there and makes no further draft."""
    with msp(tmp_path, psa="autotask", agreements=0, books=None) as m:
        id = quarterly(m)
        month(m, "02")
        m.act("office.renew_contract", contract=id, starts="2026-03-15")
        live(m, "2026-02-20", "2026-03-16")
        between = going_on(m)
        live(m, "2026-05-02", "2026-06-16")

        assert between == going_on(m) == [f"autotask:{id}"]
        assert debits(m) == {f"autotask:{id}/2026-{day}": [150000] for day in ("02-01", "03-15", "06-15")}
        assert billed(m) == [150000] * 3
        assert len(at_stripe(m)) == 3  # and no draft was made beside them


def test_a_renewal_that_is_billed_by_the_year_is_charged_once_for_it(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0, books=None) as m:
        id = m.sign_up_in_autotask(ends="2026-02-28")
        month(m, "02")
        new = m.act("office.add_contract", company=NAME, name="Managed Services", starts="2026-03-01")
        service = m.act("office.add_service", name="Desk, a year", price="5000.00", period_type=5, taxed=False)
        m.act("office.sell", contract=new, product=service)
        m.act("office.set_field", entity="Contracts", id=new, field="renewedContractID", value=id)
        live(m, "2026-02-20")
        month(m, "03", "04")

        assert billed(m) == debited(m) == [50000, 500000]
        assert hold_names(m) == []


def test_a_contract_with_services_of_two_cycles_is_told_and_what_it_billed_is_charged_once(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0, books=None) as m:
        id = m.sign_up_in_autotask()
        month(m, "02")
        sold = only([row["id"] for row in rows(m, "ContractServices") if row["contractID"] == id])
        m.act("office.adjust", sold=sold, units=-1, on="2026-03-01")
        service = m.act("office.add_service", name="Desk, a year", price="5000.00", period_type=5, taxed=False)
        m.act("office.sell", contract=id, product=service, starts="2026-03-01")
        live(m, "2026-02-20")
        told = only(list(m.plan().plan.unusable))
        month(m, "03", "04")

        assert (told.reason, "one contract for each period" in told.message) == ("mixed_cycle", True)
        assert billed(m) == debited(m)
        assert len(billed(m)) == 2


# Companies


def test_contracts_of_a_company_that_was_merged_wait_until_the_one_that_is_left_has_authorised(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0, books=None) as m:
        m.sign_up_in_autotask()
        month(m, "02")
        m.act("office.add_company", name="Fabrikam Holding", **PAYER)
        m.act("office.merge_companies", keep="Fabrikam Holding", gone=NAME)
        live(m, "2026-02-20")
        month(m, "03")
        before, held = paid_by(m), hold_names(m)
        m.enrol(only="Fabrikam")
        live(m, "2026-03-03")

        assert (before, held) == ({NAME: [50000]}, ["no_method"])
        assert paid_by(m) == {NAME: [50000], "Fabrikam Holding": [50000]}
        assert billed(m) == [50000, 50000]
        assert hold_names(m) == []


def test_a_bill_to_that_changed_leaves_the_old_payers_bill_with_them_and_the_next_is_the_new_ones(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0, books=None, charging=ON_THE_TENTH) as m:
        id = m.sign_up_in_autotask()
        month(m, "02")
        other = m.act("office.add_company", name="Fabrikam Holding", **PAYER)
        m.act("office.set_field", entity="Contracts", id=id, field="billToCompanyID", value=other)
        live(m, "2026-02-05", "2026-02-10")
        february, held = paid_by(m), hold_names(m)
        m.enrol(only="Fabrikam")
        month(m, "03")
        live(m, "2026-03-10")

        assert (february, held) == ({NAME: [50000]}, [])
        assert paid_by(m) == {NAME: [50000], "Fabrikam Holding": [50000]}
        assert billed(m) == [50000, 50000]


def test_a_company_whose_currency_was_changed_is_held_and_goes_on_when_it_is_changed_back(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0, books=None) as m:
        m.sign_up_in_autotask()
        month(m, "02")
        m.act("office.set_field", entity="Companies", id=company(m, NAME), field="currencyID", value=2)
        live(m, "2026-02-20")
        month(m, "03")
        held, told = hold_names(m), only(list(m.plan().plan.unusable))
        drifts = m.reconcile().drifts
        m.act("office.set_field", entity="Companies", id=company(m, NAME), field="currencyID", value=1)
        live(m, "2026-03-03")

        assert (held, told.reason) == (["currency_differs"], "unsupported_currency")
        assert [(drift.kind, str(drift.period.start)) for drift in drifts] == [("currency_differs", "2026-03-01")]
        assert billed(m) == debited(m) == [50000, 50000]
        assert hold_names(m) == []


# Types, groups


def test_a_contract_of_another_type_is_not_charged_and_is_again_when_it_is_back(tmp_path: Path) -> None:
    """What was billed meanwhile and is still open is charged then: late, and once. An exclusion contract changes nothing."""
    with msp(tmp_path, psa="autotask", agreements=0, books=None) as m:
        id = m.sign_up_in_autotask()
        recurring = only([row["contractType"] for row in rows(m, "Contracts") if row["id"] == id])
        month(m, "02")
        beside = m.act("office.add_contract", company=NAME, name="Exclusions", starts="2026-02-01", type=1)
        m.act("office.set_field", entity="Contracts", id=id, field="exclusionContractID", value=beside)
        m.act("office.set_field", entity="Contracts", id=id, field="contractType", value=1)
        live(m, "2026-02-20")
        month(m, "03")
        out = debited(m)
        m.act("office.set_field", entity="Contracts", id=id, field="contractType", value=recurring)
        live(m, "2026-03-20")
        month(m, "04")

        assert out == [50000]
        assert billed(m) == debited(m) == [50000] * 3
        assert going_on(m) == [f"autotask:{id}"]


def test_contracts_that_share_an_invoice_for_a_while_are_charged_as_they_are_billed(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0, books=None) as m:
        first = m.sign_up_in_autotask()
        second = m.act("office.add_contract", company=NAME, name="Backup", starts="2026-02-01")
        m.act("office.sell", contract=second, product=m.act("office.add_service", name="Backup", price="100.00", taxed=False))
        m.cycle()
        month(m, "02")
        for group in ("together", None):
            for id in (first, second):
                m.act("office.set_udf", entity="Contracts", key=id, name="Invoice Group", value=group)
            live(m, "2026-02-20" if group else "2026-03-20")
            month(m, "03" if group else "04")

        assert billed(m) == [50000, 10000, 60000, 50000, 10000]
        assert debits(m) == {
            f"autotask:{first}/2026-02-01": [50000],
            f"autotask:{second}/2026-02-01": [10000],
            f"autotask:{first}/2026-03-01": [60000],
            f"autotask:{first}/2026-04-01": [50000],
            f"autotask:{second}/2026-04-01": [10000],
        }
        assert going_on(m) == [f"autotask:{first}", f"autotask:{second}"]


# Days and years


@pytest.mark.parametrize(
    ("starts", "period", "days"),
    [
        ("2026-01-31", 2, ("2026-01-31", "2026-02-28", "2026-03-31")),
        ("2024-02-29", 5, ("2026-02-28", "2027-02-28", "2028-02-29")),
    ],
)
def test_a_contract_that_began_at_the_end_of_a_month_is_charged_on_the_days_on_which_autotask_bills_it(
    tmp_path: Path, starts: str, period: int, days: tuple[str, ...]
) -> None:
    with msp(tmp_path, psa="autotask", agreements=0, books=None, company=_auckland()) as m:
        payer = m.act("office.add_company", name=NAME, **PAYER)
        id = m.act("office.add_contract", company=payer, name="Managed Services", starts=starts, ends="2030-12-31")
        service = m.act("office.add_service", name="Desk", price="1500.00", period_type=period, taxed=False)
        m.act("office.sell", contract=id, product=service)
        m.cycle()
        m.enrol()
        m.cycle()
        for day in days:
            m.to(day)
            m.cycle(1)
            m.at(m.world.now.replace(hour=23))
            m.cycle(1)

        assert debits(m) == {f"autotask:{id}/{day}": [150000] for day in days}
        assert billed(m)[-3:] == [150000] * 3
        assert hold_names(m) == []


def _auckland() -> dict[str, str]:
    """Its clocks change on the first Sundays of April and of October."""
    return {"name": "Test MSP", "time_zone": "Pacific/Auckland", "currency": "USD"}


# Skipped, written off


def test_a_month_in_which_a_contract_is_inactive_is_charged_only_if_autotask_bills_it(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0, books=None) as m:
        id = m.sign_up_in_autotask()
        month(m, "02")
        m.act("office.set_status", contract=id, active=False)
        live(m, "2026-02-20")
        month(m, "03")
        off = debited(m)
        m.act("office.set_status", contract=id, active=True)
        live(m, "2026-03-21")
        month(m, "04")

        assert off == [50000]
        assert billed(m) == debited(m) == [50000] * 3
        assert going_on(m) == [f"autotask:{id}"]


def test_a_bill_that_was_voided_for_good_is_not_charged_and_the_next_one_is(tmp_path: Path) -> None:
    """Its draft waits, with a hold that says so, should the invoice be made again."""
    with msp(tmp_path, psa="autotask", agreements=0, books=None, charging=ON_THE_TENTH) as m:
        id = m.sign_up_in_autotask()
        month(m, "02")
        m.act("office.void_invoice", invoice=only([row["id"] for row in m.psa_invoices() if row["invoiceTotal"]]))
        m.act("office.write_off_items", contract=id)
        live(m, "2026-02-10")
        held = hold_names(m)
        month(m, "03")
        live(m, "2026-03-10")

        assert held == hold_names(m) == ["closed_differently"]
        assert debits(m) == {f"autotask:{id}/2026-03-01": [50000]}
