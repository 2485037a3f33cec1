"""Limits and days of single payers and agreements over those for everybody."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connector.config.load import checked
from connector.config.model import Config
from connector.config.yaml import parse_yaml
from connector.errors import ConfigError
from connector.flows.round import policy_of
from connector.policies import own_policies, policy
from tests.unit.nouns import agreement, ref, unit, usd
from tests.unit.test_config_load import TEXT


def config(charging: str) -> Config:
    return checked(parse_yaml(f"{TEXT}charging: {charging}\n", "connector.yaml"), folder=Path("/etc/connector"))


def told(charging: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config(charging)
    return str(caught.value)


def of(charging: str, **changes: Any) -> Any:
    """The policy of agreement 17 of payer 250."""
    read = config(charging)
    settings: Any = SimpleNamespace(
        policy=policy(read),
        payer_policies=own_policies(read, read.charging.payers),
        agreement_policies=own_policies(read, read.charging.agreements),
    )
    return policy_of(settings, unit(agreement(**changes)))


def test_a_payers_own_cap_goes_before_the_one_for_everybody() -> None:
    assert of("{cap_per_charge: 1000, payers: {250: {cap_per_charge: 50000}}}").cap == usd("50000")
    assert of("{cap_per_charge: 1000, payers: {251: {cap_per_charge: 50000}}}").cap == usd("1000")


def test_a_payer_is_named_by_id_or_with_the_psas_name() -> None:
    assert of("{payers: {'psa:250': {cap_per_charge: 5}}}").cap == usd("5")


def test_null_takes_a_limit_away_for_one_payer() -> None:
    assert of("{cap_per_charge: 1000, payers: {250: {cap_per_charge: null}}}").cap is None


def test_what_is_not_named_stays_as_for_everybody() -> None:
    found = of("{max_change_percent: 20, max_change_amount: 50, payers: {250: {max_change_percent: 60}}}")

    assert (found.max_change_percent, found.max_change) == (Decimal(60), usd("50"))


def test_the_agreements_own_goes_before_its_payers() -> None:
    assert of("{payers: {250: {cap_per_charge: 5}}, agreements: {17: {cap_per_charge: 7}}}").cap == usd("7")


def test_the_psas_word_on_the_charge_date_goes_before_the_payers_and_not_before_the_agreements_own() -> None:
    by_payer = "payers: {250: {date: invoice_date}}"

    assert of(f"{{{by_payer}}}", charge_date="15").day == 15
    assert of(f"{{{by_payer}, agreements: {{17: {{date: due_date}}}}}}", charge_date="15").charge_date == "due_date"


def test_an_own_limit_of_a_bundled_agreement_holds_for_the_bill_it_is_on() -> None:
    child = agreement("18", ref=ref("18"), group="17")
    read = config("{agreements: {18: {cap_per_charge: 7}}}")
    settings: Any = SimpleNamespace(
        policy=policy(read), payer_policies={}, agreement_policies=own_policies(read, read.charging.agreements)
    )

    assert policy_of(settings, unit(agreement(), child)).cap == usd("7")


def test_a_day_of_the_month_for_one_payer_and_another_rule_for_another() -> None:
    own = of("{payers: {250: {date: day_of_month, day: 20}}}")
    back = of("{date: day_of_month, day: 5, payers: {250: {date: due_date}}}")

    assert (own.charge_date, own.day) == ("day_of_month", 20)
    assert back.charge_date == "due_date"


def test_what_does_not_go_together_is_told_with_the_payer() -> None:
    assert "payers.250" in told("{payers: {250: {day: 5}}}")
    assert "max_change_percent and max_change_amount go together" in told("{payers: {250: {max_change_percent: 5}}}")


def test_a_mistake_in_a_payers_own_settings_stands_at_its_place() -> None:
    said = told("{payers: {250: {cap_per_charg: 5}}}")

    assert "did you mean 'cap_per_charge'?" in said
    assert "decimal places" in told("{payers: {250: {cap_per_charge: 5.001}}}")


def test_nobody_has_settings_of_their_own_by_default() -> None:
    found = of("{}")

    assert (found.cap, found.charge_date, found.collect_from) == (None, "due_date", date(2026, 1, 1))
