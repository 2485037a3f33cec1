"""Two months of an MSP: cards, bank debits over the month's end, a refund, a dispute, fees, a shop's sale, payouts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connector.flows.month_end import Closing, close, parse_month
from connector.model.month_end import MonthEnd
from tests.e2e.msp import Msp, msp
from tests.e2e.test_payouts_clearing import METHOD


@contextmanager
def story(folder: Path, **changes: Any) -> Iterator[Msp]:
    """A card of 500.00 and a bank debit of 1,200.00 in February; the bank debit of 27 February arrives in March."""
    with msp(folder, agreements=0, **{"books": METHOD, **changes}) as m:
        m.act("stripe.set_payouts", schedule="daily")
        m.cycle()
        m.sign_up("Contoso Dental")
        m.sign_up("Fabrikam Law", method="us_bank_account", amount="1200.00", starts="2026-01-27")
        m.to("2026-01-27")
        m.through("2026-02-04")
        yield m


def whole_story(m: Msp) -> None:
    """Until 1 March, from `story` on."""
    m.sign_up("Northwind Traders", amount="800.00", starts="2026-02-24")
    m.sign_up("Tailspin Toys", amount="250.00", starts="2026-02-05")
    m.sign_up("Woodgrove Bank", amount="300.00", starts="2026-02-05")
    m.through("2026-02-09")
    m.act("stripe.refund", payment_intent=payment(m, 25_000), intent="cancel_payment")
    m.act("stripe.stripe_fee", amount=700)
    m.through("2026-02-12")
    m.act("stripe.dispute", payment_intent=payment(m, 30_000))
    m.through("2026-02-21", every_days=3)
    m.act("stripe.shop_sale", amount=9_900)
    m.through("2026-03-01")


def payment(m: Msp, minor: int) -> str:
    return next(entry.payment for entry in m.ledger() if entry.amount.minor == minor)


def closed(m: Msp, month: str = "2026-02", **how: Any) -> Closing:
    return close(m.agent.desk, parse_month(month, m.agent.desk.today()), **how)


def figures(report: MonthEnd) -> dict[str, int]:
    (one,) = report.gateway
    moved = {figure.name: figure.amount.minor for figure in one.figures}
    return {"opening": one.opening.minor, **moved, "closing": one.closing.minor}
