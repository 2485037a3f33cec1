"""Joining an existing book: what is proposed, what a confirmation refuses, and that nothing is charged twice on the way."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connector.cli import app
from connector.errors import ConfigError, OutcomeUnknown
from connector.flows.adopt import propose
from connector.flows.adopt_confirm import confirm
from connector.flows.adopt_file import as_csv
from connector.flows.adopt_marks import put_markers
from connector.model.subscription import TakeOver
from tests.e2e.charging import debits, only, subscriptions
from tests.e2e.msp import Msp, msp
from tests.e2e.test_shadow_mode import writes

Cells = dict[str, str]


def company(m: Msp, name: str, *, email: str = "", amount: str = "500.00", opted_in: str = "Yes") -> int:
    id = m.act("office.add_company", name=name, email=email, Autopay=opted_in)
    terms = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": amount, "tax_code": "Exempt"}
    return int(m.act("office.add_agreement", company=id, name="Managed Services", **terms))


def elsewhere(m: Msp, name: str, email: str = "", **more: Any) -> dict[str, str]:
    made: dict[str, str] = m.act("stripe.add_autopay_customer", name=name, email=email, **more)
    return made


def review(m: Msp, edit: dict[str, str] | None = None, *, changed: dict[str, str] | None = None) -> Path:
    """The review file with these decisions by payer's name; `changed` cells are put into every row with a decision."""
    rows = list(csv.DictReader(as_csv(propose(m.agent.desk)).splitlines()))
    for row in rows:
        row["decision"] = (edit or {}).get(row["payer_name"], "")
        if row["decision"]:
            row.update(changed or {})
    path = m.folder / "review.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def confirmed(m: Msp, path: Path) -> Any:
    done = confirm(m.agent.desk, path, who="Dana", why="checked")
    put_markers(m.agent.desk)
    return done


def at_gateway(m: Msp, kind: str, id: str) -> dict[str, Any]:
    found: dict[str, Any] = only([row for row in m.stripe(kind) if row["id"] == id])
    return found


