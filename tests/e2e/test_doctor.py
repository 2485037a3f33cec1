"""`connector doctor`: one line for everything that has to be right; exit code 2 where something is not."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from connector.cli import app
from tests.e2e.msp import Msp, msp


def examined(m: Msp, *, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["doctor", "--config", str(m.folder / "connector.yaml")])
    assert result.exit_code == code, result.output
    return result.output


def line(said: str, name: str) -> str:
    (found,) = re.findall(rf"^(.*{re.escape(name)}: .*)$", said, re.MULTILINE)
    return str(found)


def test_a_healthy_agent_has_no_problem_and_is_told_where_to_look(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=2) as m:
        m.cycle()
        said = examined(m)

        assert line(said, "stripe keys").startswith("ok")
        assert line(said, "stripe charges").startswith("ok")
        assert line(said, "stripe after_failed_retries").startswith("look here")
        assert "No problems found" in said
        assert "sk_test" not in said


def test_a_subscription_that_the_gateway_gave_up_a_missing_owner_and_a_wrong_account_are_problems(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.act("stripe.set_after_retries", outcome="cancel")
        m.sign_up(behaviour="decline")
        m.through("2026-03-05", every_days=3)
        method = {"method": "clearing_account", "accounts": {"clearing": "99999", "bank": "99998", "fees": "99997"}}
        m.restart(books=method, write_back={"psa_payments": None})
        said = examined(m, code=2)

        assert line(said, "stripe after_failed_retries").startswith("problem")
        assert line(said, "write_back.psa_payments").startswith("problem")
        assert line(said, "books.accounts.clearing").startswith("problem")
        assert "connector apply --recreate" in line(said, "agreements")


def test_a_partner_that_is_down_is_a_problem_and_the_others_are_still_checked(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=1) as m:
        m.cycle()
        m.fault("500", "stripe", count=1000)
        said = examined(m, code=2)

        assert line(said, "connectwise keys").startswith("ok")
        assert line(said, "stripe keys").startswith("problem")
