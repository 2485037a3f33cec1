"""Every way in which money comes back: once all is delivered, the gateway, the PSA, the books and the journal say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.model.charge import ChargeState
from connector.store import stages
from tests.e2e.back import METHODS, at_gateway, days, entered_in_books, in_ledger, open_in_books, open_in_psa, paid, receivable
from tests.e2e.msp import Msp, cents, msp

OFFICES = [
    ("clearing", "connectwise"),
    ("undeposited", "connectwise"),
    ("payments_only", "connectwise"),
    ("clearing", "autotask"),
]
CANCEL = "cancel_payment"


@pytest.fixture(params=OFFICES, ids=lambda p: "-".join(p))
def office(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Msp]:
    method, psa = request.param
    with msp(tmp_path, agreements=0, psa=psa, **({"books": METHODS[method]} if METHODS[method] else {})) as m:
        m.act("stripe.set_payouts", schedule="manual")
        m.cycle()
        yield m


def bank_return(m: Msp) -> int:
    m.act("stripe.ach_return", payment_intent=paid(m, method="us_bank_account"))
    return 0


def full_refund(m: Msp) -> int:
    m.act("stripe.refund", payment_intent=paid(m), intent=CANCEL)
    return 0


def partial_refund(m: Msp) -> int:
    m.act("stripe.refund", payment_intent=paid(m), amount=20000, intent=CANCEL)
    return 30000


def two_refunds(m: Msp) -> int:
    payment = paid(m)
    m.act("stripe.refund", payment_intent=payment, amount=20000, intent=CANCEL)
    days(m)
    m.act("stripe.refund", payment_intent=payment, amount=5000, intent=CANCEL)
    return 25000


def refund_in_two_parts_at_once(m: Msp) -> int:
    payment = paid(m)
    m.act("stripe.refund", payment_intent=payment, amount=20000, intent=CANCEL)
    m.act("stripe.refund", payment_intent=payment, intent=CANCEL)
    return 0


def refund_that_failed(m: Msp) -> int:
    refund = m.act("stripe.refund", payment_intent=paid(m, method="us_bank_account"), intent=CANCEL)
    days(m)
    m.act("stripe.fail_refund", refund=refund["id"])
    return 50000


def partial_refund_that_failed(m: Msp) -> int:
    refund = m.act("stripe.refund", payment_intent=paid(m, method="us_bank_account"), amount=20000, intent=CANCEL)
    days(m)
    m.act("stripe.fail_refund", refund=refund["id"])
    return 50000


def refund_of_a_deposited_payment(m: Msp) -> int:
    payment = paid(m)
    if m.books("Payment")[0]["DepositToAccountRef"]["value"] != "93":
        m.act("quickbooks.make_deposit", payment_ids=[m.books("Payment")[0]["Id"]])
    m.act("stripe.refund", payment_intent=payment, intent=CANCEL)
    return 0


def dispute_lost(m: Msp) -> int:
    dispute = m.act("stripe.dispute", payment_intent=paid(m))
    days(m)
    m.act("stripe.close_dispute", dispute=dispute["id"], won=False)
    return 0


def dispute_won(m: Msp) -> int:
    dispute = m.act("stripe.dispute", payment_intent=paid(m))
    days(m)
    m.act("stripe.close_dispute", dispute=dispute["id"], won=True)
    return 50000


WAYS: list[Callable[[Msp], int]] = [
    bank_return,
    full_refund,
    partial_refund,
    two_refunds,
    refund_in_two_parts_at_once,
    refund_that_failed,
    partial_refund_that_failed,
    refund_of_a_deposited_payment,
    dispute_lost,
    dispute_won,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_all_say_the_same(office: Msp, way: Callable[[Msp], int]) -> None:
    left = way(office)
    days(office, 2)
    owed = 50000 - left

    assert office.undelivered() == []
    assert (at_gateway(office), in_ledger(office), entered_in_books(office)) == (left, left, left)
    assert (open_in_books(office), receivable(office)) == ([owed], owed)
    assert open_in_psa(office) == ([owed] if office.kind == "connectwise" else [50000 if owed else 0])
    assert {drift.kind for drift in office.reconcile().drifts} <= {"went_back", "partly_paid"}
    assert bool(office.reconcile().ties) is (owed == 0)


def test_a_debit_that_fails_before_it_settled_is_nowhere(office: Msp) -> None:
    with_contract = office.sign_up if office.kind == "connectwise" else office.sign_up_in_autotask
    with_contract(method="us_bank_account", behaviour="ach_fails")
    office.to("2026-02-02")
    office.cycle(1)
    office.to("2026-02-04")
    office.cycle(1)
    in_flight = [charge.state for charge in office.charges()]
    office.to("2026-02-07")
    office.cycle(2)

    assert in_flight == [ChargeState.RELEASED]
    assert (at_gateway(office), in_ledger(office)) == (0, 0)
    assert office.books("Payment") == []
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([50000], [50000], 50000)


def test_a_refund_that_waits_for_funds_moves_nothing_until_it_goes(office: Msp) -> None:
    payment = paid(office)
    refund = office.act("stripe.refund_without_funds", payment_intent=payment, amount=50000)
    office.act("stripe.note_refund", refund=refund["id"], intent=CANCEL)
    days(office)
    before = in_ledger(office), open_in_books(office)
    office.act("stripe.fund_refund", refund=refund["id"])
    days(office, 2)
    with office.agent.store.read() as tx:
        seen = [stage.stage for stage in stages.history(tx, f"reversal:{refund['id']}")]

    assert before == (50000, [0])
    assert (at_gateway(office), in_ledger(office), entered_in_books(office)) == (0, 0, 0)
    assert open_in_books(office) == [50000]
    assert seen[-1] == "succeeded"


@pytest.mark.parametrize("office", [one for one in OFFICES if one[1] == "connectwise"], ids="-".join, indirect=True)
def test_a_part_that_was_paid_is_taken_back_as_a_part(office: Msp) -> None:
    """Several payments on one invoice: each is entered by itself, and each reversal takes back its own. Autotask knows an
    invoice as paid or open only: see test_autotask_periods."""
    office.sign_up(behaviour="decline_once")
    office.to("2026-02-02")
    office.cycle(1)
    office.to("2026-02-02", 20)
    office.cycle(1)
    (invoice,) = [row for row in office.stripe("invoice") if row["status"] == "open"]
    office.act("stripe.pay_part", invoice=invoice["id"], amount=20000)
    days(office, 5)  # the gateway tries the rest again by itself
    first, second = office.ledger()
    paid_in_full = open_in_books(office), open_in_psa(office), sorted(cents(row["TotalAmt"]) for row in office.books("Payment"))
    office.act("stripe.refund", payment_intent=first.payment, intent=CANCEL)
    days(office, 2)

    assert paid_in_full == ([0], [0], [20000, 30000])
    assert (first.amount.minor, second.amount.minor) == (20000, 30000)
    assert office.undelivered() == []
    assert (at_gateway(office), in_ledger(office), entered_in_books(office)) == (30000, 30000, 30000)
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([20000], [20000], 20000)