def test_proposals_come_by_email_then_by_name_and_what_is_not_clear_is_said(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        company(m, "Contoso Dental", email="ap@contoso.example")
        company(m, "Fabrikam, Inc.")
        company(m, "Northwind")
        company(m, "Tailspin")
        elsewhere(m, "Contoso (autopay)", "AP@contoso.example", amount=50000, next_on="2026-02-01")
        elsewhere(m, "Fabrikam")
        elsewhere(m, "Northwind LLC")
        elsewhere(m, "northwind")
        elsewhere(m, "A web shop buyer")
        found = propose(m.agent.desk)
        said = [(row.payer.name, row.matched_by, row.confidence) for row in found.rows]

        assert said == [
            ("Contoso Dental", "email", "high"),
            ("Fabrikam, Inc.", "name", "medium"),
            ("Northwind", "name", "ambiguous"),
            ("Northwind", "name", "ambiguous"),
            ("Tailspin", "", "none"),
        ]
        assert [customer.name for customer in found.strangers] == ["A web shop buyer"]
        assert writes(m) == []


def test_an_adopted_subscription_is_taken_over_in_place_and_charges_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = company(m, "Contoso Dental", email="ap@contoso.example")
        made = elsewhere(m, "Contoso", "ap@contoso.example", amount=45000, next_on="2026-02-01")
        confirmed(m, review(m, {"Contoso Dental": "yes"}))
        planned = only(m.plan().plan.changes)
        m.cycle()
        taken = at_gateway(m, "subscription", made["subscription"])
        m.to("2026-02-02")
        m.cycle()

        assert isinstance(planned, TakeOver)
        assert [s["id"] for s in subscriptions(m, id)] == [made["subscription"]]
        assert taken["pause_collection"]["behavior"] == "keep_as_draft"
        assert at_gateway(m, "customer", made["customer"])["metadata"]["psa_connector"] == "test-msp"
        assert list(debits(m).values()) == [[50000]]
        assert [i["total"] for i in m.stripe("invoice") if i["total"]] == [50000]
        m.through("2026-03-03", every_days=7)
        assert list(debits(m).values()) == [[50000], [50000]]


def test_a_take_over_whose_answer_was_lost_is_not_done_twice(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = company(m, "Contoso Dental", email="ap@contoso.example")
        made = elsewhere(m, "Contoso", "ap@contoso.example", amount=50000, next_on="2026-02-01")
        confirmed(m, review(m, {"Contoso Dental": "yes"}))
        m.fault("500_after_effect", "stripe", path=f"/subscriptions/{made['subscription']}$", method="POST")
        m.run("mirror")
        m.cycle()
        m.to("2026-02-02")
        m.cycle()

        assert [s["id"] for s in m.stripe("subscription")] == [made["subscription"]]
        assert len(subscriptions(m, id)) == 1
        assert list(debits(m).values()) == [[50000]]


def test_nothing_is_written_before_the_confirmation_and_confirming_twice_changes_nothing(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        company(m, "Contoso Dental", email="ap@contoso.example")
        elsewhere(m, "Contoso", "ap@contoso.example", amount=50000, next_on="2026-02-01")
        path = review(m, {"Contoso Dental": "yes"})
        before = writes(m)
        first = confirmed(m, path)
        after = writes(m)
        second = confirmed(m, path)

        assert before == []
        assert len(first.customers) == len(first.subscriptions) == 1
        assert (second.customers, second.subscriptions, second.unrelated) == ((), (), ())
        assert writes(m) == after


def test_a_customer_adopted_alone_is_not_charged_while_its_subscription_goes_on(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = company(m, "Contoso Dental", email="ap@contoso.example")
        made = elsewhere(m, "Contoso", "ap@contoso.example", amount=50000, next_on="2026-02-01")
        confirmed(m, review(m, {"Contoso Dental": "customer"}))
        m.through("2026-02-03")

        assert (subscriptions(m, id), debits(m)) == ([], {})
        m.act("stripe.cancel_subscription", id=made["subscription"])
        m.through("2026-03-03")
        assert len(subscriptions(m, id)) == 1


def test_a_subscription_for_something_else_stays_as_it_is(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        company(m, "Contoso Dental", email="ap@contoso.example")
        made = elsewhere(m, "Contoso", "ap@contoso.example", amount=1900, next_on="2026-02-01")
        confirmed(m, review(m, {"Contoso Dental": "unrelated"}))
        confirmed(m, review(m, {"Contoso Dental": "customer"}))
        m.through("2026-02-03")

        assert "psa_connector" not in at_gateway(m, "subscription", made["subscription"])["metadata"]
        assert list(debits(m).values()) == [[50000]]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"payer": "connectwise:999"}, ":2:1: payer: no agreement is billed to"),
        ({"decision": "cus_unknown"}, "the gateway has no customer 'cus_unknown'"),
        ({"fingerprint": "0123456789ab"}, "something changed since this file was made"),
    ],
)
def test_a_file_that_does_not_hold_is_refused_with_its_places(tmp_path: Path, changed: Cells, said: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        company(m, "Contoso Dental", email="ap@contoso.example")
        elsewhere(m, "Contoso", "ap@contoso.example")
        path = review(m, {"Contoso Dental": "yes"}, changed=changed)

        with pytest.raises(ConfigError, match=said):
            confirm(m.agent.desk, path, who="Dana", why="checked")
        assert writes(m) == []
        assert propose(m.agent.desk).linked == 0


def test_two_payers_on_one_customer_are_refused_and_nothing_of_the_file_is_done(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        company(m, "Contoso Dental", email="ap@contoso.example")
        company(m, "Contoso Labs", email="ap@contoso.example")
        made = elsewhere(m, "Contoso", "ap@contoso.example")
        path = review(m, {"Contoso Dental": "yes", "Contoso Labs": made["customer"]})

        with pytest.raises(ConfigError, match="is given to two payers"):
            confirm(m.agent.desk, path, who="Dana", why="checked")
        assert propose(m.agent.desk).linked == 0


def test_a_subscription_on_another_day_is_not_taken_over(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        company(m, "Contoso Dental", email="ap@contoso.example")
        elsewhere(m, "Contoso", "ap@contoso.example", amount=50000, next_on="2026-01-15")
        path = review(m, {"Contoso Dental": "yes"})

        with pytest.raises(ConfigError, match="it bills on day 15, the agreement on day 1"):
            confirm(m.agent.desk, path, who="Dana", why="checked")


def test_a_confirmation_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        company(m, "Contoso Dental", email="ap@contoso.example")
        made = elsewhere(m, "Contoso", "ap@contoso.example")
        path = review(m, {"Contoso Dental": "yes"})
        confirm(m.agent.desk, path, who="Dana", why="checked")
        m.fault("500_after_effect", "stripe", path=f"/customers/{made['customer']}", method="POST")
        with pytest.raises(OutcomeUnknown):
            put_markers(m.agent.desk)
        m.restart()
        m.cycle()

        assert at_gateway(m, "customer", made["customer"])["metadata"]["payer"]
        assert propose(m.agent.desk).linked == 1
        assert [row["name"] for row in m.stripe("customer")] == ["Contoso"]


def test_the_command_writes_the_file_and_takes_it_back(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        company(m, "Contoso Dental", email="ap@contoso.example")
        elsewhere(m, "Contoso", "ap@contoso.example", amount=50000, next_on="2026-02-01")
        config, out = ["--config", str(m.folder / "connector.yaml")], tmp_path / "review.csv"
        proposed = CliRunner().invoke(app, ["adopt", *config, "--out", str(out)])
        text = out.read_text()
        out.write_text(text.rstrip("\n") + "yes\n")
        nameless = CliRunner().invoke(app, ["adopt", *config, "--confirm", str(out)])
        done = CliRunner().invoke(app, ["adopt", *config, "--confirm", str(out), "--as", "Dana", "--why", "checked"])
        plan = CliRunner().invoke(app, ["plan", *config])

        assert (proposed.exit_code, nameless.exit_code, done.exit_code) == (0, 2, 0), done.output
        assert "Nothing was changed" in proposed.output
        assert "Customers adopted (1)" in done.output
        assert "take over" in plan.output
