"""A payer authorises once: the link, the hold until then, and the charge after it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from connector.flows import enrol
from connector.flows.desk import Desk
from connector.store import payers
from connector.store.payers import PayerRow
from tests.e2e.charging import at_stripe, autopay, bills, collected, debits, expected, hold_names, only, subscriptions
from tests.e2e.msp import Msp, msp


def waiting(m: Msp, name: str = "Contoso Dental", **agreement: Any) -> int:
    """An opted-in payer who has not enrolled yet."""
    plain = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": "500.00", "tax_code": "Exempt"}
    company = m.act("office.add_company", name=name, email="ap@contoso.example", Autopay="Yes")
    id = m.act("office.add_agreement", company=company, name="Managed Services", **{**plain, **agreement})
    m.cycle(1)
    return int(id)


def published(m: Msp, name: str = "Contoso Dental") -> str:
    """What the office sees on the company."""
    (company,) = [row for row in m.world.partners["connectwise"].state()["companies"] if row["name"] == name]
    return str(next(field.get("value") or "" for field in company["customFields"] if field["caption"] == "Autopay Link"))


def row(m: Msp) -> PayerRow:
    with m.agent.store.read() as tx:
        return only(payers.every(tx))  # type: ignore[no-any-return]


def sessions(m: Msp, *states: str) -> list[dict[str, Any]]:
    return [s for s in m.stripe("checkout.session") if not states or s["status"] in states]


def default_method(m: Msp) -> str | None:
    found = only(m.stripe("customer"))["invoice_settings"]["default_payment_method"]
    return found if found is None or isinstance(found, str) else str(found["id"])


def test_every_opted_in_payer_gets_a_link_in_the_companys_custom_field(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        waiting(m)

        page = only(sessions(m))
        assert published(m) == page["url"] == row(m).link
        assert page["mode"] == "setup"
        assert only(m.stripe("customer"))["name"] == "Contoso Dental"


def test_a_payer_with_several_agreements_gets_one_link(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = waiting(m)
        company = only([c for c in m.world.partners["connectwise"].state()["companies"] if c["name"] == "Contoso Dental"])["id"]
        m.act("office.add_agreement", company=company, name="Cloud & Backup", starts="2026-02-01", amount="80.00")
        m.cycle()

        assert len(sessions(m)) == len(m.stripe("customer")) == 1
        assert len(subscriptions(m)) == 2
        assert id


def test_a_payer_who_is_not_opted_in_gets_no_link(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.act("office.set_automatic", on=False)
        id = waiting(m)
        other = m.act("office.add_company", name="Not us", email="ap@not.example", Autopay="No")
        m.act("office.add_agreement", company=other, name="Managed Services", starts="2026-02-01", amount="80.00")
        m.cycle()

        assert published(m, "Not us") == ""
        assert len(m.stripe("customer")) == 1
        assert id


def test_a_link_is_made_anew_before_it_stops_working(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        waiting(m)
        first = published(m)
        m.at(m.world.now + timedelta(hours=20))
        m.cycle()
        assert published(m) == first
        m.at(m.world.now + timedelta(hours=3))
        m.cycle()
        second = published(m)
        m.at(m.world.now + timedelta(days=2))
        m.cycle()

        assert len({first, second, published(m)}) == 3
        assert only(sessions(m, "open"))["url"] == published(m)


def test_until_a_payer_enrolls_the_draft_waits_and_then_it_is_charged_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = waiting(m)
        m.to("2026-02-02")
        m.cycle()
        assert hold_names(m) == ["no_method"]
        assert [i["status"] for i in at_stripe(m)] == ["draft"]
        m.to("2026-02-12")
        m.cycle(1)
        m.enrol()
        m.cycle(1)
        assert m.holds() == []
        m.to("2026-02-14")
        m.cycle()

        assert debits(m) == expected(m, id)
        assert collected(m) == 50000
        assert only(bills(m, id))["balance"] == 0


def test_a_payer_who_enrolls_before_the_first_bill_is_charged_on_its_day(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = waiting(m)
        m.enrol()
        m.cycle(1)
        assert only(subscriptions(m, id))["collection_method"] == "charge_automatically"
        m.to("2026-02-01")
        m.cycle(1)

        assert debits(m) == expected(m, id)


def test_a_payer_opted_in_after_the_period_began_is_charged_for_a_bill_raised_after_that_once(tmp_path: Path) -> None:
    """The subscription comes too late to draft February itself; the invoice is raised on the 10th."""
    with msp(tmp_path, agreements=0) as m:
        m.act("office.set_automatic", on=False)
        m.to("2026-02-04")
        id = waiting(m)
        m.enrol()
        m.to("2026-02-10")
        m.act("office.create_invoices", through="2026-02-10", dated="2026-02-10")
        for day in ("2026-02-11", "2026-02-12", "2026-02-20"):
            m.to(day)
            m.cycle()

        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}
        assert only(bills(m, id))["balance"] == 0
        assert collected(m) == 50000


def test_a_payer_who_enrolls_between_two_drafts_is_charged_for_both_periods_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = waiting(m)
        for day in ("2026-02-02", "2026-03-02"):
            m.to(day)
            m.cycle(1)
        assert hold_names(m) == ["no_method", "no_method"]
        m.enrol()
        m.cycle()
        m.to("2026-03-10")
        m.cycle()

        assert debits(m) == expected(m, id)
        assert collected(m) == 100000


def test_the_link_disappears_nowhere_but_is_not_made_again_once_enrolled(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        waiting(m)
        m.enrol()
        m.cycle()
        m.at(m.world.now + timedelta(days=3))
        m.cycle()

        assert len(sessions(m)) == 1
        assert row(m).state == "enrolled"
        assert row(m).method_last4 == "4242"


def test_a_method_changed_in_the_portal_pays_the_next_charge(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        customer = only(m.stripe("customer"))["id"]
        m.act("stripe.portal_change_method", customer=customer, method="us_bank_account")
        m.to("2026-02-02")
        m.cycle()
        m.to("2026-02-02", 20)
        m.cycle()

        intent = only(m.stripe("payment_intent"))
        assert intent["payment_method"] == default_method(m)
        assert intent["status"] == "processing"
        assert row(m).method == "bank_debit"
        assert debits(m) == expected(m, id)


def test_a_second_enrolment_becomes_the_default_and_pays_the_next_charge(tmp_path: Path) -> None:
    """The payer asks for another link and authorises a bank account in place of the card."""
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        card = default_method(m)
        m.at(m.world.now + timedelta(days=1))
        link = enrolment_link(m)
        m.act("stripe.complete_checkout", session=link, method="us_bank_account")
        m.cycle()
        assert default_method(m) != card
        m.to("2026-02-02")
        m.cycle()
        m.to("2026-02-02", 20)
        m.cycle()

        assert only(m.stripe("payment_intent"))["payment_method"] == default_method(m)
        assert debits(m) == expected(m, id)


def enrolment_link(m: Msp) -> str:
    """A Checkout page for the payer, as where the account has no customer portal set up."""
    desk: Desk = m.agent.desk
    link, _ = desk.gateway.enrolment_link(row(m).customer, enrolled=False, return_url="", key=None)  # type: ignore[arg-type]
    found = re.search(r"cs_test_\w+", link)
    assert found
    return found.group()


def test_a_payer_who_removes_the_only_method_is_held_and_asked_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        method = default_method(m)
        m.at(m.world.now + timedelta(days=1))
        m.act("stripe.detach_method", method=method)
        m.cycle()
        m.to("2026-02-02")
        m.cycle()
        assert hold_names(m) == ["no_method"]
        assert published(m) == only(sessions(m, "open"))["url"]
        m.enrol()
        m.cycle()

        assert debits(m) == expected(m, id)


def test_a_card_that_has_expired_holds_the_charge_until_there_is_another(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        account = m.world.partners["stripe"].account  # type: ignore[attr-defined]
        card = account.get("payment_method", default_method(m))
        card["card"].update(exp_month=1, exp_year=2026)
        m.to("2026-02-02")
        m.cycle()
        assert hold_names(m) == ["card_expired"]
        m.act("stripe.portal_change_method", customer=only(m.stripe("customer"))["id"])
        m.cycle()

        assert debits(m) == expected(m, id)


def test_a_durable_link_stays_the_same_for_ever(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, serve={"public_url": "https://pay.msp.example"}) as m:
        waiting(m)
        first = published(m)
        m.at(m.world.now + timedelta(days=5))
        m.cycle()

        assert re.fullmatch(r"https://pay\.msp\.example/enrol/[0-9a-f]{40}", first)
        assert published(m) == first
        assert sessions(m) == []

        _, link = enrol.link_for(m.agent.desk, row(m).key)
        page, _ = enrol.page_for(m.agent.desk, row(m))

        assert link == first
        assert page == only(sessions(m))["url"]


def test_the_public_address_set_later_replaces_the_link(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        waiting(m)
        m.restart(serve={"public_url": "https://pay.msp.example"})
        m.cycle()

        assert published(m).startswith("https://pay.msp.example/enrol/")


def test_a_payers_new_name_and_email_reach_the_customer_at_stripe(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        waiting(m)
        company = only([c for c in m.world.partners["connectwise"].state()["companies"] if c["name"] == "Contoso Dental"])["id"]
        m.act("office.set_field", record="companies", id=company, field="name", value="Contoso Dental Group")
        m.act("office.set_field", record="companies", id=company, field="invoiceToEmailAddress", value="pay@contoso.example")
        m.cycle()

        customer = only(m.stripe("customer"))
        assert (customer["name"], customer["email"]) == ("Contoso Dental Group", "pay@contoso.example")


def test_a_payer_who_opted_out_before_enrolling_is_not_asked_any_more(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = waiting(m)
        autopay(m, id, "No")
        m.cycle()
        m.at(m.world.now + timedelta(days=3))
        m.cycle()

        assert len(sessions(m)) == 1


def test_a_company_without_the_custom_field_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        waiting(m)
        first = waiting(m, "Fabrikam")
        company = only([c for c in m.world.partners["connectwise"].state()["companies"] if c["name"] == "Fabrikam"])["id"]
        m.act("office.set_field", record="companies", id=company, field="customFields", value=custom_without_link())
        m.at(m.world.now + timedelta(days=2))
        report = m.cycle(1)

        (failed,) = report["enrol"].failed
        assert "Fabrikam" in failed
        assert published(m) == next(s["url"] for s in sessions(m, "open") if s["url"] == published(m))
        assert first


def custom_without_link() -> list[dict[str, Any]]:
    return [{"id": 1, "caption": "Autopay", "type": "Text", "entryMethod": "List", "numberOfDecimals": 0, "value": "Yes"}]
