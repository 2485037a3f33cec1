"""A location that pays for its agreements by a method of its own; in the PSA and in the books it is the company's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.overview import find_payer
from tests.e2e.charging import at_stripe, hold_names
from tests.e2e.month_story import closed
from tests.e2e.msp import Msp, msp

COMPANY, LOCATION = "Contoso Dental", "Contoso Dental, Berlin office"
COMPANIES = {"connectwise": "companies", "autotask": "Companies"}
SHIPPED = Path(__file__).resolve().parents[2] / "mappings"


def mapping(folder: Path, kind: str, **location: str) -> dict[str, Any]:
    """The shipped mapping; `location` by the agreement's id."""
    content = yaml.safe_load((SHIPPED / f"{kind}.yaml").read_text())
    content["sections"]["agreement"]["fields"]["location"] = {"from": "id", "values": location, "default": None}
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    return {"mapping": str(path)}


def two(m: Msp, **more: Any) -> tuple[int, int]:
    """The company's agreement of 500.00, and another one of 200.00. Their ids."""
    if m.kind == "autotask":
        first = m.sign_up_in_autotask()
        second = m.act("office.add_contract", company=COMPANY, name="Backup", starts="2026-02-01")
        service = m.act("office.add_service", name="Backup", price="200.00", taxed=False)
        m.act("office.sell", contract=second, product=service)
        return first, int(second)
    first = m.sign_up(**more)
    plain = {"starts": "2026-02-01", "terms": "Due on receipt", "tax_code": "Exempt", **more}
    return first, int(m.act("office.add_agreement", company=COMPANY, name="Backup", amount="200.00", **plain))


def turned_on(m: Msp, folder: Path, agreement: int) -> None:
    base = yaml.safe_load((folder / "connector.yaml").read_text())["psa"]
    m.restart(psa={**base, **mapping(folder, m.kind, **{str(agreement): "Berlin office"})})


def paid_by(m: Msp) -> dict[str, list[int]]:
    names = {row["id"]: row["name"] for row in m.stripe("customer")}
    found: dict[str, list[int]] = {}
    for invoice in at_stripe(m, "paid"):
        if invoice["total"]:
            found.setdefault(names[invoice["customer"]], []).append(invoice["total"])
    return found


@pytest.mark.parametrize("psa", ["connectwise", "autotask"])
def test_each_pays_its_own_bills_and_psa_and_books_have_them_as_one_customers(tmp_path: Path, psa: str) -> None:
    with msp(tmp_path, agreements=0, psa=psa) as m:
        _, second = two(m)
        turned_on(m, tmp_path, second)
        m.cycle()
        waiting = find_payer(m.agent.desk, LOCATION)
        m.enrol(only=LOCATION, method="us_bank_account")
        for day in ("2026-01-12", "2026-02-02"):
            m.to(day)
            m.cycle()
        m.to("2026-02-12")
        m.cycle()

        assert waiting.link.startswith("https://")
        assert waiting.link not in str(m.world.partners[psa].state()[COMPANIES[psa]])  # the fields there are the company's
        assert waiting.key.endswith("@Berlin office")
        assert paid_by(m) == {COMPANY: [50000], LOCATION: [20000]}
        assert m.reconcile().ties, m.reconcile().drifts
        assert len({row["CustomerRef"]["value"] for row in m.books("Payment")}) == 1
        assert not m.undelivered()


def test_a_location_turned_on_in_mid_term_leaves_the_open_bill_where_its_draft_is(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        _, second = two(m, terms="Net 15")
        m.cycle()
        m.to("2026-02-03")
        m.cycle()
        turned_on(m, tmp_path, second)
        m.cycle()
        m.enrol(only=LOCATION)
        for day in ("2026-02-17", "2026-02-18"):
            m.to(day)
            m.cycle()
        february = paid_by(m)
        for day in ("2026-03-02", "2026-03-17", "2026-03-18"):
            m.to(day)
            m.cycle()

        assert february == {COMPANY: [50000, 20000]}
        assert paid_by(m) == {COMPANY: [50000, 20000, 50000], LOCATION: [20000]}
        assert m.reconcile().ties, m.reconcile().drifts


def test_a_bill_of_two_payers_is_held_for_a_person(tmp_path: Path) -> None:
    """A bundled child is on its parent's bill: one of the two would pay for the other."""
    with msp(tmp_path, agreements=0) as m:
        first = m.sign_up()
        plain: dict[str, Any] = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": "100.00", "tax_code": "Exempt"}
        child = m.act("office.add_agreement", company=COMPANY, name="Backup", parent=first, **plain)
        turned_on(m, tmp_path, int(child))
        m.cycle()
        m.enrol(only=LOCATION)
        m.to("2026-02-02")
        m.cycle()

        assert paid_by(m) == {}
        assert {one.reason for one in m.plan().plan.unusable} == {"mixed_location"}
        assert "are paid by the company itself and Berlin office" in m.plan().plan.unusable[0].message


def test_the_companys_limits_are_the_locations_until_it_has_its_own(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        _, second = two(m)
        company = find_payer(m.agent.desk, COMPANY).key.partition(":")[2]
        limits = {company: {"cap_per_charge": 100}, f"{company}@Berlin office": {"cap_per_charge": 300}}
        turned_on(m, tmp_path, second)
        m.restart(
            psa=yaml.safe_load((tmp_path / "connector.yaml").read_text())["psa"],
            charging={"approve": "never", "payers": limits},
        )
        m.cycle()
        m.enrol()
        for day in ("2026-01-12", "2026-02-02", "2026-02-03"):
            m.to(day)
            m.cycle()

        assert paid_by(m) == {LOCATION: [20000]}
        assert hold_names(m) == ["cap"]


def test_what_a_company_owes_at_the_months_end_is_told_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        _, second = two(m, terms="Net 30")
        turned_on(m, tmp_path, second)
        m.to("2026-03-01")
        m.cycle()
        owed = closed(m, "2026-02").report.owed

        assert [(one.payer, one.psa.minor, one.books and one.books.minor) for one in owed] == [(COMPANY, 70000, 70000)]
