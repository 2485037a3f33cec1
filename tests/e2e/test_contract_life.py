"""A contract's life: companies that merge, bundles made and split, other currencies, types, cycles and days of the month.

Each ends the same way: every bill of the PSA is debited once, in full, from whom it is billed to, or held with a reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.flows import holding
from connector.flows.skip import skip
from tests.e2e.charging import at_stripe, bills, debits, expected, hold_names, only, subscriptions
from tests.e2e.msp import Msp, msp

SHIPPED = Path(__file__).resolve().parents[2] / "mappings"


def live(m: Msp, *days: str, times: int = 2) -> None:
    """On each of these days the agent goes round, twice, as people do things between."""
    for day in days:
        m.to(day)
        m.cycle(times)


def zone(name: str) -> dict[str, Any]:
    return {"company": {"name": "Test MSP", "time_zone": name, "currency": "USD"}}


def paid_by(m: Msp) -> dict[str, list[int]]:
    """What each customer of the gateway was debited, by name."""
    names = {row["id"]: row["name"] for row in m.stripe("customer")}
    found: dict[str, list[int]] = {}
    for invoice in at_stripe(m, "open", "paid"):
        if invoice["total"]:
            found.setdefault(names[invoice["customer"]], []).append(invoice["total"])
    return found


# Companies


def test_companies_that_were_merged_are_not_charged_on_the_method_of_the_one_that_is_gone(tmp_path: Path) -> None:
    """Contoso's authorisation is Contoso's: what is now Fabrikam's is charged when Fabrikam has authorised."""
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        live(m, "2026-02-02")
        keep = m.act("office.add_company", name="Fabrikam Holding", email="ap@fabrikam.example", Autopay="Yes")
        m.act("office.merge_companies", keep=keep, gone="Contoso Dental")
        live(m, "2026-02-20", "2026-03-02")
        before = paid_by(m)
        held = hold_names(m)
        m.enrol(only="Fabrikam")
        live(m, "2026-03-03", "2026-03-04")

        assert before == {"Contoso Dental": [50000]}
        assert held in (["no_method"], [])
        assert paid_by(m) == {"Contoso Dental": [50000], "Fabrikam Holding": [50000]}
        assert debits(m) == expected(m, id)


