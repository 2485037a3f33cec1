"""What the configuration says about charging, as the flows use it: for everybody, and a payer's or an agreement's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from connector.config.model import Charging, Config, OwnCharging
from connector.model.dunning import Dunning
from connector.model.guards import Policy
from connector.model.invoice import OtherSort
from connector.model.money import Money
from connector.model.other import OtherPayer, OtherRules


def policy(config: Config) -> Policy:
    charging, currency = config.charging, config.company.currency
    return Policy(
        charge_date=charging.date,
        day=charging.day or 1,
        computed_when_missing=charging.missing_invoice == "computed",
        collect_from=config.collect_from,
        max_data_age=timedelta(hours=charging.max_data_age_hours),
        cap=_money(charging.cap_per_charge, currency),
        max_change_percent=charging.max_change_percent,
        max_change=_money(charging.max_change_amount, currency),
        supplementary_held=charging.supplementary == "hold",
        mandate_maximum=_money(charging.mandate_maximum, currency),
        approve=charging.approve,
        approve_periods=charging.approve_periods,
        second_above=_money(charging.second_person_above, currency),
    )


def own_policies(config: Config, own: Mapping[str, OwnCharging]) -> dict[str, Mapping[str, Any]]:
    """By payer or agreement (its id, or its key with the PSA's name): the fields of Policy that differ."""
    return {id: _own(config.charging.merged(given), given, config.company.currency) for id, given in own.items()}


def other_rules(config: Config) -> OtherRules:
    given, currency = config.collect, config.company.currency
    return OtherRules(
        sorts=frozenset(sort for sort in OtherSort if getattr(given.other_invoices, sort.value)),
        payers={id: OtherPayer(cap=Money.from_major(own.cap, currency), since=own.since) for id, own in given.payers.items()},
    )


def _own(merged: Charging, given: OwnCharging, currency: str) -> dict[str, Any]:
    fields: dict[str, dict[str, Any]] = {
        "date": {"charge_date": merged.date, "day": merged.day or 1},
        "day": {"charge_date": merged.date, "day": merged.day or 1},
        "cap_per_charge": {"cap": _money(merged.cap_per_charge, currency)},
        "max_change_percent": {"max_change_percent": merged.max_change_percent},
        "max_change_amount": {"max_change": _money(merged.max_change_amount, currency)},
        "mandate_maximum": {"mandate_maximum": _money(merged.mandate_maximum, currency)},
        "approve": {"approve": merged.approve},
        "second_person_above": {"second_above": _money(merged.second_person_above, currency)},
    }
    return {name: value for setting in given.model_fields_set for name, value in fields[setting].items()}


def _money(amount: Decimal | None, currency: str) -> Money | None:
    return Money.from_major(amount, currency) if amount is not None else None


def dunning(config: Config) -> Dunning:
    given = config.dunning
    return Dunning(card_attempts=given.card_attempts, bank_attempts=given.ach_attempts, days=given.days)
