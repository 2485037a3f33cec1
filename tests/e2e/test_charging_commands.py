"""What a billing admin reads and types: explain, forecast, holds, release, pause and resume, against the partners' own state."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from connector.agent import sync_once
from connector.cli import app
from connector.flows import release
from connector.flows.switch import pause, resume
from connector.model.charge import ChargeState
from connector.model.money import total
from connector.store import audit, payers
from tests.e2e.charging import at_stripe, collected, debits
from tests.e2e.msp import Msp, msp

# The commands set up real logging onto the runner's streams, which are closed afterwards.
ME = ("--as", "Dana", "--why", "agreed with the customer")


def said(m: Msp, *words: str, code: int = 0) -> str:
    """What the command prints, its lines put together as one reads them."""
    result = CliRunner().invoke(app, [*words, "--config", str(m.folder / "connector.yaml")])
    assert result.exit_code == code, result.output
    return re.sub(r"\s+", " ", result.output)


def refused(m: Msp, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--config", str(m.folder / "connector.yaml")])
    assert result.exit_code != 0
    return str(result.exception)


def settle(m: Msp) -> None:
    """Stripe takes an hour after a release to collect."""
    m.cycle()
    m.world.advance_days(1)
    m.cycle()


def trail(m: Msp) -> list[Any]:
    with m.agent.store.read() as tx:
        return [row for row in audit.every(tx) if row.who == "Dana"]


def workstations(m: Msp, quantity: int = 10, *, prorate: bool = False, **fields: Any) -> tuple[int, int]:
    """An agreement with workstations at 45.00 each, collected since February."""
    id = m.sign_up(amount="100.00", prorateFlag=prorate)
    line = m.act("office.add_addition", agreement=id, product="Workstation", quantity=quantity, unitPrice="45.00",
                 starts="2026-02-01", **fields)  # fmt: skip
    m.cycle()
    return id, line


def test_what_will_be_taken_and_why_it_is_more_than_last_month(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id, line = workstations(m)
        m.through("2026-02-03")
        m.act("office.change_quantity", addition=line, quantity=13)
        m.cycle()
        early = said(m, "explain", str(id))
        m.act("office.set_automatic", on=True, days_ahead=20)
        m.through("2026-02-12")
        billed = said(m, "explain", "Contoso")

        assert "685.00 USD" in early
        assert "no invoice yet" in early
        assert "135.00 USD more than 2026-02-01..2026-02-28 (550.00 USD) (both before tax)" in early
        assert "3 more Workstation (10 -> 13) +135.00 USD" in early
        assert "To be taken on 2026-03-01" in billed
        assert "3 more Workstation (10 -> 13) +135.00 USD" in billed
        assert "before tax" not in billed


def test_the_breakdown_of_a_charge_sums_to_the_invoice_at_stripe(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id, _ = workstations(m, quantity=12, lessIncluded=2)
        m.through("2026-02-03")
        text = said(m, "explain", str(id), "--period", "2026-02-10")
        data = json.loads(CliRunner().invoke(app, ["explain", str(id), "--period", "2026-02-10", "--json", "-c",
                                                   str(m.folder / "connector.yaml")]).output)  # fmt: skip

        (invoice,) = at_stripe(m, "paid")
        assert sum(round(float(row["amount"]["amount"]) * 100) for row in data["lines"]) == invoice["total"] == 55000
        assert "12 - 2 included = 10" in text
        assert f"connectwise:{id}/" in text
        assert "Paid; released on 2026-02-0" in text
        assert "550.00 USD collected" in text


def test_every_breakdown_that_was_kept_sums_to_what_stripe_was_told_to_take(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=8, seed=5) as m:
        m.cycle()
        m.enrol()
        m.through("2026-03-08", every_days=2)

        done = m.charges(ChargeState.RELEASED, ChargeState.PAID)
        at_gateway = {i["id"]: i["total"] for i in at_stripe(m)}
        sums = {c.gateway_invoice: total((line.amount for line in c.breakdown), c.currency).minor for c in done}
        assert len(done) >= 5
        assert sums == {id: at_gateway[id] for id in sums}


def test_a_line_that_began_in_the_middle_of_the_month_is_explained_by_its_days(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id, _ = workstations(m, prorate=True)
        m.through("2026-02-15")
        m.act("office.add_addition", agreement=id, product="Server", quantity=1, unitPrice="280.00", starts="2026-02-15")
        m.through("2026-03-03", every_days=1)
        text = said(m, "explain", str(id), "--period", "2026-03-01")

        # 550.00 as before, the server's 280.00, and 14 of 28 days of it.
        assert [i["total"] for i in at_stripe(m, "paid")][-1] == 55000 + 28000 + 14000
        assert "Server, from 2026-02-15: 14 of 28 days" in text
        assert "new: Server: 1 x 280 (since 2026-02-15) +280.00 USD" in text
        assert "true-up" not in text


def test_an_agreement_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()

        assert f"no agreements match '999'; agreements: Contoso Dental: Managed Services ({id})" in refused(m, "explain", "999")


def test_the_forecast_lists_what_comes_and_what_does_not_with_its_reason(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging={"payers": {"Nobody": {"cap_per_charge": 1}}}) as m:
        m.sign_up("Contoso Dental")
        m.sign_up("Fabrikam", amount="300.00")
        company = m.act("office.add_company", name="Not Yet", email="ap@notyet.example", Autopay="Yes")
        m.act("office.add_agreement", company=company, name="Care", starts="2026-02-01", amount="70.00", terms="Due on receipt")
        other = m.act("office.add_company", name="By Cheque", email="ap@cheque.example", Autopay="No")
        m.act("office.add_agreement", company=other, name="Care", starts="2026-02-01", amount="80.00")
        m.cycle()
        text = said(m, "forecast", "--days", "30")
        rows = list(csv.DictReader(io.StringIO(CliRunner().invoke(
            app, ["forecast", "--days", "30", "--csv", "-", "-c", str(m.folder / "connector.yaml")]).stdout)))  # fmt: skip

        assert "2026-02-01 2 800.00 USD" in text
        by_payer = {row["payer"]: row for row in rows if row["date"] < "2026-02-10"}
        assert (by_payer["Contoso Dental"]["amount"], by_payer["Contoso Dental"]["excluded"]) == ("500.00", "")
        assert by_payer["Contoso Dental"]["basis"] == "computed before tax"
        assert by_payer["Not Yet"]["excluded"] == "awaiting_enrolment"
        assert by_payer["By Cheque"]["excluded"] == "not_opted_in"


def test_what_the_forecast_says_is_what_stripe_takes(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up("Contoso Dental")
        m.sign_up("Fabrikam", amount="321.09")
        rows = list(csv.DictReader(io.StringIO(CliRunner().invoke(
            app, ["forecast", "--days", "30", "--csv", "-", "-c", str(m.folder / "connector.yaml")]).stdout)))  # fmt: skip
        m.through("2026-02-04")

        assert sorted(round(float(row["amount"]) * 100) for row in rows) == [32109, 50000]
        assert collected(m) == 32109 + 50000


def capped(tmp_path: Path) -> Any:
    return msp(tmp_path, agreements=0, charging={"cap_per_charge": 400})


def test_a_person_overrules_a_cap_and_stripe_takes_that_amount_once(tmp_path: Path) -> None:
    with capped(tmp_path) as m:
        id = m.sign_up()
        m.through("2026-02-03")
        before, listed = collected(m), said(m, "holds")
        answer = said(m, "release", f"connectwise:{id}/2026-02-01", *ME)
        settle(m)

        assert before == 0
        assert "500.00 USD is above the cap of 400.00 USD per charge" in listed
        assert "overruled cap" in answer
        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}
        assert collected(m) == 50000
        (row,) = trail(m)
        assert (row.why, row.after) == ("agreed with the customer", {"amount": "500.00 USD"})
        assert f"connectwise:{id}/2026-02-01" in row.what
        assert said(m, "holds") == "No charge is held. "


def test_an_amount_that_changed_after_it_was_overruled_is_held_again(tmp_path: Path) -> None:
    with capped(tmp_path) as m:
        id = m.sign_up()
        m.through("2026-02-03")
        said(m, "release", f"connectwise:{id}/2026-02-01", *ME)
        (invoice,) = m.psa_invoices()
        m.act("office.record_payment", invoice=invoice["id"], amount="20.00")
        m.cycle(2)

        assert collected(m) == 0
        assert "480.00 USD is above the cap" in said(m, "holds", "--name", "cap")


def test_the_next_period_is_asked_about_again(tmp_path: Path) -> None:
    with capped(tmp_path) as m:
        id = m.sign_up()
        m.through("2026-02-03")
        said(m, "release", f"connectwise:{id}/2026-02-01", *ME)
        m.through("2026-03-04")

        assert collected(m) == 50000
        assert f"connectwise:{id}/2026-03-01" in said(m, "holds", "--payer", "Contoso")


def test_holds_are_released_in_bulk_only_after_they_were_shown(tmp_path: Path) -> None:
    with capped(tmp_path) as m:
        ids = [m.sign_up("Contoso Dental"), m.sign_up("Fabrikam", amount="600.00"), m.sign_up("Tailspin", amount="100.00")]
        m.through("2026-02-03")
        shown = said(m, "release", "--name", "cap", "--all", *ME)
        m.cycle()
        before = collected(m)
        said(m, "release", "--name", "cap", "--all", "--yes", *ME)
        settle(m)

        assert "Nothing was done" in shown
        assert before == 10000
        assert collected(m) == 10000 + 50000 + 60000
        assert len(trail(m)) == 2
        assert len(ids) == 3


def test_a_hold_that_is_not_a_persons_to_overrule_says_what_to_do_instead(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        company = m.act("office.add_company", name="Contoso Dental", email="ap@contoso.example", Autopay="Yes")
        id = m.act(
            "office.add_agreement", company=company, name="Care", starts="2026-02-01", amount="70.00", terms="Due on receipt"
        )
        m.cycle()
        m.through("2026-02-03")
        answer = refused(m, "release", f"connectwise:{id}/2026-02-01", *ME)
        m.cycle()

        assert "no_method" in answer
        assert "connector enrol" in answer
        assert (collected(m), trail(m)) == (0, [])


def test_nobody_releases_without_a_name_and_a_reason(tmp_path: Path) -> None:
    with capped(tmp_path) as m:
        id = m.sign_up()
        m.through("2026-02-03")

        assert "say who you are and why" in said(m, "release", f"connectwise:{id}/2026-02-01", "--as", "Dana", code=2)
        assert "say who you are and why" in said(m, "pause", "--why", "x", code=2)
        assert trail(m) == []


def test_a_payer_with_a_cap_of_its_own_is_held_while_others_are_charged(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up("Contoso Dental")
        id = m.sign_up("Fabrikam", amount="300.00")
        with m.agent.store.read() as tx:
            (payer,) = [row.key.partition(":")[2] for row in payers.every(tx) if row.name == "Fabrikam"]
        m.restart(charging={"payers": {payer: {"cap_per_charge": 250}}})
        m.through("2026-02-03")

        assert collected(m) == 50000
        assert [(hold.charge, hold.name) for hold in m.holds()] == [(f"connectwise:{id}/2026-02-01", "cap")]


def test_while_paused_nothing_is_released_and_afterwards_it_goes_out_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        said(m, "pause", *ME)
        m.through("2026-02-05")
        shown = said(m, "status")
        before = collected(m)
        said(m, "resume", *ME)
        settle(m)

        assert before == 0
        assert "CHARGING IS PAUSED since 2026-01-" in shown
        assert "by Dana: agreed with the customer" in shown
        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}
        assert collected(m) == 50000
        assert "PAUSED" not in said(m, "status")
        assert [row.what for row in trail(m)] == ["resumed charging", "paused charging"]


def test_a_pause_stops_what_stripe_is_still_retrying_and_resume_lets_it_go_on(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up(behaviour="decline")
        m.through("2026-02-03")
        tried = retries(m)
        said(m, "pause", *ME)
        m.cycle(1)
        stopped = retries(m)
        m.through("2026-02-20")
        still = retries(m)
        said(m, "resume", *ME)
        m.cycle(1)
        going = retries(m)
        m.through("2026-02-25")

        assert tried[0] is True
        assert stopped == still == (False, tried[1])
        assert going == (True, tried[1])
        assert retries(m)[1] > tried[1]


def test_a_pause_is_honoured_in_a_round_in_which_the_psa_and_lists_at_the_gateway_cannot_be_read(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        m.sign_up(behaviour="decline")
        m.through("2026-02-03")
        pause(m.agent.desk, who="Dana", why="wrong price list")
        m.fault("500", "connectwise", path="/", count=500)
        m.fault("500", "stripe", method="GET", path="/v1/invoices$", count=500)
        failed = sync_once(m.agent)["release"]
        stopped = retries(m)[0]
        m.world.faults.clear()
        m.cycle(1)
        held = {hold.name for hold in m.holds()}
        resume(m.agent.desk, who="Dana", why="corrected")
        m.cycle(1)

        assert "error" in failed
        assert (stopped, held) == (False, {"paused"})
        assert (retries(m)[0], "paused" in {hold.name for hold in m.holds()}) == (True, False)


def retries(m: Msp) -> tuple[bool, int]:
    """Whether Stripe goes on by itself with the one open invoice, and how often it tried."""
    (invoice,) = at_stripe(m, "open")
    return invoice["auto_advance"], invoice["attempt_count"]


def test_paused_twice_and_resumed_twice_say_so(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        said(m, "pause", *ME)
        again = refused(m, "pause", *ME)
        said(m, "resume", *ME)

        assert "paused already" in again
        assert "by Dana" in again
        assert "not paused" in refused(m, "resume", *ME)


def test_status_tells_of_a_limit_that_holds_for_nobody(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging={"payers": {"99999": {"cap_per_charge": 1}}}) as m:
        m.sign_up()

        assert "charging.payers.99999: no agreement" in said(m, "status")


def test_status_tells_of_a_card_that_expires_before_its_charge(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(terms="Net 30")
        m.through("2026-02-03")
        with m.agent.store.begin() as tx:
            (row,) = payers.every(tx)
            payers.save(tx, replace(row, method_expires=date(2026, 3, 1)), now=m.world.now)
        text = said(m, "forecast", "--days", "30")

        assert "the card is good until 2026-02-28, the charge is due on 2026-03-03" in said(m, "status")
        assert "card_expires: the payer's card is good until 2026-02-28" in text
        assert id


def test_a_pause_in_the_middle_of_a_round_stops_the_rest_of_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        for name in ("Contoso Dental", "Fabrikam", "Tailspin"):
            m.sign_up(name)
        m.to("2026-02-02")
        m.run("mirror")
        seen: list[int] = []

        def second_draft(what: str, done: int, of: int) -> None:
            if what == "drafts" and done == 2:
                seen.append(of)
                pause(m.agent.desk, who="Dana", why="wrong price list")

        desk = replace(m.agent.desk, settings=replace(m.agent.desk.settings, progress=second_draft))
        release.release(desk)

        assert seen == [3]
        assert len(at_stripe(m, "open")) == 1
        assert {hold.name for hold in m.holds()} == {"paused"}