def test_a_company_merged_into_one_that_pays_already_is_charged_there(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        gone, stays = m.sign_up("Contoso Dental"), m.sign_up("Fabrikam Holding", amount="700.00")
        live(m, "2026-02-02")
        m.act("office.merge_companies", keep="Fabrikam Holding", gone="Contoso Dental")
        live(m, "2026-02-20", "2026-03-02", "2026-03-03")

        assert {name: sorted(amounts) for name, amounts in paid_by(m).items()} == {
            "Contoso Dental": [50000],
            "Fabrikam Holding": [50000, 70000, 70000],
        }
        assert debits(m) == expected(m, gone, stays)


def test_a_bill_to_that_changed_after_a_bill_leaves_that_one_with_the_old_payer_and_the_next_is_the_new_ones(
    tmp_path: Path,
) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(terms="Net 15")
        live(m, "2026-02-03")
        m.sign_up("Fabrikam Holding", amount="700.00", starts="2026-06-01")
        company = next(c for c in m.world.partners["connectwise"].state()["companies"] if c["name"] == "Fabrikam Holding")
        for field in ("company", "billToCompany"):
            value = {"id": company["id"], "name": "Fabrikam Holding"}
            m.act("office.set_field", record="agreements", id=id, field=field, value=value)
        live(m, "2026-02-10", "2026-02-17")
        held, taken = hold_names(m), paid_by(m)
        live(m, "2026-03-02", "2026-03-17")

        assert (held, taken) == ([], {"Contoso Dental": [50000]})  # February's bill is Contoso's, and so is its draft
        assert paid_by(m) == {"Contoso Dental": [50000], "Fabrikam Holding": [50000]}
        assert debits(m) == expected(m, id)


# What is billed together


def test_a_bundle_that_is_split_is_charged_apart_from_the_next_period_on(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        parent = m.sign_up()
        plain: dict[str, Any] = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": "100.00", "tax_code": "Exempt"}
        child = m.act("office.add_agreement", company="Contoso Dental", name="Backup", parent=parent, **plain)
        m.cycle()
        live(m, "2026-02-02")
        together = debits(m)
        m.act("office.set_field", record="agreements", id=child, field="parentAgreement", value=None)
        m.act("office.set_field", record="agreements", id=child, field="billStartDate", value="2026-03-01T00:00:00Z")
        live(m, "2026-02-20", "2026-03-02", "2026-04-02")

        assert together == {f"connectwise:{parent}/2026-02-01": [60000]}
        assert [bill["total"] for bill in bills(m, child)] == [100, 100]
        assert debits(m) == expected(m, parent, child)
        assert len(subscriptions(m)) == 2
        assert hold_names(m) == []


def test_an_agreement_moved_to_a_type_that_is_not_collected_ends_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    """What was billed meanwhile and is still open is charged then: late, and once."""
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        only_some_types(m, tmp_path)
        live(m, "2026-02-02")
        m.act("office.set_field", record="agreements", id=id, field="type", value=of_type(m, "Hardware as a Service"))
        live(m, "2026-02-20", "2026-03-02")
        out = debits(m)
        m.act("office.set_field", record="agreements", id=id, field="type", value=of_type(m, "Managed Services"))
        live(m, "2026-03-20", "2026-04-02")

        assert list(out) == [f"connectwise:{id}/2026-02-01"]
        assert debits(m) == expected(m, id)
        assert len(debits(m)) == 3
        assert len(subscriptions(m, id)) == 1


def only_some_types(m: Msp, folder: Path) -> None:
    content = yaml.safe_load((SHIPPED / "connectwise.yaml").read_text())
    content["sections"]["agreement"]["take"].append({"from": "type.name", "in": ["Managed Services"]})
    (folder / "own.yaml").write_text(yaml.safe_dump(content))
    base = yaml.safe_load((folder / "connector.yaml").read_text())["psa"]
    m.restart(psa={**base, "mapping": str(folder / "own.yaml")}, books=None)


def of_type(m: Msp, name: str) -> dict[str, Any]:
    return {"id": m.world.partners["connectwise"].records.types.named(name)["id"], "name": name}  # type: ignore[attr-defined]


def test_a_payer_who_opts_out_for_a_month_is_not_charged_for_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        live(m, "2026-02-02")
        company = m.world.partners["connectwise"].state()["agreements"][0]["company"]["id"]
        m.act("office.set_custom_field", record="companies", id=company, caption="Autopay", value="No")
        live(m, "2026-02-20", "2026-03-02")
        out = debits(m)
        m.act("office.set_custom_field", record="companies", id=company, caption="Autopay", value="Yes")
        live(m, "2026-03-20", "2026-04-02", "2026-05-02")

        assert list(out) == [f"connectwise:{id}/2026-02-01"]
        assert sorted(debits(m)) == [f"connectwise:{id}/2026-{month}-01" for month in ("02", "04", "05")]
        assert all(len(amounts) == 1 for amounts in debits(m).values())


# Currency, cycle


def test_an_agreement_in_another_currency_is_held_until_its_bills_are_in_it_too(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        live(m, "2026-02-02")
        canadian = {"id": 2, "currencyCode": "CAD", "name": "CAD"}
        m.act("office.set_field", record="agreements", id=id, field="currency", value=canadian)
        other = m.sign_up("Fabrikam Holding")
        live(m, "2026-02-20", "2026-03-02")

        assert [charge for charge in debits(m) if f":{id}/" in charge] == [f"connectwise:{id}/2026-02-01"]
        assert f"connectwise:{other}/2026-03-01" in debits(m)  # nobody else is kept back
        assert hold_names(m) == ["currency_differs"]
        assert "it is billed in CAD" in only(list(m.plan().plan.unusable)).message
        assert "currency_differs" in {drift.kind for drift in m.reconcile().drifts}


@pytest.mark.parametrize("missing", ["hold", "computed"])
def test_from_monthly_to_yearly_and_back_no_month_is_charged_twice(tmp_path: Path, missing: str) -> None:
    with msp(tmp_path, agreements=0, books=None, charging={"approve": "never", "missing_invoice": missing}) as m:
        id = m.sign_up()
        live(m, "2026-02-02", "2026-03-02")
        cycles = {c["billingOptions"]: c["id"] for c in m.world.partners["connectwise"].state()["cycles"]}
        m.act("office.set_field", record="agreements", id=id, field="billingCycle", value={"id": cycles["Yearly"], "name": "Y"})
        live(m, "2026-03-20", *months("2026", 4, 12), *months("2027", 1, 4), times=1)
        yearly = debits(m)
        m.act("office.set_field", record="agreements", id=id, field="billingCycle", value={"id": cycles["Monthly"], "name": "M"})
        live(m, *months("2027", 5, 12), *months("2028", 1, 3), times=1)

        assert sorted(yearly) == [f"connectwise:{id}/{day}" for day in ("2026-02-01", "2026-03-01", "2027-02-01")]
        assert debits(m) == expected(m, id)
        assert sorted(debits(m))[3:] == [f"connectwise:{id}/2028-02-01", f"connectwise:{id}/2028-03-01"]
        assert set(hold_names(m)) == {"already_charged"}  # the months that the year covers
        assert len(subscriptions(m, id)) == 1


def months(year: str, first: int, last: int) -> list[str]:
    return [f"{year}-{month:02}-02" for month in range(first, last + 1)]


# Days of the month, years, hours


def test_agreements_that_begin_at_the_end_of_a_month_are_charged_once_a_month(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        ids = [m.sign_up(f"Payer {day}", starts=f"2026-01-{day}") for day in (29, 30, 31)]
        m.through("2026-06-05", every_days=4)

        assert [len(bills(m, id)) for id in ids] == [5, 5, 5]
        assert debits(m) == expected(m, *ids)
        assert hold_names(m) == []


def test_a_yearly_agreement_that_began_on_the_29th_of_february_is_charged_every_year(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(starts="2024-02-29", cycle="Annual")
        for year in ("2026", "2027", "2028"):
            live(m, *(f"{year}-{day}" for day in ("02-20", "03-02", "05-20", "08-20", "11-20")))

        assert [bill["date"][:10] for bill in bills(m, id)][-1] == "2028-02-29"
        assert debits(m) == expected(m, id)


@pytest.mark.parametrize("name", ["Pacific/Auckland", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_over_both_changes_of_the_clock_every_month_is_charged_once_wherever_the_company_is(tmp_path: Path, name: str) -> None:
    with msp(tmp_path, agreements=0, **zone(name)) as m:
        id = m.sign_up()
        for month in ("02", "03", "04", "05"):
            for day, hour in (("01", 1), ("01", 23), ("02", 13)):
                m.to(f"2026-{month}-{day}", hour=hour)
                m.cycle(1)
        live(m, "2026-05-04")

        assert len(bills(m, id)) == 4
        assert debits(m) == expected(m, id)
        assert [bill["balance"] for bill in bills(m, id)] == [0, 0, 0, 0]


# Amounts, ends


def test_an_agreement_that_comes_to_nothing_for_a_month_is_charged_nothing_and_then_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        live(m, "2026-02-02")
        m.act("office.set_field", record="agreements", id=id, field="billAmount", value=0)
        live(m, "2026-02-20", "2026-03-02")
        m.act("office.set_field", record="agreements", id=id, field="billAmount", value=500)
        live(m, "2026-03-20", "2026-04-02")

        wanted = {id: amounts for id, amounts in expected(m, id).items() if amounts != [0]}
        assert debits(m) == wanted
        assert len(only([subscriptions(m, id)])) == 1


def test_a_month_that_is_never_invoiced_is_held_until_a_person_skips_it_and_the_next_is_charged(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up()
        live(m, "2026-02-02")
        m.act("office.cancel_period", agreement=id)
        live(m, "2026-03-02", "2026-03-10")
        held = only(m.holds())
        skip(m.agent.desk, held.charge, who="Dana", why="a month for nothing")
        live(m, "2026-03-11", "2026-04-02")

        assert (held.charge, held.name) == (f"connectwise:{id}/2026-03-01", "missing_invoice")
        assert sorted(debits(m)) == [f"connectwise:{id}/2026-{month}-01" for month in ("02", "04")]
        assert (debits(m), m.holds(), at_stripe(m, "draft")) == (expected(m, id), [], [])


def test_an_agreement_cancelled_in_the_middle_of_a_period_and_taken_up_again_loses_no_period(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        live(m, "2026-02-02")
        m.act("office.cancel_agreement", agreement=id, on="2026-03-15")
        live(m, "2026-02-20", "2026-03-02", "2026-03-20")
        for field in ("cancelledFlag", "dateCancelled", "reasonCancelled"):
            m.act("office.set_field", record="agreements", id=id, field=field, value=False if field == "cancelledFlag" else None)
        live(m, "2026-03-25", "2026-04-02", "2026-05-02")

        assert debits(m) == expected(m, id)
        assert len(subscriptions(m, id)) == 1


def test_a_charge_that_fails_for_a_defect_of_ours_is_held_and_says_so(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up(terms="Net 15")
        live(m, "2026-02-03")
        told = holding.guarded(m.agent.desk, only(m.charges()), lambda: 1 // 0, holding.Patience())

        assert "unexpected ZeroDivisionError" in told
        assert hold_names(m) == ["failed"]
